"""References of the distributions between two bounds."""

import numpy as np
from scipy import stats

from exmc_dask.dist import Beta, TruncatedNormal, Uniform
from tests.exmc_dask.references.case import UNIT, Case, scipy_case

CASES: dict[str, Case] = {
    "TruncatedNormal": scipy_case(
        TruncatedNormal,
        {"mu": 0.5, "sigma": 2.0, "lower": -1.0, "upper": 3.0},
        np.array([-1.0, -0.3, 1.0, 3.0]),
        stats.truncnorm(-0.75, 1.25, 0.5, 2.0),
        outside=3.1,
    ),
    "TruncatedNormal, far right": scipy_case(
        TruncatedNormal,
        {"mu": 0.0, "sigma": 1.0, "lower": 9.0, "upper": 9.5},
        np.array([9.0, 9.1, 9.5]),
        stats.truncnorm(9.0, 9.5),
        inner=np.array([9.1, 9.4]),
        outside=8.9,
    ),
    "TruncatedNormal, far left": scipy_case(
        TruncatedNormal,
        {"mu": 0.0, "sigma": 1.0, "upper": -20.0},
        np.array([-20.0, -20.5, -25.0]),
        stats.truncnorm(-np.inf, -20.0),
        inner=np.array([-20.1, -22.0]),
        outside=-19.0,
    ),
    "TruncatedNormal, from below": scipy_case(
        TruncatedNormal,
        {"mu": 1.0, "sigma": 0.5, "lower": 0.0},
        np.array([0.0, 1.0, 3.0]),
        stats.truncnorm(-2.0, np.inf, 1.0, 0.5),
        outside=-0.1,
    ),
    "TruncatedNormal, tau": scipy_case(
        TruncatedNormal,
        {"mu": 1.0, "tau": 4.0, "lower": 0.0},
        np.array([0.0, 1.0, 3.0]),
        stats.truncnorm(-2.0, np.inf, 1.0, 0.5),
        outside=-0.1,
    ),
    "Beta": scipy_case(Beta, {"alpha": 2.0, "beta": 0.5}, UNIT, stats.beta(2.0, 0.5), outside=1.0),
    "Beta, mean and deviation": scipy_case(
        Beta, {"mu": 0.8, "sigma": np.sqrt(0.16 / 3.5)}, UNIT, stats.beta(2.0, 0.5), outside=1.0
    ),
    "Beta, mean and size": scipy_case(
        Beta, {"mu": 0.8, "nu": 2.5}, UNIT, stats.beta(2.0, 0.5), outside=1.0
    ),
    "Uniform": scipy_case(
        Uniform, {"lower": -1.0, "upper": 3.0}, np.array([-1.0, 0.0, 3.0]), stats.uniform(-1, 4),
        outside=3.0001,
    ),
}  # fmt: skip
