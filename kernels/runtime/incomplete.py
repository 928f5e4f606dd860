"""Incomplete gamma and beta functions for kernels: logarithms, and slopes in the shape parameters.

These take loops, so the loops of a model that call them do not run on vector registers. All of them
are a weight, which carries the scale, times a continued fraction of moderate size:

- beta: ``w = x^a (1 - x)^b / B(a, b)``, and the fraction of A. R. Didonato and A. H. Morris,
  "Algorithm 708: Significant Digit Computation of the Incomplete Beta Function Ratios", ACM TOMS 18
  (1992), from the nearer end. Its first term is divided by a here, so that small ones work.
- gamma: ``w = x^a exp(-x) / gamma(a + 1)``; below the mean that fraction for b to infinity, above
  it the even part of NIST Digital Library of Mathematical Functions 8.9.2.

The weights are written with deviances, after C. Loader, "Fast and Accurate Computation of Binomial
Probabilities" (2000): the large terms of the logarithms, which cancel, never appear. Fractions are
run forwards by the modified method of Lentz (W. H. Press et al., "Numerical Recipes", section 5.2)
together with the derivative of every term, as R. J. Boik and J. F. Robison-Cox, "Derivatives of the
Incomplete Beta Function", J. Stat. Softw. 3 (1998), do for theirs.

Accuracy: 1e-14 max(1, |f|) for shape parameters up to 1000, growing with their square root, since
that is how many terms a fraction takes near the mean. The smaller of two complements is that
accurate relative to its size too; but where a small shape parameter makes the other one nearly 1,
it is 1 less that one. NaN outside the domain, and where `TERMS` are not enough, for parameters
beyond about 1e8.
"""

from math import inf, nan

from .special import LGAMMA, digamma, lgamma
from .vecmath import LOG, exp, expm1, horner, log, log1p, looped, pure

HALF_LOG_TWO_PI = 0.9189385332046728
TERMS = 50_000
EPSILON = 3e-16
TINY = 1e-290


@pure
def _excess(ratio: float, above: float) -> float:
    """Return ``ratio - 1 - log(ratio)`` for ``above = ratio - 1``, exact near 1."""
    if abs(above) > 0.25:
        return above - log(ratio)
    s = above / (2.0 + above)
    z = s * s
    h = 0.5 * above * above
    return h - s * (h + z * horner(z, LOG))


@pure
def _stirling(x: float) -> float:
    """Return log(gamma(x)) less (x - 1/2) log(x) - x + log(2 pi) / 2."""
    if x < 8.0:
        return lgamma(x) - ((x - 0.5) * log(x) - x + HALF_LOG_TWO_PI)
    w = 1.0 / x
    return w * horner(w * w, LGAMMA)


@pure
def _log1mexp(x: float) -> float:
    """Return log(1 - exp(x)) for x <= 0; what rounding puts above 0 counts as 0."""
    if x > -0.6931471805599453:
        return log(-expm1(x)) if x < 0.0 else -inf
    return log1p(-exp(x))


@pure
def _next(
    c: float, dc: float, d: float, dd: float, a: float, da: float, b: float, db: float
) -> tuple[float, float, float, float]:
    """Take the term a / (b + ...) in: Lentz' ratios from above and below, and their slopes."""
    above = b + a / c
    dc = db + (da - a * dc / c) / c
    below = 1.0 / (b + a * d)
    dd = -(db + da * d + a * dd) * below * below
    return above, dc, below, dd


@looped
def _lower(a: float, x: float) -> tuple[float, float]:
    """Return K with P = w / K, for x <= max(a, 1), and the slope of log(K) in `a`."""
    value = (a - x + 1.0) / (a + 1.0)
    slope = x / ((a + 1.0) * (a + 1.0) * value)
    c, dc, d, dd = value, slope * value, 0.0, 0.0
    for m in range(1, TERMS):
        low, high = a + (2.0 * m - 1.0), a + (2.0 * m + 1.0)
        lead = 1.0 if m == 1 else a + (m - 1.0)
        over = m * (x / low) * (x / low)
        above = lead * over
        change = (0.0 if m == 1 else over) - 2.0 * above / low
        rest, beside = m * x / low, (a + m) / high
        gap = a - x + (1.0 + 2.0 * m)
        c, dc, d, dd = _next(
            *(c, dc, d, dd, above, change),
            *(m + rest + beside * gap, (gap * (1.0 - beside) / high + beside) - rest / low),
        )
        value, change = value * (c * d), dc / c + dd / d
        slope += change
        if abs(c * d - 1.0) < EPSILON and abs(change) <= EPSILON * (abs(slope) + abs(dc / c)):
            return value, slope
    return nan, nan


@looped
def _upper(a: float, x: float) -> tuple[float, float]:
    """Return G with Q = w a / G, for x > max(a, 1), and the slope of log(G) in `a`."""
    b = x + 1.0 - a
    value, slope = b, -1.0 / b
    c, dc, d, dd = b, -1.0, 0.0, 0.0
    for j in range(1, TERMS):
        b += 2.0
        c, dc, d, dd = _next(c, dc, d, dd, j * (a - j), float(j), b, -1.0)
        value, change = value * (c * d), dc / c + dd / d
        slope += change
        if abs(c * d - 1.0) < EPSILON and abs(change) <= EPSILON * (abs(slope) + abs(dc / c)):
            return value, slope
    return nan, nan


