"""Continuous distributions between two bounds, with PyMC's names and parameters.

Every formula is the logarithm of the textbook density, as in scipy.stats.
"""

import math as numbers
from typing import Any

import numpy as np

from exmc_dask.dist.base import Family, Instead, Param, row
from exmc_dask.dist.domain import UNIT, Support
from exmc_dask.dist.forms import (
    HALF_LOG_TWO_PI,
    LOG_2,
    log_ndtr_between,
    log_or_minus_infinity,
    standard_normal,
)
from exmc_dask.dist.parameters import MU, SIGMA, TAU
from exmc_dask.expressions.ir import Node, const
from exmc_dask.math import (
    betaln,
    exp,
    guard,
    i0e,
    log,
    log1mexp,
    log1p,
    log_betainc_odds,
    log_ndtr,
    logit,
    maximum,
    minimum,
    sigmoid,
    sin,
    square,
    where,
)
from exmc_dask.transforms import circular


def _truncated_normal(x: Node, mu: Node, sigma: Node, lower: Any, upper: Any) -> Node:
    inside = standard_normal((x - mu) / sigma) - log(sigma)
    return inside - _log_between(mu, sigma, lower, upper)


def _log_between(mu: Node, sigma: Node, lower: Any, upper: Any) -> Node:
    """Log-probability of Normal(mu, sigma) between two bounds, of which each may be None."""
    if lower is None:
        return const(0.0) if upper is None else log_ndtr((upper - mu) / sigma)
    if upper is None:
        return log_ndtr((mu - lower) / sigma)
    return log_ndtr_between((lower - mu) / sigma, (upper - mu) / sigma)


def _truncated_point(mu: Node, sigma: Node, lower: Any, upper: Any) -> Node:
    if lower is not None and upper is not None:
        middle: Node = 0.5 * (lower + upper)
        return middle
    inside = mu if lower is None else maximum(mu, lower + sigma)
    return inside if upper is None else minimum(inside, upper - sigma)


def draw_truncated(
    rng: np.random.Generator, shape: tuple[int, ...], mu: Any, sigma: Any, lower: Any, upper: Any
) -> np.ndarray:
    """Draw from a normal distribution between two bounds, by rejection.

    Robert (1995), "Simulation of truncated normal variables". Differs: in a tail the exponential
    proposal is itself truncated at the far bound, which makes one case of his three.
    """
    a, b = (
        np.broadcast_to((infinite if bound is None else bound) - mu, shape) / sigma
        for bound, infinite in ((lower, -np.inf), (upper, np.inf))
    )
    mirrored = b <= 0
    a, b = np.where(mirrored, -b, a).ravel(), np.where(mirrored, -a, b).ravel()
    result = np.empty(a.shape)
    todo = np.arange(a.size)
    while todo.size:
        low, high, u = a[todo], b[todo], rng.random(todo.size)
        rate = 0.5 * (low + np.sqrt(low**2 + 4))
        tail = low - np.log1p(u * np.expm1(-rate * (high - low))) / rate
        wide = high - low > 2.5
        middle = np.where(wide, rng.normal(size=todo.size), low + u * np.where(wide, 1, high - low))
        best = np.clip(rate, low, high)
        chance = np.where(
            low >= 0,
            np.exp(0.5 * ((best - rate) ** 2 - (tail - rate) ** 2)),
            np.where(wide, (middle > low) & (middle < high), np.exp(-0.5 * middle**2)),
        )
        kept = rng.random(todo.size) < chance
        result[todo[kept]] = np.where(low >= 0, tail, middle)[kept]
        todo = todo[~kept]
    return np.asarray(mu + sigma * np.where(mirrored, -1, 1) * result.reshape(shape))


