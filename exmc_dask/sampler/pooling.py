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

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from exmc_dask.kernels.runtime import chain as slots
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState, Floats, Ints, shapes

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

    def group[N: (int, Ints)](self, chain: N) -> N:
        """Return the group of a chain, or of each of some."""
        return chain * self.groups // self.chains

    def first(self, group: int) -> int:
        """Return the first chain of a group."""
        return -(-group * self.chains // self.groups)

    def learn(self, states: Sequence[ChainState]) -> Lesson:
        """Put together what chains of a group have learnt; ``states`` in the order of chains."""
        if states[0].metric == "low_rank":
            group, draw = self.group(states[0].chain), states[0].draw
            n, fields = _drawn(states)
            return Lesson(group, draw, n if n >= self.enough else 0, fields)
        return self._learn(np.stack([s.f for s in states]), np.stack([s.i for s in states]))

    def teach(self, f: Floats, i: Ints) -> tuple[Floats, Ints]:
        """Return chains that stand at one of the marks with the lessons of their groups.

        Parameters
        ----------
        f, i : (chains, n) float64, (chains, 12) int64
            As a `BatchState` has them; all chains of each group.
        """
        f, i = f.copy(), i.copy()
        groups = self.group(i[:, slots.CHAIN])
        cuts = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(groups)]
        for low, high in pairwise(cuts):
            lesson = self._learn(f[low:high], i[low:high])
            if lesson.n:
                i[low:high, slots.N_FRONT] = lesson.n
                for name, place in _places(i[low]).items():
                    if name in lesson.fields:
                        f[low:high, place] = lesson.fields[name].ravel()
        return f, i

    def _learn(self, f: Floats, i: Ints) -> Lesson:
        """Put moments together.

        The mean of all, weighted by draws; then squared deviations about it: those within chains,
        and of the means of chains.
        """
        counts, places = i[:, slots.N_FRONT].astype(np.float64), _places(i[0])
        n = int(counts.sum())
        fields = {}
        for name in ("q", "grad"):
            if n and f"m2_{name}" in places:
                mean, m2 = f[:, places[f"mean_{name}"]], f[:, places[f"m2_{name}"]]
                whole = _added([counts[:, None] * mean]) / n
                fields[f"mean_{name}"] = whole
                fields[f"m2_{name}"] = _squares(m2, mean - whole, counts)
        group = int(self.group(i[0, slots.CHAIN]))
        return Lesson(group, int(i[0, slots.DRAW]), n if n >= self.enough else 0, fields)


def _drawn(states: Sequence[ChainState]) -> tuple[int, dict[str, Floats]]:
    """Return the kept draws of all chains, every n-th of them where they are many.

    The fit to them goes on from scales, so these are one chain's as well.
    """
    every = np.concatenate([state["history"] for state in states])
    most = min(_ROWS, max(_ROWS // 8, _BYTES // (16 * states[0].dim)))
    kept = every[:: -(-len(every) // most) or 1]
    return len(kept), {"history": kept, "factor": states[0]["factor"]}


def _places(i: Ints) -> dict[str, slice]:
    """Return where the fields of a chain lie, by its integers; the metric is not of low rank."""
    adapt, metric = slots.ADAPTS[i[slots.ADAPT]], slots.METRICS[i[slots.METRIC]]
    places, start = {}, 0
    for name, shape in shapes(int(i[slots.DIM]), adapt, metric).items():
        places[name] = slice(start, start + math.prod(shape))
        start = places[name].stop
    return places


def _squares(m2: Floats, apart: Floats, counts: Floats) -> Floats:
    """Return the squared deviations of all chains about a point that their means are apart from."""
    if m2.shape == apart.shape:
        return _added([m2 + counts[:, None] * (apart * apart)])
    d = apart.shape[1]
    products = (
        square.reshape(1, d, d) + n * np.tril(x[:, None] * x)
        for square, x, n in zip(m2, apart, counts, strict=True)
    )
    return _added(products)


def _added(pieces: Iterable[Floats]) -> Floats:
    """Add up the rows of arrays one after another, in one order whatever the processor likes."""
    total: Floats | None = None
    for piece in pieces:
        rows = piece if total is None else np.concatenate([total[None], piece])
        total = np.add.accumulate(rows, axis=0)[-1]
    assert total is not None
    return total
