"""Whole objects by name under one root, a folder or a URL: written at once or not at all."""

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Buffer, Iterable
from pathlib import Path
from typing import Any, override

from exmc_dask.errors import OptionError


class Objects(ABC):
    """A place for objects.

    Attributes
    ----------
    root : str
        As the user wrote it; `where` names single objects in messages.
    """

    root: str

    def where(self, name: str) -> str:
        """Return an object's full name, for people."""
        return f"{self.root.rstrip('/')}/{name}"

    @abstractmethod
    def get(self, name: str) -> bytes | None:
        """Return an object, or None where there is none."""

    @abstractmethod
    def put(self, name: str, content: Buffer) -> None:
        """Write an object whole, in the place of an older one.

        A reader sees the old one or the new one, whenever the writer dies.

        Raises
        ------
        OSError
            Whatever the file system has against it.
        """

    @abstractmethod
    def create(self) -> None:
        """Make the root, which has to be new or empty; no object is put into one that is gone."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether nothing lies under the root."""

    def put_all(self, objects: Iterable[tuple[str, Buffer]]) -> None:
        """Write several, in order."""
        for name, content in objects:
            self.put(name, content)


class Folder(Objects):
    """Files in a folder, each written beside its place, forced to disk and then moved there."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root)
        self._path = Path(self.root).expanduser().absolute()

    @override
    def get(self, name: str) -> bytes | None:
        try:
            return (self._path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    @override
    def put(self, name: str, content: Buffer) -> None:
        place = self._path / name
        if not self._path.is_dir():  # deleted meanwhile, on purpose or not: it is not made anew
            raise FileNotFoundError(f"the folder {self.root} is gone")
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        try:
            with beside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(place)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise

    @override
    def create(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)

    @override
    def is_empty(self) -> bool:
        return not self._path.exists() or (self._path.is_dir() and not any(self._path.iterdir()))


class Remote(Objects):
    """Objects behind a URL that fsspec knows, each written by one request."""

    def __init__(self, url: str, system: Any, path: str) -> None:
        self.root = url
        self._system, self._path = system, path.rstrip("/")

    @override
    def get(self, name: str) -> bytes | None:
        try:
            content: bytes = self._system.cat_file(f"{self._path}/{name}")
        except FileNotFoundError:
            return None
        return content

    @override
    def put(self, name: str, content: Buffer) -> None:
        self._system.pipe_file(f"{self._path}/{name}", bytes(content))

    @override
    def create(self) -> None:
        self._system.makedirs(self._path, exist_ok=True)

    @override
    def is_empty(self) -> bool:
        try:
            return not self._system.ls(self._path, detail=False)
        except FileNotFoundError:
            return True


def objects_at(place: str | os.PathLike[str]) -> Objects:
    """Return the objects under a path or URL.

    Parameters
    ----------
    place : path or str
        A folder, or a URL such as ``s3://bucket/run.zarr``, for which fsspec needs the package of
        that protocol.

    Raises
    ------
    OptionError
        It is neither, or fsspec cannot reach it.
    """
    if not isinstance(place, str | os.PathLike) or not os.fspath(place):
        raise OptionError(f"store={place!r} is not possible; give a path or a URL")
    name = os.fspath(place)
    if "://" not in name:
        return Folder(name)
    if name.startswith(("file://", "local://")):
        return Folder(name.partition("://")[2])
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(name)
    except (ImportError, ValueError) as error:
        raise OptionError(f"store={name!r} cannot be reached: {error}") from error
    return Remote(name, system, path)
