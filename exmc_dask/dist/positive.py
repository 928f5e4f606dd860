"""Continuous distributions of positive numbers, with PyMC's names and parameters.

Every formula is the logarithm of the textbook density, as in scipy.stats.
"""

import math as numbers

import numpy as np

from exmc_dask.dist.base import Family, Instead, Param, row
from exmc_dask.dist.domain import NONNEGATIVE, POSITIVE, Support
from exmc_dask.dist.forms import (
    HALF_LOG_TWO_PI,
    LOG_2,
    log1mexp_of_exp,
    log_normal_less,
    log_or_minus_infinity,
    log_scaled_tail,
)
from exmc_dask.dist.parameters import LAM, MU, NU, SIGMA, TAU
from exmc_dask.dist.real import StudentT, half_student_above, half_student_below
from exmc_dask.expressions.ir import Node, const
from exmc_dask.math import (
    arctan,
    erf,
    exp,
    gammaln,
    guard,
    i0e,
    log,
    log1mexp,
    log1p,
    log_betainc_odds,
    log_gammainc,
    log_gammaincc,
    log_ndtr,
    logaddexp,
    sqrt,
    square,
    where,
)

PHI = Param("phi", domain="positive")
MEAN_AND_DEVIATION = (Param("mu", domain="positive"), Param("sigma", domain="positive"))

HalfNormal = row(
    Family(
        name="HalfNormal",
        doc="HalfNormal(sigma=1 | tau): absolute value of Normal(0, sigma).",
        params=(SIGMA,),
        instead=(TAU,),
        logp=lambda x, sigma: -0.5 * square(x / sigma) - log(sigma) + (LOG_2 - HALF_LOG_TWO_PI),
        draw=lambda rng, shape, sigma: abs(rng.normal(0, sigma, shape)),
        support_point=lambda sigma: sigma * numbers.sqrt(2 / numbers.pi),
        support=NONNEGATIVE,
        logcdf=lambda x, sigma: log_or_minus_infinity(erf(x / (sigma * numbers.sqrt(2)))),
        logsf=lambda x, sigma: LOG_2 + log_ndtr(-x / sigma),
    )
)

