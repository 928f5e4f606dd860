"""Continuous distributions of one number, with PyMC's names and parameters.

Every formula is the logarithm of the textbook density, as in scipy.stats.
"""

import math as numbers
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.domain import NONNEGATIVE, POSITIVE, UNIT, Support
from exmc_dask.dist.forms import (
    HALF_LOG_TWO_PI,
    LOG_2,
    log1mexp,
    log_ndtr_between,
    log_or_minus_infinity,
)
from exmc_dask.ir import Node, const
from exmc_dask.math import (
    betaln,
    erf,
    exp,
    gammaln,
    guard,
    log,
    log1p,
    log_ndtr,
    maximum,
    minimum,
    square,
    where,
)

MU = Param("mu", 0.0, aliases=("loc",))
SIGMA = Param("sigma", 1.0, "positive", aliases=("scale",))

Normal = row(
    Family(
        name="Normal",
        doc="Normal(mu=0, sigma=1): mean `mu`, standard deviation `sigma`.",
        params=(MU, SIGMA),
        logp=lambda x, mu, sigma: -0.5 * square((x - mu) / sigma) - log(sigma) - HALF_LOG_TWO_PI,
        draw=lambda rng, shape, mu, sigma: rng.normal(mu, sigma, shape),
        support_point=lambda mu, sigma: mu,
        location_scale=("mu", "sigma"),
        logcdf=lambda x, mu, sigma: log_ndtr((x - mu) / sigma),
        logsf=lambda x, mu, sigma: log_ndtr((mu - x) / sigma),
    )
)

HalfNormal = row(
    Family(
        name="HalfNormal",
        doc="HalfNormal(sigma=1): absolute value of Normal(0, sigma).",
        params=(SIGMA,),
        logp=lambda x, sigma: -0.5 * square(x / sigma) - log(sigma) + (LOG_2 - HALF_LOG_TWO_PI),
        draw=lambda rng, shape, sigma: abs(rng.normal(0, sigma, shape)),
        support_point=lambda sigma: sigma * numbers.sqrt(2 / numbers.pi),
        support=NONNEGATIVE,
        logcdf=lambda x, sigma: log_or_minus_infinity(erf(x / (sigma * numbers.sqrt(2)))),
        logsf=lambda x, sigma: LOG_2 + log_ndtr(-x / sigma),
    )
)


def _truncated_normal(x: Node, mu: Node, sigma: Node, lower: Any, upper: Any) -> Node:
    inside = -0.5 * square((x - mu) / sigma) - log(sigma) - HALF_LOG_TWO_PI
    if lower is None and upper is None:
        return inside
    if upper is None:
        return inside - log_ndtr((mu - lower) / sigma)
    if lower is None:
        return inside - log_ndtr((upper - mu) / sigma)
    a = (lower - mu) / sigma
    b = guard(lower < upper, (upper - mu) / sigma, a + 1.0)
    return inside - log_ndtr_between(a, b)


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
        doc="TruncatedNormal(mu=0, sigma=1, lower=None, upper=None): Normal(mu, sigma) given that "
        "it lies between the bounds.",
        params=(MU, SIGMA, Param("lower", optional=True), Param("upper", optional=True)),
        logp=_truncated_normal,
        draw=draw_truncated,
        support_point=_truncated_point,
        support=lambda mu, sigma, lower, upper: Support(lower, upper, closed=True),
        rising=("lower", "upper"),
    )
)

LogNormal = row(
    Family(
        name="LogNormal",
        doc="LogNormal(mu=0, sigma=1): exponential of Normal(mu, sigma).",
        params=(MU, SIGMA),
        logp=lambda x, mu, sigma: (
            -0.5 * square((log(x) - mu) / sigma) - log(sigma) - log(x) - HALF_LOG_TWO_PI
        ),
        draw=lambda rng, shape, mu, sigma: rng.lognormal(mu, sigma, shape),
        support_point=lambda mu, sigma: exp(mu),
        support=POSITIVE,
        logcdf=lambda x, mu, sigma: log_ndtr((log(x) - mu) / sigma),
        logsf=lambda x, mu, sigma: log_ndtr((mu - log(x)) / sigma),
    )
)

StudentT = row(
    Family(
        name="StudentT",
        doc="StudentT(nu, mu=0, sigma=1): `nu` degrees of freedom, location `mu`, scale `sigma`.",
        params=(Param("nu", domain="positive", aliases=("df",)), MU, SIGMA),
        logp=lambda x, nu, mu, sigma: (
            gammaln(0.5 * (nu + 1.0))
            - gammaln(0.5 * nu)
            - 0.5 * log(nu * numbers.pi)
            - log(sigma)
            - 0.5 * (nu + 1.0) * log1p(square((x - mu) / sigma) / nu)
        ),
        draw=lambda rng, shape, nu, mu, sigma: mu + sigma * rng.standard_t(nu, shape),
        support_point=lambda nu, mu, sigma: mu,
        location_scale=("mu", "sigma"),
    )
)

Cauchy = row(
    Family(
        name="Cauchy",
        doc="Cauchy(alpha, beta): location `alpha`, scale `beta`.",
        params=(
            Param("alpha", aliases=("mu", "loc")),
            Param("beta", domain="positive", aliases=("sigma", "scale")),
        ),
        logp=lambda x, alpha, beta: (
            -numbers.log(numbers.pi) - log(beta) - log1p(square((x - alpha) / beta))
        ),
        draw=lambda rng, shape, alpha, beta: alpha + beta * rng.standard_cauchy(shape),
        support_point=lambda alpha, beta: alpha,
        location_scale=("alpha", "beta"),
    )
)

