"""Entries: which rows of a chain lie in which pieces, as records and as the arrays of a tail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.sampler.receipt import Glimpse, Receipt

_NONE = Glimpse(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 0)))
_COLUMNS = ("first", "worker", "attempt", "size", "checksum", "chains", "part", "n", "skipped")
_N_WIDTHS = 4


@dataclass(frozen=True, eq=False)
class Entry:
    """Consecutive rows of a chain that lie in one piece.

    Attributes
    ----------
    first : int
        Number of the first of them, as `Rows` counts.
    receipt : Receipt
    worker, attempt : int
        As in `Rows`, of all rows.
    """

    first: int
    receipt: Receipt
    worker: int = 0
    attempt: int = 0

    @classmethod
    def of(cls, first: int, receipt: Receipt, worker: int = 0, attempt: int = 0) -> "Entry":
        """Return an entry that keeps no glimpse, which nobody looks at any more."""
        return cls(first, replace(receipt, glimpse=_NONE), worker, attempt)

    @property
    def stop(self) -> int:
        """Number of the row that follows."""
        return self.first + self.receipt.kept


def to_arrays(entries: Sequence[Entry]) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Return the names of the pieces, and a table of the rest; no array where there is none."""
    if not entries:
        return [], {}
    table = [
        [
            getattr(entry if name in ("first", "worker", "attempt") else entry.receipt, name)
            for name in _COLUMNS
        ]
        + list(entry.receipt.widths)
        for entry in entries
    ]
    return [entry.receipt.name for entry in entries], {"pieces": np.array(table, np.int64)}


def from_arrays(names: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> tuple[Entry, ...]:
    """Return the entries that `to_arrays` wrote.

    Raises
    ------
    KeyError
        The table is not there, or is not that of so many pieces.
    """
    if not names:
        return ()
    table = arrays["pieces"]
    if table.shape != (len(names), len(_COLUMNS) + _N_WIDTHS):
        raise KeyError("pieces")
    return tuple(_entry(name, row) for name, row in zip(names, table.tolist(), strict=True))


def _entry(name: str, row: Sequence[int]) -> Entry:
    first, worker, attempt, *numbers = row[: len(_COLUMNS)]
    size, checksum, chains, part, n, skipped = numbers
    widths = tuple(row[len(_COLUMNS) :])
    receipt = Receipt(name, size, checksum, chains, part, n, skipped, widths, _NONE)
    return Entry(first, receipt, worker, attempt)
