"""Factors, eigenvectors and the two dense metrics, against NumPy and closed forms."""

from typing import Any

import numpy as np
import pytest

from exmc_dask.kernels.runtime import dense
from exmc_dask.kernels.runtime.chain import M2_GRAD, M2_Q
from tests.kernels.targets import compiled

DIM = 5
RNG = np.random.default_rng(5)


def spread_of(factor: np.ndarray) -> np.ndarray:
    spread = np.zeros((5, *factor.shape))
    spread[0] = factor
    return spread


def positive_definite(d: int) -> np.ndarray:
    root = RNG.normal(size=(d, d + 1))
    return np.asarray(root @ root.T)


@pytest.mark.parametrize("d", [1, 2, 7, 40])
def test_cholesky(d: int) -> None:
    a = positive_definite(d)
    factor = a.copy()
    assert compiled(dense.cholesky)(factor)
    assert factor == pytest.approx(np.linalg.cholesky(a))


@pytest.mark.parametrize("a", [-np.eye(2), np.ones((2, 2)), np.array([[1, 2], [2, 1.0]])])
def test_cholesky_refuses_what_is_not_positive_definite(a: np.ndarray) -> None:
    assert not compiled(dense.cholesky)(a.copy())
    assert not compiled(dense.cholesky)(np.full((2, 2), np.nan))


@pytest.mark.parametrize("d", [1, 2, 7, 40])
def test_eigenvectors(d: int) -> None:
    a = positive_definite(d)
    values, vectors = a.copy(), np.empty((d, d))
    compiled(dense.eigen)(values, vectors)
    assert sorted(np.diag(values)) == pytest.approx(np.linalg.eigvalsh(a))
    assert vectors @ vectors.T == pytest.approx(np.eye(d), abs=1e-12)
    assert vectors.T @ np.diag(np.diag(values)) @ vectors == pytest.approx(a)


def test_eigenvectors_of_a_diagonal_matrix() -> None:
    values, vectors = np.diag([3.0, 1.0, 2.0]), np.empty((3, 3))
    compiled(dense.eigen)(values, vectors)
    assert np.array_equal(vectors, np.eye(3))


def test_a_normal_posterior_gives_its_covariance_whatever_the_draws() -> None:
    cov, n, few = positive_definite(DIM), 2000, 60
    draws = RNG.normal(size=(n, DIM)) @ np.linalg.cholesky(cov).T
    draws[few:] *= 0.01  # a sample that is far from having the covariance itself
    grads = -draws @ np.linalg.inv(cov)
    spread = spread_of(np.eye(DIM))
    spread[M2_Q], spread[M2_GRAD] = (np.tril((n - 1) * np.cov(x.T)) for x in (draws, grads))

    compiled(dense.fisher_factor)(spread, n)

    assert spread[0] @ spread[0].T == pytest.approx(cov, rel=0.01)


def test_stans_covariance_is_shrunk() -> None:
    m2, n = positive_definite(DIM), 20
    spread = spread_of(np.eye(DIM))
    spread[M2_Q] = np.tril(m2)

    compiled(dense.stan_factor)(spread, n)

    expected = n / (n + 5) * m2 / (n - 1) + 1e-3 * 5 / (n + 5) * np.eye(DIM)
    assert spread[0] @ spread[0].T == pytest.approx(expected)


@pytest.mark.parametrize("function", [dense.fisher_factor, dense.stan_factor])
def test_a_metric_that_makes_no_sense_is_not_taken(function: Any) -> None:
    spread = spread_of(np.eye(DIM))
    spread[M2_Q], spread[M2_GRAD] = np.nan, 0.0
    compiled(function)(spread, 20)
    assert np.array_equal(spread[0], np.eye(DIM))
