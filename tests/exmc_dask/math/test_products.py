"""Products along an axis, zeros and signs included."""

import numpy as np
import pytest

from exmc_dask import math
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.ir import make
from exmc_dask.expressions.ops import FLOAT, Op
from tests.exmc_dask.slopes import differences, leaf, numbers, slopes

X = np.array([[0.5, -2.0, 3.0], [0.0, 1.5, -1.0]])
x = leaf("x", X)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_products_are_those_of_numpy(axis: int) -> None:
    np.testing.assert_allclose(numbers(math.cumprod(x, axis), {x: X}), np.cumprod(X, axis))
    np.testing.assert_allclose(numbers(math.prod(x, axis), {x: X}), np.prod(X, axis))


def test_everything_is_multiplied_by_default() -> None:
    assert numbers(math.prod(x + 1.0), {x: X}) == pytest.approx(np.prod(X + 1.0))
    assert numbers(math.prod(2.5), {}) == 2.5


@pytest.mark.parametrize("axis", [0, 1])
def test_derivatives_hold_at_zero(axis: int) -> None:
    for node in (math.cumprod(x, axis), math.prod(x, axis)):
        (found,), (expected,) = slopes(node, {x: X}), differences(node, {x: X})
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


def test_the_axis_of_data_is_the_one_to_multiply_along() -> None:
    data = make(Op.DATA, (), "data", ("data.0", 3), FLOAT)

    assert math.cumprod(data, 0).shape == ("data.0", 3)
    with pytest.raises(ShapeError, match="multiply along the axis of the data"):
        math.cumprod(data, 1)
