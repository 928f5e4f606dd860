"""Vectors and matrices drawn by NUTS from densities whose moments are known in closed form.

What NUTS sees is a transform, its Jacobian and a density; a mistake in one of them moves a moment.
"""

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import pytest
import xarray as xr
from scipy import special

import exmc_dask as ed
from exmc_dask import math
from tests.exmc_dask.references.correlation import lkj
from tests.statistics.moments import F8, LIMIT, z_score

ETA, N, NU, KAPPA, ALPHA = 1.5, 4, 5.0, 2.0, 1.5
RING = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]])


def priors() -> ed.Model:
    """Declare independent variables, each moved by another transform."""
    with ed.Model() as model:
        ed.LKJCorr("factor", N, ETA)
        ed.LKJCholeskyCov("chol", eta=ETA, n=3, sd_dist=ed.Gamma.dist(4, 2))
        ed.Flat("direction", shape=3, transform="unit_vector")
        ed.ZeroSumNormal("effects", 2.0, shape=5)
        ed.ZeroSumNormal("table", n_zerosum_axes=2, shape=(3, 4))
        ed.ICAR("field", RING, zero_sum_stdev=0.1)
        ed.Normal("order", 0, 1, shape=3, transform="ordered")
        ed.Exponential("positive_order", 1, shape=3, transform="positive_ordered")
        angle = ed.Flat("angle", transform="circular")
        ed.Potential("von_mises", KAPPA * math.cos(angle))
        ed.StickBreakingWeights("weights", ALPHA, 3)
        bartlett = ed.Flat("bartlett", shape=(3, 3), transform="cholesky_cov")
        power = NU - 1.0 - np.arange(3.0)
        logs = math.sum(power * math.log(math.diagonal(bartlett)))
        ed.Potential("wishart", logs - 0.5 * math.sum(math.square(bartlett)))
    return model


@cache
def draws() -> xr.Dataset:
    trace = ed.sample(
        priors(), 3000, 1000, 4, random_seed=20, cluster="threads", progressbar=False,
        compute_convergence_checks=False,
    )  # fmt: skip
    return trace["posterior"].to_dataset()


def correlations(of: xr.Dataset) -> F8:
    chol = of["factor"].values
    return np.asarray(chol @ chol.swapaxes(-1, -2))


def mean_determinant() -> float:
    """Ratio of the integrals of ``|R|**eta`` and ``|R|**(eta - 1)``."""
    return float(np.exp(lkj(np.eye(N), ETA) - lkj(np.eye(N), ETA + 1)))


def bessel(order: int) -> float:
    return float(special.iv(order, KAPPA) / special.iv(0, KAPPA))


# moment: a function of the draws, (chain, draw), and its mean
MOMENTS: Mapping[str, tuple[Callable[[xr.Dataset], F8], float]] = {
    "first correlation": (lambda of: correlations(of)[..., 1, 0] ** 2, 1 / 6),
    "last of the first": (lambda of: correlations(of)[..., 3, 0] ** 2, 1 / 6),
    "last correlation": (lambda of: correlations(of)[..., 3, 2] ** 2, 1 / 6),
    "sign of a correlation": (lambda of: correlations(of)[..., 2, 1], 0.0),
    "determinant": (lambda of: np.linalg.det(correlations(of)), mean_determinant()),
    "deviation": (lambda of: of["chol_stds"].values[..., 0], 2.0),
    "spread of a deviation": (lambda of: (of["chol_stds"].values[..., 2] - 2) ** 2, 1.0),
    "correlation of a covariance": (lambda of: of["chol_corr"].values[..., 2, 0] ** 2, 0.2),
    "direction": (lambda of: of["direction"].values[..., 0], 0.0),
    "direction squared": (lambda of: of["direction"].values[..., 1] ** 2, 1 / 3),
    "direction to the fourth": (lambda of: of["direction"].values[..., 2] ** 4, 1 / 5),
    "effect": (lambda of: of["effects"].values[..., 0] ** 2, 4 * 0.8),
    "last effect": (lambda of: of["effects"].values[..., 4] ** 2, 4 * 0.8),
    "two effects": (lambda of: of["effects"].values[..., 1:3].prod(axis=-1), -4 * 0.2),
    "cell": (lambda of: of["table"].values[..., 2, 3] ** 2, (1 - 1 / 3) * (1 - 1 / 4)),
    "cells of a row": (lambda of: of["table"].values[..., 0, 1:3].prod(axis=-1), -2 / 3 / 4),
    "field": (lambda of: of["field"].values[..., 0] ** 2, 0.3125 + 0.01),
    "neighbours": (lambda of: of["field"].values[..., :2].prod(axis=-1), -0.0625 + 0.01),
    "smallest": (lambda of: of["order"].values[..., 0], -1.5 / np.sqrt(np.pi)),
    "middle": (lambda of: of["order"].values[..., 1] ** 2, 1 - np.sqrt(3) / np.pi),
    "first time": (lambda of: of["positive_order"].values[..., 0], 1 / 3),
    "last time": (lambda of: of["positive_order"].values[..., 2], 1 / 3 + 1 / 2 + 1),
    "angle": (lambda of: np.cos(of["angle"].values), bessel(1)),
    "twice the angle": (lambda of: np.cos(2 * of["angle"].values), bessel(2)),
    "side of the angle": (lambda of: of["angle"].values, 0.0),
    "first weight": (lambda of: of["weights"].values[..., 0], 1 / 2.5),
    "last weight": (lambda of: of["weights"].values[..., 3], 0.6**3),
    "diagonal": (lambda of: of["bartlett"].values[..., 2, 2] ** 2, NU - 2),
    "below the diagonal": (lambda of: of["bartlett"].values[..., 2, 0] ** 2, 1.0),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_is_that_of_the_density(moment: str) -> None:
    function, expected = MOMENTS[moment]

    assert abs(z_score(function(draws()), expected)) < LIMIT
