"""Continuous distributions on the line, with PyMC's names and parameters.

Every formula is the logarithm of the density as in scipy.stats; sources are named where another
form than the textbook's is used.
"""

import math as numbers

from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.domain import NONNEGATIVE
from exmc_dask.math import log, square

HALF_LOG_TWO_PI = 0.5 * numbers.log(2 * numbers.pi)

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
    )
)

HalfNormal = row(
    Family(
        name="HalfNormal",
        doc="HalfNormal(sigma=1): absolute value of Normal(0, sigma).",
        params=(SIGMA,),
        logp=lambda x, sigma: (
            -0.5 * square(x / sigma) - log(sigma) + (numbers.log(2) - HALF_LOG_TWO_PI)
        ),
        draw=lambda rng, shape, sigma: abs(rng.normal(0, sigma, shape)),
        support_point=lambda sigma: sigma * numbers.sqrt(2 / numbers.pi),
        support=NONNEGATIVE,
    )
)
