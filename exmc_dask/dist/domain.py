"""Where values and parameters may lie: one table of domains, and the support of a distribution."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import reduce
from operator import and_
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.shapes import SUM_TOLERANCE, WHOLES, rising
from exmc_dask.expressions.ir import Node, as_float, const, elementwise
from exmc_dask.expressions.ops import Op
from exmc_dask.transforms import Transform, interval, transform


@dataclass(frozen=True)
class Domain:
    """What a parameter may be.

    Attributes
    ----------
    words : str
        Says it in a message.
    holds : function (Node) -> Node, optional
        Elementwise condition; None where every number is fine.
    holds_for : function (ndarray) -> bool ndarray
        The same on numbers.
    safe : float
        A valid value, put in the place of invalid ones.
    selects : bool
        Whole numbers that the formula takes as an index: they stay whole numbers.
    """

    words: str
    holds: Callable[[Node], Node] | None
    holds_for: Callable[[np.ndarray], np.ndarray]
    safe: float
    selects: bool = False


def _unit(p: Node) -> Node:
    return (p >= 0.0) & (p <= 1.0)


def _weights(w: np.ndarray) -> np.ndarray:
    return np.asarray((w >= 0.0) & (np.abs(w.sum(axis=-1, keepdims=True) - 1.0) < SUM_TOLERANCE))


def _is_square(matrix: np.ndarray) -> bool:
    return matrix.ndim > 1 and matrix.shape[-1] == matrix.shape[-2]


def _covariance(matrix: np.ndarray) -> np.ndarray:
    if not _is_square(matrix):
        return np.full(matrix.shape, False)
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return np.asarray(False)  # no element is to blame
    return np.asarray(np.isclose(matrix, matrix.swapaxes(-1, -2), rtol=1e-8, atol=0.0))


def _cholesky(matrix: np.ndarray) -> np.ndarray:
    if not _is_square(matrix):
        return np.full(matrix.shape, False)
    diagonal = np.eye(matrix.shape[-1], dtype=bool)
    return np.where(diagonal, matrix > 0.0, np.tril(matrix) == matrix)


def _edges(pairs: np.ndarray) -> np.ndarray:
    """Which pairs are of two different numbers, and new; none where they do not connect all."""
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.size == 0 or pairs.min() < 0:
        return np.full(pairs.shape, False)
    reached, count = np.arange(pairs.max() + 1) == 0, 0
    while count < reached.sum():
        count = reached.sum()
        reached[pairs[reached[pairs].any(axis=1)]] = True
    if not reached.all():
        return np.asarray(False)
    _, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    new = np.isin(np.arange(len(pairs)), first)
    return np.broadcast_to(((pairs[:, 0] != pairs[:, 1]) & new)[:, None], pairs.shape)


DOMAINS: Mapping[str, Domain] = {
    "real": Domain("a number", None, lambda x: ~np.isnan(x), 0.0),
    "positive": Domain("positive", lambda x: x > 0.0, lambda x: x > 0.0, 1.0),
    "nonnegative": Domain("not negative", lambda x: x >= 0.0, lambda x: x >= 0.0, 1.0),
    "count": Domain(
        "a whole number, not negative",
        lambda x: (x >= 0.0) & math.floor(x).eq(x),
        lambda x: (x >= 0.0) & (np.floor(x) == x),
        1.0,
    ),
    "whole": Domain(
        "a whole number", lambda x: math.floor(x).eq(x), lambda x: np.floor(x) == x, 0.0
    ),
    "ordered": Domain("rising", rising, lambda x: np.diff(x, prepend=-np.inf) > 0.0, 0.0),
    "size": Domain("a whole number above 0", None, lambda x: x >= 1.0, 1.0),
    "flag": Domain("True or False", None, lambda x: (x == 0.0) | (x == 1.0), 0.0),
    "weights": Domain("not negative and sum to 1", lambda x: x >= 0.0, _weights, 1.0),
    "covariance": Domain("symmetric and positive definite", None, _covariance, 0.0),
    "cholesky": Domain("lower triangular with a positive diagonal", None, _cholesky, 0.0),
    "edges": Domain(
        "pairs of different regions, each once, that connect regions 0, 1, ... with each other",
        None,
        _edges,
        0.0,
        selects=True,
    ),
    "inner": Domain(
        "above 0 and below 1",
        lambda p: (p > 0.0) & (p < 1.0),
        lambda p: (p > 0.0) & (p < 1.0),
        0.5,
    ),
    "correlation": Domain(
        "above -1 and below 1", lambda x: math.abs(x) < 1.0, lambda x: np.abs(x) < 1.0, 0.0
    ),
    "unit": Domain("between 0 and 1", _unit, lambda x: (x >= 0.0) & (x <= 1.0), 0.5),
}


@dataclass(frozen=True)
class Support:
    """Set of values with positive density.

    Attributes
    ----------
    lower, upper : Node or float, optional
        Bounds of every element; may be expressions of parameters.
    closed : bool
        Whether the bounds belong to the set.
    whole : bool
        Whole numbers only.
    shape : str
        Row of ``WHOLES``: a condition on all elements of a value together, which decides alone;
        `upper` may be an argument of it.
    n_axes : int
        Last axes that the condition is about, where it can be about several.
    moved : Transform, optional
        Default transform, where another than that of the bounds is better.
    words : str
        The interval in words, where its bounds are expressions.
    """

    lower: Node | float | None = None
    upper: Node | float | None = None
    closed: bool = False
    whole: bool = False
    shape: str = ""
    n_axes: int = 1
    moved: Transform | None = None
    words: str = field(default="", compare=False)

    def default_transform(self) -> Transform | None:
        """Return the transform that keeps a free variable inside."""
        if self.moved is not None:
            return self.moved
        if self.shape:
            moved = WHOLES[self.shape].moved
            return None if moved is None else moved(self)
        if self.lower is None and self.upper is None:
            return None
        lower, upper = (_number(bound) for bound in (self.lower, self.upper))
        if self.upper is None and lower == 0.0:
            return transform("log")
        if (lower, upper) == (0.0, 1.0):
            return transform("logit")
        return interval(self.lower, self.upper)

    def inside(self, value: Node) -> Node | None:
        """Elementwise condition that `value` lies inside; None where everything does."""
        if self.shape:
            return WHOLES[self.shape].holds(value, self)
        conditions: list[Node] = []
        op = Op.LE if self.closed else Op.LT
        if self.lower is not None:
            conditions.append(elementwise(op, self.lower, value))
        if self.upper is not None:
            conditions.append(elementwise(op, value, self.upper))
        if self.whole:
            conditions.append(elementwise(Op.EQ, math.floor(value), value))
        return reduce(and_, conditions) if conditions else None

    def anchor(self) -> Node:
        """Return a value inside, put in the place of values that are not."""
        if self.shape:
            return const(WHOLES[self.shape].safe)
        if self.lower is not None and self.upper is not None and not self.whole:
            return 0.5 * (as_float(self.lower) + as_float(self.upper))
        if self.lower is not None:
            return as_float(self.lower) + (0.0 if self.whole else 1.0)
        return const(0.0) if self.upper is None else as_float(self.upper) - 1.0

    def settled(self, known: Callable[[Node], np.ndarray | None]) -> "Support":
        """Put numbers in the place of bounds that `known` finds to be one number."""

        def number(bound: Node | float | None) -> Node | float | None:
            found = known(bound) if isinstance(bound, Node) else None
            return bound if found is None or found.ndim else float(found)

        return replace(self, lower=number(self.lower), upper=number(self.upper))

    def starts_at(self, number: float) -> bool:
        """Whether no value is below a number, as far as is known."""
        lower = _number(self.lower)
        return lower is not None and lower >= number

    def over_last_axis(self) -> "Support":
        """Around all elements of bounds that have a last axis more than the values."""

        def outermost(bound: Any, choose: Callable[..., Node]) -> Any:
            return choose(bound, axis=-1) if isinstance(bound, Node) and bound.ndim else bound

        lower, upper = outermost(self.lower, math.min), outermost(self.upper, math.max)
        return replace(self, lower=lower, upper=upper)

    def __str__(self) -> str:
        if self.shape:
            axes = "the last axis" if self.n_axes == 1 else f"each of the last {self.n_axes} axes"
            upper = "" if self.upper is None else _name(self.upper)
            return WHOLES[self.shape].words.format(upper=upper, axes=axes)
        left, right = "[]" if self.closed else "()"
        low = "(-inf" if self.lower is None else left + _name(self.lower)
        high = "inf)" if self.upper is None else _name(self.upper) + right
        shown = f"{low}, {high}"
        if self.words and EXPRESSION in shown:
            shown = self.words
        return f"{'whole numbers in ' if self.whole else ''}{shown}"


REAL = Support()
POSITIVE = Support(0.0)
NONNEGATIVE = Support(0.0, closed=True)
UNIT = Support(0.0, 1.0)
ZERO = Support(0.0, 0.0, closed=True, whole=True)
COUNT = Support(0.0, closed=True, whole=True)
BINARY = Support(0.0, 1.0, closed=True, whole=True)
SIMPLEX = Support(shape="simplex")
ORDERED = Support(shape="ordered")
CHOLESKY_CORR = Support(shape="cholesky_corr")
CHOLESKY_COV_PACKED = Support(shape="cholesky_cov_packed")

# what a user may write for the support of a Custom distribution
SUPPORTS: Mapping[str, Support] = {
    "real": REAL,
    "positive": POSITIVE,
    "nonnegative": NONNEGATIVE,
    "unit_interval": UNIT,
    "simplex": SIMPLEX,
    "ordered": ORDERED,
    "integer": Support(whole=True),
    "count": COUNT,
}


def hull(supports: Sequence[Support]) -> Support:
    """Interval around several supports; the first one where all are alike."""
    first = supports[0]
    if all(alike(first, other) for other in supports):
        return first
    if any(support.shape for support in supports):
        return REAL
    return Support(
        lower=_around([support.lower for support in supports], min, math.minimum),
        upper=_around([support.upper for support in supports], max, math.maximum),
        closed=any(support.closed for support in supports),
        whole=all(support.whole for support in supports),
    )


def within(support: Support, lower: Node | None, upper: Node | None) -> Support:
    """Part of a support between two bounds, which belong to it."""
    low = [bound for bound in (support.lower, finite(lower)) if bound is not None]
    high = [bound for bound in (support.upper, finite(upper)) if bound is not None]
    return replace(
        support,
        lower=_around(low, max, math.maximum) if low else None,
        upper=_around(high, min, math.minimum) if high else None,
        closed=True,
        moved=None,
    )


def finite(bound: Node | None) -> Node | None:
    """Return a bound, None where it is a constant at infinity."""
    number = _number(bound)
    return None if number is not None and abs(number) == np.inf else bound


def _around(
    bounds: Sequence[Node | float | None],
    of_numbers: Callable[[float, float], float],
    of_nodes: Callable[[Any, Any], Node],
) -> Node | float | None:
    """Return the outermost bound; None where a side is open."""
    found = bounds[0]
    for bound in bounds[1:]:
        if found is None or bound is None:
            return None
        a, b = _number(found), _number(bound)
        found = of_nodes(found, bound) if a is None or b is None else of_numbers(a, b)
    return found


def alike(one: Support, other: Support) -> bool:
    """Whether two supports are the same, as far as their expressions show."""
    pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in fields(one) if f.compare]
    return all(a is b or (not isinstance(a, Node) and not isinstance(b, Node) and a == b) for a, b in pairs)


def _number(bound: Node | float | None) -> float | None:
    if isinstance(bound, Node):
        return float(bound.arg) if bound.op is Op.CONST else None
    return bound


EXPRESSION = "expression"


def _name(bound: Node | float) -> str:
    if (number := _number(bound)) is not None:
        return f"{number:g}"
    assert isinstance(bound, Node)
    return str(bound.arg) if bound.op in (Op.DATA, Op.VAR) else EXPRESSION
