"""References of the distributions of vectors that sum to 0: the normal laws that they are."""

import numpy as np
from scipy import stats

from exmc_dask.dist import CAR, ICAR, ZeroSumNormal
from tests.exmc_dask.references.case import Case

EFFECTS = np.array([[0.0, 0.0, 0.0, 0.0], [1.0, -3.0, 0.5, 1.5], [40.0, -10.0, -20.0, -10.0]])
TABLES = np.array([np.outer(a, b) for a, b in zip(EFFECTS[1:, 1:] + 1.0, EFFECTS[1:], strict=True)])
TABLES -= TABLES.mean(axis=1, keepdims=True)
SQUARE = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]])  # a ring
LAPLACIAN = 2.0 * np.eye(4) - SQUARE
FIELDS = np.array([[0.1, -0.2, 0.0, 0.1], [2.0, 1.0, -1.0, -2.01], [0.002, 0.0, 0.0, 0.0]])


def _effects(x: np.ndarray) -> np.ndarray:
    """A normal law in the space of vectors that sum to 0."""
    centred = np.eye(4) - 0.25
    return np.asarray(stats.multivariate_normal(None, 4.0 * centred, allow_singular=True).logpdf(x))


def _tables(x: np.ndarray) -> np.ndarray:
    rows, columns = x.shape[1:]
    each = np.kron(np.eye(rows) - 1 / rows, np.eye(columns) - 1 / columns)
    law = stats.multivariate_normal(None, 4.0 * each, allow_singular=True)
    return np.asarray(law.logpdf(x.reshape(len(x), -1)))


def _field(x: np.ndarray) -> np.ndarray:
    """Steps along the four edges, and the sum; the power of sigma is the rank of the Laplacian."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 0)]
    steps = sum((x[:, i] - x[:, j]) ** 2 for i, j in edges)
    smooth = -0.5 * steps / 0.7**2 - 3 * np.log(0.7)
    return np.asarray(smooth + stats.norm(0, 0.04).logpdf(x.sum(axis=1)))


STAR = np.array([[0, 1, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]])
LEANING = np.linalg.inv(1.5 * (np.diag([3.0, 1.0, 1.0, 1.0]) - 0.8 * STAR))

CASES: dict[str, Case] = {
    "ZeroSumNormal": Case(
        ZeroSumNormal.dist, {"sigma": 2.0}, EFFECTS, _effects,
        outside=np.array([1.0, 0.0, 0.0, 0.0]), element=(1, stats.norm(0, 2 * np.sqrt(0.75))),
    ),
    "ZeroSumNormal, two axes": Case(
        lambda sigma: ZeroSumNormal.dist(sigma, 2), {"sigma": 2.0}, TABLES, _tables,
        outside=np.array([[1.0, -1.0, 0.0, 0.0], [0.5, -0.5, 0.0, 0.0], [-1.0, 1.0, 0.0, 0.0]]),
        element=((0, 1), stats.norm(0, 2 * np.sqrt(0.5))),
    ),
    "ICAR": Case(
        lambda sigma, zero_sum_stdev: ICAR.dist(SQUARE, sigma, zero_sum_stdev),
        {"sigma": 0.7, "zero_sum_stdev": 0.01}, FIELDS, _field,
        element=(2, stats.norm(0, np.sqrt(0.49 * np.linalg.pinv(LAPLACIAN)[2, 2] + 1e-4))),
    ),
    "CAR": Case(
        lambda mu, alpha, tau: CAR.dist(mu, STAR, alpha, tau),
        {"mu": 0.3, "alpha": 0.8, "tau": 1.5}, FIELDS,
        stats.multivariate_normal(np.full(4, 0.3), LEANING).logpdf,
        element=(0, stats.norm(0.3, np.sqrt(LEANING[0, 0]))),
    ),
}  # fmt: skip
