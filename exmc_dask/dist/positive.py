"""Continuous distributions of positive numbers, with PyMC's names and parameters.

Every formula is the logarithm of the textbook density, as in scipy.stats.
"""

import math as numbers

from exmc_dask.dist.base import Family, Instead, Param, row
from exmc_dask.dist.domain import NONNEGATIVE, POSITIVE
from exmc_dask.dist.forms import HALF_LOG_TWO_PI, LOG_2, log_or_minus_infinity
from exmc_dask.dist.parameters import MU, SIGMA, TAU
from exmc_dask.ir import const
from exmc_dask.math import erf, exp, gammaln, log, log1mexp, log1p, log_ndtr, square

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
