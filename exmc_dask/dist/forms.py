"""Pieces that several log-densities share, each safe where the plain formula is not."""

import math as numbers
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.ir import Node, as_float, make
from exmc_dask.expressions.ops import Op

HALF_LOG_TWO_PI = 0.5 * numbers.log(2 * numbers.pi)
LOG_2 = numbers.log(2)


def standard_normal(z: Any) -> Node:
    """Log-density of the standard normal distribution."""
    return -0.5 * math.square(z) - HALF_LOG_TWO_PI


def log_or_minus_infinity(p: Any) -> Node:
    """``log(p)``, and -inf with a gradient of 0 where `p` is 0 or below."""
    return math.where(p > 0.0, math.log(math.guard(p > 0.0, p, 1.0)), -np.inf)


def log1m(p: Any) -> Node:
    """``log(1 - p)``, exact for small `p`; -inf with a gradient of 0 at 1."""
    return math.where(p < 1.0, math.log1p(-math.guard(p < 1.0, p, 0.0)), -np.inf)


def times_log(count: Any, p: Any) -> Node:
    """``count * log(p)``, which is 0 for no counts even where `p` is 0."""
    return math.where(as_float(count).eq(0.0), 0.0, count * log_or_minus_infinity(p))


def log1mexp_of_exp(power: Any) -> Node:
    """``log(1 - exp(-exp(power)))``, which is `power` itself where exp(power) is tiny."""
    tiny = power < -40.0
    return math.where(tiny, power, math.log1mexp(math.exp(math.guard(tiny, 0.0, power))))


def log_ndtr_between(a: Node, b: Node) -> Node:
    """Logarithm of the standard normal probability of [a, b], for a < b.

    Calculated on the side of the smaller tail, so that digits survive far from 0 on either side.
    """
    right = a > 0.0
    larger = math.log_ndtr(math.where(right, -a, b))
    smaller = math.log_ndtr(math.where(right, -b, a))
    return larger + math.log1mexp(larger - smaller)


def log_beta_share(a: Any, b: Any, over: Any, under: Any) -> Node:
    """Logarithm of the incomplete beta function ``I_x(a, b)`` where x and 1 - x are as over : under.

    Of the two one may be 0 or infinite: then it is certain, and the gradient 0.
    """
    some = (over > 0.0) & (under > 0.0) & (over < np.inf) & (under < np.inf)
    odds = math.guard(some, over, 1.0) / math.guard(some, under, 1.0)
    certain = math.where(over > under, 0.0, -np.inf)
    return math.where(some, math.log_betainc_odds(a, b, odds), certain)


def log_rising(a: Node, d: Node) -> Node:
    """``log(gamma(a + d) / gamma(a)) - d log(a)`` for a > 0 and d >= 0, which is 0 for large `a`.

    The two large logarithms would take all digits from their difference. So it is the difference of
    Stirling's series (DLMF 5.11.1) at ``a + SHIFT``, written in ``log1p``, and of what the
    recurrence (5.5.1) puts between there and `a`.
    """
    x = math.minimum(a, SAME)
    z = x + SHIFT
    series = (z + d - 0.5) * math.log1p(d / z) - d + (_stirling(z + d) - _stirling(z))
    shift = math.log(_shifted(x + d)) - math.log(_shifted(x)) - d * math.log1p(SHIFT / x)
    return series - shift


SHIFT = 10.0  # from where six terms of the series are exact
SAME = 1e25  # above which nothing changes any more, and powers might overflow


def _stirling(z: Node) -> Node:
    """``gammaln(z) - (z - 1/2) log(z) + z - log(2 pi) / 2``."""
    w = 1.0 / z
    v = w * w
    tail = 1 / 1260 - v * (1 / 1680 - v * (1 / 1188 - v * (691 / 360360)))
    return w * (1 / 12 - v * (1 / 360 - v * tail))


def _shifted(x: Node) -> Node:
    """``x (x + 1) ... (x + 9)``, its factors in pairs from both ends."""
    u = x * (x + 9.0)
    return u * (u + 8.0) * ((u + 14.0) * (u + 18.0)) * (u + 20.0)


def log_choose(n: Any, k: Any) -> Node:
    """Logarithm of the number of ways to choose `k` of `n`; finite where there is none."""
    chosen = math.guard((k >= 0.0) & (k <= n), k, 0.0)
    others = math.maximum(n - chosen + 1.0, 1.0)
    return log_rising(others, chosen) + chosen * math.log(others) - math.gammaln(chosen + 1.0)


def element(vector: Node, place: Node) -> Node:
    """``vector[place]`` along the last axis, for places that are floats; 0 beyond either end.

    Rows of `vector` and `place` broadcast, so that each value may have a vector of its own.
    """
    places = make(Op.RANGE, (), vector.shape[-1])
    chosen = math.expand_dims(place, -1).eq(places)
    return math.sum(math.where(chosen, vector, 0.0), axis=-1)


def log_scaled_tail(u: Node, apart: Node) -> Node:
    """Logarithm of ``exp((v**2 - u**2) / 2)`` times the normal probability above ``v = u + apart``.

    That is the second term of distribution functions of sums and passage times. Where v is above 0
    the two factors, one huge and one tiny, are taken together by erfcx; `apart` is above 0.
    """
    v = u + apart
    above = v > 0.0
    scaled = math.log(0.5 * math.erfcx(math.guard(above, v, 0.0) * numbers.sqrt(0.5)))
    plain = 0.5 * apart * (2.0 * u + apart) + math.log_ndtr(-math.guard(above, 0.0, v))
    return math.where(above, scaled - 0.5 * math.square(u), plain)


def log_normal_less(u: Node, apart: Node, term: Node) -> Node:
    """Logarithm of the normal probability above `u`, less ``exp(term)`` of `log_scaled_tail`.

    For u > 0 both are divided by ``exp(-u**2 / 2)`` first, so that digits survive in the tail.
    """
    above = u > 0.0
    inner = math.guard(above, u, 0.0) * numbers.sqrt(0.5)
    outer = inner + apart * numbers.sqrt(0.5)
    ratio = math.log(math.erfcx(inner)) - math.log(math.erfcx(outer))
    whole = math.log_ndtr(-u)
    return whole + math.log1mexp(math.where(above, ratio, whole - term))
