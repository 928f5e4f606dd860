"""Log-likelihoods some observations at a time: the same numbers, and no more of them in memory."""

import gc
import resource
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import arviz as az
import dask.array
import numpy as np
import pytest
import xarray as xr

import exmc_dask as ed
from exmc_dask.errors import DataError, OptionError
from exmc_dask.results import observations
from exmc_dask.results.comparison import ESTIMATES
from exmc_dask.results.observations import parts

pytestmark = pytest.mark.filterwarnings("ignore:Estimated shape parameter")

da: Any = dask.array
SHAPE = (3, 130, 4, 7)
DIMS = ("chain", "draw", "row", "column")
VALUES = np.random.default_rng(1).normal(-1.0, 0.2, SHAPE)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "AT_ONCE", 2000)
    monkeypatch.setattr(observations, "READ", 1500)


def stored(folder: Path) -> xr.DataArray:
    xr.Dataset({"y": (DIMS, VALUES)}).to_zarr(folder / "y.zarr", consolidated=False)
    return xr.open_zarr(folder / "y.zarr", consolidated=False, chunks=None)["y"]


FORMS: dict[str, Callable[[Path], xr.DataArray]] = {
    "memory": lambda _: xr.DataArray(VALUES, dims=DIMS),
    "turned": lambda _: xr.DataArray(VALUES, dims=DIMS).transpose("row", "draw", "column", "chain"),
    "dask": lambda _: xr.DataArray(da.from_array(VALUES, (1, 30, 4, 7)), dims=DIMS),
    "dask by row": lambda _: xr.DataArray(da.from_array(VALUES, (2, 100, 1, 7)), dims=DIMS),
    "store": stored,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("small")
def test_parts_are_all_draws_of_each_observation_in_order(form: str, tmp_path: Path) -> None:
    found = list(parts(FORMS[form](tmp_path)))

    assert len(found) > 4
    np.testing.assert_array_equal(np.concatenate(found, axis=2), VALUES.reshape(3, 130, 28))


@pytest.mark.usefixtures("small")
def test_what_is_calculated_is_calculated_once() -> None:
    made: list[int] = []

    def make(block_info: Any = None) -> np.ndarray:
        made.append(1)
        return np.ones(block_info[None]["chunk-shape"])

    lazy = da.map_blocks(make, chunks=((1, 1), (50, 50, 30), (40,)), dtype=float, meta=np.empty(0))
    for _ in parts(xr.DataArray(lazy, dims=DIMS[:3])):
        pass

    assert len(made) == 6


@pytest.fixture
def no_sweeps() -> Iterator[None]:
    """Circles of references stay: when Python looks for them is up to its version."""
    usual = gc.get_threshold()
    gc.set_threshold(0)  # not gc.disable(), as Dask enables it
    yield
    gc.set_threshold(*usual)


@pytest.mark.usefixtures("no_sweeps")
@pytest.mark.parametrize("estimate", ["loo", "waic"])
def test_no_more_than_a_part_is_in_memory(estimate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "AT_ONCE", 2**14)
    monkeypatch.setattr(observations, "READ", 2**14)

    def trace(n: int) -> xr.DataTree:
        normal = da.random.default_rng(1).normal(-1, 0.1, (2, 8000, n), chunks=(1, 300, n))
        draws = xr.Dataset({"x": (DIMS[:2], np.random.default_rng(1).normal(size=(2, 8000)))})
        groups = {"posterior": draws, "log_likelihood": xr.Dataset({"y": (DIMS[:3], normal)})}
        return xr.DataTree.from_dict(groups)

    estimated = ESTIMATES[estimate]
    estimated(trace(5), var_name="y")  # loads what it needs
    large = trace(50)
    tracemalloc.start()
    estimated(large, var_name="y")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 0.7 * large["log_likelihood"].nbytes


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("form", FORMS)
def test_estimates_are_those_of_arviz(form: str, tmp_path: Path) -> None:
    draws = xr.Dataset({"x": (DIMS[:2], np.random.default_rng(1).normal(size=SHAPE[:2]))})

    def trace(array: xr.DataArray) -> xr.DataTree:
        groups = {"posterior": draws, "log_likelihood": xr.Dataset({"y": array})}
        return xr.DataTree.from_dict(groups)

    other = trace(xr.DataArray(VALUES - np.linspace(0, 1, 7), dims=DIMS))
    found = ed.compare({"a": trace(FORMS[form](tmp_path)), "b": other}, round_to="none")
    expected = az.compare(
        {"a": trace(xr.DataArray(VALUES, dims=DIMS)), "b": other}, round_to="none"
    )

    assert list(found.index) == list(expected.index)
    for column in ("elpd", "p", "elpd_diff", "weight", "se", "dse"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-10)


@pytest.fixture
def little_room() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small", "little_room")
def test_a_disk_without_room_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'y' is turned round in a file .* let TMPDIR name"):
        list(parts(FORMS["dask"](tmp_path).rename("y")))


def test_a_trace_without_its_posterior_is_said() -> None:
    array = xr.Dataset({"y": (DIMS, VALUES)})
    bare = xr.DataTree.from_dict({"log_likelihood": array})
    with pytest.raises(OptionError, match="needs the posterior"):
        ed.compare({"a": bare, "b": bare})