LogNormal = row(
    Family(
        name="LogNormal",
        doc="LogNormal(mu=0, sigma=1 | tau): exponential of Normal(mu, sigma).",
        params=(MU, SIGMA),
        instead=(TAU,),
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

HalfCauchy = row(
    Family(
        name="HalfCauchy",
        doc="HalfCauchy(beta): absolute value of Cauchy(0, beta).",
        params=(Param("beta", domain="positive", aliases=("sigma", "scale")),),
        logp=lambda x, beta: numbers.log(2 / numbers.pi) - log(beta) - log1p(square(x / beta)),
        draw=lambda rng, shape, beta: abs(beta * rng.standard_cauchy(shape)),
        support_point=lambda beta: beta,
        support=NONNEGATIVE,
        logcdf=lambda x, beta: log_or_minus_infinity(arctan(x / beta) * (2 / numbers.pi)),
        logsf=lambda x, beta: _half_cauchy_tail(x / beta),
    )
)


def _half_cauchy_tail(z: Node) -> Node:
    """Log-probability above `z` of the standard half-Cauchy distribution."""
    far = z > 1.0
    inner = 1.0 - arctan(guard(far, 0.0, z)) * (2 / numbers.pi)
    return log(where(far, arctan(1.0 / guard(far, z, 1.0)) * (2 / numbers.pi), inner))


HalfStudentT = row(
    Family(
        name="HalfStudentT",
        doc="HalfStudentT(nu, sigma=1 | lam): absolute value of StudentT(nu, 0, sigma).",
        params=(NU, SIGMA),
        instead=(LAM,),
        logp=lambda x, nu, sigma: LOG_2 + StudentT.logp(x, nu, 0.0, sigma),
        draw=lambda rng, shape, nu, sigma: abs(sigma * rng.standard_t(nu, shape)),
        support_point=lambda nu, sigma: sigma,
        support=NONNEGATIVE,
        logcdf=lambda x, nu, sigma: half_student_below(x / sigma, nu),
        logsf=lambda x, nu, sigma: half_student_above(x / sigma, nu),
    )
)

Exponential = row(
    Family(
        name="Exponential",
        doc="Exponential(lam | scale): rate `lam`, mean ``scale = 1 / lam``.",
        params=(Param("lam", domain="positive", aliases=("rate",)),),
        instead=(Instead((Param("scale", domain="positive"),), {"lam": lambda scale: 1.0 / scale}),),
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
        doc="Gamma(alpha, beta | mu, sigma): shape `alpha` and rate `beta`, or mean "
        "``mu = alpha / beta`` and standard deviation ``sigma = sqrt(alpha) / beta``.",
        params=(
            Param("alpha", domain="positive"),
            Param("beta", domain="positive", aliases=("rate",)),
        ),
        instead=(
            Instead(
                MEAN_AND_DEVIATION,
                {
                    "alpha": lambda mu, sigma: square(mu / sigma),
                    "beta": lambda mu, sigma: mu / square(sigma),
                },
            ),
        ),
        logp=lambda x, alpha, beta: (
            alpha * log(beta) - gammaln(alpha) + (alpha - 1.0) * log(x) - beta * x
        ),
        draw=lambda rng, shape, alpha, beta: rng.gamma(alpha, 1 / beta, shape),
        support_point=lambda alpha, beta: alpha / beta,
        support=POSITIVE,
        logcdf=lambda x, alpha, beta: log_gammainc(alpha, beta * x),
        logsf=lambda x, alpha, beta: log_gammaincc(alpha, beta * x),
    )
)

InverseGamma = row(
    Family(
        name="InverseGamma",
        doc="InverseGamma(alpha, beta=1 | mu, sigma): reciprocal of Gamma(alpha, beta), or with "
        "mean ``mu = beta / (alpha - 1)`` and standard deviation `sigma`.",
        params=(
            Param("alpha", domain="positive"),
            Param("beta", 1.0, "positive", aliases=("scale",)),
        ),
        instead=(
            Instead(
                MEAN_AND_DEVIATION,
                {
                    "alpha": lambda mu, sigma: 2.0 + square(mu / sigma),
                    "beta": lambda mu, sigma: mu * (1.0 + square(mu / sigma)),
                },
            ),
        ),
        logp=lambda x, alpha, beta: (
            alpha * log(beta) - gammaln(alpha) - (alpha + 1.0) * log(x) - beta / x
        ),
        draw=lambda rng, shape, alpha, beta: beta / rng.standard_gamma(alpha, shape),
        support_point=lambda alpha, beta: beta / (alpha + 1.0),
        support=POSITIVE,
        logcdf=lambda x, alpha, beta: log_gammaincc(alpha, beta / x),
        logsf=lambda x, alpha, beta: log_gammainc(alpha, beta / x),
    )
)

ChiSquared = row(
    Family(
        name="ChiSquared",
        doc="ChiSquared(nu): sum of the squares of `nu` standard normal variables.",
        params=(NU,),
        logp=lambda x, nu: Gamma.logp(x, 0.5 * nu, const(0.5)),
        draw=lambda rng, shape, nu: rng.chisquare(nu, shape),
        support_point=lambda nu: nu,
        support=POSITIVE,
        logcdf=lambda x, nu: log_gammainc(0.5 * nu, 0.5 * x),
        logsf=lambda x, nu: log_gammaincc(0.5 * nu, 0.5 * x),
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
        logcdf=lambda x, alpha, beta: log1mexp_of_exp(alpha * log(x / beta)),
        logsf=lambda x, alpha, beta: -exp(alpha * log(x / beta)),
    )
)

Pareto = row(
    Family(
        name="Pareto",
        doc="Pareto(alpha, m): values from `m` on, the probability above x falling as "
        "``(m / x)**alpha``.",
        params=(Param("alpha", domain="positive"), Param("m", domain="positive")),
        logp=lambda x, alpha, m: log(alpha) - log(x) - alpha * log(x / m),
        draw=lambda rng, shape, alpha, m: m * (1 + rng.pareto(alpha, shape)),
        support_point=lambda alpha, m: 2.0 * m,
        support=lambda alpha, m: Support(m, closed=True),
        logcdf=lambda x, alpha, m: log1mexp(alpha * log(x / m)),
        logsf=lambda x, alpha, m: -alpha * log(x / m),
    )
)

Wald = InverseGaussian = row(
    Family(
        name="Wald",
        doc="Wald(mu, lam | mu, phi | lam, phi, alpha=0): `alpha` and the time a Brownian motion "
        "with drift takes to a level, with mean `mu` and shape `lam`, or ``phi = lam / mu``. Known "
        "as inverse Gaussian too.",
        params=(
            Param("mu", domain="positive"),
            Param("lam", domain="positive"),
            Param("alpha", 0.0),
        ),
        instead=(
            Instead((PHI,), {"lam": lambda phi, mu: mu * phi}, beside=("mu",)),
            Instead((PHI,), {"mu": lambda phi, lam: lam / phi}, beside=("lam",)),
        ),
        logp=lambda x, mu, lam, alpha: (
            0.5 * log(lam)
            - HALF_LOG_TWO_PI
            - 1.5 * log(x - alpha)
            - 0.5 * lam * square((x - alpha - mu) / mu) / (x - alpha)
        ),
        draw=lambda rng, shape, mu, lam, alpha: alpha + rng.wald(mu, lam, shape),
        support_point=lambda mu, lam, alpha: alpha + mu,
        support=lambda mu, lam, alpha: Support(alpha),
        logcdf=lambda x, mu, lam, alpha: _passed(x - alpha, mu, lam),
        logsf=lambda x, mu, lam, alpha: _not_passed(x - alpha, mu, lam),
    )
)


def _passed(t: Node, mu: Node, lam: Node) -> Node:
    """Log-probability that the level is passed by `t`."""
    u, apart = _wald_tails(t, mu, lam)
    return logaddexp(log_ndtr(u), log_scaled_tail(u, apart))


def _not_passed(t: Node, mu: Node, lam: Node) -> Node:
    u, apart = _wald_tails(t, mu, lam)
    return log_normal_less(u, apart, log_scaled_tail(u, apart))


def _wald_tails(t: Node, mu: Node, lam: Node) -> tuple[Node, Node]:
    """Arguments of Shuster (1968), "On the inverse Gaussian distribution function".

    The second, ``sqrt(lam / t) * (t / mu + 1)``, as its distance from the first.
    """
    root = sqrt(lam / t)
    return root * (t / mu - 1.0), 2.0 * root


Rice = row(
    Family(
        name="Rice",
        doc="Rice(nu | b, sigma=1): length of a vector in the plane with normal errors `sigma` "
        "about a point at distance ``nu = b * sigma``.",
        params=(Param("nu", domain="nonnegative"), SIGMA),
        instead=(
            Instead(
                (Param("b", domain="nonnegative"),),
                {"nu": lambda b, sigma: b * sigma},
                beside=("sigma",),
            ),
        ),
        logp=lambda x, nu, sigma: (
            log(x)
            - 2.0 * log(sigma)
            - 0.5 * square((x - nu) / sigma)
            + log(i0e(x / sigma * (nu / sigma)))
        ),
        draw=lambda rng, shape, nu, sigma: np.hypot(
            rng.normal(nu, sigma, shape), rng.normal(0, sigma, shape)
        ),
        support_point=lambda nu, sigma: nu + sigma,
        support=POSITIVE,
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
