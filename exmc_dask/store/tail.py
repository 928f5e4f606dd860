"""The tail of a chain: where it stands, its state, and the rows that no full chunk holds yet.

It is one object, replaced whole, and the only one that says how far a chain has come: readers
believe its numbers and ignore whatever lies beyond. As bytes it is an uncompressed ``.npz`` file,
in which every array has a CRC-32; nothing in it is a pickle.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import FormatError
from exmc_dask.sampler.state import ChainState
from exmc_dask.store.entry import Entry, from_arrays, to_arrays
from exmc_dask.store.rows import COLUMNS, Rows

VERSION = 1
"""Of the objects of a store; raised when one of them changes."""


@dataclass(frozen=True, eq=False)
class Tail:
    """A chain between two blocks.

    Attributes
    ----------
    chain : int
    stored : int
        Number of the first row that is not in chunks or pieces, as `Rows` counts.
    rows : Rows or None
        Rows from there on; None for none. Where draws lie in pieces there are none.
    state : ChainState or None
        After the last of them; None: the chain has not begun.
    fingerprint : str
        Of the last block.
    workers : tuple of str
        Whose codes the rows of all chains hold.
    seconds : float
        Time that the run took up to here, in all its lives.
    dropped : bool
        The chain was given up.
    pieces : tuple of Entry
        Where its rows lie that are in pieces, in order.
    waiting : tuple of Rows
        Rows between those that are to be written as pieces still; in memory only.
    """

    chain: int
    stored: int
    rows: Rows | None = None
    state: ChainState | None = None
    fingerprint: str = ""
    workers: tuple[str, ...] = ()
    seconds: float = 0.0
    dropped: bool = False
    pieces: tuple[Entry, ...] = ()
    waiting: tuple[Rows, ...] = ()

    @property
    def stop(self) -> int:
        """Number of the row after the last."""
        return self.stored if self.rows is None else self.rows.stop

    def to_bytes(self) -> bytes:
        """Return the tail as the bytes of a file."""
        about = {
            "version": VERSION,
            "chain": self.chain,
            "stored": self.stored,
            "first": None if self.rows is None else self.rows.first,
            "fingerprint": self.fingerprint,
            "workers": self.workers,
            "seconds": self.seconds,
            "dropped": self.dropped,
        }
        rows = {} if self.rows is None else self.rows.columns()
        state = {} if self.state is None else {"state_f": self.state.f, "state_i": self.state.i}
        names, pieces = to_arrays(self.pieces)
        return archive({**about, "pieces": names}, {**rows, **state, **pieces})

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> "Tail":
        """Return the tail that `to_bytes` wrote; ``where`` names it in messages.

        Raises
        ------
        FormatError
            It is damaged or of another version.
        """
        about, arrays = unarchive(content, where)
        try:
            rows = None
            if about["first"] is not None:
                rows = Rows(about["first"], *(arrays[name] for name in COLUMNS))
            state = None
            if "state_f" in arrays:
                state = ChainState(arrays["state_f"], arrays["state_i"])
            return cls(
                about["chain"],
                about["stored"],
                rows,
                state,
                about["fingerprint"],
                tuple(about["workers"]),
                about["seconds"],
                about["dropped"],
                from_arrays(about["pieces"], arrays),
            )
        except (KeyError, TypeError) as error:
            raise FormatError(f"{where} is damaged: it lacks {error}") from error


def name_of(chain: int) -> str:
    """Return the name of a chain's tail in the store."""
    return f"exmc/tails/{chain:06}.npz"


def archive(about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return plain values and arrays as the bytes of one ``.npz`` file."""
    file = io.BytesIO()
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(file, allow_pickle=False, about=text, **arrays)
    return file.getvalue()


def unarchive(content: bytes, where: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what `archive` put together.

    Raises
    ------
    FormatError
        It is damaged or of another version.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = dict(file)
        about = json.loads(arrays.pop("about").tobytes())
        version = about["version"]
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError, OSError) as error:
        raise FormatError(
            f"{where} is damaged ({error}); put it back from a copy, or delete it: its chain then "
            "begins again and makes the same draws"
        ) from error
    check_version(version, where)
    return about, arrays


def check_version(version: Any, where: str) -> None:
    """Raise FormatError for objects of another release."""
    if version != VERSION:
        raise FormatError(
            f"{where} has schema {version!r} and this release reads {VERSION}; use the release of "
            "exmc_dask that wrote it, or a newer one"
        )
