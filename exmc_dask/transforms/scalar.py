"""Transforms of single numbers."""

from math import pi
from typing import Any

from exmc_dask import math
from exmc_dask.errors import OptionError
from exmc_dask.expressions.ir import as_float, const
from exmc_dask.transforms.base import Row, Transform, kind

log = kind("log", Row(forward=math.log, backward=math.exp, log_det=lambda z: z))

log_exp_m1 = kind(
    "log_exp_m1",
    Row(
        forward=lambda x: x + math.log(-math.expm1(-x)),
        backward=math.softplus,
        log_det=lambda z: -math.softplus(-z),
        aliases=("softplus",),
    ),
)

logit = kind(
    "logit",
    Row(
        forward=math.logit,
        backward=math.sigmoid,
        log_det=lambda z: -math.softplus(-z) - math.softplus(z),
        aliases=("logodds",),
    ),
)

kind(
    "lower",
    Row(
        forward=lambda x, lower: math.log(x - lower),
        backward=lambda z, lower: lower + math.exp(z),
        log_det=lambda z, lower: z,
        n_args=1,
    ),
)

kind(
    "upper",
    Row(
        forward=lambda x, upper: math.log(upper - x),
        backward=lambda z, upper: upper - math.exp(z),
        log_det=lambda z, upper: z,
        n_args=1,
    ),
)

kind(
    "interval",
    Row(
        forward=lambda x, lower, upper: math.log(x - lower) - math.log(upper - x),
        backward=lambda z, lower, upper: lower + (upper - lower) * math.sigmoid(z),
        log_det=lambda z, lower, upper: (
            math.log(upper - lower) - math.softplus(-z) - math.softplus(z)
        ),
        n_args=2,
    ),
)

# An angle is wound up: z may run around the circle any number of times, so that neither -pi nor pi
# is a wall. Every turn repeats the density, which over z has no integral: where all angles are
# nearly alike trajectories run on and on, and a unit_vector of two elements is the better choice.
circular = kind(
    "circular",
    Row(
        forward=lambda x: x,
        backward=lambda z: z - 2.0 * pi * math.floor(z / (2.0 * pi) + 0.5),
        log_det=lambda z: const(0.0),
    ),
)


def interval(lower: Any = None, upper: Any = None) -> Transform:
    """Return the transform to between two bounds.

    Parameters
    ----------
    lower, upper : number, array or expression, optional
        ``None`` leaves a side open; one of them must be given.
    """
    if lower is None and upper is None:
        raise OptionError("an interval needs a lower bound, an upper bound or both")
    if upper is None:
        return Transform("lower", (as_float(lower),))
    if lower is None:
        return Transform("upper", (as_float(upper),))
    return Transform("interval", (as_float(lower), as_float(upper)))
