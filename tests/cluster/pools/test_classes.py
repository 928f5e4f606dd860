"""Workers of several CPU classes: a run keeps to one, and says so before it draws."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import Client

from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.plan.moves import (
    HOME,
    Fault,
    Finish,
    Note,
    RunBlock,
    Tick,
    Trouble,
    Warn,
    WorkerJoined,
    WorkerLost,
    WorkerSeen,
)
from exmc_dask.cluster.plan.nouns import Words
from exmc_dask.cluster.pools.dask_pool import DaskPool
from exmc_dask.runs.instead import other_bits
from tests.cluster import real
from tests.cluster.pools.test_pools import draws, start
from tests.cluster.processes import Process, Processes, free_port, kill
from tests.cluster.story import Story, failed, of

OLD, NEW = "x86-64-v2", "x86-64-v3"
LEAST = 5.0  # seconds without workers


def joined(*workers: str, kind: str = "", slots: int = 1) -> list[WorkerJoined]:
    return [WorkerJoined(worker, slots, kind) for worker in workers]


def test_a_run_keeps_to_the_class_of_its_first_worker_and_tells_of_others_once() -> None:
    story = Story(n_units=4)
    blocks = story.blocks(*joined("a", kind=NEW), *joined("b", "c", kind=OLD), *joined("d"))
    blocks += story.blocks(*joined("e", kind=NEW), WorkerJoined("b", 1, OLD))
    (note,) = [c.note for c in of(Warn, story.log)]

    assert [block.worker for block in blocks] == ["a", "d", "e"]
    assert (note.kind, note.worker) == (Trouble.OTHER_CLASS, "b")
    assert all(word in note.message for word in (OLD, NEW, "EXMC_CPU"))


@pytest.mark.parametrize("kind", [NEW, ""])
def test_a_run_that_goes_on_keeps_to_the_class_it_had(kind: str) -> None:
    story = Story(n_units=2, kind=kind)

    blocks = story.blocks(*joined("a", kind=OLD), *joined("b", kind=NEW))

    assert [block.worker for block in blocks] == ["b" if kind else "a"]


def test_without_a_worker_of_its_class_a_run_goes_on_with_another_after_the_grace() -> None:
    story = Story(n_units=1, grace_s=LEAST)
    story.tell(*joined("a", kind=NEW), *joined("b", kind=OLD), *joined("c", kind="v4", slots=2))
    story.tell(WorkerLost("a", expected=True), Tick(LEAST - 0.1))
    assert not of(RunBlock, story.log)[1:]
    again = story.only(Tick(LEAST))

    assert again.worker == "c"
    assert story.notes() == [
        *(Trouble.OTHER_CLASS, Trouble.OTHER_CLASS, Trouble.WORKER_LOST, Trouble.FALLBACK)
    ]
    assert "those of class v4" in of(Warn, story.log)[-1].note.message


def test_the_coordinator_helps_itself_only_where_there_is_no_other_class() -> None:
    story = Story(n_units=2, grace_s=LEAST, home_slots=1)
    story.tell(*joined("a", kind=NEW), WorkerLost("a", expected=True))
    here = story.only(Tick(LEAST))
    there = story.only(*joined("b", kind=OLD))

    assert (here.worker, there.worker) == (HOME, "b")


def test_those_that_are_aside_and_leave_are_forgotten() -> None:
    story = Story(n_units=1, grace_s=LEAST, home_slots=1)
    story.tell(*joined("a", kind=NEW), *joined("b", kind=OLD))
    story.tell(WorkerLost("b"), WorkerLost("a", expected=True))

    assert story.only(Tick(LEAST)).worker == HOME


def test_the_coordinator_waits_for_a_worker_that_was_asked_what_it_is() -> None:
    story = Story(n_units=1, grace_s=0.1, home_slots=1)
    story.tell(WorkerSeen("a"))
    assert story.blocks(Tick(LEAST)) == []
    assert story.only(WorkerLost("a"), Tick(LEAST + 0.2)).worker == HOME


def test_a_batch_is_called_by_its_chains() -> None:
    story = Story(n_units=1, words=Words(bounds=(512, 1024)), home_slots=0)
    block = story.only(*joined("a", "b"))
    block = story.only(failed(block, Fault.DIED))
    block = story.only(story.done(block, 10))
    block = story.only(story.done(block, 10, fingerprint="other"))
    story.only(failed(block, Fault.GONE))
    story.tell(
        failed(story.only(failed(block := of(RunBlock, story.log)[-1], Fault.DIED)), Fault.DIED)
    )
    (finish,) = of(Finish, story.log)
    told = [c.note.message for c in of(Warn, story.log)]

    assert "chains 512 to 1023 go on from draw 10 under another fingerprint" in told[1]
    assert str(finish.error).startswith("chains 512 to 1023, draws from 20: every process")
    assert "chain 0" not in " ".join([str(finish.error), *told])


def test_whoever_goes_on_with_other_bits_is_said_to_draw_as_well() -> None:
    story = Story(n_units=1)
    block = story.only(*joined("a"))
    block = story.only(story.done(block, 10))
    story.tell(story.done(block, 10, fingerprint="other"))
    (note,) = [c.note for c in of(Warn, story.log)]
    state = SimpleNamespace(draw=10)
    (other,) = other_bits({0: state}, "CPUs", "GPUs")

    assert note.message.startswith("chain 0 goes on from draw 10 under another fingerprint (other ")
    assert other.message.startswith("chain 0 goes on from draw 10 on CPUs after GPUs, under anoth")
    assert note.message.split("; ")[1:] == other.message.split("; ")[1:]
    assert note.message.endswith(
        "; draws are as good, but not bit for bit those of a run under one"
    )


# Real workers --------------------------------------------------------------------------------


@contextmanager
def cluster(folder: Path, *kinds: str) -> Iterator[tuple[Client, list[Process]]]:
    with Processes(folder) as processes:
        address, _ = processes.scheduler()
        workers = [processes.worker(address, EXMC_CPU=kind) for kind in kinds]
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(len(kinds), timeout=120)
            yield client, workers


def classes(run: Driver) -> list[list[str]]:
    """Return the CPU classes that drew each chain, in order."""
    chains = run.results().values()
    return [[json.loads(block.fingerprint)["cpu"] for block in chain] for chain in chains]


def noted(run: Driver) -> list[Note]:
    return [event for event in run.events() if isinstance(event, Note)]


def test_a_cluster_of_two_classes_draws_what_one_of_them_draws(tmp_path: Path) -> None:
    drawn = []
    for some in ((OLD, NEW, NEW), (NEW,)):
        folder = tmp_path / str(len(some))
        folder.mkdir()
        with cluster(folder, *some) as (client, _):
            run = start(DaskPool(client), real.slow_spec(100))
            drawn.append(draws(run))
            assert {kind for chain in classes(run) for kind in chain} == {NEW}
            told = [note.kind for note in noted(run)]
            assert told == ([Trouble.OTHER_CLASS] if OLD in some else [])

    assert drawn[0] == drawn[1]


def test_when_all_of_a_class_are_dead_the_other_goes_on_from_where_they_were(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, OLD, NEW, NEW) as (client, workers):
        drawn = Event()
        run = Driver(
            *(DaskPool(client, grace_s=1.0), real.slow_spec()),
            units=range(2),
            total=600,
            on_block=lambda _: drawn.set(),
        )
        run.start()
        assert drawn.wait(120)
        for process in workers[1:]:
            kill(process)
        assert run.wait(240)

    for chain in classes(run):
        assert chain == sorted(chain, reverse=True)  # NEW, then OLD
    assert any(set(chain) == {OLD, NEW} for chain in classes(run))
    told = [note.kind for note in noted(run)]
    assert told.count(Trouble.FALLBACK) == 1
    assert Trouble.FINGERPRINT in told[told.index(Trouble.FALLBACK) :]


def counted(client: Client, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Workers that are asked what they are, from now on."""
    asked: list[str] = []
    run: Any = client.run

    def counting(function: Any, *args: Any, workers: list[str], **options: Any) -> Any:
        if function.__name__ == "exmc_about":
            asked.extend(workers)
        return run(function, *args, workers=workers, **options)

    monkeypatch.setattr(client, "run", counting)
    return asked


def kinds_of(client: Client) -> set[str]:
    """The CPU classes that draw in a run on a client."""
    run = start(DaskPool(client), real.spec(10))
    assert run.wait(120)
    return {kind for chain in classes(run) for kind in chain}


def test_a_process_is_asked_once_and_another_at_its_address_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Processes(tmp_path) as processes:
        address, _ = processes.scheduler()
        there = ("--worker-port", str(free_port()))
        first = processes.worker(address, options=there, EXMC_CPU=OLD)
        with Client(address, set_as_default=False) as client:
            asked = counted(client, monkeypatch)
            client.wait_for_workers(1, timeout=120)
            drew = [kinds_of(client) for _ in range(3)]
            kill(first)
            while client.scheduler_info(n_workers=-1)["workers"]:
                client.sync(asyncio.sleep, 0.05)
            processes.worker(address, options=there, EXMC_CPU=NEW)
            client.wait_for_workers(1, timeout=120)
            drew.append(kinds_of(client))

    assert drew == [{OLD}] * 3 + [{NEW}]
    assert asked == asked[:1] * 2
