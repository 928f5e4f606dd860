"""The twin's metric of low rank stands on its own: its formulas hold what they promise."""

import numpy as np
import pytest

from exmc_dask.sampler.reference_low_rank import (
    fit,
    geometric_mean,
    orthonormal,
    power,
    root,
    stride,
)

RNG = np.random.default_rng(9)


def positive_definite(d: int) -> np.ndarray:
    half = RNG.normal(size=(d, d + 1))
    return np.asarray(half @ half.T)


def test_a_power_of_a_matrix() -> None:
    a = positive_definite(4)
    np.testing.assert_allclose(power(a, 0.5) @ power(a, 0.5), a)
    np.testing.assert_allclose(power(a, -1.0) @ a, np.eye(4), atol=1e-10)


def test_the_geometric_mean_solves_its_equation() -> None:
    a, b = positive_definite(5), positive_definite(5)
    mean = geometric_mean(a, b)
    np.testing.assert_allclose(mean @ b @ mean, a)


def test_bases_leave_out_what_is_there_already() -> None:
    columns = RNG.normal(size=(6, 3))
    first, second = orthonormal(columns[:, [0, 1, 0]], columns[:, [1, 2]])
    basis = np.hstack([first, second])
    assert (first.shape, second.shape) == ((6, 2), (6, 1))
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(basis @ (basis.T @ columns), columns)


@pytest.mark.parametrize("dim", [8, 40])
def test_a_normal_law_is_whitened(dim: int) -> None:
    axes = np.linalg.qr(RNG.normal(size=(dim, 2)))[0]
    sds = np.exp(RNG.normal(size=dim))
    half = sds[:, None] * (np.eye(dim) + axes @ np.diag([29.0, -0.9]) @ axes.T)
    draws = RNG.normal(size=(800, dim)) @ half.T
    scores = -draws @ np.linalg.inv(half @ half.T)
    found = fit(np.stack([draws, scores], axis=1), np.ones(dim))
    left = np.linalg.svd(np.linalg.solve(root(**found), half), compute_uv=False)
    assert np.linalg.cond(half / sds[:, None]) > 50.0
    assert left.max() / left.min() < 2.0


@pytest.mark.parametrize(
    ("dim", "tune", "every"), [(100, 1000, 1), (10_000, 500, 2), (10**6, 60, 15)]
)
def test_draws_are_thinned_where_memory_asks_for_it(dim: int, tune: int, every: int) -> None:
    assert stride(dim, tune) == every
