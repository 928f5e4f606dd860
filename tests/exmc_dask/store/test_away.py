"""Draws that lie in full chunks leave the memory, and all who want them still have them."""

import copy
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr

import exmc_dask as ed
from exmc_dask.errors import FormatError
from exmc_dask.runs.run import Run
from exmc_dask.store.stored import Stored
from exmc_dask.store.view import open_tree
from exmc_dask.store.writer import Writer
from tests.exmc_dask.runs.test_resume import OPTIONS, QUIET, resume, without_workers
from tests.exmc_dask.store.story import Shelf, equal
from tests.exmc_dask.store.test_store import THE
from tests.exmc_dask.store.test_trouble import Fragile, store_notes

DRAWS = 300
with ed.Model(coords={"school": ["A", "B", "C"]}) as MODEL:
    _mu = ed.Normal("mu", 0.0, 5.0)
    _theta = ed.Normal("theta", _mu, 1.0, dims="school")
    ed.Normal("y", _theta, 1.0, observed=[2.1, 1.8, 2.5])


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of some fifty rows."""
    monkeypatch.setattr("exmc_dask.store.layout._CHUNK_BYTES", 9000)


@pytest.fixture
def in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the run wait until the writer has taken a block."""
    take = Writer.take

    def take_and_wait(self: Writer, block: Any) -> None:
        take(self, block)
        while not self._inbox.empty():
            time.sleep(0.001)

    monkeypatch.setattr(Writer, "take", take_and_wait)


def sample(**options: Any) -> Any:
    return ed.sample(MODEL, **{"chains": 2, "tune": 100, "random_seed": 7} | QUIET | options)


def stored(place: Path | str, **options: Any) -> Any:
    return sample(**{"draws": DRAWS, "store": place, "block_draws": 7} | options)


def rows_in_memory(run: Run) -> list[int]:
    """How many rows of each chain a run holds."""
    return [
        sum(len(block.draws) for block in blocks if block.draws.in_memory)
        for blocks in run._harvest.by_chain().values()
    ]


def is_lazy(trace: xr.DataTree) -> bool:
    return not trace.posterior["mu"].variable._in_memory


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_result_whose_draws_have_left_is_that_of_a_run_in_memory(options, tmp_path):
    run = stored(tmp_path / "run.zarr", blocking=False, **options)
    found = run.wait()

    assert is_lazy(found)
    assert max(rows_in_memory(run)) < 80
    equal(found.copy(), sample(draws=DRAWS, **options))
    assert is_lazy(found)  # reading keeps nothing


def test_a_run_that_fits_its_first_chunk_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setattr("exmc_dask.store.layout._CHUNK_BYTES", 8_000_000)
    run = stored(tmp_path / "run.zarr", blocking=False)

    assert not is_lazy(run.wait())
    assert rows_in_memory(run) == [400, 400]
    assert not is_lazy(resume(tmp_path / "run.zarr"))


def test_a_run_holds_few_draws_at_any_time(tmp_path, in_turns):
    most = [0]
    run = stored(tmp_path / "run.zarr", blocking=False, progressbar=lambda _: None)
    for draw in run.stream():
        if draw.draw > 100:
            most.append(max(rows_in_memory(run)))
    run.wait()

    assert 0 < max(most) < 120


WATCHERS = {
    "stream": lambda run: [(d.chain, d.draw, d.point["mu"], d.stat["lp"]) for d in run.stream()],
    "ragged": lambda run: {c: t.posterior["mu"].values.tolist() for c, t in run.ragged().items()},
    "inspect": lambda run: run.inspect().posterior["theta"].values.tolist(),
}


@pytest.mark.parametrize("watch", WATCHERS.values(), ids=WATCHERS)
def test_who_looks_later_sees_the_same(watch, tmp_path):
    run, plain = stored(tmp_path / "run.zarr", blocking=False), sample(draws=DRAWS, blocking=False)
    run.wait()
    plain.wait()

    found, expected = watch(run), watch(plain)
    assert sorted(found) == sorted(expected) if isinstance(found, list) else found == expected


