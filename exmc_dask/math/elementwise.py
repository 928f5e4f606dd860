"""Functions of one element: the value at a place depends on the operands at that place only."""

import math as numbers
from collections.abc import Callable
from math import inf
from typing import Any

from exmc_dask.errors import ShapeError
from exmc_dask.expressions.ir import Node, as_float, as_node, elementwise
from exmc_dask.expressions.ops import BOOL, Op

LOG_2, LOG_10 = numbers.log(2), numbers.log(10)
SQRT_HALF = numbers.sqrt(0.5)


def _unary(op: Op, doc: str) -> Callable[[Any], Node]:
    def function(x: Any) -> Node:
        return elementwise(op, as_float(x))

    function.__name__ = function.__qualname__ = op.value
    function.__doc__ = doc
    return function


exp = _unary(Op.EXP, "Exponential function.")
log = _unary(Op.LOG, "Natural logarithm.")
log1p = _unary(Op.LOG1P, "``log(1 + x)``, exact near 0.")
expm1 = _unary(Op.EXPM1, "``exp(x) - 1``, exact near 0.")
sqrt = _unary(Op.SQRT, "Square root.")
sin = _unary(Op.SIN, "Sine of an angle in radians.")
cos = _unary(Op.COS, "Cosine of an angle in radians.")
arctan = _unary(Op.ARCTAN, "Angle in (-pi/2, pi/2) whose tangent is `x`.")
tanh = _unary(Op.TANH, "Hyperbolic tangent.")
sigmoid = invlogit = _unary(Op.SIGMOID, "Logistic function ``1 / (1 + exp(-x))``.")
softplus = _unary(Op.SOFTPLUS, "``log(1 + exp(x))``, which neither overflows nor loses digits.")
erf = _unary(Op.ERF, "Error function.")
erfc = _unary(Op.ERFC, "Complementary error function.")
erfcx = _unary(Op.ERFCX, "Scaled complementary error function ``exp(x**2) * erfc(x)``.")
log_ndtr = _unary(Op.LOG_NDTR, "Logarithm of the standard normal distribution function.")
gammaln = _unary(Op.LGAMMA, "Logarithm of the gamma function of a positive number.")
digamma = _unary(Op.DIGAMMA, "Derivative of `gammaln`.")
probit = _unary(Op.PROBIT, "Quantile of the standard normal distribution; inverse of `invprobit`.")
i0e = _unary(Op.I0E, "``exp(-|x|) * I0(x)``, the modified Bessel function of order 0, scaled.")
i1e = _unary(Op.I1E, "``exp(-|x|) * I1(x)``, the modified Bessel function of order 1, scaled.")


def square(x: Any) -> Node:
    """``x * x``."""
    return elementwise(Op.MUL, x, x)


def abs(x: Any) -> Node:
    """Absolute value; its gradient at 0 is 0."""
    return elementwise(Op.ABS, x)


def sign(x: Any) -> Node:
    """-1, 0 or 1; its gradient is 0."""
    return elementwise(Op.SIGN, x)


def floor(x: Any) -> Node:
    """Largest whole number not above `x`; its gradient is 0."""
    return elementwise(Op.FLOOR, x)


def tan(x: Any) -> Node:
    """Tangent of an angle in radians."""
    return sin(x) / cos(x)


def arcsin(x: Any) -> Node:
    """Angle in [-pi/2, pi/2] whose sine is `x`."""
    node = as_float(x)
    return arctan(node / sqrt((1.0 - node) * (1.0 + node)))


def arccos(x: Any) -> Node:
    """Angle in [0, pi] whose cosine is `x`."""
    node = as_float(x)
    return 2.0 * arctan(sqrt((1.0 - node) / (1.0 + node)))


def sinh(x: Any) -> Node:
    """Hyperbolic sine."""
    node = as_float(x)
    return 0.5 * (expm1(node) - expm1(-node))


def cosh(x: Any) -> Node:
    """Hyperbolic cosine."""
    node = as_float(x)
    return 0.5 * (exp(node) + exp(-node))


def arcsinh(x: Any) -> Node:
    """Inverse of `sinh`."""
    size = abs(as_float(x))
    return sign(as_float(x)) * log1p(size + square(size) / (1.0 + sqrt(1.0 + square(size))))


def arccosh(x: Any) -> Node:
    """Inverse of `cosh` for ``x >= 1``."""
    more = as_float(x) - 1.0
    return log1p(more + sqrt(more * (more + 2.0)))


def arctanh(x: Any) -> Node:
    """Inverse of `tanh`."""
    node = as_float(x)
    return 0.5 * (log1p(node) - log1p(-node))


def log2(x: Any) -> Node:
    """Logarithm to base 2."""
    return log(x) * (1.0 / LOG_2)


def log10(x: Any) -> Node:
    """Logarithm to base 10."""
    return log(x) * (1.0 / LOG_10)


