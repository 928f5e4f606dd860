"""A continuous distribution given by points of its density, with straight lines between them."""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.domain import Support
from exmc_dask.dist.forms import log_or_minus_infinity
from exmc_dask.errors import OptionError
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node, make
from exmc_dask.math import clip, expand_dims, guard, log, where
from exmc_dask.expressions.ops import Op


def _pieces(points: Node) -> tuple[Node, Node]:
    """Points at the left and at the right end of each interval."""
    return points[..., :-1], points[..., 1:]


def _share(part: Node, x_points: Node, pdf_points: Node) -> Node:
    """Logarithm of the sum of `part` over the lines, as a share of the area under all of them."""
    (a, b), (f, g) = _pieces(x_points), _pieces(pdf_points)
    area = math.sum((b - a) * (0.5 * (f + g)), axis=-1)
    some = area > 0.0
    share = log_or_minus_infinity(math.sum(part, axis=-1)) - log(guard(some, area, 1.0))
    return where(some, share, -np.inf)


def _density(x: Node, x_points: Node, pdf_points: Node) -> Node:
    """Log-density on the line above `x`, weighed from both ends, so that nothing cancels."""
    if any(leaf.op in (Op.VAR, Op.PARAM) for leaf in topological([x_points])):
        raise OptionError(
            "x_points of Interpolated depend on a variable; give numbers, or scale the variable "
            "that has this distribution"
        )
    (a, b), (f, g) = _pieces(x_points), _pieces(pdf_points)
    at = expand_dims(x, -1)
    place = make(Op.RANGE, (), a.shape[-1])
    is_last = place.eq(math.max(place))
    inside = (a <= at) & ((at < b) | is_last)
    height = where(inside, (f * (b - at) + g * (at - a)) / (b - a), 0.0)
    return _share(height, x_points, pdf_points)


def _below(x: Node, x_points: Node, pdf_points: Node) -> Node:
    """Log-probability below `x`: the areas of whole lines and a part of one."""
    (a, b), (f, g) = _pieces(x_points), _pieces(pdf_points)
    part = clip((expand_dims(x, -1) - a) / (b - a), 0.0, 1.0)
    below = (b - a) * part * (f * (1.0 - 0.5 * part) + g * (0.5 * part))
    return _share(below, x_points, pdf_points)


def _draw(rng: np.random.Generator, shape: tuple[int, ...], x_points: Any, pdf_points: Any) -> Any:
    """Choose a line by its area, then a place under it by the inverse of its part."""
    a, b, f, g = (
        np.broadcast_to(ends, (*shape, ends.shape[-1]))
        for ends in (
            *(x_points[..., :-1], x_points[..., 1:]),
            *(pdf_points[..., :-1], pdf_points[..., 1:]),
        )
    )
    upto = np.cumsum((b - a) * (f + g), axis=-1)
    line = (rng.random(shape)[..., None] * upto[..., -1:] >= upto[..., :-1]).sum(axis=-1)
    a, b, f, g = (np.take_along_axis(ends, line[..., None], -1)[..., 0] for ends in (a, b, f, g))
    u = rng.random(shape)
    return a + (b - a) * u * (f + g) / (f + np.sqrt((1 - u) * f**2 + u * g**2))


Interpolated = row(
    Family(
        name="Interpolated",
        doc="Interpolated(x_points, pdf_points): density on straight lines through the points "
        "``(x_points[i], pdf_points[i])``, which need not be normalised; the points lie along the "
        "last axis, rising.",
        params=(
            Param("x_points", domain="ordered", core=1),
            Param("pdf_points", domain="nonnegative", core=1),
        ),
        logp=_density,
        draw=_draw,
        support_point=lambda x_points, pdf_points: (
            0.5 * (x_points[..., 0] + x_points[..., -1])
        ),
        support=lambda x_points, pdf_points: Support(
            x_points[..., 0], x_points[..., -1], closed=True
        ),
        logcdf=_below,
        logsf=lambda x, x_points, pdf_points: _below(
            -x, -x_points[..., ::-1], pdf_points[..., ::-1]
        ),
    )
)
