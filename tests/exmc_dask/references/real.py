"""References of the distributions on the real line."""

import numpy as np
from scipy import stats

from exmc_dask.dist import Cauchy, Flat, Laplace, Normal, StudentT
from tests.exmc_dask.references.case import REAL, Case, scipy_case

CASES: dict[str, Case] = {
    "Normal": scipy_case(Normal, {"mu": 0.5, "sigma": 2.0}, REAL, stats.norm(0.5, 2.0)),
    "Normal, tau": scipy_case(Normal, {"mu": 0.5, "tau": 0.25}, REAL, stats.norm(0.5, 2.0)),
    "StudentT": scipy_case(
        StudentT, {"nu": 3.5, "mu": 0.5, "sigma": 2.0}, REAL, stats.t(3.5, 0.5, 2.0)
    ),
    "StudentT, lam": scipy_case(
        StudentT, {"nu": 3.5, "mu": 0.5, "lam": 0.25}, REAL, stats.t(3.5, 0.5, 2.0)
    ),
    "Cauchy": scipy_case(Cauchy, {"alpha": 0.5, "beta": 2.0}, REAL, stats.cauchy(0.5, 2.0)),
    "Laplace": Case(  # scipy underflows in the tails
        Laplace.dist,
        {"mu": 0.7, "b": 2.0},
        REAL,
        lambda x: -np.abs(x - 0.7) / 2.0 - np.log(4.0),
        stats.laplace(0.7, 2.0),
    ),
    "Flat": Case(Flat.dist, {}, REAL, np.zeros_like),
}  # fmt: skip