TruncatedNormal = row(
    Family(
        name="TruncatedNormal",
        doc="TruncatedNormal(mu=0, sigma=1 | tau, lower=None, upper=None): Normal(mu, sigma) given "
        "that it lies between the bounds.",
        params=(MU, SIGMA, Param("lower", optional=True), Param("upper", optional=True)),
        instead=(TAU,),
        logp=_truncated_normal,
        draw=draw_truncated,
        support_point=_truncated_point,
        support=lambda mu, sigma, lower, upper: Support(lower, upper, closed=True),
        rising=("lower", "upper"),
        logcdf=lambda x, mu, sigma, lower, upper: (
            _log_between(mu, sigma, lower, x) - _log_between(mu, sigma, lower, upper)
        ),
        logsf=lambda x, mu, sigma, lower, upper: (
            _log_between(mu, sigma, x, upper) - _log_between(mu, sigma, lower, upper)
        ),
    )
)

MEAN = Param("mu", domain="inner")


def _size(mu: Node, sigma: Node) -> Node:
    """Sum of alpha and beta, for a mean and a standard deviation; negative where there is none."""
    return mu * (1.0 - mu) / square(sigma) - 1.0


Beta = row(
    Family(
        name="Beta",
        doc="Beta(alpha, beta | mu, sigma | mu, nu): on (0, 1), with mean "
        "``mu = alpha / (alpha + beta)``, and standard deviation `sigma` or size "
        "``nu = alpha + beta``.",
        params=(Param("alpha", domain="positive"), Param("beta", domain="positive")),
        instead=(
            Instead(
                (MEAN, Param("sigma", domain="positive")),
                {
                    "alpha": lambda mu, sigma: mu * _size(mu, sigma),
                    "beta": lambda mu, sigma: (1.0 - mu) * _size(mu, sigma),
                },
            ),
            Instead(
                (MEAN, Param("nu", domain="positive")),
                {"alpha": lambda mu, nu: mu * nu, "beta": lambda mu, nu: (1.0 - mu) * nu},
            ),
        ),
        logp=lambda x, alpha, beta: (
            (alpha - 1.0) * log(x) + (beta - 1.0) * log1p(-x) - betaln(alpha, beta)
        ),
        draw=lambda rng, shape, alpha, beta: rng.beta(alpha, beta, shape),
        support_point=lambda alpha, beta: alpha / (alpha + beta),
        support=UNIT,
        logcdf=lambda x, alpha, beta: log_betainc_odds(alpha, beta, x / (1.0 - x)),
        logsf=lambda x, alpha, beta: log_betainc_odds(beta, alpha, (1.0 - x) / x),
    )
)

LogitNormal = row(
    Family(
        name="LogitNormal",
        doc="LogitNormal(mu=0, sigma=1 | tau): logistic function of Normal(mu, sigma).",
        params=(MU, SIGMA),
        instead=(TAU,),
        logp=lambda x, mu, sigma: (
            standard_normal((logit(x) - mu) / sigma) - log(sigma) - log(x) - log1p(-x)
        ),
        draw=lambda rng, shape, mu, sigma: 0.5 + 0.5 * np.tanh(0.5 * rng.normal(mu, sigma, shape)),
        support_point=lambda mu, sigma: sigmoid(mu),
        support=UNIT,
        logcdf=lambda x, mu, sigma: log_ndtr((logit(x) - mu) / sigma),
        logsf=lambda x, mu, sigma: log_ndtr((mu - logit(x)) / sigma),
    )
)

Kumaraswamy = row(
    Family(
        name="Kumaraswamy",
        doc="Kumaraswamy(a, b): on (0, 1), much like Beta(a, b); the probability above x is "
        "``(1 - x**a)**b``.",
        params=(Param("a", domain="positive"), Param("b", domain="positive")),
        logp=lambda x, a, b: (
            log(a) + log(b) + (a - 1.0) * log(x) + (b - 1.0) * log1mexp(a * log(x))
        ),
        draw=lambda rng, shape, a, b: (-np.expm1(-rng.exponential(size=shape) / b)) ** (1 / a),
        support_point=lambda a, b: exp(log1mexp(LOG_2 / b) / a),
        support=UNIT,
        logcdf=lambda x, a, b: _kumaraswamy_below(a * log(x), b),
        logsf=lambda x, a, b: b * log1mexp(a * log(x)),
    )
)


