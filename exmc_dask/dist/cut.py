"""Distributions cut off at bounds: values beyond them do not occur, or are known to be beyond only."""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.axes import Shape, broadcast
from exmc_dask.dist.base import Dist, Family, Param, row
from exmc_dask.dist.domain import Support, finite, within
from exmc_dask.dist.drawing import Inner
from exmc_dask.dist.law import logp, numeric, shape_of, support, support_point
from exmc_dask.dist.tails import log_at_least, log_between, logcdf
from exmc_dask.errors import OptionError
from exmc_dask.expressions.ir import Node

DIST = Param("dist", domain="dist")
LOWER, UPPER = Param("lower", optional=True), Param("upper", optional=True)


def _shape(dist: Dist) -> Shape:
    bounds = [argument.shape for _, argument in dist.params if isinstance(argument, Node)]
    return broadcast(shape_of(dist.get("dist")), *bounds)


def _support(dist: Dist, lower: Any, upper: Any) -> Support:
    return within(support(dist), lower, upper)


def _given(log_probability: Node, dist: Dist, lower: Any, upper: Any) -> Node:
    """Subtract the logarithm of the probability between the bounds; -inf where there is none."""
    mass = log_between(dist, finite(lower), finite(upper))
    some = mass > -np.inf
    return math.where(some, log_probability - math.guard(some, mass, 0.0), -np.inf)


def _truncated(x: Node, dist: Dist, lower: Any, upper: Any) -> Node:
    numeric(dist, "Truncated")
    return _given(logp(dist, x), dist, lower, upper)


def _truncated_above(x: Node, dist: Dist, lower: Any, upper: Any) -> Node:
    after = x + 1.0 if support(dist).whole else x
    return _given(log_between(dist, after, finite(upper)), dist, lower, upper)


def _truncated_point(dist: Dist, lower: Any, upper: Any) -> Node:
    point = support_point(dist, shape_of(dist))
    limits = _support(dist, lower, upper)
    inside = limits.inside(point)
    return point if inside is None else math.where(inside, point, limits.anchor())


def _draw_truncated(
    rng: np.random.Generator, shape: tuple[int, ...], dist: Inner, lower: Any, upper: Any
) -> np.ndarray:
    low = -np.inf if lower is None else lower
    high = np.inf if upper is None else upper
    return dist.drawn_where(shape, lambda x: (low <= x) & (x <= high), low, high)


Truncated = row(
    Family(
        name="Truncated",
        doc="Truncated(dist, lower=None, upper=None): `dist` given that it lies between the "
        "bounds, which are possible values. For every `dist` of numbers whose distribution "
        "function has a closed form, discrete ones too.",
        params=(DIST, LOWER, UPPER),
        logp=_truncated,
        draw=_draw_truncated,
        support_point=_truncated_point,
        support=_support,
        rising=("lower", "upper"),
        logcdf=lambda x, dist, lower, upper: _given(
            log_between(dist, finite(lower), x), dist, lower, upper
        ),
        logsf=_truncated_above,
        shape_of=_shape,
    )
)


def _censored(x: Node, dist: Dist, lower: Any, upper: Any, end: Any) -> Node:
    numeric(dist, "Censored")
    if end is not None and upper is not None:
        raise OptionError(
            "Censored takes upper= or end=; with end=, a value known from below only has end=inf"
        )
    result = logp(dist, x)
    if end is not None:
        result = math.where(x < end, log_between(dist, x, math.maximum(x, end)), result)
    if lower is not None:
        result = math.where(x <= lower, logcdf(dist, math.maximum(x, lower)), result)
    if upper is not None:
        result = math.where(x >= upper, log_at_least(dist, math.minimum(x, upper)), result)
    return result


Censored = row(
    Family(
        name="Censored",
        doc="Censored(dist, lower=None, upper=None, end=None): values of `dist` of which some are "
        "not known exactly. A value at `lower` is known to be there or below, one at `upper` there "
        "or above; a value below its `end` is known to lie from itself to `end`, bounds included. "
        "Bounds are numbers or arrays, infinite where a value has none.",
        params=(DIST, LOWER, UPPER, Param("end", optional=True)),
        logp=_censored,
        draw=lambda rng, shape, dist, lower, upper, end: np.clip(dist(shape), lower, upper),
        support_point=lambda dist, lower, upper, end: support_point(dist, shape_of(dist)),
        support=lambda dist, lower, upper, end: _support(dist, lower, upper if end is None else end),
        rising=("lower", "upper"),
        atoms=True,
        shape_of=_shape,
    )
)
