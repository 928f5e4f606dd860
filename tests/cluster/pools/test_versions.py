"""Workers that lack the package, or have other versions of what draws depend on, get no work."""

from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from exmc_dask.cluster.plan.moves import Note, Progress, Trouble
from exmc_dask.cluster.pools import versions
from exmc_dask.cluster.pools.dask_pool import DaskPool
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.errors import ClusterMismatch
from tests.cluster import real
from tests.cluster.pools.test_pools import draws, start
from tests.cluster.processes import Processes

BAD = {"broken": "exmc_dask", "lacking": "exmc_dask not at all", "foreign": r"numba 0\.1 \(here"}


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ({}, ""),
        ({"numba": "0.1"}, "numba 0.1 (here 0.68)"),
        ({"exmc_dask": None}, "exmc_dask not at all (here 1.0)"),
        ({"python": "3.12.9.final.0"}, ""),
        ({"python": "3.13.1.final.0"}, "python 3.13.1.final.0 (here 3.12.1)"),
    ],
)
def test_versions_must_agree_python_to_the_minor(theirs: dict[str, Any], words: str) -> None:
    ours = {"exmc_dask": "1.0", "numba": "0.68", "python": "3.12.1"}

    assert versions.mismatch(ours, {**ours, **theirs}) == words


def test_workers_that_cannot_run_the_model_are_passed_over_and_unharmed(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        address, _ = processes.scheduler(kind="lacking")
        for kind in ("good", *BAD):
            processes.worker(address, kind)
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(4, timeout=60)
            run = start(DaskPool(client), real.slow_spec())

            assert draws(run) == draws(start(ThreadPool(2), real.spec()))
            refused = [event for event in run.events() if isinstance(event, Note)]
            assert {note.kind for note in refused} == {Trouble.WORKER_REFUSED}
            shown = [event for event in run.events() if isinstance(event, Progress)]
            assert len({event.worker for event in shown} - {note.worker for note in refused}) == 1
            for note in refused:
                assert client.submit(abs, -1, workers=[note.worker], pure=False).result(10) == 1


@pytest.mark.parametrize("kind", BAD)
def test_a_cluster_without_any_other_is_an_error_that_names_worker_and_package(
    kind: str, tmp_path: Path
) -> None:
    with Processes(tmp_path) as processes:
        address, _ = processes.scheduler(kind="lacking")
        processes.worker(address, kind)
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
            run = start(DaskPool(client), real.spec())

            with pytest.raises(ClusterMismatch, match=rf"tcp://127\.0\.0\.1.*{BAD[kind]}"):
                run.wait(60)
            assert client.submit(abs, -1).result(10) == 1
