"""What emitted loops stand on does what NumPy does."""

import numpy as np
import pytest

from exmc_dask.kernels import build

loops = build.runtime_module("loops")
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("places", [[], [2], [0, 0, 0], [3, 1, 1, 3, 0, 0], [1, 0, 1, 0]])
def test_values_are_added_at_their_places(places: list[int]) -> None:
    values, total = RNG.normal(size=len(places)), np.ones(4)
    expected = total.copy()
    np.add.at(expected, places, values)
    loops.add_at(values, np.array(places, np.int64), len(places), total)

    np.testing.assert_allclose(total, expected, atol=1e-14)
