"""Receipts: what a worker answers in place of draws that it has written to a store itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS, Draws

N_SEEN = 12  # columns of a glimpse at most
_SHARE = 16  # a glimpse is this part of its draws at most


@dataclass(frozen=True, eq=False)
class Glimpse:
    """Some numbers of a block for those who watch: a few columns, and of those every so many rows.

    Which rows follows from their draw numbers, so that chains are seen at the same draws.

    Attributes
    ----------
    numbers : (m,) int64
        Draw numbers, warmup included.
    columns : (k,) int64
        Which columns of the draws these are.
    values : (m, k) float64, or (m, chains, k) of a batch
    """

    numbers: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def at(cls, draws: Draws) -> Self:
        """Return 12 columns, spread evenly, and so many rows that it is a sixteenth at most."""
        width = draws.cut("values", slice(0, 0), slice(None)).shape[-1]
        columns = np.unique(np.linspace(0, max(width - 1, 0), min(N_SEEN, width)).astype(np.int64))
        every = 1
        while _SHARE * len(columns) > every * (width + len(FLOAT_STATS) + len(INT_STATS)):
            every *= 2
        rows = np.flatnonzero(draws.numbers // draws.thin % every == 0)
        if draws.in_memory:
            values = draws.values[rows][..., columns]
        else:
            own = [draws.cut("values", slice(None), slice(c, c + 1)) for c in columns.tolist()]
            values = np.concatenate(own, axis=1)[rows]
        return cls(draws.numbers[rows], columns, values)

    def of(self, part: int) -> "Glimpse":
        """Return what there is of one chain of a batch."""
        return replace(self, values=self.values[:, part])


@dataclass(frozen=True, eq=False)
class Receipt:
    """Where the draws of a block lie, and how to tell that it is they.

    Attributes
    ----------
    name : str
        Of the piece; no other attempt in the world has written one of this name. "" where no row
        of the block is kept, and so nothing was written.
    size : int
        Bytes of it.
    checksum : int
        CRC-32 of its index, which has those of all else.
    chains, part : int
        How many chains lie in the piece, and which of them is meant.
    n, skipped : int
        Rows of the block, and how many of them lie before those that are kept.
    widths : sequence of int
        Columns of the four arrays of `Draws`, in order.
    glimpse : Glimpse
    """

    name: str
    size: int
    checksum: int
    chains: int
    part: int
    n: int
    skipped: int
    widths: Sequence[int]
    glimpse: Glimpse

    @property
    def kept(self) -> int:
        """Rows of each chain in the piece."""
        return self.n - self.skipped

    def of(self, part: int) -> "Receipt":
        """Return that of one chain of a batch."""
        return replace(self, part=part, glimpse=self.glimpse.of(part))
