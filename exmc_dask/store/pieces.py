"""Rows of chains that lie in pieces: found by their entries, and read when they are used."""

import threading
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import FormatError
from exmc_dask.store import piece
from exmc_dask.store.entry import Entry
from exmc_dask.store.layout import Layout
from exmc_dask.store.objects import Objects
from exmc_dask.store.tail import Tail, name_of

_RECENT_BYTES = 2**25  # of stripes that are kept as they were read: what reads does so in turn
_ARRAYS = ("values", "q", "stats_f", "stats_i")  # of draws, in the order of a piece's columns


class Pieces:
    """The pieces of a store, for use by several threads; what was read last is kept.

    Parameters
    ----------
    objects : Objects
    layout : Layout
    entries : mapping of int to iterable of Entry
        What there is of each chain to begin with.
    """

    sparse: ClassVar[bool] = True

    def __init__(
        self,
        objects: Objects,
        layout: Layout,
        entries: Mapping[int, Iterable[Entry]] | None = None,
    ) -> None:
        self._objects, self._layout = objects, layout
        self._lock = threading.Lock()
        self._entries = {chain: list(own) for chain, own in (entries or {}).items()}
        self._recent: OrderedDict[tuple[str, int, int], NDArray[Any]] = OrderedDict()
        self._held = 0  # bytes of them

    @classmethod
    def of(cls, objects: Objects, layout: Layout, tails: Mapping[int, Tail]) -> "Pieces":
        """Return what tails vouch for."""
        return cls(objects, layout, {chain: tail.pieces for chain, tail in tails.items()})

    def __reduce__(self) -> tuple[type["Pieces"], tuple[Objects, Layout, dict[int, list[Entry]]]]:
        with self._lock:
            entries = {chain: list(own) for chain, own in self._entries.items()}
        return Pieces, (self._objects, self._layout, entries)

    def add(self, chain: int, entry: Entry) -> None:
        """Take note of rows that have been written."""
        with self._lock:
            insort(self._entries.setdefault(chain, []), entry, key=_first)

    def read(self, chain: int, field: str, first: int, stop: int, columns: slice) -> NDArray[Any]:
        """Return rows [first, stop) of some columns of one array of draws.

        Parameters
        ----------
        chain : int
        field : str
            Of `Rows`.
        first, stop : int
            As `Rows` counts. Rows of a warmup that is not kept are zeros, which nothing shows.
        columns : slice

        Raises
        ------
        FormatError
            A piece is damaged or gone.
        """
        low, high, _ = columns.indices(self._layout.width(field))
        found = np.zeros((stop - first, high - low), self._layout.dtype(field))
        reached = max(first, -self._layout.n_warmup)
        for entry in self._overlapping(chain, first, stop):
            begin, end = max(first, entry.first), min(stop, entry.stop)
            if begin > reached:
                break
            rows = slice(begin - entry.first, end - entry.first)
            found[begin - first : end - first] = self._cut(chain, entry, field, rows, low, high)
            reached = end
        if reached < stop:
            raise FormatError(
                f"{self._objects.where(name_of(chain))} names no piece for row {reached} of chain "
                f"{chain}; delete it and resume: the chain then begins again and makes the same "
                "draws"
            )
        return found

    def _overlapping(self, chain: int, first: int, stop: int) -> list[Entry]:
        with self._lock:
            entries = self._entries.get(chain, [])
            low = max(0, bisect_right(entries, first, key=_first) - 1)
            high = bisect_right(entries, stop - 1, key=_first)
            return [entry for entry in entries[low:high] if entry.stop > first]

    def _cut(
        self, chain: int, entry: Entry, field: str, rows: slice, low: int, high: int
    ) -> NDArray[Any]:
        """Return some rows and columns of an entry, (rows, columns)."""
        if field not in _ARRAYS:  # one number for all of its rows
            return np.full((rows.stop - rows.start, high - low), getattr(entry, field))
        receipt, place = entry.receipt, _ARRAYS.index(field)
        if high == low:
            return np.empty((rows.stop - rows.start, 0))
        at = sum(receipt.widths[:place])
        needed = piece.stripes_of(receipt, at + low, at + high)
        parts = self._stripes(chain, entry, needed)
        begin = piece.columns_of(receipt, needed[0]).start
        table = np.concatenate(parts)[at + low - begin : at + high - begin, rows]
        found: NDArray[Any] = table.view(self._layout.dtype(field)).T
        return found

    def _stripes(self, chain: int, entry: Entry, wanted: range) -> list[NDArray[Any]]:
        """Return stripes of an entry's chain, those read again that are not at hand."""
        receipt = entry.receipt

        def key(k: int) -> tuple[str, int, int]:
            return receipt.name, receipt.part, k

        with self._lock:
            held = {k: self._recent[key(k)] for k in wanted if key(k) in self._recent}
            for k in held:
                self._recent.move_to_end(key(k))
        lacking = [k for k in wanted if k not in held]
        if lacking:
            span = range(lacking[0], lacking[-1] + 1)
            try:
                index = self._index(entry)
                held |= dict(piece.read(self._objects, receipt, index, span))
            except ValueError as error:
                raise FormatError(
                    f"{self._objects.where(piece.FOLDER)}/{receipt.name} cannot be read ({error}); "
                    f"put it back from a copy, or delete {self._objects.where(name_of(chain))} and "
                    f"resume: chain {chain} then begins again and makes the same draws"
                ) from error
            for k in span:
                self._keep(key(k), held[k])
        return [held[k] for k in wanted]

    def _index(self, entry: Entry) -> NDArray[Any]:
        place = (entry.receipt.name, -1, -1)
        with self._lock:
            found = self._recent.get(place)
        if found is None:
            found = piece.index_of(self._objects, entry.receipt)
            self._keep(place, found)
        return found

    def _keep(self, place: tuple[str, int, int], found: NDArray[Any]) -> None:
        with self._lock:
            if (before := self._recent.pop(place, None)) is not None:
                self._held -= before.nbytes
            self._recent[place] = found
            self._held += found.nbytes
            while self._held > _RECENT_BYTES and len(self._recent) > 1:
                self._held -= self._recent.popitem(last=False)[1].nbytes


def _first(entry: Entry) -> int:
    return entry.first
