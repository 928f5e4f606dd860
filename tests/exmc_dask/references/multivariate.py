"""References of the distributions of vectors."""

import numpy as np
from scipy import stats

from exmc_dask.dist import Dirichlet, MvNormal
from tests.exmc_dask.references.case import Case

A = np.array([0.7, 2.0, 5.0])
SHARES = np.array([[0.2, 0.3, 0.5], [1e-6, 1e-6, 1 - 2e-6], [0.9, 0.05, 0.05]])
MEAN = np.array([1.0, -2.0, 0.5])
COV = np.array([[2.0, 0.3, -0.5], [0.3, 1.0, 0.2], [-0.5, 0.2, 3.0]])
VECTORS = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5], [30.0, -10.0, 4.0]])

mvnormal = stats.multivariate_normal(MEAN, COV)

CASES: dict[str, Case] = {
    "Dirichlet": Case(
        Dirichlet.dist, {"a": A}, SHARES, lambda x: stats.dirichlet(A).logpdf(x.T),
        outside=np.array([1.0, 0.0, 0.0]), inner=SHARES[::2],
        element=(2, stats.beta(A[2], A.sum() - A[2])),
    ),
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
        MvNormal.dist, {"mu": MEAN, "chol": np.linalg.cholesky(COV)}, VECTORS, mvnormal.logpdf,
        element=(1, stats.norm(-2.0, 1.0)),
    ),
}  # fmt: skip