HalfCauchy = row(
    Family(
        name="HalfCauchy",
        doc="HalfCauchy(beta): absolute value of Cauchy(0, beta).",
        params=(Param("beta", domain="positive", aliases=("sigma", "scale")),),
        logp=lambda x, beta: numbers.log(2 / numbers.pi) - log(beta) - log1p(square(x / beta)),
        draw=lambda rng, shape, beta: abs(beta * rng.standard_cauchy(shape)),
        support_point=lambda beta: beta,
        support=NONNEGATIVE,
    )
)

Laplace = row(
    Family(
        name="Laplace",
        doc="Laplace(mu, b): location `mu`, mean distance `b` from it.",
        params=(Param("mu", aliases=("loc",)), Param("b", domain="positive", aliases=("scale",))),
        logp=lambda x, mu, b: -math.abs(x - mu) / b - log(b) - LOG_2,
        draw=lambda rng, shape, mu, b: rng.laplace(mu, b, shape),
        support_point=lambda mu, b: mu,
        location_scale=("mu", "b"),
        logcdf=lambda x, mu, b: _laplace_tail((x - mu) / b),
        logsf=lambda x, mu, b: _laplace_tail((mu - x) / b),
    )
)


def _laplace_tail(z: Node) -> Node:
    """Log-probability below `z` of the standard Laplace distribution."""
    below = exp(-math.abs(z))
    return where(z < 0.0, z - LOG_2, log1p(-0.5 * below))


Exponential = row(
    Family(
        name="Exponential",
        doc="Exponential(lam): rate `lam`, mean ``1 / lam``.",
        params=(Param("lam", domain="positive", aliases=("rate",)),),
        logp=lambda x, lam: log(lam) - lam * x,
        draw=lambda rng, shape, lam: rng.exponential(1 / lam, shape),
        support_point=lambda lam: 1.0 / lam,
        support=NONNEGATIVE,
        logcdf=lambda x, lam: log1mexp(lam * x),
        logsf=lambda x, lam: -lam * x,
    )
)

Gamma = row(
    Family(
        name="Gamma",
        doc="Gamma(alpha, beta): shape `alpha`, rate `beta`, mean ``alpha / beta``.",
        params=(
            Param("alpha", domain="positive"),
            Param("beta", domain="positive", aliases=("rate",)),
        ),
        logp=lambda x, alpha, beta: (
            alpha * log(beta) - gammaln(alpha) + (alpha - 1.0) * log(x) - beta * x
        ),
        draw=lambda rng, shape, alpha, beta: rng.gamma(alpha, 1 / beta, shape),
        support_point=lambda alpha, beta: alpha / beta,
        support=POSITIVE,
    )
)

Weibull = row(
    Family(
        name="Weibull",
        doc="Weibull(alpha, beta): shape `alpha`, scale `beta`.",
        params=(
            Param("alpha", domain="positive", aliases=("k",)),
            Param("beta", domain="positive", aliases=("scale",)),
        ),
        logp=lambda x, alpha, beta: (
            log(alpha) - log(x) + alpha * log(x / beta) - exp(alpha * log(x / beta))
        ),
        draw=lambda rng, shape, alpha, beta: beta * rng.weibull(alpha, shape),
        support_point=lambda alpha, beta: beta,
        support=POSITIVE,
        logcdf=lambda x, alpha, beta: log1mexp(exp(alpha * log(x / beta))),
        logsf=lambda x, alpha, beta: -exp(alpha * log(x / beta)),
    )
)

Beta = row(
    Family(
        name="Beta",
        doc="Beta(alpha, beta) on (0, 1), mean ``alpha / (alpha + beta)``.",
        params=(Param("alpha", domain="positive"), Param("beta", domain="positive")),
        logp=lambda x, alpha, beta: (
            (alpha - 1.0) * log(x) + (beta - 1.0) * log1p(-x) - betaln(alpha, beta)
        ),
        draw=lambda rng, shape, alpha, beta: rng.beta(alpha, beta, shape),
        support_point=lambda alpha, beta: alpha / (alpha + beta),
        support=UNIT,
    )
)

Uniform = row(
    Family(
        name="Uniform",
        doc="Uniform(lower=0, upper=1): every value between the bounds alike.",
        params=(Param("lower", 0.0, aliases=("low",)), Param("upper", 1.0, aliases=("high",))),
        logp=lambda x, lower, upper: -log(guard(lower < upper, upper - lower, 1.0)),
        draw=lambda rng, shape, lower, upper: rng.uniform(lower, upper, shape),
        support_point=lambda lower, upper: 0.5 * (lower + upper),
        support=lambda lower, upper: Support(lower, upper, closed=True),
        rising=("lower", "upper"),
        logcdf=lambda x, lower, upper: log_or_minus_infinity((x - lower) / (upper - lower)),
        logsf=lambda x, lower, upper: log_or_minus_infinity((upper - x) / (upper - lower)),
    )
)

Flat = row(
    Family(
        name="Flat",
        doc="Flat(): log-density 0 everywhere; an improper prior without draws.",
        params=(),
        logp=lambda x: const(0.0),
        draw=None,
        support_point=lambda: const(0.0),
    )
)

HalfFlat = row(
    Family(
        name="HalfFlat",
        doc="HalfFlat(): log-density 0 for positive values; an improper prior without draws.",
        params=(),
        logp=lambda x: const(0.0),
        draw=None,
        support_point=lambda: const(1.0),
        support=NONNEGATIVE,
    )
)
