"""Arrays of a result that are read from blocks when they are used, as those of a file are."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from exmc_dask.results.segments import Block, Segment, walk

Fetch = Callable[[Block, slice], Any]
"""Returns the values of some rows of a block, in any shape that fits."""


def unloaded(
    parts: Sequence[Sequence[Segment]],
    shape: tuple[int, int],
    extents: Sequence[int],
    dtype: Any,
    fetch: Fetch,
) -> Any:
    """Return an array (chain, draw, *extents) for an xarray variable.

    Parameters
    ----------
    parts : sequence of sequence of Segment
        Chain by chain, all rows.
    shape : (int, int)
        Chains and draws.
    extents : sequence of int
        Of one draw.
    dtype : dtype
    fetch : callable
    """
    found = _Unloaded(parts, (*shape, *extents), np.dtype(dtype), fetch)
    lazy: Any = indexing.LazilyIndexedArray(found)
    return indexing.CopyOnWriteArray(lazy)


class _Unloaded(BackendArray):
    """What xarray asks for; it never changes, so that copies may share it."""

    def __init__(
        self,
        parts: Sequence[Sequence[Segment]],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        fetch: Fetch,
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._parts, self._fetch = parts, fetch

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, self._read)

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def _read(self, key: tuple[int | slice, ...]) -> Any:
        """Read the rows between the first and the last that are wanted, and take those."""
        chains, draws = (
            np.atleast_1d(np.arange(n)[own]) for n, own in zip(self.shape[:2], key[:2], strict=True)
        )
        extents, rest = self.shape[2:], key[2:]
        low, stop = (int(draws.min()), int(draws.max()) + 1) if draws.size else (0, 0)
        inner = np.empty(extents, bool)[rest].shape
        found = np.empty((len(chains), stop - low, *inner), self.dtype)
        for row, segment in walk([self._parts[chain] for chain in chains.tolist()]):
            place = segment.place
            first, end = max(low, place.start), min(stop, place.stop)
            if first < end:
                begin = segment.rows.start - place.start
                values = self._fetch(segment.block, slice(begin + first, begin + end))
                if np.ndim(values):
                    values = np.reshape(values, (end - first, *extents))[:, *rest]
                found[row, first - low : end - low] = values
        in_turn = isinstance(key[1], slice) and key[1].step in (None, 1)
        taken = found if in_turn else found[:, draws - low]
        for axis in (1, 0):
            if isinstance(key[axis], int | np.integer):
                taken = taken.take(0, axis)
        return taken
