"""Clusters of our own: they are mended, and grow and shrink with what there is to run."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster

from exmc_dask.cluster.clusters.chaos import Strike, pids
from exmc_dask.cluster.clusters.local import local
from exmc_dask.cluster.opening import open_pool
from exmc_dask.cluster.plan.moves import HOME, BlockResult, Note, Progress, Trouble
from exmc_dask.cluster.pools.dask_pool import DaskPool
from exmc_dask.cluster.pools.pool import Pool
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from tests.cluster import real
from tests.cluster.pools.test_pools import draws, notes, start
from tests.cluster.test_trouble import workers


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, bytes]:
    return draws(start(ThreadPool(2), real.spec()))


@pytest.fixture
def own() -> Iterator[DaskPool]:
    """The pool of cluster="local" with two workers; Dask gives up on missing ones after 1 s."""
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}):
        pool = open_pool(cluster="local", units=2)
        assert isinstance(pool, DaskPool)
        try:
            yield pool
        finally:
            pool.close()


def test_a_hung_worker_of_ours_is_replaced(own: DaskPool, undisturbed: dict[int, bytes]) -> None:
    strike = Strike(pids(own._client), unit=1, draw=20, signum=signal.SIGSTOP)
    run = start(own, real.slow_spec(), on_event=strike)

    assert draws(run) == undisturbed
    assert notes(run)[0] is Trouble.WORKER_HUNG
    until(lambda: strike.struck not in present(own._client))
    with pytest.raises(ProcessLookupError):
        os.kill(strike.pid, signal.SIGCONT)


def test_workers_that_dask_has_given_up_are_replaced(
    own: DaskPool, undisturbed: dict[int, bytes]
) -> None:
    client = own._client
    struck: list[int] = []

    def strike(event: Any) -> None:
        if not struck and isinstance(event, Progress):
            for pid in pids(client).values():
                os.kill(pid, signal.SIGKILL)
                struck.append(pid)

    def hold(block: BlockResult) -> None:
        if block.worker == HOME:
            until(lambda: len(present(client)) == 2)

    run = start(own, real.slow_spec(), on_event=strike, on_block=hold, grace_s=0.1)

    assert draws(run) == undisturbed
    assert HOME in workers(run)
    assert len(workers(run)) > 2


def present(client: Client) -> set[str]:
    return set(client.scheduler_info(n_workers=-1)["workers"])


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_was_passed_in_is_not_mended() -> None:
    pool: Pool
    with LocalCluster(1, processes=False, dashboard_address=":0") as cluster:
        pool = open_pool(cluster=cluster)
        assert isinstance(pool, DaskPool)
        assert pool._care is None
        pool.close()


def test_a_cluster_grows_to_the_chains_that_can_go_on_and_shrinks_under_load(
    undisturbed: dict[int, bytes],
) -> None:
    with local(adapt=(1, 5)) as cluster, Client(cluster) as client:
        small: list[bool] = []

        def hold(_: BlockResult) -> None:
            if not small:
                until(lambda: len(present(client)) == 3)
                cluster._adaptive.maximum = 1  # from now on it wants to close two of three
                small.append(True)

        run = start(DaskPool(client), real.slow_spec(), on_block=hold)

        assert draws(run) == undisturbed
        assert len(workers(run)) == 3
        until(lambda: len(present(client)) == 1)
        assert not [e for e in run.events() if isinstance(e, Note) and "died" in e.message]
        time.sleep(0.3)
