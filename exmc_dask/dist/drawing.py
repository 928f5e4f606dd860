"""Random numbers with the law of a distribution.

Most families say how they are drawn. From one that does not, but has its distribution function in
closed form, a uniform number gives a draw by inversion; so does what lies between two bounds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from exmc_dask.dist.base import VALUE, Dist, Place
from exmc_dask.dist.law import core_of, event_ndim, family_of, standard, support
from exmc_dask.dist.tails import logcdf, logsf, without_tails
from exmc_dask.errors import ModelError
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import FLOAT, Op

type Array = np.ndarray
type Numbers = Callable[[Node], Array]
type Functions = Mapping[Place, Callable[..., Any]]

NONE: Functions = MappingProxyType({})
DRAWN = "<drawn>"  # no identifier, so never the name of a variable
HALVINGS = 64  # bits of a float
PATIENCE = 4096  # draws after which one more is hopeless


def draw(
    dist: Dist,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    numbers: Numbers,
    by: Functions = NONE,
) -> Array:
    """Draw an array of `shape`.

    Parameters
    ----------
    dist : Dist
    rng : numpy.random.Generator
    shape : tuple of int
        Batch and event axes.
    numbers : function (Node) -> ndarray
        Values of the parameters' expressions. Axes in front of those of the node are the first
        axes of `shape`.
    by : mapping of place to function (rng, shape, *params) -> ndarray
        The user's own ways to draw `Custom` distributions, which wait at these places in `dist`.

    Raises
    ------
    ModelError
        There is no way to draw, see `without_draw`.
    """
    family = family_of(dist)
    rank = len(shape) - event_ndim(dist)

    def given(argument: Any, core: int, place: Place) -> Any:
        match argument:
            case Node():
                return _aligned(np.asarray(numbers(argument)), argument.ndim, rank, core)
            case Dist():
                return Inner(argument, rng, numbers, _below(by, place))
            case tuple():
                return [given(part, 0, (*place, i)) for i, part in enumerate(argument)]
            case _:
                return argument

    if () in by:
        formulas = {p.name for p in family.params}
        operands = [a for name, a in dist.params if isinstance(a, Node) and name not in formulas]
        return np.asarray(by[()](rng, shape, *(given(operand, 0, ()) for operand in operands)))
    if family.draw is None:
        return between(dist, rng, shape, numbers)
    made = standard(dist)
    params = {p.name: given(made.get(p.name), core_of(p, dist), (p.name,)) for p in family.params}
    return np.asarray(family.draw(rng, shape, **params))


def without_draw(dist: Dist, by: Functions = NONE) -> Dist | None:
    """Return the distribution, or the first inside it, that there is no way to draw."""
    if () in by:
        return None
    if family_of(dist).draw is None:
        return None if without_tails(dist) is None else dist
    below = (without_draw(part, _below(by, place)) for place, part in dist.inner())
    return next((found for found in below if found is not None), None)


def _below(by: Functions, place: Place) -> Functions:
    n = len(place)
    return {key[n:]: function for key, function in by.items() if key[:n] == place}


@dataclass(frozen=True)
class Inner:
    """A distribution inside another one, as the `draw` of the outer one sees it."""

    dist: Dist
    rng: np.random.Generator
    numbers: Numbers
    by: Functions = field(default=NONE)

    @property
    def n_event(self) -> int:
        """Trailing axes of one event."""
        return event_ndim(self.dist)

    def __call__(self, shape: tuple[int, ...]) -> Array:
        """Draw an array of `shape`."""
        return draw(self.dist, self.rng, shape, self.numbers, self.by)

    def drawn_where(
        self, shape: tuple[int, ...], holds: Callable[[Array], Array], lower: Any, upper: Any
    ) -> Array:
        """Draw an array of values for which a condition holds: those between two bounds.

        Values are drawn until it holds for all, or, where that takes too long and the distribution
        function has a closed form, by inversion.

        Raises
        ------
        ModelError
            It takes too long, and there is no other way.
        """
        found, missing = np.zeros(shape), np.ones(shape, dtype=bool)
        for _ in range(self._patience()):
            drawn = self(shape)
            kept = missing & holds(drawn)
            found[kept] = drawn[kept]
            missing &= ~kept
            if not missing.any():
                return found
        inverted = between(self.dist, self.rng, shape, self.numbers, lower, upper)
        return np.where(missing, inverted, found)

    def _patience(self) -> int:
        """How often to draw before something else is tried."""
        if without_tails(self.dist) is not None:
            return PATIENCE
        return HALVINGS if family_of(self.dist).draw is not None or () in self.by else 0


def between(
    dist: Dist,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    numbers: Numbers,
    lower: Any = None,
    upper: Any = None,
) -> Array:
    """Draw numbers between two bounds by inverting the distribution function.

    The probability of the smaller tail is compared, so that draws are right however far out the
    bounds lie. Bisection runs over the order of floats themselves: it ends at neighbours after as
    many halvings as they have bits, whatever their size.
    """
    unable = without_tails(dist)
    if unable is not None:
        raise ModelError(
            f"{dist.family} cannot be drawn where it is wanted, which is too seldom, or at all: "
            f"{unable.family} has no distribution function in closed form"
        )
    leaves = {
        leaf: np.asarray(numbers(leaf))
        for leaf in topological(dist.nodes())
        if leaf.op in (Op.DATA, Op.VAR, Op.PARAM) and leaf.arg != VALUE
    }
    front = max((array.ndim - leaf.ndim for leaf, array in leaves.items()), default=0)
    at = make(Op.VAR, (), DRAWN, shape[front:], FLOAT)
    roots = [logcdf(dist, at), logsf(dist, at)]

    def tails(x: Array) -> tuple[Array, Array]:
        """Logarithms of the probabilities up to `x` and above it."""
        below, above = evaluate(roots, {**leaves, at: np.broadcast_to(x, shape)})
        return below, above

    least = np.broadcast_to(-np.inf if lower is None else lower, shape)
    most = np.broadcast_to(np.inf if upper is None else upper, shape)
    before = np.ceil(least) - 1.0 if support(dist).whole else least
    (first_below, first_above), (last_below, last_above) = tails(before), tails(most)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = rng.random(shape)
        right = first_above < last_below
        wanted = np.where(
            right,
            np.logaddexp(np.log(share) + last_above, np.log1p(-share) + first_above),
            np.logaddexp(np.log(share) + last_below, np.log1p(-share) + first_below),
        )

    def reached(x: Array) -> Array:
        below, above = tails(x)
        return np.asarray(np.where(right, above <= wanted, below >= wanted))

    low, high = map(_place, _bracket(reached, least, most))
    for _ in range(HALVINGS):
        middle = (low & high) + ((low ^ high) >> 1)  # the mean, without overflow
        enough = reached(_float(middle))
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return _float(high)


def _bracket(
    reached: Callable[[Array], Array], least: Array, most: Array
) -> tuple[Array, Array]:
    """Ends, finite where a value can be, between which `reached` begins to hold.

    Distances from the middle are doubled, so that it is not asked about values that are far out.
    """
    centre = np.clip(0.0, least, most)
    low, high = np.where(np.isinf(least), centre, least), np.where(np.isinf(most), centre, most)
    step = 1.0
    while (short := np.isinf(most) & (high < np.inf) & ~reached(high)).any():
        high, step = np.where(short, centre + step, high), 2.0 * step
    step = 1.0
    while (beyond := np.isinf(least) & (low > -np.inf) & reached(low)).any():
        low, step = np.where(beyond, centre - step, low), 2.0 * step
    return low, high


def _place(x: Array) -> Array:
    """Number of a float in the order of all of them."""
    bits = (np.asarray(x, dtype=np.float64) + 0.0).view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def _float(place: Array) -> Array:
    """Return the float of a number; inverse of `_place`."""
    return np.where(place < 0, np.int64(-(2**63)) - place, place).view(np.float64)
def _aligned(array: np.ndarray, ndim: int, rank: int, core: int) -> np.ndarray:
    """Put the axes that stand in front of a parameter's own, as those of many draws do, in front.

    They then meet the first axes of a result with `rank` batch axes, and the parameter's own batch
    axes the last ones. Axes of an event that the parameter does not have are of length 1.
    """
    front = array.ndim - ndim
    own = ndim - min(core, ndim)
    gap = max(rank - front - own, 0) if front else 0
    missing = core - min(core, ndim)
    lengths = (*array.shape[:front], *(1,) * gap, *array.shape[front:], *(1,) * missing)
    return array.reshape(lengths)
