"""Processes die: the draws are those of the undisturbed run, each once."""

import gc
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

from exmc_dask.cluster.clusters.chaos import Strike, pids
from exmc_dask.cluster.clusters.local import local
from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.plan.moves import HOME, Progress, Trouble
from exmc_dask.cluster.pools.dask_pool import DaskPool
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.errors import PoisonModelError
from tests.cluster import toy
from tests.cluster.pools.test_pools import draws, lost, notes, start

SLOW = toy.spec(pause_s=0.01)


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, bytes]:
    return draws(start(ThreadPool(1), toy.spec()))


def workers(run: Driver) -> set[str]:
    return {event.worker for event in run.events() if isinstance(event, Progress)}


def test_a_worker_killed_in_the_middle_of_a_block_costs_no_bit(
    client: Client, undisturbed: dict[int, bytes]
) -> None:
    strike = Strike(pids(client), unit=1, draw=50)
    run = start(DaskPool(client), SLOW, on_event=strike)

    assert draws(run) == undisturbed
    assert strike.struck is not None
    assert set(notes(run)) == {Trouble.WORKER_LOST}


def test_when_no_worker_is_left_the_coordinator_runs_the_blocks_and_gives_them_back(
    undisturbed: dict[int, bytes],
) -> None:
    with local(1) as cluster, Client(cluster) as client:
        strike = Strike(pids(client), unit=1, draw=20)
        run = start(DaskPool(client), toy.spec(pause_s=0.02), on_event=strike, grace_s=0.1)

        assert draws(run) == undisturbed
        assert notes(run)[:2] == [Trouble.WORKER_LOST, Trouble.FALLBACK]
        assert HOME in workers(run)
        assert workers(run) - {HOME, strike.struck}  # the nanny's new worker, which joined late
        time.sleep(0.3)


def test_a_cluster_that_is_gone_leaves_the_coordinator(undisturbed: dict[int, bytes]) -> None:
    cluster = local(1)
    client = Client(cluster)
    run = start(DaskPool(client), SLOW, grace_s=0.1)
    while not any(run.results().values()):
        time.sleep(0.01)
    client.close()
    cluster.close()

    assert draws(run) == undisturbed
    assert Trouble.FALLBACK in notes(run)


def test_a_model_that_kills_once_is_run_again_in_a_child_of_another_worker(
    client: Client, tmp_path: Path, undisturbed: dict[int, bytes]
) -> None:
    run = start(DaskPool(client), toy.spec(die_at=[1, 100], once=str(tmp_path / "died")))

    assert draws(run) == undisturbed
    assert set(notes(run)) == {Trouble.WORKER_LOST}


def test_a_model_that_always_kills_costs_one_worker_and_is_named(client: Client) -> None:
    there = set(pids(client))
    run = start(DaskPool(client), toy.spec(die_at=[1, 100]))

    with pytest.raises(PoisonModelError, match=r"chain 1.*SIGKILL"):
        run.wait(60)
    assert len(lost(run) & there) == 1


class Struck(DaskPool):
    """Kills the first worker that large data are on their way to."""

    numbers: dict[str, int]  # of the workers' processes
    victim: str | None = None

    async def _install(self, worker: str, *rest: Any) -> None:
        if self.victim is None:
            self.victim = worker
            os.kill(self.numbers[worker], signal.SIGKILL)
        await super()._install(worker, *rest)


def test_a_worker_killed_before_its_data_reached_it_costs_no_bit(
    client: Client, undisturbed: dict[int, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    pool = Struck(client)
    pool.numbers = pids(client)
    run = start(pool, toy.spec(data=np.arange(1.0, 100_000.0)))

    assert draws(run) == undisturbed
    assert pool.victim in lost(run)
    gc.collect()  # an error that nobody took is told when it is collected
    assert "never retrieved" not in caplog.text
