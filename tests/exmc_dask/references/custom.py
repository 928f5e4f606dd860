"""References of distributions by formulas of the user."""

import numpy as np
from scipy import stats

from exmc_dask import math
from exmc_dask.dist import Custom
from tests.exmc_dask.references.case import Case

CASES: dict[str, Case] = {
    "Custom": Case(
        lambda mu: Custom.dist(mu, logp=lambda x, mu: -math.square(x - mu), support="positive"),
        {"mu": 0.5}, np.array([0.1, 3.0]), lambda x: -((x - 0.5) ** 2), outside=-1.0,
    ),
    "Custom, drawn by its distribution function": Case(
        lambda k: Custom.dist(
            k, support="positive",
            logp=lambda x, k: math.log(k) + (k - 1) * math.log(x) - (k + 1) * math.log1p(x),
            logcdf=lambda x, k: k * (math.log(x) - math.log1p(x)),
        ),
        {"k": 1.7}, np.array([1e-9, 0.7, 30.0]), stats.betaprime(1.7, 1.0).logpdf,
        stats.betaprime(1.7, 1.0), outside=-1.0,
    ),
    "Custom counts": Case(
        lambda q: Custom.dist(
            q, support="count", logp=lambda x, q: x * math.log(q) + math.log1p(-q),
            logcdf=lambda x, q: math.log1mexp((x + 1) * math.log(q)),
        ),
        {"q": 0.4}, np.array([0.0, 2.0, 60.0]), stats.geom(0.6, -1).logpmf, stats.geom(0.6, -1),
        outside=0.5,
    ),
}  # fmt: skip
