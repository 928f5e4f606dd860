"""References of the distributions of whole numbers."""

import numpy as np
from scipy import special, stats

from exmc_dask.dist import Bernoulli, Binomial, Poisson
from tests.exmc_dask.references.case import COUNTS, Case, scipy_case

CASES: dict[str, Case] = {
    "Bernoulli": scipy_case(
        Bernoulli, {"p": 0.3}, np.array([0.0, 1.0]), stats.bernoulli(0.3), outside=2.0
    ),
    "Bernoulli, logit": scipy_case(
        Bernoulli, {"logit_p": -40.0}, np.array([0.0, 1.0]), stats.bernoulli(special.expit(-40.0)),
        outside=0.5,
    ),
    "Binomial": scipy_case(
        Binomial, {"n": 9.0, "p": 0.3}, np.array([0.0, 4.0, 9.0]), stats.binom(9, 0.3), outside=10.0
    ),
    "Binomial, logit": scipy_case(
        Binomial, {"n": 9.0, "logit_p": 0.4}, np.array([0.0, 4.0, 9.0]),
        stats.binom(9, special.expit(0.4)), outside=-1.0,
    ),
    "Poisson": scipy_case(Poisson, {"mu": 7.5}, COUNTS, stats.poisson(7.5), outside=1.5),
    "Poisson, log": scipy_case(
        Poisson, {"log_mu": np.log(7.5)}, COUNTS, stats.poisson(7.5), outside=-1.0
    ),
}  # fmt: skip
