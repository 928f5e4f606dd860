"""Draws that have left the memory: rows of a chain that are read back from its chunks."""

import math
import threading
from collections import OrderedDict
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from exmc_dask.sampler.state import Draws
from exmc_dask.store.chunk import key
from exmc_dask.store.layout import Array, Layout, Span
from exmc_dask.store.objects import Objects
from exmc_dask.store.stored import read_chunk

_RECENT_BYTES = 2**25  # of chunks that are kept as they were read: what reads does so in turn


class Source(Protocol):
    """Where rows of chains are read: the chunks of a store, or its pieces."""

    @property
    def sparse(self) -> bool:
        """As `Draws` that are read here are."""

    def read(self, chain: int, field: str, first: int, stop: int, columns: slice) -> NDArray[Any]:
        """Return rows [first, stop) of some columns of one array of draws, as `Chunks` does."""


class Chunks:
    """The chunks of a store, for use by several threads; the last that were read are kept.

    Parameters
    ----------
    objects : Objects
    layout : Layout
    """

    sparse: ClassVar[bool] = False

    def __init__(self, objects: Objects, layout: Layout) -> None:
        self._objects, self._layout = objects, layout
        self._lock = threading.Lock()
        self._recent: OrderedDict[str, NDArray[Any]] = OrderedDict()

    def __reduce__(self) -> tuple[type["Chunks"], tuple[Objects, Layout]]:
        return Chunks, (self._objects, self._layout)

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
            A chunk is damaged or gone.
        """
        low, high, _ = columns.indices(self._layout.width(field))
        found = np.zeros((stop - first, high - low), self._layout.dtype(field))
        for span in self._layout.spans(first, stop):
            begin, end = max(first, span.first), min(stop, span.stop)
            for array in self._layout.chunked(span.warmup):
                a, b = max(low, array.column), min(high, array.column + math.prod(array.shape))
                if array.source == field and a < b:
                    rows = self._chunk(array, chain, span)[begin - span.first : end - span.first]
                    part = rows[:, a - array.column : b - array.column]
                    found[begin - first : end - first, a - low : b - low] = part
        return found

    def _chunk(self, array: Array, chain: int, span: Span) -> NDArray[Any]:
        name = key(array, chain, span)
        with self._lock:
            if name in self._recent:
                self._recent.move_to_end(name)
                return self._recent[name]
        found = read_chunk(self._objects, self._layout, array, chain, span)
        with self._lock:
            self._recent[name] = found
            while sum(chunk.nbytes for chunk in self._recent.values()) > _RECENT_BYTES:
                self._recent.popitem(last=False)
        return found


class StoredDraws(Draws):
    """What a block drew, read from a store whenever it is used.

    Parameters
    ----------
    first, thin : int
        As in `Draws`.
    n : int
        Rows.
    chain : int
    row : int
        Number of the first row, as `Rows` counts.
    source : Source
    """

    in_memory: ClassVar[bool] = False

    _n: int
    _chain: int
    _row: int
    _source: Source

    def __init__(self, first: int, thin: int, n: int, chain: int, row: int, source: Source) -> None:
        own = {"first": first, "thin": thin, "_n": n}
        own["sparse"] = source.sparse
        self.__dict__.update(own, _chain=chain, _row=row, _source=source)  # it is frozen

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._n

    def cut(self, name: str, rows: slice, columns: slice) -> NDArray[Any]:
        """Return part of one of the four arrays, (rows, columns)."""
        low, stop, _ = rows.indices(self._n)
        return self._source.read(
            self._chain, name, self._row + low, self._row + max(low, stop), columns
        )

    @property
    def values(self) -> NDArray[np.float64]:
        """Constrained values."""
        return self._whole("values")

    @property
    def q(self) -> NDArray[np.float64]:
        """Unconstrained positions."""
        return self._whole("q")

    @property
    def stats_f(self) -> NDArray[np.float64]:
        """Sample statistics that are floats."""
        return self._whole("stats_f")

    @property
    def stats_i(self) -> NDArray[np.int64]:
        """Sample statistics that are whole numbers."""
        return self._whole("stats_i")

    def _whole(self, name: str) -> NDArray[Any]:
        return self.cut(name, slice(None), slice(None))
