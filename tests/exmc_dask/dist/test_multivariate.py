"""What holds for distributions of vectors, beside the table of references."""

import numpy as np
import pytest
from scipy import stats

from exmc_dask.dist import MvNormal, logp, shape_of
from tests.exmc_dask.slopes import leaf, numbers, slopes
from tests.exmc_dask.references.case import posed
from tests.exmc_dask.references.multivariate import CASES, CHOL, COV, VECTORS, mvstudent


@pytest.mark.parametrize("name", [name for name in CASES if "each" not in name])
def test_a_matrix_that_is_not_positive_definite_is_minus_infinity(name: str) -> None:
    case = CASES[name]
    dist, leaves = posed(case, case.values)
    node = logp(dist, leaf("x", case.values))
    (matrix,) = case.params.keys() & {"cov", "scale", "tau", "chol"}
    spoiled = {**leaves, leaf(matrix, np.eye(3)): np.diag([1.0, -1.0, 1.0])}

    assert np.isneginf(numbers(node, spoiled)).all()
    assert all(np.isfinite(slope).all() for slope in slopes(node, spoiled))


def test_vectors_may_lie_in_a_batch_of_several_axes() -> None:
    case = CASES["MvStudentT, chol"]
    many = np.stack([case.values, case.values[::-1]])
    dist, leaves = posed(case, many)

    np.testing.assert_allclose(
        numbers(logp(dist, leaf("x", many)), leaves), mvstudent.logpdf(many), rtol=1e-12
    )


def test_a_batch_of_matrices_makes_a_batch_of_densities() -> None:
    chol, x = np.stack([CHOL, 3.0 * CHOL]), VECTORS[2]
    leaves = {leaf("chol", chol): chol, leaf("x", x): x}
    dist = MvNormal.dist(0.0, chol=leaf("chol", chol))
    expected = [stats.multivariate_normal(None, s * COV).logpdf(x) for s in (1, 9)]

    assert shape_of(dist) == (2, 3)
    np.testing.assert_allclose(numbers(logp(dist, leaf("x", x)), leaves), expected, rtol=1e-12)


def test_a_bad_matrix_of_a_batch_spoils_its_own_density_only() -> None:
    chol = np.stack([CHOL, -CHOL])
    leaves = {leaf("chol", chol): chol, leaf("x", VECTORS[:2]): VECTORS[:2]}
    dist = MvNormal.dist(0.0, chol=leaf("chol", chol))
    node = logp(dist, leaf("x", VECTORS[:2]))

    np.testing.assert_array_equal(np.isneginf(numbers(node, leaves)), [False, True])
    assert all(np.isfinite(slope).all() for slope in slopes(node, leaves))
