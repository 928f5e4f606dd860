"""A real Dask cluster: the same draws, versions that agree, and a client left as it was."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster

from exmc_dask.cluster.clusters.local import local
from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.opening import open_pool
from exmc_dask.cluster.plan.asks import Request
from exmc_dask.cluster.plan.moves import Progress, Trouble
from exmc_dask.cluster.pools.dask_pool import DaskPool
from exmc_dask.cluster.pools.pool import Order
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.errors import (
    BlockError,
    ClientError,
    ClusterStartError,
    OptionError,
)
from tests.cluster import toy
from tests.cluster.pools.test_pools import draws, notes, start


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local(2) as cluster, Client(cluster) as client:
        yield client
        time.sleep(0.3)  # for the last unsubscription to arrive


def address(client: Client) -> str:
    assert client.scheduler is not None
    return str(client.scheduler.address)


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, bytes]:
    return draws(start(ThreadPool(1), toy.spec()))


@pytest.mark.parametrize(("max_block", "n_draws"), [(1, 20), (7, 180), (100, 180), (None, 180)])
def test_draws_do_not_know_dask_or_block_borders(
    client: Client, max_block: int | None, n_draws: int
) -> None:
    spec = toy.spec(draws=n_draws)
    run = start(DaskPool(client), spec, max_block=max_block)

    assert draws(run) == draws(start(ThreadPool(1), spec))


@pytest.mark.parametrize(("n", "n_threads"), [(1, 1), (3, 1), (1, 3)])
def test_draws_do_not_know_the_number_of_workers(
    n: int, n_threads: int, undisturbed: dict[int, bytes]
) -> None:
    with (
        LocalCluster(
            n, processes=False, threads_per_worker=n_threads, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        assert draws(start(DaskPool(client), toy.spec(), max_block=40)) == undisturbed
        time.sleep(0.3)


def test_blocks_end_at_their_budget_and_report_on_the_way(
    client: Client, undisturbed: dict[int, bytes]
) -> None:
    run = start(DaskPool(client), toy.spec(pause_s=0.01))

    assert draws(run) == undisturbed
    assert len(run.results()[0]) > 1
    seen = [e for e in run.events() if isinstance(e, Progress)]
    assert {e.worker for e in seen} == set(client.scheduler_info(n_workers=-1)["workers"])


class Counting(DaskPool):
    """Counts what is sent beside the blocks, and the parcels within them."""

    installs = 0
    within = 0

    async def _install(self, *args: Any) -> None:
        self.installs += 1
        await super()._install(*args)

    def _send(self, orders: Sequence[Order]) -> None:
        self.within += sum(len(order.task.parcels) for order in orders)
        super()._send(orders)


def test_our_own_workers_load_the_sampler_before_their_first_block(client: Client) -> None:
    end = time.monotonic() + 60
    while not all(client.run(lambda: "exmc_dask.cluster.engines.nuts" in sys.modules).values()):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_block_that_comes_alone_does_not_wait_for_others(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exmc_dask.cluster.pools.dask_pool._COLLECT_S", 3600.0)
    run = Driver(DaskPool(client), toy.spec(draws=1, tune=0), units=[0], total=1)
    run.start()

    assert run.wait(20)  # after 30 s it would be started again


def test_small_data_go_with_a_workers_first_block(client: Client) -> None:
    pool, spec = Counting(client), toy.spec()
    draws(start(pool, spec, max_block=20))

    assert (pool.installs, pool.within) == (0, 2 * len(spec.parcels))


def test_large_data_go_past_the_graph_once_per_worker_and_not_again(client: Client) -> None:
    large = toy.spec(data=np.arange(1.0, 2_000_000.0))
    first, second = Counting(client), Counting(client)

    assert len(next(iter(large.parcels.values()))) > 10_000_000  # Dask warns of such graphs
    one = draws(start(first, large, max_block=20))
    two = draws(start(second, large, max_block=20))
    assert one == two == draws(start(ThreadPool(1), toy.spec()))
    assert (first.installs, second.installs) == (2, 0)


def test_a_worker_that_has_forgotten_is_sent_again(
    client: Client, undisturbed: dict[int, bytes]
) -> None:
    def forget() -> None:
        from exmc_dask.cluster.worker import worker

        worker._stock.__init__()  # type: ignore[misc]

    def forget_now(_: object) -> None:
        client.run(forget)

    run = start(DaskPool(client), toy.spec(), max_block=50, on_block=forget_now)

    assert draws(run) == undisturbed
    assert notes(run) == []


def test_two_runs_of_one_client_do_not_mix(client: Client) -> None:
    one, two = toy.spec(), toy.spec(data=2.0)
    runs = [start(DaskPool(client), spec, max_block=50) for spec in (one, two, one)]
    alone = [draws(start(ThreadPool(1), spec)) for spec in (one, two, one)]

    assert [draws(run) for run in runs] == alone


def test_the_client_is_left_as_it_was(client: Client) -> None:
    heard: list[Any] = []
    client.subscribe_topic("all", heard.append)
    draws(start(DaskPool(client), toy.spec()))
    client.log_event("all", "after the run")
    until = time.monotonic() + 5
    while not any(message == "after the run" for _, message in heard):
        assert time.monotonic() < until
        time.sleep(0.01)
    client.unsubscribe_topic("all")

    assert client.status == "running"
    assert not client.futures


def test_a_model_that_raises_is_not_tried_again(client: Client) -> None:
    run = start(DaskPool(client), toy.spec(raise_at=[1, 30]), max_block=20)

    with pytest.raises(BlockError, match="chain 1, draw 30: ZeroDivisionError"):
        run.wait(60)
    assert notes(run) == [Trouble.FAILED]


@pytest.mark.parametrize(("how", "in_time_s"), [(Request.AFTER, 3.0), (Request.NOW, 1.5)])
def test_a_run_that_is_stopped_keeps_what_it_has(
    client: Client, how: Request, in_time_s: float
) -> None:
    run = start(DaskPool(client), toy.spec(draws=10_000, pause_s=0.01))
    while not any(run.results().values()):
        time.sleep(0.01)
    asked_at = time.monotonic()
    run.ask(how)

    assert run.wait(10)
    assert time.monotonic() - asked_at < in_time_s
    kept = [sum(block.n for block in blocks) for blocks in run.results().values()]
    assert 0 < sum(kept) < 10_000


def test_a_closed_client_is_refused_at_the_door(client: Client) -> None:
    closed = Client(client.cluster, set_as_default=False)
    closed.close()

    with pytest.raises(ClientError, match="closed"):
        open_pool(client=closed)


def test_an_asynchronous_client_is_refused_at_the_door(client: Client) -> None:
    async def knock() -> None:
        async with Client(address(client), asynchronous=True) as other:
            open_pool(client=other)

    with pytest.raises(ClientError, match="asynchronous"):
        asyncio.run(knock())


def test_the_current_client_an_address_and_a_cluster_are_found(client: Client) -> None:
    chosen = open_pool()
    for given in (address(client), client.cluster):
        pool = open_pool(cluster=given)
        assert isinstance(pool, DaskPool)
        pool.close()

    assert isinstance(chosen, DaskPool)
    assert chosen._client is client
    assert client.status == "running"


def test_inside_a_task_the_choice_is_one_thread_or_the_client_that_is_given(
    client: Client, undisturbed: dict[int, bytes]
) -> None:
    def nested(given: bool) -> tuple[str, Any]:
        from distributed import get_client

        pool = open_pool(client=get_client() if given else None)
        return type(pool).__name__, draws(start(pool, toy.spec()))

    assert client.submit(nested, False).result(60) == ("ThreadPool", undisturbed)
    assert client.submit(nested, True).result(60) == ("DaskPool", undisturbed)


def test_a_program_without_the_guard_is_told_of_it(tmp_path: Path) -> None:
    program = tmp_path / "unguarded.py"
    program.write_text("from exmc_dask.cluster.clusters.local import local\nlocal(1)\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    ended = subprocess.run(
        [sys.executable, str(program)], env=env, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 1
    assert f"{ClusterStartError.__name__}: worker processes import" in ended.stderr
    assert 'if __name__ == "__main__":' in ended.stderr


def test_ctrl_c_at_the_terminal_stops_the_run_and_not_the_workers(tmp_path: Path) -> None:
    program = tmp_path / "interrupted.py"
    program.write_text(
        "import threading, time\n"
        "from tests.cluster.toy_runs import begin\n"
        "def tell(run):\n"
        "    while {e.unit for e in run.events() if e.draw > 20} != {0, 1, 2}: time.sleep(0.01)\n"
        "    print('begun', flush=True)\n"
        "if __name__ == '__main__':\n"
        "    run = begin(cluster='local', draws=10_000, trouble={'pause_s': 0.01})\n"
        "    threading.Thread(target=tell, args=(run,)).start()\n"
        "    print(run.wait().posterior.sizes['draw'] > 0)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)

    assert (process.returncode, out) == (0, "True\n")
    assert "Traceback" not in err


def test_what_is_given_in_the_wrong_place_or_is_closed_is_named() -> None:
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster:
        client = Client(cluster, set_as_default=False)
        with client, pytest.raises(OptionError, match="cluster= was given a client"):
            open_pool(cluster=client)
        with pytest.raises(OptionError, match=r"client=LocalCluster.* is no Client"):
            open_pool(client=cluster)
    with pytest.raises(ClientError, match=r"LocalCluster of cluster= cannot be used.*Open another"):
        open_pool(cluster=cluster)
