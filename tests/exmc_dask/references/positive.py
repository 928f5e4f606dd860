"""References of the distributions of positive numbers."""

import numpy as np
from scipy import stats

from exmc_dask.dist import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    LogNormal,
    Weibull,
)
from tests.exmc_dask.references.case import POSITIVE, Case, scipy_case

CASES: dict[str, Case] = {
    "HalfNormal": scipy_case(
        HalfNormal, {"sigma": 2.0}, np.append(0.0, POSITIVE), stats.halfnorm(0, 2.0), outside=-0.1
    ),
    "HalfNormal, tau": scipy_case(
        HalfNormal, {"tau": 0.25}, np.append(0.0, POSITIVE), stats.halfnorm(0, 2.0), outside=-0.1
    ),
    "LogNormal": scipy_case(
        LogNormal, {"mu": 0.5, "sigma": 1.5}, POSITIVE, stats.lognorm(1.5, 0, np.exp(0.5)),
        outside=0.0,
    ),
    "LogNormal, tau": scipy_case(
        LogNormal, {"mu": 0.5, "tau": 1 / 2.25}, POSITIVE, stats.lognorm(1.5, 0, np.exp(0.5)),
        outside=0.0,
    ),
    "HalfCauchy": scipy_case(
        HalfCauchy, {"beta": 2.0}, np.append(0.0, POSITIVE), stats.halfcauchy(0, 2.0), outside=-1.0
    ),
    "Exponential": scipy_case(
        Exponential, {"lam": 0.5}, np.append(0.0, POSITIVE), stats.expon(0, 2.0), outside=-1e-9
    ),
    "Exponential, scale": scipy_case(
        Exponential, {"scale": 2.0}, np.append(0.0, POSITIVE), stats.expon(0, 2.0), outside=-1e-9
    ),
    "Gamma": scipy_case(
        Gamma, {"alpha": 2.5, "beta": 0.5}, POSITIVE, stats.gamma(2.5, 0, 2.0), outside=0.0
    ),
    "Gamma, small shape": scipy_case(
        Gamma, {"alpha": 0.3, "beta": 2.0}, POSITIVE, stats.gamma(0.3, 0, 0.5), outside=-1.0
    ),
    "Gamma, mean and deviation": scipy_case(
        Gamma, {"mu": 5.0, "sigma": np.sqrt(10.0)}, POSITIVE, stats.gamma(2.5, 0, 2.0), outside=0.0
    ),
    "Weibull": scipy_case(
        Weibull, {"alpha": 1.5, "beta": 2.0}, POSITIVE[:-1], stats.weibull_min(1.5, 0, 2.0),
        outside=0.0,
    ),
    "HalfFlat": Case(HalfFlat.dist, {}, POSITIVE, np.zeros_like, outside=-1.0),
}  # fmt: skip
