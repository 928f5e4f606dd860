"""ChainState and Draws: all that the next draw depends on, and what was drawn."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import FormatError
from exmc_dask.kernels.runtime import chain as slots
from exmc_dask.kernels.runtime.chain import FLOAT_STATS, INT_STATS

__all__ = ["FLOAT_STATS", "INT_STATS", "ChainState", "Draws", "Past", "State", "shapes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def shapes(dim: int, adapt: str, metric: str, kept: int = 0) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of what lies in ``f``, in order.

    Parameters
    ----------
    dim : int
        Number of unconstrained parameters.
    adapt, metric : str
        As in `exmc_dask.sampler.settings.Settings`.
    kept : int
        Draws that the metric "low_rank" keeps at present: ``history[j, 0]`` is a draw and
        ``history[j, 1]`` the gradient at it.
    """
    if metric == "low_rank":
        rank = min(slots.MAX_RANK, dim)
        metric_shapes = zip(slots.LOW_RANK_SPREADS, [(dim,), (dim,), (rank, dim)], strict=True)
        vectors = {"q": (dim,), "grad": (dim,), "history": (kept, 2, dim)}
        return {**dict.fromkeys(slots.SCALARS, ()), **dict(metric_shapes), **vectors}
    scheme = slots.ADAPTS.index(adapt)
    spread = (dim, dim) if metric == "dense" else (dim,)
    return {
        **dict.fromkeys(slots.SCALARS, ()),
        **dict.fromkeys(slots.SPREADS[: slots.N_SPREADS[scheme]], spread),
        **dict.fromkeys(slots.VECTORS[: slots.N_VECTORS[scheme]], (dim,)),
    }


class State(Protocol):
    """What the next block of a unit depends on: of a chain its ChainState."""

    @property
    def draw(self) -> int:
        """Number of the next draw, from 0, warmup included; of other units, of the next step."""


@dataclass(frozen=True)
class Past:
    """The state after a block that is over, as far as it is still known."""

    draw: int


@dataclass(frozen=True, eq=False)
class ChainState:
    """A chain between two draws.

    The two arrays are the whole of it, to be sent and stored as they are; together with the
    settings and the data they decide every draw to come. They are made read-only.

    Parameters
    ----------
    f : (n,) float64
    i : (12,) int64
        Laid out as `exmc_dask.kernels.runtime.chain` says.

    Raises
    ------
    FormatError
        The arrays are not a state of this version.
    """

    f: Floats
    i: Ints

    def __post_init__(self) -> None:
        for name, kind in (("f", np.float64), ("i", np.int64)):
            view = np.ascontiguousarray(getattr(self, name), kind).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if self.i.shape != (len(slots.INTS),) or self.i[slots.VERSION_] != slots.VERSION:
            raise FormatError(
                f"a chain's state of layout version {self.i[:1].tolist()} cannot be read by "
                f"version {slots.VERSION}; continue it with the release that wrote it"
            )
        size = sum(math.prod(shape) for shape in self.shapes().values())
        if self.f.shape != (size,):
            raise FormatError(
                f"a chain's state with dim={self.dim} holds {size} numbers, not {self.f.shape}; "
                "it is damaged or belongs to another metric"
            )

    @classmethod
    def blank(cls, dim: int, adapt: str, metric: str, chain: int, **fields: Any) -> "ChainState":
        """Return a state with the given fields set and zeros everywhere else."""
        ints = np.zeros(len(slots.INTS), np.int64)
        ints[slots.VERSION_] = slots.VERSION
        ints[slots.DIM] = dim
        ints[slots.ADAPT] = slots.ADAPTS.index(adapt)
        ints[slots.METRIC] = slots.METRICS.index(metric)
        ints[slots.CHAIN] = chain
        size = sum(math.prod(shape) for shape in shapes(dim, adapt, metric).values())
        return cls(np.zeros(size), ints).replace(**fields)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the names and shapes of what lies in ``f``, in order."""
        return _shapes(self.i)

    def replace(self, **fields: Any) -> "ChainState":
        """Return a copy with some named fields, of either array, set anew.

        With another ``n_front`` the metric "low_rank" needs another ``history``, of that length.
        """
        i = self.i.copy()
        for place, name in enumerate(slots.INTS):
            i[place] = fields.pop(name, i[place])
        layout = _shapes(i)
        f = np.empty(sum(math.prod(shape) for shape in layout.values()))
        mine = _views(self.f, self.shapes())
        for name, view in _views(f, layout).items():
            view[...] = fields.pop(name) if name in fields else mine[name]
        if fields:
            raise KeyError(*fields)
        return ChainState(f, i)

    def __getitem__(self, name: str) -> Any:
        """Return one named field: an int, or a read-only view of float64."""
        if name in slots.INTS:
            return int(self.i[slots.INTS.index(name)])
        return _views(self.f, self.shapes())[name]

    @property
    def dim(self) -> int:
        """Number of unconstrained parameters."""
        return int(self.i[slots.DIM])

    @property
    def chain(self) -> int:
        """Number of the chain: a word of its random counter."""
        return int(self.i[slots.CHAIN])

    @property
    def draw(self) -> int:
        """Number of the next draw, from 0, warmup included."""
        return int(self.i[slots.DRAW])

    @property
    def adapt(self) -> str:
        """Warmup scheme."""
        return slots.ADAPTS[self.i[slots.ADAPT]]

    @property
    def metric(self) -> str:
        """Shape of the metric."""
        return slots.METRICS[self.i[slots.METRIC]]

    @property
    def q(self) -> Floats:
        """Position, unconstrained, (dim,)."""
        return np.asarray(self["q"])

    @property
    def root(self) -> Floats:
        """Root F of the inverse mass matrix F F': its diagonal (dim,), or all of it (dim, dim)."""
        factor = np.asarray(self["factor"])
        if self.metric != "low_rank":
            return factor
        u = self["directions"]
        stretch = self["stretch"][: len(u)]
        return np.asarray(factor[:, None] * (np.eye(self.dim) + (u.T * stretch) @ u))

    @property
    def inv_mass(self) -> Floats:
        """Inverse mass matrix: its diagonal (dim,), or all of it (dim, dim)."""
        root = self.root
        return root @ root.T if root.ndim == 2 else root**2

    @property
    def step_size(self) -> float:
        """Averaged step size: what sampling uses."""
        return float(np.exp(self["log_step_bar"]))


