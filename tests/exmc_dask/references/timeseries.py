"""References of the distributions of paths."""

from typing import Any

import numpy as np
from scipy import stats

from exmc_dask.dist import GaussianRandomWalk, Normal
from tests.exmc_dask.references.case import Case

PATHS = np.array([[0.0, 0.5, -0.2, 1.0], [3.0, 3.1, 2.9, -40.0]])


def _walk(x: np.ndarray, start: Any) -> Any:
    return start.logpdf(x[:, 0]) + stats.norm.logpdf(np.diff(x), 0.3, 0.8).sum(axis=-1)


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
}  # fmt: skip