def _kumaraswamy_below(power: Node, b: Node) -> Node:
    """``log(1 - (1 - exp(power))**b)``, by its first term where exp(power) is tiny."""
    far = power < -100.0
    near = log1mexp(b * log1mexp(guard(far, -1.0, power)))
    return where(far, log(b) + power, near)


Triangular = row(
    Family(
        name="Triangular",
        doc="Triangular(lower=0, upper=1, c=0.5): density that rises on a line from `lower` to `c` "
        "and falls on one to `upper`.",
        params=(
            Param("lower", 0.0, aliases=("low",)),
            Param("upper", 1.0, aliases=("high",)),
            Param("c", 0.5),
        ),
        logp=lambda x, lower, upper, c: _triangle(x, lower, upper, c) + LOG_2,
        draw=lambda rng, shape, lower, upper, c: rng.triangular(lower, c, upper, shape),
        support_point=lambda lower, upper, c: (lower + upper + c) / 3.0,
        support=lambda lower, upper, c: Support(lower, upper, closed=True),
        rising=("lower", "upper"),
        between=("lower", "c", "upper"),
        logcdf=lambda x, lower, upper, c: _triangle_below(x, lower, upper, c),
        logsf=lambda x, lower, upper, c: _triangle_below(-x, -upper, -lower, -c),
    )
)


def _on_the_left(x: Node, upper: Node, c: Node) -> Node:
    """Whether `x` is where the density rises; everywhere if it does not fall."""
    return (x < c) | c.eq(upper)


def _triangle(x: Node, lower: Node, upper: Node, c: Node) -> Node:
    """Logarithm of the height at `x`, on a base whose area is 1 for a height of 1."""
    left = _on_the_left(x, upper, c)
    height = where(left, x - lower, upper - x) / where(left, c - lower, upper - c)
    return log_or_minus_infinity(height) - log(upper - lower)


def _triangle_below(x: Node, lower: Node, upper: Node, c: Node) -> Node:
    """Log-probability below `x`."""
    left = _on_the_left(x, upper, c)
    rest = where(left, x - lower, upper - x)
    share = square(rest) / where(left, c - lower, upper - c) / (upper - lower)
    above = where(left, 0.0, share)
    return where(left, log_or_minus_infinity(share), log1p(-above))


VonMises = row(
    Family(
        name="VonMises",
        doc="VonMises(mu=0, kappa=1): angle in [-pi, pi], the closer to `mu` the larger `kappa`.",
        params=(MU, Param("kappa", 1.0, "positive")),
        logp=lambda x, mu, kappa: (
            -2.0 * kappa * square(sin(0.5 * (x - mu))) - log(2 * numbers.pi * i0e(kappa))
        ),
        draw=lambda rng, shape, mu, kappa: rng.vonmises(mu, kappa, shape),
        support_point=lambda mu, kappa: circular.backward(mu),
        support=Support(-numbers.pi, numbers.pi, closed=True, moved=circular),
    )
)

Uniform = row(
    Family(
        name="Uniform",
        doc="Uniform(lower=0, upper=1): every value between the bounds alike.",
        params=(Param("lower", 0.0, aliases=("low",)), Param("upper", 1.0, aliases=("high",))),
        logp=lambda x, lower, upper: -log(upper - lower),
        draw=lambda rng, shape, lower, upper: rng.uniform(lower, upper, shape),
        support_point=lambda lower, upper: 0.5 * (lower + upper),
        support=lambda lower, upper: Support(lower, upper, closed=True),
        rising=("lower", "upper"),
        logcdf=lambda x, lower, upper: log_or_minus_infinity((x - lower) / (upper - lower)),
        logsf=lambda x, lower, upper: log_or_minus_infinity((upper - x) / (upper - lower)),
    )
)
