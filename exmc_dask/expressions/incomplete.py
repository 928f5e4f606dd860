"""Incomplete gamma and beta functions of arrays: logarithms, and slopes in the shape parameters.

SciPy's underflow far in the tails and have no slopes. Each function is a weight, which carries the
scale, times a continued fraction: for the beta function that of Didonato and Morris (1992),
"Algorithm 708", from the nearer end; for the gamma function its limit for b to infinity below the
mean, and above it the even part of NIST Digital Library of Mathematical Functions 8.9.2. The
weights are those of Loader (2000), "Fast and Accurate Computation of Binomial Probabilities".
Accuracy and domain are those of ``kernels/runtime/incomplete.py``, the compiled twin.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

type Array = np.ndarray
type Term = tuple[Any, Any, Any, Any]
type Terms = Callable[[int], Term]

HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)
LOG_2 = np.log(2)
TERMS = 50_000
EPSILON = 3e-16
TINY = 1e-290
# (d - log(1 + d)) / d^2 in d, for |d| <= 0.1, highest power first
NEAR_ONE = np.array([(-1) ** k / (k + 2) for k in reversed(range(15))])
# gammaln(x) - (x - 1/2) log(x) + x - log(2 pi) / 2, times x, in 1 / x^2, for x >= 15: DLMF 5.11.1
STIRLING = np.array([1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12])


def log_gammainc(a: Any, x: Any) -> Array:
    """``log(P(a, x))``, P the share of the gamma function's integral that lies below `x`."""
    return _gamma(a, x)[0]


def log_gammaincc(a: Any, x: Any) -> Array:
    """``log(1 - P(a, x))``."""
    return _gamma(a, x)[1]


def gammainc_shape(a: Any, x: Any) -> Array:
    """Return the slope of P(a, x) in `a`, divided by ``-x**a * exp(-x) / gamma(a + 1)``."""
    return _gamma(a, x)[2]


def log_betainc_odds(a: Any, b: Any, odds: Any) -> Array:
    """``log(I_x(a, b))`` for ``odds = x / (1 - x)``."""
    return _beta(a, b, odds)[0]


def betainc_shape(a: Any, b: Any, odds: Any) -> Array:
    """Return the slope of I_x(a, b) in `a`, divided by ``-x**a * (1 - x)**b / B(a, b)``."""
    return _beta(a, b, odds)[1]


def _gamma(a: Any, x: Any) -> tuple[Array, Array, Array]:
    from scipy.special import digamma, gammaln

    a, x = np.broadcast_arrays(np.asarray(a, float), np.asarray(x, float))
    valid = (a > 0) & (a < np.inf)
    inside = valid & (x > 0) & (x < np.inf)
    a, x, given = np.where(inside, a, 1.0), np.where(inside, x, 1.0), x
    left = x <= np.maximum(a, 1.0)
    deviance = a * _excess(x / a, (x - a) / a) + 0.5 * np.log(a) + HALF_LOG_TWO_PI + _stirling(a)
    plain = a * np.log(x) - x - gammaln(a + 1.0)
    weight = np.where((a < 1.0) | (x < TINY * a), plain, -deviance)
    away = np.log(x) - digamma(a + 1.0)
    value, slope = _fraction(_lower(a, np.where(left, x, a)))
    below, lower_slope = weight - np.log(value), (slope - away) / value
    right = np.where(left, a + 1.0, x)
    value, slope = _fraction(_upper(a, right))
    above, upper_slope = weight + np.log(a) - np.log(value), (a * (away - slope) + 1.0) / value
    nothing, everything = valid & (given == 0), valid & (given == np.inf)
    ends = np.where(nothing, -np.inf, np.where(everything, 0.0, np.nan))
    other_ends = np.where(everything, -np.inf, np.where(nothing, 0.0, np.nan))
    return (
        np.where(inside, np.where(left, below, _log1mexp(above)), ends),
        np.where(inside, np.where(left, _log1mexp(below), above), other_ends),
        np.where(inside, np.where(left, lower_slope, upper_slope), np.nan),
    )


def _lower(a: Array, x: Array) -> Terms:
    def terms(m: int) -> Term:
        low, high = a + (2 * m - 1), a + (2 * m + 1)
        if m == 0:
            return 0.0, 0.0, (a - x + 1) / high, x / high**2
        gap, beside = a - x + (1 + 2 * m), (a + m) / high
        turn = gap * (1 - beside) / high + beside
        over, rest = m * (x / low) ** 2, m * x / low
        lead, lift = (1.0, 0.0) if m == 1 else (a + (m - 1), 1.0)
        above = lead * over
        return above, lift * over - 2 * above / low, m + rest + beside * gap, turn - rest / low

    return terms


def _upper(a: Array, x: Array) -> Terms:
    return lambda m: (m * (a - m), float(m), x + (2 * m + 1) - a, -1.0)


