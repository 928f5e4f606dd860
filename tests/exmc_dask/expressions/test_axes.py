"""Dimensions: numbers, data axes, and what slicing and joining make of them."""

import numpy as np
import pytest

from exmc_dask.errors import ShapeError
from exmc_dask.expressions.axes import (
    Joined,
    agree,
    broadcast,
    dim_from_data,
    dim_to_data,
    extent,
    joined,
    renamed,
    sliced,
    symbols,
)

LENGTHS = {"y.0": 7, "X.0": 7}
CUTS = [(None, None, 1), (1, None, 1), (None, -1, 1), (-3, None, 1), (None, None, 2), (2, 20, 3)]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("dim", [7, "y.0"])
def test_a_slice_is_as_long_as_numpys(dim, cut):
    assert extent(sliced(dim, *cut), LENGTHS) == len(np.arange(7)[slice(*cut)])


def test_joined_axes_add_up():
    assert extent(joined(("y.0", 3)), LENGTHS) == 10
    assert joined((2, 3)) == 5


def test_a_number_wins_over_a_symbol_and_the_first_symbol_over_the_second():
    assert agree("y.0", 7) == 7
    assert agree("y.0", "X.0") == "y.0"


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((2, 3), (3, 2))])
def test_lengths_that_differ_do_not_broadcast(shapes):
    with pytest.raises(ShapeError, match="cannot be broadcast"):
        broadcast(*shapes)


def test_broadcasting_follows_numpy():
    assert broadcast((), ("y.0",), (3, 1)) == (3, "y.0")


@pytest.mark.parametrize("dim", [4, "y.0", sliced("y.0", 1, None, 1), Joined(("y.0", 2))])
def test_dimensions_survive_a_journey_as_data(dim):
    assert dim_from_data(dim_to_data(dim)) == dim


def test_renaming_reaches_inside_derived_axes():
    dim = joined((sliced("?1.0", 1, None, 1), 2))

    assert list(symbols(renamed(dim, {"?1.0": "y.0"}))) == ["y.0"]
    assert renamed(dim, {"?1.0": 5}) == 6
