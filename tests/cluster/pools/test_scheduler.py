"""The scheduler dies and comes back: the run goes home meanwhile, and returns."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from distributed import Client

from exmc_dask.cluster.messages.wire import Spec
from exmc_dask.cluster.plan.moves import HOME, BlockResult, Event, Trouble, WorkerJoined
from exmc_dask.cluster.pools.dask_pool import DaskPool
from exmc_dask.cluster.pools.pool import Post
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from tests.cluster import real
from tests.cluster.pools.test_pools import draws, notes, start
from tests.cluster.processes import Processes, kill


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, bytes]:
    return draws(start(ThreadPool(2), real.spec()))


class Listening(DaskPool):
    """Knows when a worker has joined, or joined again."""

    def attach(self, run: str, spec: Spec, post: Post) -> None:
        self.joined = threading.Event()

        def listen(events: Sequence[Event]) -> None:
            post(events)
            if any(isinstance(event, WorkerJoined) for event in events):
                self.joined.set()

        super().attach(run, spec, listen)


def test_a_run_returns_to_a_scheduler_that_was_killed_and_started_again(
    tmp_path: Path, undisturbed: dict[int, bytes]
) -> None:
    with Processes(tmp_path) as processes:
        address, scheduler = processes.scheduler()
        worker = processes.worker(address)
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
            pool = Listening(client)
            first, home, last = threading.Event(), threading.Event(), threading.Event()

            def follow(block: BlockResult) -> None:
                if block.worker == HOME:
                    home.set()
                    assert pool.joined.wait(120)  # no more blocks at home than this
                else:
                    (last if home.is_set() else first).set()

            run = start(pool, real.slow_spec(), on_block=follow, grace_s=2.0)
            assert first.wait(120)
            pool.joined.clear()
            kill(scheduler)
            assert home.wait(120)
            worker.wait(120)  # workers do not survive their scheduler
            port = int(address.rpartition(":")[2])
            processes.scheduler(port)
            processes.worker(address)

            assert draws(run) == undisturbed
            assert last.is_set()
            told = notes(run)
            assert told[:2] == [Trouble.WORKER_LOST, Trouble.FALLBACK]
            # a worker that is seen before its new scheduler is greeted anew
            assert set(told[2:]) <= {Trouble.WORKER_LOST}
            assert not client.futures
