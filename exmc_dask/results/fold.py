"""Fold: what is kept of the draws of a chain instead of them; and draws that are no more."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from exmc_dask.results.moments import Moments
from exmc_dask.sampler.state import Draws

# Of each chain, beside its variables: mean of the acceptance statistic, and what BFMI is made of.
BESIDE = ("acceptance_rate", "energy", "squared energy step")
TOTALS = ("diverging", "reached_max_treedepth", "n_steps")


@dataclass(frozen=True, eq=False)
class Fold:
    """What is kept of the draws of a chain after warmup.

    Attributes
    ----------
    moments : Moments
        Of the columns of values, then of `BESIDE`.
    totals : (len(TOTALS),) int64
        Sums over the draws.
    tree_depth : int
        The largest.
    energy : float
        Of the last draw.
    """

    moments: Moments
    totals: NDArray[np.int64]
    tree_depth: int = 0
    energy: float = np.nan

    def add(self, draws: Draws, rows: slice) -> "Fold":
        """Return what is kept of these draws and of some rows after them."""
        values, energy = draws.values[rows], draws.stat("energy")[rows]
        if not len(values):
            return self
        steps = np.diff(energy, prepend=self.energy) ** 2
        if np.isnan(self.energy):
            steps[0] = 0.0  # the first draw has none before it
        beside = np.stack((draws.stat("acceptance_rate")[rows], energy, steps), axis=1)
        totals = [int(draws.stat(name)[rows].sum()) for name in TOTALS]
        return Fold(
            self.moments.add(np.concatenate((values, beside), axis=1)),
            self.totals + np.array(totals, np.int64),
            max(self.tree_depth, int(draws.stat("tree_depth")[rows].max())),
            float(energy[-1]),
        )


class Folding:
    """The fold of a chain while it grows; ``now`` is put there whole, and may be read any time."""

    def __init__(self, k: int, chains: int) -> None:
        self.now = Fold(Moments.none(k, chains), np.zeros(len(TOTALS), np.int64))


class FoldedDraws(Draws):
    """Draws that are no more; ``folding`` has what is kept of them and of those of other blocks."""

    in_memory: ClassVar[bool] = False

    folding: Folding

    def __init__(self, first: int, thin: int, n: int, folding: Folding) -> None:
        self.__dict__.update(first=first, thin=thin, _n=n, folding=folding)  # it is frozen

    def __len__(self) -> int:
        """Return how many they were."""
        return int(self.__dict__["_n"])
