"""Workers that write to the store themselves: they die, lie elsewhere, come late."""

import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import exmc_dask as ed
from exmc_dask.cluster.clusters.chaos import Strike, pids
from exmc_dask.cluster.plan.moves import Note, Progress, Trouble
from exmc_dask.errors import StoreError
from exmc_dask.runs.keeper import begin
from exmc_dask.runs.run import Run
from exmc_dask.runs.shelf import written_by_workers
from exmc_dask.runs.terms import Terms
from exmc_dask.store import piece
from exmc_dask.store.objects import Folder
from exmc_dask.store.stored import Stored
from tests.cluster import toy_runs
from tests.cluster.processes import Processes
from tests.exmc_dask.runs.test_resume import QUIET, without_workers
from tests.exmc_dask.runs.test_resume_kill import SCRIPT, killed_at
from tests.exmc_dask.store.story import equal

with ed.Model() as MODEL:
    _x = ed.Normal("x", 0, 1, shape=3)
    ed.Normal("y", _x.sum(), 1, observed=[0.3, 1.2])


def sample(**options: Any) -> Any:
    fixed: dict[str, Any] = {"draws": 200, "tune": 100, "chains": 3, "random_seed": 5}
    return ed.sample(MODEL, **fixed | QUIET | options)


def kept(place: Path, terms: dict[str, Any], draws: int = 180, **trouble: Any) -> Run:
    """Begin a run of the toy whose workers write to a store."""
    engine = trouble.pop("engine", None)
    recipe = toy_runs.recipe(draws=draws, **trouble)
    if engine is not None:
        recipe = replace(recipe, spec=replace(recipe.spec, engine=engine))
    recipe = written_by_workers(recipe, place)
    keeper = begin(place, recipe, "raise", 0.0)
    quiet: dict[str, Any] = {"progressbar": False, "compute_convergence_checks": False}
    return Run(recipe, Terms(**quiet | terms), keeper=keeper)


def pieces(place: Path) -> set[str]:
    return {path.name for path in (place / piece.FOLDER).iterdir()}


def named(place: Path) -> list[str]:
    """The pieces that tails name, with those that several name as often."""
    tails = Stored.read(Folder(place)).tails.values()
    return [entry.receipt.name for tail in tails for entry in tail.pieces]


def notes(run: Run) -> list[Note]:
    return [event for event in run.events() if isinstance(event, Note)]


@pytest.fixture(scope="module")
def undisturbed() -> np.ndarray:
    with toy_runs.begin() as run:
        found: np.ndarray = toy_runs.draws_of(run.wait())
        return found


@pytest.mark.parametrize("n", [1, 2, 3])
def test_draws_do_not_know_how_many_processes_wrote_them(n, tmp_path):
    place = tmp_path / "run.zarr"
    with ed.local(n) as cluster, Client(cluster) as client:
        client.wait_for_workers(n)
        found = sample(client=client, store=place, store_writers="workers", block_draws=40)

    whole = without_workers(sample(cluster="threads"))
    equal(without_workers(found), whole)
    equal(without_workers(ed.open_store(place)), whole)
    assert sorted(named(place)) == sorted(pieces(place))


def test_a_worker_killed_in_the_middle_of_a_block_costs_no_bit(client, undisturbed, tmp_path):
    place, strike = tmp_path / "run.zarr", Strike(pids(client), unit=1, draw=50)
    watch = {"client": client, "progressbar": strike}
    with kept(place, watch, pause_s=0.01) as run:
        found = toy_runs.draws_of(run.wait(120))

    assert strike.struck is not None
    assert np.array_equal(found, undisturbed)
    assert sorted(named(place)) == sorted(pieces(place))


def test_a_worker_killed_between_piece_and_receipt_costs_no_bit(client, undisturbed, tmp_path):
    place, once = tmp_path / "run.zarr", tmp_path / "died"
    trouble: dict[str, Any] = {
        "engine": "tests.cluster.shelves:dying",
        "dies_after": 1,
        "once": str(once),
    }
    with kept(place, {"client": client}, **trouble) as run:
        found = toy_runs.draws_of(run.wait(120))

    assert once.exists()
    assert Trouble.WORKER_LOST in {note.kind for note in notes(run)}
    assert np.array_equal(found, undisturbed)
    assert sorted(named(place)) == sorted(pieces(place))


def test_a_coordinator_killed_while_workers_write_costs_no_draw_and_no_bit(tmp_path):
    place, script = tmp_path / "run.zarr", tmp_path / "script.py"
    script.write_text(SCRIPT.replace("store=store,", 'store=store, store_writers="workers",'))
    killed_at(40, "sample", "local", place, script)
    left = pieces(place)
    (place / piece.FOLDER / "of-a-zombie").write_bytes(b"never read")
    found = ed.resume(place, **QUIET)

    whole = sample(draws=400, discard_tuned_samples=False)
    equal(without_workers(found), without_workers(whole))
    equal(without_workers(ed.open_store(place)), without_workers(whole))
    assert left
    assert sorted(named(place)) == sorted(pieces(place))


def test_a_store_that_no_worker_reaches_is_an_error_that_says_what_to_do(client):
    with pytest.raises(StoreError, match=r"nothing of this run there.*share.*s3://") as caught:
        sample(client=client, store="memory://elsewhere/run.zarr", store_writers="workers")

    host = os.uname().nodename
    assert f"write to the store memory://elsewhere/run.zarr, and on {host} it" in str(caught.value)


@pytest.fixture
def elsewhere(tmp_path: Path) -> list[str]:
    """A command that runs another in a world where the folder is another one of this name."""
    hide = f'mount -t tmpfs tmpfs {tmp_path} && exec "$0" "$@"'
    command = ["unshare", "--mount", "sh", "-c", hide]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    return command


def test_a_worker_that_joins_later_and_lies_elsewhere_gets_no_work(
    elsewhere, undisturbed, tmp_path_factory, tmp_path
):
    place = tmp_path / "run.zarr"
    with Processes(tmp_path_factory.mktemp("logs")) as processes:
        address, _ = processes.scheduler()
        processes.worker(address)
        with Client(address) as client:
            client.wait_for_workers(1, timeout=60)
            (good,) = client.scheduler_info()["workers"]
            refused = threading.Event()

            def hear(event: Any) -> None:
                if isinstance(event, Note) and event.kind is Trouble.WORKER_REFUSED:
                    refused.set()

            terms = {"client": client, "progressbar": hear}
            with kept(place, terms, pause_s=0.01, draws=4000) as run:
                next(run.stream())
                processes.worker(address, via=elsewhere)
                assert refused.wait(120)
                run.stop()
                found = toy_runs.draws_of(run.wait(60))

    assert "finds nothing of this run there" in notes(run)[0].message
    n = min(found.shape[1], undisturbed.shape[1])
    assert np.array_equal(found[:, :n], undisturbed[:, :n])
    workers = {event.worker for event in run.events() if isinstance(event, Progress)}
    assert workers == {good}
