"""Conditions that a vector or a matrix meets as a whole: one row a kind of support.

A condition is elementwise where one element is to blame, else it has length 1 along the axes of
the event, so that it broadcasts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from exmc_dask import math
from exmc_dask.expressions.ir import Node, as_float, make
from exmc_dask.expressions.ops import Op
from exmc_dask.transforms import Transform, sum_to_zero_along, transform
from exmc_dask.transforms.matrix import row_ends

if TYPE_CHECKING:
    from exmc_dask.dist.domain import Support

SUM_TOLERANCE = 1e-9  # how far a sum may be from what it has to be


@dataclass(frozen=True)
class Whole:
    """What is asked of all elements of a value together.

    Attributes
    ----------
    words : str
        Says it in a message; ``{upper}`` is the upper bound, ``{axes}`` names the axes.
    holds : function (Node, Support) -> Node
    moved : function (Support) -> Transform, optional
        Default transform; None for whole numbers, which are not moved.
    safe : float
        Put in the place of elements to blame; the formula is finite there.
    """

    words: str
    holds: Callable[[Node, Support], Node]
    moved: Callable[[Support], Transform] | None
    safe: float = 1.0


def _named(name: str) -> Callable[[Support], Transform]:
    return lambda support: transform(name)


def _simplex(x: Node, support: Support) -> Node:
    off = math.sum(x, axis=-1, keepdims=True) - 1.0
    return (x > 0.0) & (abs(off) < SUM_TOLERANCE)


def _ordered(x: Node, support: Support) -> Node:
    return rising(x)


def rising(x: Node) -> Node:
    """Whether each element lies above the one before it along the last axis."""
    start = math.where(x[..., :1].eq(x[..., :1]), 1.0, -1.0)
    return math.concatenate([start, math.diff(x)], axis=-1) > 0.0


def _counts(x: Node, support: Support) -> Node:
    """Whole numbers, none negative, that sum to the upper bound, which has an element an event."""
    found = (x >= 0.0) & math.floor(x).eq(x)
    if support.upper is None:
        return found
    total = math.sum(x, axis=-1).eq(as_float(support.upper))
    return found & (math.expand_dims(total, -1) if total.ndim else total)


def _sums_to_zero(x: Node, support: Support) -> Node:
    sums = []
    for axis in range(-support.n_axes, 0):
        total, size = (math.sum(part, axis=axis, keepdims=True) for part in (x, abs(x)))
        sums.append(abs(total) <= SUM_TOLERANCE * (1.0 + size))
    return reduce(and_, sums)


def _positive_diagonal(x: Node, support: Support) -> Node:
    row, column = (make(Op.RANGE, (), dim) for dim in x.shape[-2:])
    row = math.expand_dims(row, 1)
    return (column < row) | math.where(column.eq(row), x > 0.0, x.eq(0.0))


def _unit_rows(x: Node, support: Support) -> Node:
    length = math.sum(math.square(x), axis=-1, keepdims=True)
    return _positive_diagonal(x, support) & (abs(length - 1.0) < SUM_TOLERANCE)


def _packed_diagonal(x: Node, support: Support) -> Node:
    return math.where(row_ends(x), x > 0.0, True)


WHOLES: Mapping[str, Whole] = {
    "simplex": Whole("the simplex (positive, sum 1)", _simplex, _named("stick_breaking")),
    "ordered": Whole("rising numbers", _ordered, _named("ordered")),
    "counts": Whole("whole numbers that sum to {upper}", _counts, None, safe=0.0),
    "zero_sum": Whole(
        "vectors that sum to 0 along {axes}", _sums_to_zero, lambda support: sum_to_zero_along(support.n_axes)
    ),
    "cholesky_corr": Whole(
        "Cholesky factors of correlations", _unit_rows, _named("cholesky_corr")
    ),
    "cholesky_cov_packed": Whole(
        "packed Cholesky factors", _packed_diagonal, _named("cholesky_cov_packed")
    ),
}
