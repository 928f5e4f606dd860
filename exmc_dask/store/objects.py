"""Whole objects by name under one root, a folder or a URL: written at once or not at all."""

import contextlib
import os
import secrets
import shutil
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
    def get_part(self, name: str, first: int, stop: int) -> bytes | None:
        """Return bytes [first, stop) of an object, fewer where it ends before."""

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

    def free_bytes(self) -> int | None:
        """Return how much may still be written; None where nobody says."""
        return None

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the names of all that lies in a folder, unfinished objects included."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete an object, if it is there."""

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
    def get_part(self, name: str, first: int, stop: int) -> bytes | None:
        try:
            with (self._path / name).open("rb") as file:
                file.seek(first)
                return file.read(stop - first)
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

    @override
    def free_bytes(self) -> int | None:
        return shutil.disk_usage(self._path).free

    @override
    def names(self, folder: str) -> list[str]:
        try:
            return [f"{folder}/{found}" for found in os.listdir(self._path / folder)]
        except FileNotFoundError:
            return []

    @override
    def delete(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)


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
    def get_part(self, name: str, first: int, stop: int) -> bytes | None:
        try:
            path = f"{self._path}/{name}"
            content: bytes = self._system.cat_file(path, start=first, end=stop)
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

    @override
    def names(self, folder: str) -> list[str]:
        try:
            found = self._system.ls(f"{self._path}/{folder}", detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return [f"{folder}/{path.rstrip('/').rpartition('/')[2]}" for path in found]

    @override
    def delete(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._system.rm_file(f"{self._path}/{name}")


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


def everywhere(place: str | os.PathLike[str]) -> str:
    """Return a place as it is called in any process and folder: an absolute path, or the URL."""
    name = os.fspath(place)
    if name.startswith(("file://", "local://")):
        name = name.partition("://")[2]
    return name if "://" in name else str(Path(name).expanduser().absolute())
