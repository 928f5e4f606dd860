"""Plain loops give what NumPy gives."""

import numpy as np
import pytest
from numpy.typing import NDArray

from exmc_dask.kernels import build

linalg = build.runtime_module("linalg")
RNG = np.random.default_rng(0)


def flat(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ascontiguousarray(x).ravel()


@pytest.mark.parametrize("k", [1, 3, 4, 9, 14, 16])
@pytest.mark.parametrize(("start", "m"), [(0, 10), (3, 5), (9, 1), (4, 0)])
def test_rows_of_a_matrix_times_a_vector(k: int, start: int, m: int) -> None:
    X, b, r = RNG.normal(size=(10, k)), RNG.normal(size=k), RNG.normal(size=m)
    rows, out, total = X[start : start + m], np.full(m, np.nan), np.ones(k)
    linalg.times(flat(X.T), 10, k, start, m, b, out)
    linalg.transposed_times(flat(X.T), 10, k, start, m, r, total)

    np.testing.assert_allclose(out, rows @ b, atol=1e-14)
    np.testing.assert_allclose(total, 1.0 + rows.T @ r, atol=1e-14)


@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_products_of_matrices_transposed_or_not(transposed: tuple[bool, bool]) -> None:
    a, b, out = RNG.normal(size=(3, 5)), RNG.normal(size=(5, 4)), np.empty(12)
    parts: list[object] = []
    for x, is_transposed in zip((a, b), transposed, strict=True):
        stored = x.T if is_transposed else x
        steps = (stored.shape[1], 1)
        parts += [flat(stored), *(steps[::-1] if is_transposed else steps)]
    linalg.matmul(*parts, out, 3, 5, 4)

    np.testing.assert_allclose(out.reshape(3, 4), a @ b, atol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_factors_and_solves(n: int) -> None:
    root, b = RNG.normal(size=(n, n)), RNG.normal(size=(n, 3))
    matrix = root @ root.T + np.eye(n)
    lower, x = np.full(n * n, np.nan), np.full(3 * n, np.nan)
    linalg.cholesky(flat(matrix), lower, n)
    factor = lower.reshape(n, n)

    np.testing.assert_allclose(factor, np.linalg.cholesky(matrix), atol=1e-13)
    for transposed in (False, True):
        linalg.trisolve(lower, flat(b), x, n, 3, transposed)
        full = factor.T if transposed else factor
        np.testing.assert_allclose(full @ x.reshape(n, 3), b, atol=1e-12)


@pytest.mark.parametrize("corner", [1.0, 4.0, np.nan])
def test_a_matrix_that_is_not_positive_definite_has_no_factor(corner: float) -> None:
    lower = np.empty(4)
    linalg.cholesky(np.array([1.0, 2.0, 2.0, corner]), lower, 2)

    assert np.isnan(lower).all()