def _beta(a: Any, b: Any, odds: Any) -> tuple[Array, Array]:
    from scipy.special import digamma

    a, b, u = np.broadcast_arrays(*(np.asarray(each, float) for each in (a, b, odds)))
    valid = (a > 0) & (b > 0) & (a < np.inf) & (b < np.inf)
    inside = valid & (u > 0) & (u < np.inf)
    a, b, given = np.where(inside, a, 1.0), np.where(inside, b, 1.0), u
    u = np.where(inside, u, 1.0)
    total, away = a + b, (b * u - a) / (1 + u)
    deviance = a * _excess(u / (1 + u) * (total / a), away / a)
    deviance += b * _excess(total / (b * (1 + u)), -away / b)
    scale = 0.5 * np.log(a / total * b) - HALF_LOG_TWO_PI
    weight = scale - deviance + _stirling(total) - _stirling(a) - _stirling(b)
    left = u * (b + 1) < a + 1
    near, far, odds = np.where(left, a, b), np.where(left, b, a), np.where(left, u, 1 / u)
    one = np.where(left, 1.0, 0.0)
    value, slope = _fraction(_beta_terms(near, far, odds, one, 1.0 - one))
    logarithm = weight - np.log(near) - np.log(value)
    drift = digamma(total) - np.log1p(1 / u)
    shape = np.where(left, digamma(a + 1) - drift + slope, drift - digamma(a) - slope)
    nothing, everything = valid & (given == 0), valid & (given == np.inf)
    ends = np.where(nothing, -np.inf, np.where(everything, 0.0, np.nan))
    return (
        np.where(inside, np.where(left, logarithm, _log1mexp(logarithm)), ends),
        np.where(inside, shape / (near * value), np.nan),
    )


def _beta_terms(a: Array, b: Array, odds: Array, da: Array, db: Array) -> Terms:
    x, y = odds / (1 + odds), 1 / (1 + odds)
    away, drift = (a - b * odds) / (1 + odds), y * da - x * db

    def terms(m: int) -> Term:
        low, high = a + (2 * m - 1), a + (2 * m + 1)
        if m == 0:
            return 0.0, 0.0, (away + 1) / high, (drift - (away + 1) / high * da) / high
        whole, left = a + b + (m - 1), b - m
        over, rest = m * (x / low) ** 2, m * x / low
        gap, beside = away + (1 + m * (1 + y)), (a + m) / high
        lead, lift = (1.0, 0.0) if m == 1 else (a + (m - 1), da)
        above = lead * whole * left * over
        change = (lift * whole * left + lead * ((da + db) * left + whole * db)) * over
        turn = gap * (1 - beside) * da / high + beside * drift + rest * (db - left * da / low)
        return above, change - 2 * above * da / low, m + rest * left + beside * gap, turn

    return terms


def _fraction(terms: Terms) -> tuple[Array, Array]:
    """Value of ``b0 + a1 / (b1 + a2 / (b2 + ...))``, and the slope of its logarithm.

    Modified method of Lentz, Press et al., "Numerical Recipes", section 5.2, together with the
    derivative of every term, as Boik and Robison-Cox (1998), "Derivatives of the Incomplete Beta
    Function". ``terms(m)`` is ``(a, da, b, db)`` of term m.
    """
    _, _, value, change = terms(0)
    c, dc, slope = value, change, change / value
    d, dd = 0.0 * value, 0.0 * value
    settled: Any = False
    for m in range(1, TERMS):
        a, da, b, db = terms(m)
        c, dc = b + a / c, db + (da - a * dc / c) / c
        d, dd = (below := 1.0 / (b + a * d)), -(db + da * d + a * dd) * below * below
        value, step = value * (c * d), dc / c + dd / d
        slope = slope + step
        settled = (abs(c * d - 1.0) < EPSILON) & (abs(step) <= EPSILON * (abs(slope) + abs(dc / c)))
        if np.all(settled):
            break
    return np.where(settled, value, np.nan), np.where(settled, slope, np.nan)


def _excess(ratio: Array, above: Array) -> Array:
    """``ratio - 1 - log(ratio)`` for ``above = ratio - 1``, exact near 1."""
    near = abs(above) <= 0.1
    d = np.where(near, above, 0.0)
    return np.where(near, d * d * np.polyval(NEAR_ONE, d), above - np.log(ratio))


def _stirling(x: Array) -> Array:
    """``gammaln(x) - (x - 1/2) log(x) + x - log(2 pi) / 2``."""
    from scipy.special import gammaln

    large = np.maximum(x, 15.0)
    series: Array = np.polyval(STIRLING, 1 / large**2) / large
    return np.where(x < 15.0, gammaln(x) - ((x - 0.5) * np.log(x) - x + HALF_LOG_TWO_PI), series)


def _log1mexp(x: Array) -> Array:
    """``log(1 - exp(x))`` for x <= 0; what rounding puts above 0 counts as 0."""
    x = np.minimum(x, 0.0)
    return np.where(x > -LOG_2, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))