@dataclass(frozen=True, eq=False)
class Draws:
    """What a block drew and kept; row r is draw number ``first + r * thin``.

    Parameters
    ----------
    first : int
        Number of the first kept draw, warmup included.
    values : (n, n_out) float64
        Constrained values and deterministics, as the kernel's expand lays them out.
    q : (n, dim) float64, or (0, dim) when not stored
        Unconstrained positions.
    stats_f : (n, len(FLOAT_STATS)) float64
    stats_i : (n, len(INT_STATS)) int64
        Sample statistics in the order of the two lists of names.
    thin : int
        Distance of kept draws.

    Attributes
    ----------
    in_memory : bool
        Whether these are the draws themselves; others know where to read them.
    sparse : bool
        Those who watch see a `Glimpse` of them only, as it would take long to read all.
    """

    in_memory: ClassVar[bool] = True
    sparse: ClassVar[bool] = False

    first: int
    values: Floats
    q: Floats
    stats_f: Floats
    stats_i: Ints
    thin: int = 1

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    @property
    def numbers(self) -> Ints:
        """Draw numbers of the rows, (n,)."""
        return self.first + self.thin * np.arange(len(self), dtype=np.int64)

    def between(self, low: int, stop: int) -> slice:
        """Return the rows whose draw numbers lie in [low, stop)."""
        ends = (max(-((self.first - end) // self.thin), 0) for end in (low, stop))
        return slice(*(min(end, len(self)) for end in ends))

    def cut(self, name: str, rows: slice, columns: slice) -> NDArray[Any]:
        """Return part of one of the four arrays, (rows, columns)."""
        whole: NDArray[Any] = getattr(self, name)
        return whole[rows, columns]

    def stat(self, name: str) -> NDArray[Any]:
        """Return one sample statistic, (n,)."""
        if name in FLOAT_STATS:
            return self.stats_f[:, FLOAT_STATS.index(name)]
        return self.stats_i[:, INT_STATS.index(name)]


def _shapes(i: Ints) -> dict[str, tuple[int, ...]]:
    """Return the layout that belongs to the integers of a chain."""
    adapt, metric = slots.ADAPTS[i[slots.ADAPT]], slots.METRICS[i[slots.METRIC]]
    return shapes(int(i[slots.DIM]), adapt, metric, int(i[slots.N_FRONT]))


def _views(f: Floats, layout: Mapping[str, tuple[int, ...]]) -> dict[str, Floats]:
    views, start = {}, 0
    for name, shape in layout.items():
        stop = start + math.prod(shape)
        views[name] = f[start:stop].reshape(shape)
        start = stop
    return views
