"""Rows: kept draws of one chain and who made them, to be cut and joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from exmc_dask.sampler.state import Draws


class Made(Protocol):
    """A finished block."""

    @property
    def draws(self) -> Draws:
        """What it kept."""

    @property
    def attempt(self) -> int:
        """How many attempts were lost before."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Consecutive rows of a chain; row 0 is the first after warmup, those of the warmup lie below.

    Attributes
    ----------
    first : int
        Number of the first row.
    values : (n, n_out) float64
    q : (n, dim) float64, or (n, 0) where positions are not kept
    stats_f, stats_i : (n, ...) float64, int64
        As in `Draws`.
    worker, attempt : (n,) int16
        Codes of the workers, and tries that were lost before.
    """

    first: int
    values: NDArray[np.float64]
    q: NDArray[np.float64]
    stats_f: NDArray[np.float64]
    stats_i: NDArray[np.int64]
    worker: NDArray[np.int16]
    attempt: NDArray[np.int16]

    @classmethod
    def of(cls, block: Made, tune: int, worker: int, n_q: int) -> "Rows":
        """Return the rows of a block, of which ``n_q`` coordinates of the position are kept."""
        draws, n = block.draws, len(block.draws)
        return cls(
            (draws.first - tune) // draws.thin,
            draws.values,
            draws.q if n_q else np.empty((n, 0)),
            draws.stats_f,
            draws.stats_i,
            np.full(n, worker, np.int16),
            np.full(n, block.attempt, np.int16),
        )

    @classmethod
    def join(cls, parts: Sequence["Rows"]) -> "Rows":
        """Put rows that follow each other into one record; there has to be one part at least."""
        if len(parts) == 1:
            return parts[0]
        columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS}
        return cls(parts[0].first, **columns)

    def cut(self, first: int, stop: int) -> "Rows":
        """Return those rows whose numbers lie in [first, stop), without a copy."""
        first = max(first, self.first)
        part = slice(first - self.first, max(stop, first) - self.first)
        return Rows(first, **{name: column[part] for name, column in self.columns().items()})

    def columns(self) -> Mapping[str, NDArray[Any]]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in COLUMNS}

    def draws(self, tune: int, thin: int) -> Draws:
        """Return the rows as they came out of their blocks."""
        q = self.q if self.q.shape[1] else np.empty((0, 0))
        first = tune + thin * self.first
        return Draws(first, self.values, q, self.stats_f, self.stats_i, thin)

    @property
    def stop(self) -> int:
        """Number of the row that follows."""
        return self.first + len(self)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)


COLUMNS = tuple(field.name for field in fields(Rows))[1:]