def test_until_sees_draws_that_have_left(tmp_path):
    options = {"draws": 2000, "until": {"rhat": 1.03, "ess_bulk": 300}}
    found = stored(tmp_path / "run.zarr", **options)

    assert is_lazy(found)
    equal(without_workers(found), without_workers(sample(**options)))
    assert found.posterior.sizes["draw"] < 2000


def test_a_run_is_extended_and_resumed_without_reading_all_of_it_back(tmp_path):
    place, whole = tmp_path / "run.zarr", without_workers(sample(draws=DRAWS + 200))
    run = stored(place, blocking=False)
    run.wait()
    run.extend(100)
    run.wait()
    again = resume(place, draws=100, blocking=False)

    equal(without_workers(again.wait()), whole)
    assert max(rows_in_memory(again)) < 150  # of the warmup 100, which have no chunk
    equal(without_workers(ed.open_store(place)), whole)


def test_a_store_that_turns_read_only_keeps_what_it_has_and_the_rest_stays(monkeypatch, in_turns):
    fsspec.register_implementation("fragile", Fragile, clobber=True)
    whole = without_workers(sample(draws=DRAWS))
    place = "fragile://half.zarr"
    half = threading.Event()

    def hold(event: Any) -> None:
        if event.draw == 301:
            half.wait(30)

    run = stored(place, blocking=False, progressbar=hold)
    for draw in run.stream():
        if draw.draw == 190:
            monkeypatch.setattr(Fragile, "fails", True)
            half.set()

    found = run.wait()
    assert "read-only" in store_notes(run)[-1]
    assert 100 < max(rows_in_memory(run)) < 400
    assert is_lazy(found)
    equal(without_workers(found), whole)


def test_a_damaged_chunk_is_named_when_it_is_read(tmp_path):
    found = stored(tmp_path / "run.zarr")
    chunk = tmp_path / "run.zarr/posterior/mu/c/1/3"
    chunk.write_bytes(chunk.read_bytes()[:-3])

    assert found.posterior["mu"][0].size == DRAWS
    with pytest.raises(FormatError, match="posterior/mu/c/1/3 cannot be read"):
        found.posterior["mu"][1].load()


CUTS: dict[str, Any] = {
    "one draw": {"chain": 1, "draw": 17},
    "steps": {"draw": slice(250, 3, -7)},
    "some": {"draw": [3, 250, 40], "school": 1},
    "none": {"draw": slice(0, 0)},
    "inner": {"chain": [1], "school": slice(1, 3)},
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_parts_are_those_of_the_whole(cut, tmp_path):
    theta = stored(tmp_path / "run.zarr").posterior["theta"]

    xr.testing.assert_identical(theta.isel(cut).load(), theta.copy().load().isel(cut))


def test_a_lazy_result_is_copied_pickled_and_changed_as_any_other(tmp_path):
    found = stored(tmp_path / "run.zarr")
    mu = found.posterior["mu"]
    sent = pickle.loads(pickle.dumps(found))

    xr.testing.assert_equal(sent.posterior["mu"], mu)
    xr.testing.assert_equal(copy.deepcopy(found).posterior["mu"], mu)
    changed = mu.copy()
    changed[0, 0] = 5.0
    assert float(changed[0, 0]) == 5.0
    assert float(mu[0, 0]) != 5.0
    assert ed.diagnose(found) == ed.diagnose(found.load())
    assert np.isfinite(ed.summary(found)["mean"].astype(float)).all()


def test_a_run_waits_for_a_store_that_is_slower_than_it(monkeypatch):
    monkeypatch.setattr("exmc_dask.store.writer._BACKLOG_BYTES", 20_000)
    monkeypatch.setattr("exmc_dask.store.writer._PATIENCE_S", 60.0)
    full, goes_on = threading.Event(), threading.Event()

    class Slow(Shelf):
        def put(self, name: str, content: Any) -> None:
            full.wait(60 if "posterior" in name else 0)
            super().put(name, content)

    objects, blocks = Slow(), THE.blocks()
    writer = THE.begin(objects)

    def hand_all() -> None:
        for block in blocks:
            writer.take(block)
        goes_on.set()

    hand = threading.Thread(target=hand_all)
    hand.start()
    assert not goes_on.wait(0.3)
    full.set()
    assert goes_on.wait(60)
    hand.join()
    writer.close()

    equal(open_tree(Stored.read(objects)), THE.result(blocks))
