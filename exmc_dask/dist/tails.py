"""Probabilities of tails, for what cuts a distribution off: logarithms of P(x <= t) and P(x > t).

The formulas stand in the table ``FAMILIES``; here they are guarded like densities.
"""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import FAMILIES, Dist
from exmc_dask.dist.law import family_of, guarded, is_movable, support
from exmc_dask.errors import OptionError
from exmc_dask.expressions.ir import Node, as_float, const

ALL, NOTHING = 0.0, -np.inf  # logarithms of probabilities


def logcdf(dist: Dist, value: Any) -> Node:
    """Logarithm of the probability of a value up to `value`, itself included.

    Parameters
    ----------
    dist : Dist
        Of single numbers.
    value : Node or float
        Anywhere, at infinity too.

    Raises
    ------
    OptionError
        The distribution has none in closed form; names those that have.
    """
    return _tail(dist, value, NOTHING, ALL, "logcdf")


def logsf(dist: Dist, value: Any) -> Node:
    """Logarithm of the probability of a value above `value`; see `logcdf`."""
    return _tail(dist, value, ALL, NOTHING, "logsf")


def log_at_least(dist: Dist, value: Any) -> Node:
    """Logarithm of the probability of a value from `value` on, itself included."""
    return logsf(dist, _before(dist, value))


def log_between(dist: Dist, lower: Any = None, upper: Any = None) -> Node:
    """Logarithm of the probability of values between two bounds, which belong to it.

    The difference of probabilities is taken at the smaller tail, so that it keeps its digits however
    far out the bounds lie. None leaves a side open.
    """
    if lower is None:
        return const(ALL) if upper is None else logcdf(dist, upper)
    if upper is None:
        return log_at_least(dist, lower)
    before = _before(dist, lower)
    from_lower, up_to_upper = logsf(dist, before), logcdf(dist, upper)
    right = from_lower < up_to_upper
    return math.logdiffexp(
        math.where(right, from_lower, up_to_upper),
        math.where(right, logsf(dist, upper), logcdf(dist, before)),
    )


def without_tails(dist: Dist) -> Dist | None:
    """Return the distribution, or the first inside it, that `logcdf` and `logsf` do not know."""
    names = [p.name for p in family_of(dist).params]
    if family_of(dist).logcdf is None or ("logcdf" in names and dist.get("logcdf") is None):
        return dist
    return next((found for _, part in dist.inner() if (found := without_tails(part))), None)


def _before(dist: Dist, value: Any) -> Node:
    """Value that is exceeded by `value` and all above: itself where single values have none."""
    if support(dist).whole:
        return -math.floor(-as_float(value)) - 1.0
    if not is_movable(dist):
        raise OptionError(
            f"{dist.family} mixes single values with continuous ones, which no bound can cut off"
        )
    return as_float(value)


def _tail(dist: Dist, value: Any, below: float, above: float, side: str) -> Node:
    """Formula inside the support, and what holds on either side of it."""
    unable = without_tails(dist)
    if unable is not None:
        raise OptionError(f"{_why(unable)}; these have one: {', '.join(_able())}")
    params, penalty = guarded(dist)
    limits = support(Dist(dist.family, tuple(params.items())))
    lower = -np.inf if limits.lower is None else limits.lower
    upper = np.inf if limits.upper is None else limits.upper
    x = math.floor(as_float(value)) if limits.whole else as_float(value)
    begun = (x > lower) if is_movable(dist) else (x >= lower)
    inside = begun & (x < upper)
    formula = getattr(family_of(dist), side)(math.guard(inside, x, limits.anchor()), **params)
    result = math.where(inside, formula, math.where(begun, above, below))
    return result if penalty is None else result + penalty


def _why(dist: Dist) -> str:
    if dist.family == "Custom":
        return "this needs a Custom with logcdf="
    return f"{dist.family} has no distribution function in closed form"


def _able() -> list[str]:
    return sorted(family.name for family in FAMILIES.values() if family.logcdf is not None)
