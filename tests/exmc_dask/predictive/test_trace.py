"""Draws of a posterior as arrays, whatever they came in."""

from typing import Any

import dask.array
import numpy as np
import xarray as xr

from exmc_dask.predictive.trace import read
from tests.exmc_dask.predictive.posteriors import posterior

da: Any = dask.array
MU, THETA = np.arange(6.0).reshape(2, 3), np.arange(24.0).reshape(2, 3, 4)
TREE = posterior({"place": list("abcd")}, mu=MU, theta=(THETA, ("place",)))


def test_a_tree_a_group_and_a_dataset_hold_the_same_draws() -> None:
    for given in (TREE, TREE["posterior"], TREE.posterior.to_dataset()):
        found = read(given)
        np.testing.assert_array_equal(found.fitting("mu", ()), MU)
        np.testing.assert_array_equal(found.fitting("theta", (4,)), THETA)
        assert found.shape == (2, 3)
        assert list(found.labels["place"]) == list("abcd")


def test_the_order_of_axes_does_not_matter() -> None:
    turned = TREE.posterior.to_dataset().transpose("place", "draw", "chain")

    np.testing.assert_array_equal(read(turned).fitting("theta", (4,)), THETA)


def test_sample_dimensions_are_flattened_and_laid_out_again() -> None:
    wide = TREE.posterior.to_dataset().expand_dims(copy=5)
    found = read(wide, ["copy", "chain", "draw"])

    assert found.rows == (10, 3)
    theta = found.fitting("theta", (4,))
    assert theta.shape == (10, 3, 4)
    np.testing.assert_array_equal(found.laid_out(theta), np.stack([THETA] * 5))


def test_what_is_not_asked_for_is_not_read() -> None:
    def read_by_accident(block: np.ndarray) -> np.ndarray:
        raise AssertionError

    lazy = da.zeros((2, 3, 4)).map_blocks(read_by_accident, meta=np.zeros((0, 0, 0)))
    found = read(TREE.posterior.to_dataset().assign(large=(("chain", "draw", "x"), lazy)))

    np.testing.assert_array_equal(found.fitting("mu", ()), MU)


def test_chunks_are_keyed_by_the_chains_own_number() -> None:
    chains = xr.Dataset({"mu": (("chain", "draw"), np.zeros((3, 250)))})
    numbered = chains.assign_coords(chain=[4, 0, 7])
    named = chains.assign_coords(chain=["a", "b", "c"])
    cut = [(c.row, c.key, c.draws.start, c.n) for c in read(numbered).chunks(100)]

    assert cut[:3] == [(0, (4, 0), 0, 100), (0, (4, 1), 100, 100), (0, (4, 2), 200, 50)]
    assert [key for _, key, *_ in cut[3::3]] == [(0, 0), (7, 0)]
    assert [c.key for c in read(named).chunks(250)] == [(0, 0), (1, 0), (2, 0)]


def test_data_beside_the_draws_are_read_too() -> None:
    tree = TREE.copy()
    tree["constant_data"] = xr.DataTree(xr.Dataset({"x": ("n", [1, 2])}))
    tree["observed_data"] = xr.DataTree(xr.Dataset({"y": ("n", [1, 2])}))
    found = read(tree)

    np.testing.assert_array_equal(found.constants["x"], [1, 2])
    assert found.observed == ("y",)