def logaddexp(a: Any, b: Any) -> Node:
    """``log(exp(a) + exp(b))`` without overflow; where both are -inf it is -inf."""
    left, right = as_float(a), as_float(b)
    high, low = where(right < left, left, right), where(right < left, right, left)
    near = high - low < inf  # not where one of them is -inf, or both
    return where(near, high + softplus(guard(near, low - high, 0.0)), high)


def log1mexp(x: Any) -> Node:
    """``log(1 - exp(-|x|))``, exact for small and for large `x`; -inf at 0.

    Mächler (2012), "Accurately computing log(1 - exp(-|a|))", eq. 7. Takes either sign, since PyMC
    and Stan ask for different ones.
    """
    size = abs(as_float(x))
    small = size < LOG_2
    share = -expm1(-guard(small, size, LOG_2))
    near = where(share > 0.0, log(guard(share > 0.0, share, 1.0)), -inf)
    return where(small, near, log1p(-exp(-guard(small, LOG_2, size))))


def logdiffexp(a: Any, b: Any) -> Node:
    """``log(exp(a) - exp(b))`` for a >= b; -inf where they are equal."""
    left, right = as_float(a), as_float(b)
    some = right < left
    return where(some, left + log1mexp(guard(some, left - right, 1.0)), -inf)


def invprobit(x: Any) -> Node:
    """Distribution function of the standard normal, 0.5 at 0."""
    return 0.5 * erfc(as_float(x) * -SQRT_HALF)


def logit(p: Any) -> Node:
    """Inverse of `sigmoid`: ``log(p) - log(1 - p)``."""
    return log(p) - log1p(-as_float(p))


def betaln(a: Any, b: Any) -> Node:
    """Logarithm of the beta function."""
    return gammaln(a) + gammaln(b) - gammaln(as_float(a) + as_float(b))


def log_gammainc(a: Any, x: Any) -> Node:
    """Logarithm of `gammainc`, exact however small it is."""
    return elementwise(Op.LOG_GAMMAINC, as_float(a), as_float(x))


def log_gammaincc(a: Any, x: Any) -> Node:
    """Logarithm of `gammaincc`, exact however small it is."""
    return elementwise(Op.LOG_GAMMAINCC, as_float(a), as_float(x))


def gammainc(a: Any, x: Any) -> Node:
    """Share of the gamma function's integral that lies below `x`; 0 at 0, 1 at infinity."""
    return exp(log_gammainc(a, x))


def gammaincc(a: Any, x: Any) -> Node:
    """Share of the gamma function's integral that lies above `x`: ``1 - gammainc(a, x)``."""
    return exp(log_gammaincc(a, x))


def log_betainc_odds(a: Any, b: Any, odds: Any) -> Node:
    """Logarithm of `betainc` at ``odds = x / (1 - x)``, exact for x near 0 and near 1.

    The logarithm of the complement is ``log_betainc_odds(b, a, 1 / odds)``.
    """
    return elementwise(Op.LOG_BETAINC_ODDS, as_float(a), as_float(b), as_float(odds))


def betainc(a: Any, b: Any, x: Any) -> Node:
    """Share of the beta function's integral that lies below `x`; 0 at 0, 1 at 1."""
    place = as_float(x)
    return exp(log_betainc_odds(a, b, place / (1.0 - place)))


def maximum(a: Any, b: Any) -> Node:
    """Larger of two values, element by element."""
    return elementwise(Op.MAXIMUM, a, b)


def minimum(a: Any, b: Any) -> Node:
    """Smaller of two values, element by element."""
    return elementwise(Op.MINIMUM, a, b)


def clip(x: Any, lower: Any = None, upper: Any = None) -> Node:
    """`x` moved into ``[lower, upper]``; ``None`` leaves a side open."""
    node = as_node(x)
    node = node if lower is None else maximum(node, lower)
    return node if upper is None else minimum(node, upper)


def where(condition: Any, x: Any, y: Any) -> Node:
    """`x` where `condition` holds, `y` elsewhere.

    The value that is not chosen may be infinite or NaN: neither it nor its gradient is looked at.
    """
    if isinstance(condition, bool):
        raise ShapeError(
            f"the condition of where is {condition} for all elements: between two expressions == "
            "asks whether they are the same one; write a.eq(b)"
        )
    chosen, left, right = as_node(condition), as_node(x), as_node(y)
    if chosen.dtype != BOOL:
        raise ShapeError("the condition of where is not a comparison; write for instance x > 0")
    if left.dtype != right.dtype:
        left, right = as_float(left), as_float(right)
    return elementwise(Op.WHERE, chosen, left, right)


def guard(condition: Any, x: Any, safe: Any) -> Node:
    """Argument that is `x` where `condition` holds and `safe` elsewhere.

    For the argument of a function that is not defined everywhere:
    ``where(x > 0, log(guard(x > 0, x, 1.0)), -inf)`` has a finite gradient for every x.
    """
    return where(condition, x, safe)
