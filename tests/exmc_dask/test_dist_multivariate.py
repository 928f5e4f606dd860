"""What holds for distributions of vectors, beside the table of references."""

import numpy as np
import pytest

from exmc_dask.dist import logp
from tests.exmc_dask.expressions import leaf, numbers, slopes
from tests.exmc_dask.references.case import posed
from tests.exmc_dask.references.multivariate import CASES


@pytest.mark.parametrize("matrix", ["cov", "tau", "chol"])
def test_a_matrix_that_is_not_positive_definite_is_minus_infinity(matrix: str) -> None:
    case = CASES[f"MvNormal, {matrix}"]
    dist, leaves = posed(case, case.values)
    node = logp(dist, leaf("x", case.values))
    spoiled = {**leaves, leaf(matrix, np.eye(3)): np.diag([1.0, -1.0, 1.0])}

    assert np.isneginf(numbers(node, spoiled)).all()
    assert all(np.isfinite(slope).all() for slope in slopes(node, spoiled))
