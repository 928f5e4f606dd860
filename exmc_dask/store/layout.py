"""Layout: which zarr arrays a run fills, from which columns of its rows, and in which chunks."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS

SAMPLED = ("posterior", "sample_stats", "unconstrained_posterior")
WARMUP = "warmup_"
_CHUNK_BYTES = 8_000_000  # of all rows of a chunk; the tail that waits for it is no larger
_DTYPES: dict[str, type[Any]] = {"stats_i": np.int64, "worker": np.int16, "attempt": np.int16}
_WAITING_BYTES = 1_000_000_000  # of the tails of all chains together


@dataclass(frozen=True)
class Array:
    """A zarr array with axes (chain, draw, ...).

    Attributes
    ----------
    group, name : str
    shape : tuple of int
        Of one draw.
    dims : tuple of str
        One an axis of ``shape``.
    dtype : str
        NumPy's name.
    source : str
        The field of `Rows` that its values stand in.
    column : int
        The first of them in that field; they are as many as an element of ``shape`` has.
    """

    group: str
    name: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    dtype: str
    source: str
    column: int

    @property
    def path(self) -> str:
        """Its name in the store."""
        return f"{self.group}/{self.name}"


@dataclass(frozen=True)
class Span:
    """Rows [first, stop) of a chain, which are chunk number ``index`` of every array of a part.

    ``warmup`` says which part; ``stop`` may lie beyond the last row that the run will have.
    """

    warmup: bool
    index: int
    first: int
    stop: int


@dataclass(frozen=True)
class Layout:
    """All arrays that a run fills.

    Attributes
    ----------
    arrays : tuple of Array
        Those of the groups after warmup; the groups before it, if kept, have the same.
    chains : int
    n_warmup : int
        Rows of the warmup that are kept: none, or all that its thinning leaves.
    chunk_draws : int
        Rows of a chunk, the same in every array.
    in_pieces : bool
        Draws lie in pieces, as workers wrote them, and chunks are made of them when they are read.
    """

    arrays: tuple[Array, ...]
    chains: int
    n_warmup: int
    chunk_draws: int
    in_pieces: bool = False

    @property
    def home(self) -> str:
        """What the names of all zarr objects begin with: plain zarr finds no chunks to miss."""
        return "exmc/view/" if self.in_pieces else ""

    @property
    def groups(self) -> list[str]:
        """Names of all groups that the run fills."""
        return list(dict.fromkeys(a.group for span in self.parts for a in self.of(span)))

    @property
    def parts(self) -> list[bool]:
        """The parts of a chain, told by whether they are warmup."""
        return [True, False] if self.n_warmup else [False]

    @property
    def n_q(self) -> int:
        """Length of the position, if it is kept after warmup; 0 if not."""
        return sum(math.prod(a.shape) for a in self.arrays if a.source == "q")

    def width(self, source: str) -> int:
        """Return the columns of one field of `Rows`."""
        own = (a.column + math.prod(a.shape) for a in self.arrays if a.source == source)
        return max(own, default=0)

    def dtype(self, source: str) -> type[Any]:
        """Return what the numbers of one field of `Rows` are."""
        return _DTYPES.get(source, np.float64)

    def of(self, warmup: bool) -> list[Array]:
        """Return the arrays of a part."""
        if not warmup:
            return list(self.arrays)
        kept = SAMPLED[:2]  # positions of the warmup are not kept
        return [replace(a, group=WARMUP + a.group) for a in self.arrays if a.group in kept]

    def chunked(self, warmup: bool) -> list[Array]:
        """Return the arrays of a part that have chunks: those with elements."""
        return [array for array in self.of(warmup) if 0 not in array.shape]

    def spans(self, first: int, stop: int) -> Iterator[Span]:
        """Yield the chunks into which rows [first, stop) fall."""
        size, row = self.chunk_draws, max(first, -self.n_warmup)
        while row < stop:
            warmup = row < 0
            origin = -self.n_warmup if warmup else 0
            index = (row - origin) // size
            begin = origin + index * size
            end = min(begin + size, 0) if warmup else begin + size
            yield Span(warmup, index, begin, end)
            row = end

    def to_data(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Layout":
        """Return the layout that `to_data` described."""
        arrays = (
            Array(**{**a, "shape": tuple(a["shape"]), "dims": tuple(a["dims"])})
            for a in data["arrays"]
        )
        return cls(**{**data, "arrays": tuple(arrays)})


def lay_out(
    groups: Mapping[str, Any],
    chains: int,
    n_warmup: int,
    n_draws: int,
    chunk: int | None = None,
    *,
    in_pieces: bool = False,
) -> Layout:
    """Return the layout of a run, given its result without draws.

    Parameters
    ----------
    groups : mapping of str to Dataset
        The groups of that result.
    chains, n_warmup, n_draws : int
        Chains and rows of each to be kept.
    chunk : int, optional
        Rows of a chunk; by default so many that a chunk of all arrays takes 8 MB, that the tails
        of all chains together stay below 1 GB, and no more than a part of a chain has.
    in_pieces : bool
    """
    arrays = []
    for group in SAMPLED:
        column = 0
        for name, array in groups[group].data_vars.items() if group in groups else ():
            shape = tuple(array.shape[2:])
            source, at = ("q" if group == SAMPLED[2] else "values"), column
            if group == SAMPLED[1]:
                source, at = _stat(name)
            else:
                column += math.prod(shape)
            dims = tuple(array.dims[2:])
            arrays.append(Array(group, name, shape, dims, array.dtype.name, source, at))
    if chunk is None:
        row_bytes = 8 * sum(math.prod(a.shape) for a in arrays)
        fits = min(_CHUNK_BYTES, _WAITING_BYTES // chains) // row_bytes
        chunk = max(1, min(fits, max(n_warmup, n_draws)))
    return Layout(tuple(arrays), chains, n_warmup, chunk, in_pieces)


def _stat(name: str) -> tuple[str, int]:
    if name in FLOAT_STATS:
        return "stats_f", FLOAT_STATS.index(name)
    if name in INT_STATS:
        return "stats_i", INT_STATS.index(name)
    return name, 0
