"""References of the distributions of paths."""

from typing import Any

import numpy as np
from scipy import stats

from exmc_dask.dist import (
    AR,
    GARCH11,
    EulerMaruyama,
    GaussianRandomWalk,
    MvGaussianRandomWalk,
    MvNormal,
    Normal,
)
from tests.exmc_dask.references.case import Case

PATHS = np.array([[0.0, 0.5, -0.2, 1.0], [3.0, 3.1, 2.9, -40.0]])


def _walk(x: np.ndarray, start: Any) -> Any:
    return start.logpdf(x[:, 0]) + stats.norm.logpdf(np.diff(x), 0.3, 0.8).sum(axis=-1)


def _autoregression(x: np.ndarray, constant: float, start: Any) -> Any:
    """With two weights: each value beside the two before it."""
    mean = constant + 0.5 * x[:, 1:-1] - 0.3 * x[:, :-2]
    return start.logpdf(x[:, :2]).sum(-1) + stats.norm.logpdf(x[:, 2:], mean, 0.8).sum(-1)


def _garch(x: np.ndarray) -> np.ndarray:
    total, variance = np.zeros(len(x)), np.full(len(x), 1.1**2)
    for t in range(x.shape[1]):
        total += stats.norm.logpdf(x[:, t], 0, np.sqrt(variance))
        variance = 0.4 + 0.3 * x[:, t] ** 2 + 0.5 * variance
    return total


def _vector_walk(x: np.ndarray, start: Any) -> np.ndarray:
    steps = stats.multivariate_normal(DRIFT, COV).logpdf(np.diff(x, axis=1))
    return np.asarray(start.logpdf(x[:, 0]) + steps.sum(axis=1))


DRIFT = np.array([0.3, -0.2])
COV = np.array([[1.0, 0.4], [0.4, 0.6]])
FACTOR = np.linalg.cholesky(COV)
VECTORS = np.array([[[0.3, -0.5], [0.9, 0.0], [1.5, 0.4]], [[5.0, 2.0], [-20.0, 3.0], [0.0, 0.0]]])

CASES: dict[str, Case] = {
    "GaussianRandomWalk": Case(
        GaussianRandomWalk.dist, {"mu": 0.3, "sigma": 0.8}, PATHS,
        lambda x: _walk(x, stats.norm(0, 0.8)), element=(3, stats.norm(0.9, 0.8 * 2)),
    ),
    "GaussianRandomWalk, init": Case(
        lambda mu, sigma: GaussianRandomWalk.dist(mu, sigma, Normal.dist(2, 5)),
        {"mu": 0.3, "sigma": 0.8}, PATHS, lambda x: _walk(x, stats.norm(2, 5)),
        element=(3, stats.norm(2.9, np.sqrt(25 + 3 * 0.64))),
    ),
    "AR": Case(
        AR.dist, {"rho": np.array([0.5, -0.3]), "sigma": 0.8}, PATHS,
        lambda x: _autoregression(x, 0.0, stats.norm(0, 100)), element=(1, stats.norm(0, 100)),
    ),
    "AR, constant": Case(
        lambda rho, sigma: AR.dist(rho, sigma, True, Normal.dist(2, 0.5)),
        {"rho": np.array([0.7, 0.5, -0.3]), "sigma": 0.8}, PATHS,
        lambda x: _autoregression(x, 0.7, stats.norm(2, 0.5)),
        element=(2, stats.norm(1.1, np.sqrt(0.64 + (0.25 + 0.09) * 0.25))),
    ),
    "GARCH11": Case(
        GARCH11.dist, {"omega": 0.4, "alpha_1": 0.3, "beta_1": 0.5, "initial_vol": 1.1}, PATHS,
        _garch, element=(0, stats.norm(0, 1.1)), inner=PATHS[:1],
    ),
    "EulerMaruyama": Case(
        lambda rate, spread: EulerMaruyama.dist(
            0.1, lambda x, rate, spread: (-rate * x, spread), (rate, spread), Normal.dist(0, 2)
        ),
        {"rate": 2.0, "spread": 0.7}, PATHS,
        lambda x: stats.norm.logpdf(x[:, 0], 0, 2)
        + stats.norm.logpdf(x[:, 1:], 0.8 * x[:, :-1], 0.7 * np.sqrt(0.1)).sum(-1),
    ),
    "MvGaussianRandomWalk": Case(
        MvGaussianRandomWalk.dist, {"mu": DRIFT, "chol": FACTOR}, VECTORS,
        lambda x: _vector_walk(x, stats.multivariate_normal([0, 0], COV)), inner=VECTORS[:1],
    ),
    "MvGaussianRandomWalk, init": Case(
        lambda mu, chol: MvGaussianRandomWalk.dist(
            mu, chol=chol, init_dist=MvNormal.dist([5.0, 6.0], cov=np.eye(2))
        ),
        {"mu": DRIFT, "chol": FACTOR}, VECTORS,
        lambda x: _vector_walk(x, stats.multivariate_normal([5, 6], np.eye(2))), inner=VECTORS[:1],
    ),
}  # fmt: skip
