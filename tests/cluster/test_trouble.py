"""Every trouble on real processes with the real sampler: draws are those of the undisturbed run."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster

from exmc_dask.cluster.clusters.chaos import Strike, pids
from exmc_dask.cluster.clusters.local import local
from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.plan.moves import HOME, Note, Progress, Trouble
from exmc_dask.cluster.pools.dask_pool import DaskPool
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.errors import PoisonModelError
from tests.cluster import real
from tests.cluster.pools.test_pools import draws, lost, notes, start


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[LocalCluster, Client]]:
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "3s"}),
        local(2, memory_limit="1GB") as cluster,
        Client(cluster) as client,
    ):
        yield cluster, client
        time.sleep(0.3)  # for the last unsubscription to arrive


@pytest.fixture
def client(cluster: tuple[LocalCluster, Client]) -> Client:
    """The client of two living workers, whatever the test before has done to them."""
    own, client = cluster
    until = time.monotonic() + 60
    while len(client.scheduler_info(n_workers=-1)["workers"]) < 2:
        assert time.monotonic() < until
        own.scale(2)  # a worker that is gone for good Dask misses only after a while
        time.sleep(0.1)
    return client


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, bytes]:
    return draws(start(ThreadPool(2), real.spec()))


class Once:
    """An ``on_event`` that does something when some chain is seen to draw, in a thread, once."""

    def __init__(self, act: Callable[[Progress], object], draw: int = 20) -> None:
        self._act, self._draw = act, draw
        self.thread: threading.Thread | None = None
        self.seen: Progress | None = None

    def __call__(self, event: Any) -> None:
        if self.seen is None and isinstance(event, Progress) and event.draw >= self._draw:
            self.seen = event
            self.thread = threading.Thread(target=self._act, args=(event,))
            self.thread.start()

    def join(self) -> Progress:
        assert self.thread is not None
        assert self.seen is not None
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.seen


def workers(run: Driver) -> set[str]:
    return {event.worker for event in run.events() if isinstance(event, Progress)}


def test_a_stopped_workers_blocks_run_elsewhere(
    client: Client, undisturbed: dict[int, bytes]
) -> None:
    strike = Strike(pids(client), unit=1, draw=20, signum=signal.SIGSTOP)
    run = start(DaskPool(client), real.slow_spec(), on_event=strike)
    try:
        assert draws(run) == undisturbed
    finally:
        assert strike.struck is not None
        os.kill(strike.pid, signal.SIGCONT)
    assert notes(run) == [Trouble.WORKER_HUNG]


def test_a_worker_over_its_memory_limit_costs_no_bit(
    client: Client, undisturbed: dict[int, bytes]
) -> None:
    def hog() -> None:
        import threading
        import time

        def fill() -> None:
            kept = [b"x" * 50_000_000 for _ in range(24)]  # over the limit, and no further
            while kept:
                time.sleep(1)

        threading.Thread(target=fill, daemon=True).start()

    once = Once(lambda event: client.run(hog, workers=[event.worker]))
    run = start(DaskPool(client), real.slow_spec(), on_event=once)

    assert draws(run) == undisturbed
    hit = once.join().worker
    assert set(notes(run)) == {Trouble.WORKER_LOST}
    assert hit not in client.scheduler_info(n_workers=-1)["workers"]


def test_a_model_that_kills_its_process_is_named_and_others_keep_their_draws(
    client: Client, undisturbed: dict[int, bytes]
) -> None:
    there = set(pids(client))
    run = start(DaskPool(client), real.spec(engine="tests.cluster.real:poisoned"))

    with pytest.raises(PoisonModelError, match=r"chain 1, draws from 150.*SIGSEGV.*Segmentation"):
        run.wait(60)
    assert len(lost(run) & there) == 1
    assert notes(run).count(Trouble.CHILD_DIED) == 2
    for unit, blocks in run.results().items():
        kept = b"".join(block.draws.values.tobytes() for block in blocks)
        assert undisturbed[unit].startswith(kept)
    assert sum(block.n for block in run.results()[1]) == 150


def test_a_poisoned_chain_may_be_dropped(client: Client, undisturbed: dict[int, bytes]) -> None:
    spec = real.spec(engine="tests.cluster.real:poisoned")
    run = start(DaskPool(client), spec, on_failure="drop")
    left = draws(run)

    assert run.dropped() == {1}
    assert {**left, 1: b""} == {**undisturbed, 1: b""}


def test_blocks_behind_anothers_long_task_run_elsewhere(
    client: Client, undisturbed: dict[int, bytes]
) -> None:
    gate = "exmc-test-gate"
    busy = next(iter(client.scheduler_info(n_workers=-1)["workers"]))

    def hold(name: str) -> None:
        from distributed import Event

        Event(name).wait(60)

    from distributed import Event

    others = client.submit(hold, gate, workers=[busy], pure=False)
    while not any(client.processing().values()):
        time.sleep(0.01)
    run = start(DaskPool(client), real.slow_spec())
    assert draws(run) == undisturbed
    assert others.status == "pending"
    Event(gate, client=client).set()
    others.result(20)

    assert notes(run) == []
    assert workers(run) == set(pids(client)) - {busy}


def test_a_retired_worker_gives_its_blocks_back_without_blame(
    client: Client, undisturbed: dict[int, bytes]
) -> None:
    once = Once(lambda event: client.retire_workers([event.worker]))
    run = start(DaskPool(client), real.slow_spec(), on_event=once)

    assert draws(run) == undisturbed
    assert once.join().worker not in workers_at_end(run)
    assert set(notes(run)) == {Trouble.WORKER_LOST}
    (note,) = [event for event in run.events() if isinstance(event, Note)]
    assert note.message.endswith("left")


def workers_at_end(run: Driver) -> set[str]:
    return {blocks[-1].worker for blocks in run.results().values()}


def test_a_result_whose_worker_died_before_it_was_fetched_is_made_again(
    client: Client, undisturbed: dict[int, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    struck: list[str] = []
    numbers = pids(client)
    gather = DaskPool._gather

    async def strike_first(self: DaskPool, names: Any, patience_s: float | None) -> None:
        sent = [self._sent[name] for name in names if name in self._sent]
        if not struck and sent:
            struck.append(sent[0].order.worker)
            os.kill(numbers[struck[0]], signal.SIGKILL)
        await gather(self, names, patience_s)

    monkeypatch.setattr(DaskPool, "_gather", strike_first)
    run = start(DaskPool(client), real.slow_spec())

    assert draws(run) == undisturbed
    assert struck
    assert Trouble.WORKER_LOST in notes(run)


def test_workers_that_join_late_take_part(
    cluster: tuple[LocalCluster, Client], client: Client, undisturbed: dict[int, bytes]
) -> None:
    first = set(pids(client))
    once = Once(lambda _: cluster[0].scale(3))
    run = start(DaskPool(client), real.slow_spec(), on_event=once)
    try:
        assert draws(run) == undisturbed
    finally:
        once.join()
        cluster[0].scale(2)

    assert len(workers(run) - first) == 1
    assert notes(run) == []


def test_a_run_outlives_its_client(client: Client, undisturbed: dict[int, bytes]) -> None:
    other = Client(client.cluster, set_as_default=False)
    once = Once(lambda _: other.close())
    run = start(DaskPool(other), real.slow_spec(), on_event=once, grace_s=0.1)

    assert draws(run) == undisturbed
    once.join()
    assert Trouble.FALLBACK in notes(run)
    assert HOME in workers(run)
    assert client.submit(abs, -1).result(20) == 1
