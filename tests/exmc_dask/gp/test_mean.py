"""Mean functions of processes."""

from typing import Any

import numpy as np
import pytest

from exmc_dask.gp import mean
from tests.exmc_dask.slopes import leaf, numbers

X = np.arange(6.0).reshape(3, 2)
SLOPES = np.array([2.0, -1.0])
b = leaf("b", SLOPES)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (mean.Zero(), np.zeros(3)),
        (mean.Constant(), np.zeros(3)),
        (mean.Constant(1.5), np.full(3, 1.5)),
        (mean.Linear(b, 0.5), X @ SLOPES + 0.5),
        (mean.Linear(b) + mean.Constant(2.0), X @ SLOPES + 2.0),
        (mean.Linear(b) * mean.Constant(2.0), X @ SLOPES * 2.0),
    ],
)
def test_means_are_those_of_the_formula(function: mean.Mean, expected: Any) -> None:
    at = leaf("X", X)

    np.testing.assert_allclose(numbers(function(at), {at: X, b: SLOPES}), expected)


def test_one_slope_does_for_one_column() -> None:
    np.testing.assert_allclose(numbers(mean.Linear(3.0, 1.0)([1.0, 2.0]), {}), [4.0, 7.0])
