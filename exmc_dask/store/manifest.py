"""The manifest: all that a run is, so that a store needs nothing beside it; and who owns it now."""

import hashlib
import json
from collections.abc import Buffer, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import FormatError, OptionError, StoreError
from exmc_dask.store.layout import Layout
from exmc_dask.store.objects import Objects
from exmc_dask.store.tail import VERSION, archive, check_version, unarchive

MANIFEST, MODEL, DATA, OWNER = (
    "exmc/manifest.json",
    "exmc/model.msgpack",
    "exmc/data.npz",
    "exmc/owner.json",
)


@dataclass(frozen=True, eq=False)
class Manifest:
    """A run as it was asked for; never changed once it is written.

    Attributes
    ----------
    model : bytes
        `ModelSpec.to_bytes`.
    data, coords : mapping of str to ndarray
        As in `exmc_dask.Model`.
    initials : mapping of int to (dim,) float64
        Unconstrained starting points of some chains.
    options, settings, run : mapping
        How the model is lowered; `Settings.to_dict`; what else the caller asked for. Plain values.
    spec : str
        Key of the spec that workers are sent: other releases may make another of the same model.
    layout : Layout
    release : str
        Of exmc_dask, that began the run.
    """

    model: bytes
    data: Mapping[str, NDArray[Any]]
    coords: Mapping[str, NDArray[Any]]
    initials: Mapping[int, NDArray[np.float64]]
    options: Mapping[str, Any]
    settings: Mapping[str, Any]
    run: Mapping[str, Any]
    spec: str
    layout: Layout
    release: str

    def objects(self) -> list[tuple[str, Buffer]]:
        """Return the names and contents of the objects it consists of, the one that counts last."""
        for dim, labels in self.coords.items():
            if labels.dtype.hasobject:
                raise OptionError(
                    f"the coordinates of '{dim}' are a mixture, which no store can keep; make them "
                    "all text or all numbers"
                )
        arrays = {f"data:{name}": array for name, array in self.data.items()}
        arrays |= {f"coords:{name}": array for name, array in self.coords.items()}
        arrays |= {f"initial:{chain}": point for chain, point in self.initials.items()}
        data = archive({"version": VERSION}, arrays)
        about = {
            "format": "exmc_dask store",
            "version": VERSION,
            "release": self.release,
            "spec": self.spec,
            "options": self.options,
            "settings": self.settings,
            "run": self.run,
            "layout": self.layout.to_data(),
            "sha256": {MODEL: _digest(self.model), DATA: _digest(data)},
        }
        return [(MODEL, self.model), (DATA, data), (MANIFEST, _sealed(about))]

    @classmethod
    def read(cls, objects: Objects) -> "Manifest":
        """Read the manifest of a store.

        Raises
        ------
        StoreError
            There is no store.
        FormatError
            It is damaged or of another version.
        """
        content = objects.get(MANIFEST)
        if content is None:
            raise StoreError(
                f"{objects.root} holds no run: there is no {MANIFEST} in it; give the path or URL "
                "that was given to sample as store="
            )
        about = _unsealed(content, objects.where(MANIFEST))
        parts = {name: _part(objects, name, digest) for name, digest in about["sha256"].items()}
        _, arrays = unarchive(parts[DATA], objects.where(DATA))
        kinds: dict[str, dict[str, NDArray[Any]]] = {"data": {}, "coords": {}, "initial": {}}
        for name, array in arrays.items():
            kind, _, own = name.partition(":")
            kinds[kind][own] = array
        return cls(
            model=parts[MODEL],
            data=kinds["data"],
            coords=kinds["coords"],
            initials={int(chain): point for chain, point in kinds["initial"].items()},
            options=about["options"],
            settings=about["settings"],
            run=about["run"],
            spec=about["spec"],
            layout=Layout.from_data(about["layout"]),
            release=about["release"],
        )


@dataclass(frozen=True)
class Owner:
    """Who may write, and how far the run is to go.

    Attributes
    ----------
    epoch : int
        Raised by each who takes the store over.
    token : str
        Tells two apart who took it over at the same time: the one that is read back owns it.
    draws : int
        Draws wanted of each chain.
    until : bool
        Whether the manifest's ``until`` may still end the run before that.
    host : str
        Where it runs, and its process, for people.
    targets : sequence of str
        What chains are drawn with, one after the other; the last from now on.
    changes : sequence of sequence of str
        Of each but the last, from which draw on which chains had another after it, in words.
    """

    epoch: int
    token: str
    draws: int
    until: bool
    host: str
    targets: Sequence[str] = ()
    changes: Sequence[Sequence[str]] = ()

    def to_bytes(self) -> bytes:
        """Return it as the bytes of a file."""
        return _sealed({"version": VERSION, **asdict(self)})

    @classmethod
    def read(cls, objects: Objects) -> "Owner":
        """Read the owner of a store.

        Raises
        ------
        FileNotFoundError
            There is none: the store is gone.
        FormatError
            It is damaged.
        """
        content = objects.get(OWNER)
        if content is None:
            raise FileNotFoundError(f"{objects.where(OWNER)} is gone")
        about = _unsealed(content, objects.where(OWNER))
        return cls(**{name: value for name, value in about.items() if name != "version"})


def _part(objects: Objects, name: str, digest: str) -> bytes:
    content = objects.get(name)
    if content is None or _digest(content) != digest:
        what = "is gone" if content is None else "is not what the manifest names"
        raise FormatError(
            f"{objects.where(name)} {what}; without it the run cannot be continued: put it back "
            "from a copy"
        )
    return content


def _digest(content: Buffer) -> str:
    return hashlib.sha256(content).hexdigest()


def _sealed(about: Mapping[str, Any]) -> bytes:
    """Return JSON that people can read and that holds the digest of the rest of it."""
    digest = _digest(json.dumps(about, sort_keys=True).encode())
    return json.dumps({**about, "digest": digest}, indent=2).encode()


def _unsealed(content: bytes, where: str) -> dict[str, Any]:
    try:
        about = json.loads(content)
        digest = about.pop("digest")
        version = about["version"]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise FormatError(f"{where} is damaged: {error}; put it back from a copy") from error
    check_version(version, where)
    if digest != _digest(json.dumps(about, sort_keys=True).encode()):
        raise FormatError(
            f"{where} was changed after it was written; put it back from a copy, or sample anew "
            "with other options"
        )
    assert isinstance(about, dict)
    return about
