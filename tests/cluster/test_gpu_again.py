"""GPUs after trouble: one that failed stays out until it is restarted, and runs go back to GPUs."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from distributed import Client

from benchmarks.models import seven
from exmc_dask import api
from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.plan.asks import Ask, Ending, Request
from exmc_dask.cluster.plan.moves import Finish, Note, Progress, Trouble, Warn, WorkerJoined
from exmc_dask.cluster.pools import dask_pool
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.cluster.worker import quarantine
from exmc_dask.errors import DeviceFull, GpuError
from exmc_dask.runs.gpus import Wish
from exmc_dask.runs.instead import instead
from exmc_dask.runs.recipe import Recipe, on_gpus, write
from exmc_dask.runs.run import Run
from exmc_dask.runs.units import Batches
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState
from tests.cluster import fake_gpu
from tests.cluster.processes import Process, Processes, kill
from tests.cluster.story import Story, of
from tests.cluster.test_gpu_trouble import SWITCH, notes, run_of, whole

GPU = ("--resources", "GPU=1")


@dataclass
class Site:
    """A scheduler, the processes beside it, and who they say they are."""

    processes: Processes
    address: str
    client: Client

    def join(self, *options: str) -> tuple[Process, str]:
        """Start a worker and wait until it is there."""
        before = set(self.client.scheduler_info(n_workers=-1)["workers"])
        process = self.processes.worker(self.address, options=options)
        while not (new := set(self.client.scheduler_info(n_workers=-1)["workers"]) - before):
            self.client.wait_for_workers(len(before) + 1, timeout=120)
        return process, new.pop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "logs").mkdir()
    with Processes(tmp_path / "logs") as processes:
        address, _ = processes.scheduler()
        with Client(address, set_as_default=False) as client:
            yield Site(processes, address, client)


def test_a_gpu_that_failed_is_left_alone_by_later_runs_until_its_worker_is_restarted(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Batches, "for_gpus", lambda *_: Batches((0, 3, 6)))
    workers = {address: process for process, address in (site.join(*GPU), site.join(*GPU))}
    options: dict[str, Any] = {
        "target": "cuda",
        "client": site.client,
        "discard_tuned_samples": False,
    }
    (tmp_path / "failed").mkdir()
    fake_gpu.arrange(monkeypatch, fail_at=SWITCH, folder=str(tmp_path / "failed"), times=1)
    with run_of(**options) as run:
        before = whole(run.wait())
    (first,) = notes(run, Trouble.GPU_FAILED)
    assert first.worker in workers
    assert "until that worker is started anew" in first.message

    with run_of(**options) as run:
        drawn = whole(run.wait())
    (again,) = notes(run, Trouble.GPU_FAILED)
    assert again.worker == first.worker
    assert "as in an earlier run: a stand-in failed" in again.message
    np.testing.assert_array_equal(drawn, before)
    assert _at_work(run) == set(workers) - {first.worker}

    kill(workers[first.worker])
    _, new = site.join(*GPU)
    with run_of(**options) as run:
        run.wait()
    assert notes(run, Trouble.GPU_FAILED) == []
    assert _at_work(run) == {*workers, new} - {first.worker}


def _at_work(run: Run) -> set[str]:
    return {block.worker for block in run._harvest.blocks}


def test_a_gpu_of_this_process_that_failed_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_gpu.arrange(monkeypatch, fail_at=SWITCH, folder=str(tmp_path), times=1)
    for _ in range(2):
        with (
            run_of(target="cuda", cluster="threads") as run,
            pytest.raises(GpuError, match="uncorrectable ECC error"),
        ):
            run.wait()

    assert not run._harvest.blocks
    assert "a stand-in failed" in quarantine.about()["broken"]


@pytest.mark.parametrize(("switch", "pool"), [(SWITCH, False), (12, 3)])
def test_chains_go_back_to_gpus_when_one_comes(
    switch: int,
    pool: int | bool,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(dask_pool, "_GPU_GRACE_S", 0.0)
    monkeypatch.setattr(api, "MANY", 6)
    (tmp_path / "died").mkdir()
    fake_gpu.arrange(monkeypatch, die_at=switch, folder=str(tmp_path / "died"), times=1)
    begun, on_cpus, comes = Future[Run](), Event(), Event()

    def watch(event: Progress | Note) -> None:
        if isinstance(event, Note) and event.kind is Trouble.GPU and "works" in event.message:
            comes.set()
        if isinstance(event, Progress) and event.draw > switch + 12 and not on_cpus.is_set():
            begun.result().pause()
            on_cpus.set()

    site.join(*GPU)
    site.join()
    more = {"client": site.client, "discard_tuned_samples": False, "pool": pool}
    with run_of(**more, progressbar=watch, block_draws=6, draws=100) as run:
        begun.set_result(run)
        assert on_cpus.wait(240), run.events()[-5:]
        _, new = site.join(*GPU)
        assert comes.wait(240)
        run.resume()
        drawn = whole(run.wait(240))

    attrs = run.inspect().posterior.attrs
    assert attrs["target"] == "cuda, then cpu, then cuda"
    there, back = (note.draw for note in notes(run, Trouble.FINGERPRINT))
    assert there is not None
    assert back is not None
    assert 0 < there < back < 140
    assert attrs["target_changes"] == [
        f"cpu after cuda from draw {there} on: chains 0 to 5",
        f"cuda after cpu from draw {back} on: chains 0 to 5",
    ]
    assert {block.worker for block in run._harvest.blocks if block.first >= back} == {new}
    assert notes(run, Trouble.FAILED) == []
    for recipe, first in ((run._recipe.on_cpus({}), there), (run._recipe, back)):
        last = back if first == there else 140
        np.testing.assert_array_equal(drawn[:, :last], _drawn(run, recipe, first, last))


def _drawn(run: Run, recipe: Recipe, first: int, last: int) -> np.ndarray:
    """The draws of a run before one, and those from there on as a recipe makes them here."""
    found = {
        chain: [block for block in blocks if block.state.draw <= first]
        for chain, blocks in run._harvest.by_chain().items()
    }
    states = {chain: blocks[-1].state for chain, blocks in found.items()}
    assert {state.draw for state in states.values()} == {first}
    driver = Driver(
        *(ThreadPool(2), recipe.spec),
        units=recipe.units.of(states),
        total=last,
        states=recipe.units.states(states),
        pooling=recipe.barriers,
        lessons=run._harvest.lessons,
    )
    driver.start()
    driver.wait()
    for blocks in driver.results().values():
        for result in blocks:
            for block in recipe.units.results(result):
                found[block.unit].append(block)
    return whole(recipe.tree(found, {}))


# As stories and by hand ----------------------------------------------------------------------


def test_chains_meet_where_the_furthest_is_before_others_take_over() -> None:
    story = Story(n_units=3)
    one, two = story.blocks(WorkerJoined("a"), WorkerJoined("b"))
    stopped = story.tell(WorkerJoined("gpu", relief=True), WorkerJoined("more", relief=True))
    assert [type(command).__name__ for command in stopped] == ["StopBlock", "StopBlock"]
    story.tell(story.done(one, 30))
    blocks = story.blocks(story.done(two, 50))

    assert [(b.unit, b.first, b.n) for b in blocks] == [(0, 30, 20), (2, 0, 50)]
    last = [command for block in blocks for command in story.tell(story.done(block))]
    assert of(Finish, last) == [Finish(None, Ending.RELIEVED)]
    (note,) = [c.note for c in of(Warn, story.log)]
    assert note.message.startswith(
        "worker gpu has a GPU that works: when all chains are at draw 50"
    )


def test_a_run_that_is_as_good_as_over_is_left_where_it_is() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))
    story.tell(WorkerJoined("gpu", relief=True))

    assert of(Finish, story.tell(story.done(block))) == [Finish(None)]


def test_a_stop_goes_before_a_change() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))
    story.tell(Ask(Request.AFTER))
    assert story.tell(WorkerJoined("gpu", relief=True)) == []

    assert of(Finish, story.tell(story.done(block, 50))) == [Finish(None, Ending.STOPPED)]


@pytest.mark.parametrize(
    ("error", "returns_before", "returns"),
    [(GpuError("broke"), 0, True), (GpuError("broke"), 3, False), (DeviceFull("full"), 0, False)],
)
def test_a_run_goes_back_to_gpus_unless_they_are_too_small_or_fail_again_and_again(
    error: Exception, returns_before: int, returns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpu.arrange(monkeypatch)
    recipe = on_gpus(write(seven.simple(), Settings(seed=1), 4), Wish(1, batch=4, else_cpus=True))
    recipe = replace(recipe, before=("cuda", "cpu") * returns_before)
    states = {chain: ChainState.blank(2, "fisher", "diag", chain, draw=7) for chain in range(4)}
    other, told = instead(recipe, error, states)

    assert other is not None
    assert other.returns is returns
    assert ("until a worker joins" in told[0].message) is returns
    back, _ = instead(other, None, states)
    assert (back is not None) is returns
    if back is not None:
        assert (back.units, back.share) == (recipe.units, recipe.share)
        assert back.before == ("cuda", "cpu")