@looped
def _log_gamma_weight(a: float, x: float) -> float:
    if a < 1.0 or x < TINY * a:
        return a * log(x) - x - lgamma(a + 1.0)
    return -a * _excess(x / a, (x - a) / a) - (0.5 * log(a) + HALF_LOG_TWO_PI) - _stirling(a)


@looped
def log_gammainc(a: float, x: float) -> float:
    """Return log(P(a, x)), P the share of the gamma function's integral that lies below `x`."""
    if not (a > 0.0 and x >= 0.0 and a < inf):
        return nan
    if x == 0.0 or x == inf:
        return -inf if x == 0.0 else 0.0
    if x <= max(a, 1.0):
        return _log_gamma_weight(a, x) - log(_lower(a, x)[0])
    return _log1mexp(_log_gamma_weight(a, x) + log(a) - log(_upper(a, x)[0]))


@looped
def log_gammaincc(a: float, x: float) -> float:
    """Return log(1 - P(a, x))."""
    if not (a > 0.0 and x >= 0.0 and a < inf):
        return nan
    if x == 0.0 or x == inf:
        return 0.0 if x == 0.0 else -inf
    if x <= max(a, 1.0):
        return _log1mexp(_log_gamma_weight(a, x) - log(_lower(a, x)[0]))
    return _log_gamma_weight(a, x) + log(a) - log(_upper(a, x)[0])


@looped
def gammainc_shape(a: float, x: float) -> float:
    """Return the derivative of P(a, x) in `a`, divided by -w; positive and of moderate size."""
    if not (a > 0.0 and x > 0.0 and a < inf and x < inf):
        return nan
    away = log(x) - digamma(a + 1.0)
    if x <= max(a, 1.0):
        value, slope = _lower(a, x)
        return (slope - away) / value
    value, slope = _upper(a, x)
    return (a * (away - slope) + 1.0) / value


@looped
def _beta_fraction(a: float, b: float, odds: float, da: float, db: float) -> tuple[float, float]:
    """Return K with I = w / (a K), for x below the mean, and the slope of log(K) along (da, db)."""
    x, y = odds / (1.0 + odds), 1.0 / (1.0 + odds)
    away, turn = (a - b * odds) / (1.0 + odds), y * da - x * db
    value = (away + 1.0) / (a + 1.0)
    slope = (turn - value * da) / (value * (a + 1.0))
    c, dc, d, dd = value, slope * value, 0.0, 0.0
    for m in range(1, TERMS):
        low, high = a + (2.0 * m - 1.0), a + (2.0 * m + 1.0)
        lead, lift = (1.0, 0.0) if m == 1 else (a + (m - 1.0), da)
        whole, left = a + b + (m - 1.0), b - m
        over = m * (x / low) * (x / low)
        above = lead * whole * left * over
        change = (lift * whole * left + lead * ((da + db) * left + whole * db)) * over
        rest, beside = m * x / low, (a + m) / high
        gap = away + (1.0 + m * (1.0 + y))
        under = (gap * (1.0 - beside) * da / high + beside * turn) + rest * (db - left * da / low)
        c, dc, d, dd = _next(
            *(c, dc, d, dd, above, change - 2.0 * above * da / low),
            *(m + rest * left + beside * gap, under),
        )
        value, change = value * (c * d), dc / c + dd / d
        slope += change
        if abs(c * d - 1.0) < EPSILON and abs(change) <= EPSILON * (abs(slope) + abs(dc / c)):
            return value, slope
    return nan, nan


@looped
def _log_beta_weight(a: float, b: float, odds: float) -> float:
    total = a + b
    away = (b * odds - a) / (1.0 + odds)
    deviance = a * _excess(odds / (1.0 + odds) * (total / a), away / a)
    deviance += b * _excess(total / (b * (1.0 + odds)), -away / b)
    scale = 0.5 * log(a / total * b) - HALF_LOG_TWO_PI
    return scale - deviance + (_stirling(total) - _stirling(a) - _stirling(b))


@looped
def log_betainc_odds(a: float, b: float, odds: float) -> float:
    """Return log(I_x(a, b)) for ``odds = x / (1 - x)``, which says x near 0 and near 1 alike.

    The complement is the same function of (b, a, 1 / odds).
    """
    if not (a > 0.0 and b > 0.0 and odds >= 0.0 and a < inf and b < inf):
        return nan
    if odds == 0.0 or odds == inf:
        return -inf if odds == 0.0 else 0.0
    weight = _log_beta_weight(a, b, odds)
    if odds * (b + 1.0) < a + 1.0:
        return weight - log(a) - log(_beta_fraction(a, b, odds, 0.0, 0.0)[0])
    return _log1mexp(weight - log(b) - log(_beta_fraction(b, a, 1.0 / odds, 0.0, 0.0)[0]))


@looped
def betainc_shape(a: float, b: float, odds: float) -> float:
    """Return the derivative of I_x(a, b) in `a`, divided by -w; positive and of moderate size."""
    if not (a > 0.0 and b > 0.0 and odds > 0.0 and a < inf and b < inf and odds < inf):
        return nan
    away = digamma(a + b) - log1p(1.0 / odds)
    if odds * (b + 1.0) < a + 1.0:
        value, slope = _beta_fraction(a, b, odds, 1.0, 0.0)
        return (digamma(a + 1.0) - away + slope) / (a * value)
    value, slope = _beta_fraction(b, a, 1.0 / odds, 0.0, 1.0)
    return (away - digamma(a) - slope) / (b * value)
