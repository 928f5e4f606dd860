"""Continuous distributions on the real line, with PyMC's names and parameters.

Every formula is the logarithm of the textbook density, as in scipy.stats.
"""

import math as numbers

from exmc_dask import math
from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.forms import HALF_LOG_TWO_PI, LOG_2
from exmc_dask.dist.parameters import LAM, MU, NU, SIGMA, TAU
from exmc_dask.ir import Node, const
from exmc_dask.math import exp, gammaln, log, log1p, log_ndtr, square, where

Normal = row(
    Family(
        name="Normal",
        doc="Normal(mu=0, sigma=1 | tau): mean `mu`, standard deviation `sigma`, or precision "
        "``tau = 1 / sigma**2``.",
        params=(MU, SIGMA),
        instead=(TAU,),
        logp=lambda x, mu, sigma: -0.5 * square((x - mu) / sigma) - log(sigma) - HALF_LOG_TWO_PI,
        draw=lambda rng, shape, mu, sigma: rng.normal(mu, sigma, shape),
        support_point=lambda mu, sigma: mu,
        location_scale=("mu", "sigma"),
        logcdf=lambda x, mu, sigma: log_ndtr((x - mu) / sigma),
        logsf=lambda x, mu, sigma: log_ndtr((mu - x) / sigma),
    )
)

StudentT = row(
    Family(
        name="StudentT",
        doc="StudentT(nu, mu=0, sigma=1 | lam): `nu` degrees of freedom, location `mu`, scale "
        "`sigma`, or ``lam = 1 / sigma**2``.",
        params=(NU, MU, SIGMA),
        instead=(LAM,),
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
