"""References of the distributions of shares."""

import numpy as np
from scipy import stats

from exmc_dask.dist import Dirichlet, StickBreakingWeights
from tests.exmc_dask.references.case import Case

A = np.array([0.7, 2.0, 5.0])
SHARES = np.array([[0.2, 0.3, 0.5], [1e-6, 1e-6, 1 - 2e-6], [0.9, 0.05, 0.05]])


def _broken(x: np.ndarray) -> np.ndarray:
    """Beta(1, 1.5) for each of two cuts, and the length of the stick of the second."""
    left = 1.0 - x[:, 0]
    cuts = np.array([x[:, 0], x[:, 1] / left])
    return np.asarray(stats.beta(1, 1.5).logpdf(cuts).sum(axis=0) - np.log(left))


CASES: dict[str, Case] = {
    "Dirichlet": Case(
        Dirichlet.dist, {"a": A}, SHARES, lambda x: stats.dirichlet(A).logpdf(x.T),
        outside=np.array([1.0, 0.0, 0.0]), inner=SHARES[::2],
        element=(2, stats.beta(A[2], A.sum() - A[2])),
    ),
    "StickBreakingWeights": Case(
        lambda alpha: StickBreakingWeights.dist(alpha, 2), {"alpha": 1.5}, SHARES[::2], _broken,
        outside=np.array([0.5, 0.4, 0.3]), element=(0, stats.beta(1, 1.5)),
    ),
}  # fmt: skip
