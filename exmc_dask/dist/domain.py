"""Where values and parameters may lie: one table of domains, and the support of a distribution."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.ir import Node, as_float, const, elementwise
from exmc_dask.ops import Op
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
    """

    words: str
    holds: Callable[[Node], Node] | None
    holds_for: Callable[[np.ndarray], np.ndarray]
    safe: float


def _unit(p: Node) -> Node:
    return (p >= 0.0) & (p <= 1.0)


def _weights(w: np.ndarray) -> np.ndarray:
    return np.asarray((w >= 0.0) & (np.abs(w.sum(axis=-1, keepdims=True) - 1.0) < SUM_TOLERANCE))


def _covariance(matrix: np.ndarray) -> np.ndarray:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        return np.full(matrix.shape, False)
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return np.asarray(False)  # no element is to blame
    return np.asarray(np.isclose(matrix, matrix.T, rtol=1e-8, atol=0.0))


def _cholesky(matrix: np.ndarray) -> np.ndarray:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        return np.full(matrix.shape, False)
    return np.where(np.eye(len(matrix), dtype=bool), matrix > 0.0, np.tril(matrix) == matrix)


SUM_TOLERANCE = 1e-9  # how far the sum of shares may be from 1

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
    "weights": Domain("not negative and sum to 1", lambda x: x >= 0.0, _weights, 1.0),
    "covariance": Domain("symmetric and positive definite", None, _covariance, 0.0),
    "cholesky": Domain("lower triangular with a positive diagonal", None, _cholesky, 0.0),
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
    shape : "" or "simplex" or "ordered"
        Condition on the last axis as a whole.
    """

    lower: Node | float | None = None
    upper: Node | float | None = None
    closed: bool = False
    whole: bool = False
    shape: str = ""

    def default_transform(self) -> Transform | None:
        """Return the transform that keeps a free variable inside."""
        if self.shape:
            return transform({"simplex": "stick_breaking", "ordered": "ordered"}[self.shape])
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
        conditions: list[Node] = []
        op = Op.LE if self.closed else Op.LT
        if self.lower is not None:
            conditions.append(elementwise(op, self.lower, value))
        if self.upper is not None:
            conditions.append(elementwise(op, value, self.upper))
        if self.whole:
            conditions.append(elementwise(Op.EQ, math.floor(value), value))
        if self.shape == "simplex":
            off = math.sum(value, axis=-1, keepdims=True) - 1.0
            conditions += [value > 0.0, abs(off) < SUM_TOLERANCE]
        if self.shape == "ordered":
            rising = math.diff(value) > 0.0
            start = math.where(value[..., :1].eq(value[..., :1]), True, False)
            conditions.append(math.concatenate([start, rising], axis=-1))
        if not conditions:
            return None
        found = conditions[0]
        for condition in conditions[1:]:
            found = found & condition
        return found

    def anchor(self) -> Node:
        """Return a value inside, put in the place of values that are not."""
        if self.shape:
            return const(1.0)
        if self.lower is not None and self.upper is not None and not self.whole:
            return 0.5 * (as_float(self.lower) + as_float(self.upper))
        if self.lower is not None:
            return as_float(self.lower) + (0.0 if self.whole else 1.0)
        return const(0.0) if self.upper is None else as_float(self.upper) - 1.0

    def holds_for(self, value: np.ndarray, known: Callable[[Any], Any]) -> np.ndarray:
        """Which elements of observed numbers lie inside.

        Parameters
        ----------
        value : ndarray
        known : function (bound) -> array or None
            Numbers of a bound, None where only the parameters will say.
        """
        inside = np.isfinite(value)
        lower, upper = known(self.lower), known(self.upper)
        less = np.less_equal if self.closed else np.less
        if lower is not None:
            inside = inside & less(lower, value)
        if upper is not None:
            inside = inside & less(value, upper)
        if self.whole:
            inside = inside & (np.floor(value) == value)
        if self.shape == "simplex":
            off = value.sum(axis=-1, keepdims=True) - 1.0
            inside = inside & (value > 0.0) & (np.abs(off) < SUM_TOLERANCE)
        if self.shape == "ordered":
            inside = inside & (np.diff(value, axis=-1, prepend=-np.inf) > 0.0)
        return inside

    def __str__(self) -> str:
        if self.shape:
            return {"simplex": "the simplex (positive, sum 1)", "ordered": "rising numbers"}[
                self.shape
            ]
        left, right = "[]" if self.closed else "()"
        low = "(-inf" if self.lower is None else left + _name(self.lower)
        high = "inf)" if self.upper is None else _name(self.upper) + right
        return f"{'whole numbers in ' if self.whole else ''}{low}, {high}"


REAL = Support()
POSITIVE = Support(0.0)
NONNEGATIVE = Support(0.0, closed=True)
UNIT = Support(0.0, 1.0)
COUNT = Support(0.0, closed=True, whole=True)
BINARY = Support(0.0, 1.0, closed=True, whole=True)
SIMPLEX = Support(shape="simplex")
ORDERED = Support(shape="ordered")

# what a user may write for the support of a Custom distribution
SUPPORTS: Mapping[str, Support] = {
    "real": REAL,
    "positive": POSITIVE,
    "nonnegative": NONNEGATIVE,
    "unit_interval": UNIT,
    "simplex": SIMPLEX,
    "ordered": ORDERED,
}


def _number(bound: Node | float | None) -> float | None:
    if isinstance(bound, Node):
        return float(bound.arg) if bound.op is Op.CONST else None
    return bound


def _name(bound: Node | float) -> str:
    if not isinstance(bound, Node):
        return f"{bound:g}"
    return str(bound.arg) if bound.op in (Op.CONST, Op.DATA, Op.VAR) else "expression"
