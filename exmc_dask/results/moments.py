"""Moments of draws, where the draws themselves are not kept.

Of each chain there are the mean and the sum of squared deviations of some columns, of all its draws
and of batches of consecutive ones. Which draws are added up with which depends on their numbers
only, so that where blocks end leaves no trace, not in the last bit: 16 draws are added in turn,
then always two neighbours of one size are joined. Beyond twice the number of batches that are
wanted, two neighbours become one, so that what is kept does not grow with the draws.

Two sets of draws are joined as in Chan, Golub and LeVeque (1983), "Algorithms for computing the
sample variance", https://doi.org/10.1080/00031305.1983.10483115.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BATCHES = 64  # of all chains together: the error of an ESS is then 18 %
MIN_BATCHES = 16  # with fewer, nothing is said of it
_LEAF = 16  # draws


@dataclass(frozen=True, eq=False)
class Part:
    """Moments of consecutive draws.

    Attributes
    ----------
    n : int
    mean, m2 : (k,) float64
        Mean and sum of squared deviations from it.
    """

    n: int
    mean: Array
    m2: Array

    def join(self, other: "Part") -> "Part":
        """Return the moments of both, this one's draws first."""
        n = self.n + other.n
        step = other.mean - self.mean
        mean = self.mean + step * (other.n / n)
        m2 = self.m2 + other.m2 + step * step * (self.n * other.n / n)
        return Part(n, mean, m2)


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of the draws of a chain so far; `add` returns new ones.

    Attributes
    ----------
    least : int
        Batches that are kept once there have been so many; twice as many at most.
    size : int
        Draws in a batch.
    batches : tuple of Part
    rising : tuple of Part
        Of the draws after them, each of fewer than the one before.
    rest : (m, k) float64
        Of the draws after those, fewer than 16.
    """

    least: int
    size: int
    batches: tuple[Part, ...]
    rising: tuple[Part, ...]
    rest: Array

    @classmethod
    def none(cls, k: int, chains: int) -> Self:
        """Return the moments of no draw of ``k`` columns, of one of so many chains."""
        least = 2 ** max(1, math.ceil(math.log2(BATCHES / chains)))
        return cls(least, _LEAF, (), (), np.empty((0, k)))

    def add(self, rows: Array) -> "Moments":
        """Return the moments of these draws and of ``rows`` after them, (m, k)."""
        rows = np.concatenate((self.rest, rows))
        n = len(rows) // _LEAF
        mean, m2 = _sums(rows[: n * _LEAF].reshape(n, _LEAF, rows.shape[1]))
        found = replace(self, rest=rows[n * _LEAF :].copy())
        for leaf in range(n):
            found = found._risen(Part(_LEAF, mean[leaf].copy(), m2[leaf].copy()))
        return found

    def _risen(self, part: Part) -> "Moments":
        rising = [*self.rising, part]
        while len(rising) > 1 and rising[-1].n == rising[-2].n:
            last = rising.pop()
            rising[-1] = rising[-1].join(last)
        if rising[-1].n < self.size:
            return replace(self, rising=tuple(rising))
        found = replace(self, rising=tuple(rising[:-1]), batches=(*self.batches, rising[-1]))
        return found.coarser() if len(found.batches) == 2 * self.least else found

    def coarser(self) -> "Moments":
        """Return the same with batches of twice the size; one that is left over is then rising."""
        pairs = zip(self.batches[::2], self.batches[1::2], strict=False)
        odd = self.batches[-1:] if len(self.batches) % 2 else ()
        batches = tuple(one.join(other) for one, other in pairs)
        return replace(self, size=2 * self.size, batches=batches, rising=odd + self.rising)

    @property
    def total(self) -> Part:
        """The moments of all draws; NaN where there is none."""
        k = self.rest.shape[1]
        parts = [*self.batches, *self.rising]
        if len(self.rest):
            mean, m2 = _sums(self.rest[None])
            parts.append(Part(len(self.rest), mean[0], m2[0]))
        nothing = np.full(k, math.nan)
        return reduce(Part.join, parts) if parts else Part(0, nothing, nothing)


def batch_means(chains: Sequence[Moments], k: int) -> tuple[int, Array]:
    """Return the draws in a batch, and the means of the batches of ``k`` columns that all have.

    Returns
    -------
    int
    ndarray
        float64, (n_chains, n_batches, k).
    """
    size = max((chain.size for chain in chains), default=_LEAF)
    found = list(chains)
    for place, chain in enumerate(found):
        while chain.size < size:
            chain = chain.coarser()
        found[place] = chain
    n = min((len(chain.batches) for chain in found), default=0)
    means = [batch.mean for chain in found for batch in chain.batches[:n]]
    return size, np.reshape(np.array(means, np.float64), (len(found), n, k))


def rhat(counts: NDArray[np.int64], means: Array, variances: Array) -> Array:
    """R-hat of whole chains (Gelman and Rubin 1992), as arviz_stats' method "identity" has it.

    Parameters
    ----------
    counts : (n_chains,) int64
        Draws of each chain. Where they differ, because a run was stopped, the fewest count.
    means, variances : (n_chains, k) float64
        The latter with divisor n - 1.
    """
    n = int(counts.min())
    within, between = variances.mean(axis=0), means.var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(between / within + (n - 1) / n))


def mcse(counts: NDArray[np.int64], means: Array, size: int, batches: Array) -> Array:
    """Return the standard error of the mean over all chains, from means of batches.

    Replicated batch means, Gupta and Vats (2020), "Estimating Monte Carlo variance from multiple
    Markov chains", https://arxiv.org/abs/2007.04229: deviations are from the mean of all chains, so
    that chains that disagree count. Batches are as large as 64 of them allow, which from 64 chains
    on are whole chains.

    Parameters
    ----------
    counts : (n_chains,) int64
    means : (n_chains, k) float64
    size : int
    batches : (n_chains, n_batches, k) float64
        As `batch_means` returns them.
    """
    n_chains, n, k = batches.shape
    if n_chains >= BATCHES:
        batches, size = means[:, None], int(counts.min())
    else:
        while n_chains * (n // 2) >= BATCHES:
            n, size = n // 2, 2 * size
            batches = batches[:, : 2 * n].reshape(n_chains, n, 2, k).mean(axis=2)
    flat = batches.reshape(-1, k)
    if len(flat) < MIN_BATCHES:
        return np.full(k, math.nan)
    return np.asarray(np.sqrt(size * flat.var(axis=0, ddof=1) / counts.sum()))


def ess(variance: Array, error: Array, total: int) -> Array:
    """Return how many independent draws have this standard error, S log10(S) of S at most."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.minimum(variance / error**2, total * math.log10(max(total, 2))))


def _sums(rows: Array) -> tuple[Array, Array]:
    """Return mean and squared deviations of (groups, m, k) over m, added up one after the other."""
    m = rows.shape[1]
    mean = np.zeros((len(rows), rows.shape[2]))
    for i in range(m):
        mean += rows[:, i]
    mean /= m
    m2 = np.zeros_like(mean)
    for i in range(m):
        step = rows[:, i] - mean
        m2 += step * step
    return mean, m2
