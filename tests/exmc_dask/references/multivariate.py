"""References of the distributions of vectors about a mean."""

import numpy as np
from scipy import stats

from exmc_dask import math
from exmc_dask.dist import MvNormal, MvStudentT
from tests.exmc_dask.references.case import Case

MEAN = np.array([1.0, -2.0, 0.5])
COV = np.array([[2.0, 0.3, -0.5], [0.3, 1.0, 0.2], [-0.5, 0.2, 3.0]])
CHOL = np.linalg.cholesky(COV)
VECTORS = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5], [30.0, -10.0, 4.0]])

mvnormal = stats.multivariate_normal(MEAN, COV)
mvstudent = stats.multivariate_t(MEAN, COV, 3.5)

CASES: dict[str, Case] = {
    "MvNormal, cov": Case(
        lambda mu, cov: MvNormal.dist(mu, cov=(cov + cov.T) / 2), {"mu": MEAN, "cov": COV},
        VECTORS, mvnormal.logpdf, element=(2, stats.norm(0.5, np.sqrt(3.0))),
    ),
    "MvNormal, tau": Case(
        lambda mu, tau: MvNormal.dist(mu, tau=(tau + tau.T) / 2),
        {"mu": MEAN, "tau": np.linalg.inv(COV)}, VECTORS, mvnormal.logpdf,
        element=(0, stats.norm(1.0, np.sqrt(2.0))),
    ),
    "MvNormal, chol": Case(
        MvNormal.dist, {"mu": MEAN, "chol": CHOL}, VECTORS, mvnormal.logpdf,
        element=(1, stats.norm(-2.0, 1.0)),
    ),
    "MvNormal, one mean": Case(
        MvNormal.dist, {"mu": 0.5, "chol": CHOL}, VECTORS,
        stats.multivariate_normal([0.5] * 3, COV).logpdf, element=(1, stats.norm(0.5, 1.0)),
    ),
    "MvNormal, a factor each": Case(
        lambda mu, chol: MvNormal.dist(mu, chol=math.stack([chol, 2.0 * chol, chol])),
        {"mu": MEAN, "chol": CHOL}, VECTORS,
        lambda x: [
            stats.multivariate_normal(MEAN, scale * COV).logpdf(one)
            for one, scale in zip(x, (1, 4, 1), strict=True)
        ],
    ),
    "MvStudentT, scale": Case(
        lambda nu, mu, scale: MvStudentT.dist(nu, mu, scale=(scale + scale.T) / 2),
        {"nu": 3.5, "mu": MEAN, "scale": COV}, VECTORS, mvstudent.logpdf,
        element=(2, stats.t(3.5, 0.5, np.sqrt(3.0))),
    ),
    "MvStudentT, tau": Case(
        lambda nu, mu, tau: MvStudentT.dist(nu, mu, tau=(tau + tau.T) / 2),
        {"nu": 3.5, "mu": MEAN, "tau": np.linalg.inv(COV)}, VECTORS, mvstudent.logpdf,
        element=(0, stats.t(3.5, 1.0, np.sqrt(2.0))),
    ),
    "MvStudentT, chol": Case(
        MvStudentT.dist, {"nu": 3.5, "mu": MEAN, "chol": CHOL}, VECTORS, mvstudent.logpdf,
        element=(1, stats.t(3.5, -2.0, 1.0)),
    ),
}  # fmt: skip
