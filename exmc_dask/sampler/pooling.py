"""Pooled warmup: chains of a group put together what each has learnt of the metric in a window.

A chain's own estimate of the metric is poor for the whole of a short warmup; that of sixty chains
is good after a few draws. So the chains of a group wait for each other at fixed draws, the ends of
the windows of `windows`, add up their moments of draws and gradients, and each goes on with the
sum in the place of its own: what its next transition then does with it, a metric and an empty
window, is what it always does at the end of a window. Positions and step sizes stay each chain's
own. The sum is taken in the order of the chains, by elementwise arithmetic alone, so its bits
depend on nothing but the draws.

Groups are fixed ranges of numbers of chains. Chains of different groups know nothing of each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState, Floats

_ROWS, _BYTES = 512, 2**20  # of draws and gradients that a group keeps for a metric of low rank


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the chains of a group have learnt in a window.

    Attributes
    ----------
    group : int
    draw : int
        Number of the draw before which the window ends.
    n : int
        Draws that it comes from; 0 where they are too few to make a metric of.
    fields : mapping of str to ndarray
        Fields of a `ChainState`: means and summed squared deviations, or kept draws.
    """

    group: int
    draw: int
    n: int
    fields: Mapping[str, Floats]

    def give(self, state: ChainState) -> ChainState:
        """Return a chain's state before this draw with the lesson in the place of its own."""
        if not self.n:
            return state
        kept = {"n_back": self.n} if "history" in self.fields else {}
        return state.replace(n_front=self.n, **kept, **self.fields)


@dataclass(frozen=True)
class Pooling:
    """Which chains of a run learn together, and when.

    Attributes
    ----------
    chains, groups : int
        Groups have equally many chains, or one more.
    marks : tuple of int
        Draws before which they share what they learnt.
    enough : int
        Draws of a window from which a metric is made.
    """

    chains: int
    groups: int
    marks: tuple[int, ...]
    enough: int

    @classmethod
    def of(cls, settings: Settings, chains: int) -> "Pooling | None":
        """Return what settings ask for; None if chains learn alone."""
        if not settings.pool:
            return None
        enough = 3 if settings.metric == "diag" or settings.scheme == "stan" else 10
        return cls(chains, max(1, chains // settings.pool), settings.marks, enough)

    def group(self, chain: int) -> int:
        """Return the group of a chain."""
        return chain * self.groups // self.chains

    def first(self, group: int) -> int:
        """Return the first chain of a group."""
        return -(-group * self.chains // self.groups)

    def learn(self, states: Sequence[ChainState]) -> Lesson:
        """Put together what chains of a group have learnt; ``states`` in the order of chains."""
        first = states[0]
        if first.metric == "low_rank":
            n, fields = _drawn(states)
        else:
            n, fields = _moments(states)
        return Lesson(self.group(first.chain), first.draw, n if n >= self.enough else 0, fields)


def _drawn(states: Sequence[ChainState]) -> tuple[int, dict[str, Floats]]:
    """Return the kept draws of all chains, every n-th of them where they are many.

    The fit to them goes on from scales, so these are one chain's as well.
    """
    every = np.concatenate([state["history"] for state in states])
    most = min(_ROWS, max(_ROWS // 8, _BYTES // (16 * states[0].dim)))
    kept = every[:: -(-len(every) // most) or 1]
    return len(kept), {"history": kept, "factor": states[0]["factor"]}


def _moments(states: Sequence[ChainState]) -> tuple[int, dict[str, Floats]]:
    """Add up means and summed squared deviations.

    T. F. Chan, G. H. Golub, R. J. LeVeque (1979), Updating formulae and a pairwise algorithm for
    computing sample variances, equation 2.1, one chain after another.
    """
    n = 0
    names = [name for name in ("q", "grad") if f"m2_{name}" in states[0].shapes()]
    total: dict[str, Any] = {
        f"{kind}_{name}": np.zeros_like(states[0][f"{kind}_{name}"])
        for name in names
        for kind in ("mean", "m2")
    }
    for state in states:
        more = state["n_front"]
        if not more:
            continue
        for name in names:
            mean, m2 = f"mean_{name}", f"m2_{name}"
            apart = state[mean] - total[mean]
            squares = apart * apart if apart.ndim == total[m2].ndim else _lower(apart)
            total[mean] = total[mean] + apart * (more / (n + more))
            total[m2] = total[m2] + state[m2] + squares * (n * more / (n + more))
        n += more
    return n, total


def _lower(x: Floats) -> Floats:
    """Return the products of a vector's entries; their upper triangle is nobody's."""
    return np.tril(x[:, None] * x)
