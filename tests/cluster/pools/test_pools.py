"""Threads and child processes: the same draws as ever, failures with a name, and an end in time."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.opening import open_pool
from exmc_dask.cluster.plan.asks import Request
from exmc_dask.cluster.plan.moves import BlockResult, Note, Phase, Progress, Trouble
from exmc_dask.cluster.pools.child_pool import ChildPool
from exmc_dask.cluster.pools.pool import Pool
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.errors import BlockError, OptionError, PoisonModelError
from tests.cluster import toy

CHAINS = range(3)


def start(pool: Pool, spec: Any, **options: Any) -> Driver:
    run = Driver(pool, spec, units=CHAINS, total=toy.total(spec), **options)
    run.start()
    return run


def draws(run: Driver) -> dict[int, bytes]:
    """Wait for a run and return its draws, chain by chain, as they are bit for bit."""
    assert run.wait(180)
    return {
        unit: b"".join(block.draws.values.tobytes() for block in blocks)
        for unit, blocks in run.results().items()
    }


def notes(run: Driver) -> list[Trouble]:
    return [event.kind for event in run.events() if isinstance(event, Note)]


def lost(run: Driver) -> set[str | None]:
    """Return the workers that died; another may come for one and go again before the run ends."""
    notes = (event for event in run.events() if isinstance(event, Note))
    return {note.worker for note in notes if note.kind is Trouble.WORKER_LOST}


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, bytes]:
    return draws(start(ThreadPool(1), toy.spec()))


@pytest.fixture(params=[ThreadPool, ChildPool], ids=["threads", "children"])
def pool(request: pytest.FixtureRequest) -> Pool:
    made: Pool = request.param(2)
    return made


@pytest.mark.parametrize("max_block", [1, 7, 100, None])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_draws_do_not_know_threads_or_block_borders(
    n: int, max_block: int | None, undisturbed: dict[int, bytes]
) -> None:
    assert draws(start(ThreadPool(n), toy.spec(), max_block=max_block)) == undisturbed


@pytest.mark.parametrize("max_block", [7, None])
def test_draws_do_not_know_child_processes(
    max_block: int | None, undisturbed: dict[int, bytes]
) -> None:
    assert draws(start(ChildPool(2), toy.spec(), max_block=max_block)) == undisturbed


def test_a_block_ends_at_its_budget(pool: Pool, undisturbed: dict[int, bytes]) -> None:
    run = start(pool, toy.spec(pause_s=0.003))

    assert draws(run) == undisturbed
    seconds = [block.seconds for block in run.results()[0]]
    assert len(seconds) > 1
    assert 0.25 <= seconds[0] < 0.5


def test_a_run_goes_on_from_given_states_and_starting_points(pool: Pool) -> None:
    initials = {1: np.full(toy.DIM, 9.0)}
    whole = draws(start(pool, toy.spec(), initials=initials))
    head = start(pool, toy.spec(draws=50), initials=initials)
    first = draws(head)
    states = {unit: blocks[-1].state for unit, blocks in head.results().items()}
    rest = draws(start(pool, toy.spec(), states=states))

    assert {unit: first[unit] + rest[unit] for unit in CHAINS} == whole


def test_blocks_and_progress_are_told_in_order(pool: Pool) -> None:
    told: list[BlockResult] = []
    seen: list[Progress | Note] = []
    run = start(pool, toy.spec(), max_block=50, on_block=told.append, on_event=seen.append)
    draws(run)

    for unit, blocks in run.results().items():
        assert [block for block in told if block.unit == unit] == blocks
        assert [block.first for block in blocks] == [0, 50, 100, 150]
    ends = [e for e in seen if isinstance(e, Progress) and e.phase is Phase.DONE]
    assert sorted(e.unit for e in ends) == list(CHAINS)
    assert {(e.draw, e.gradients) for e in ends} == {(200, 600)}


def test_a_model_that_raises_ends_the_run_with_chain_and_draw(pool: Pool) -> None:
    run = start(pool, toy.spec(raise_at=[1, 30]), max_block=20)

    with pytest.raises(BlockError, match=r"chain 1, draw 30: ZeroDivisionError: of all things"):
        run.wait(60)
    assert [block.first for block in run.results()[1]] == [0]


def test_a_chain_that_raises_may_be_dropped(pool: Pool, undisturbed: dict[int, bytes]) -> None:
    left = draws(start(pool, toy.spec(raise_at=[1, 0]), on_failure="drop"))

    assert left == undisturbed | {1: b""}


def test_what_a_callback_raises_ends_the_run() -> None:
    def refuse(_: BlockResult) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        start(ThreadPool(1), toy.spec(), on_block=refuse).wait(60)


def test_a_child_that_dies_is_replaced(tmp_path: Path, undisturbed: dict[int, bytes]) -> None:
    spec = toy.spec(die_at=[2, 100], once=str(tmp_path / "died"))
    run = start(ChildPool(2), spec)

    assert draws(run) == undisturbed
    assert notes(run) == [Trouble.CHILD_DIED]


def test_a_model_that_kills_every_child_is_poison() -> None:
    run = start(ChildPool(2), toy.spec(die_at=[2, 100]))

    with pytest.raises(PoisonModelError, match=r"chain 2.*SIGKILL"):
        run.wait(60)


def test_a_childs_last_words_are_told() -> None:
    run = start(ChildPool(1), toy.spec(die_at=[0, 10], last_words="no more"))

    with pytest.raises(PoisonModelError, match="no more"):
        run.wait(60)


@pytest.mark.parametrize(
    ("how", "in_time_s"), [(Request.AFTER, 2.0), (Request.NOW, 1.0), (Request.CANCEL, 1.0)]
)
def test_a_run_that_is_stopped_keeps_what_it_has(
    pool: Pool, how: Request, in_time_s: float
) -> None:
    run = start(pool, toy.spec(draws=10_000, pause_s=0.01))
    while not any(run.results().values()):
        time.sleep(0.01)
    asked_at = time.monotonic()
    run.ask(how)

    assert run.wait(10)
    assert time.monotonic() - asked_at < in_time_s
    kept = [sum(block.n for block in blocks) for blocks in run.results().values()]
    assert 0 < sum(kept) < 10_000


def test_a_paused_run_starts_no_block_until_it_is_resumed(undisturbed: dict[int, bytes]) -> None:
    run = start(ThreadPool(1), toy.spec(pause_s=0.002), max_block=10)
    run.ask(Request.PAUSE)
    while True:
        before = [len(blocks) for blocks in run.results().values()]
        time.sleep(0.1)
        if before == [len(blocks) for blocks in run.results().values()]:
            break
    assert not run.wait(0.0)
    run.ask(Request.RESUME)

    assert draws(run) == undisturbed


def test_closing_a_run_that_is_under_way_ends_its_blocks(pool: Pool) -> None:
    run = start(pool, toy.spec(draws=10_000, pause_s=0.01))
    run.close()

    assert run.wait(0.0)


def test_two_runs_share_the_threads(undisturbed: dict[int, bytes]) -> None:
    runs = [start(ThreadPool(2), toy.spec(), max_block=20) for _ in range(2)]

    assert [draws(run) for run in runs] == [undisturbed] * 2


def test_a_short_run_costs_less_than_a_millisecond() -> None:
    def seconds() -> float:
        began = time.perf_counter()
        run = Driver(ThreadPool(1), tiny, units=[0], total=1)
        run.start()
        run.wait()
        return time.perf_counter() - began

    tiny = toy.spec(tune=0, draws=1)

    assert min(seconds() for _ in range(100)) < 1e-3


IN_TWO_THREADS = (
    "from tests.cluster import toy\n"
    "from tests.cluster.pools import test_pools as t\n"
    "def begin(**options): return t.start(t.ThreadPool(2), toy.spec(**options))\n"
)


def test_a_process_ends_although_blocks_run() -> None:
    script = IN_TWO_THREADS + "begin(pause_s=0.05)"
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", script], check=True, env=_env(), timeout=120)

    assert time.monotonic() - began < 8


def test_a_forked_process_has_its_own_threads() -> None:
    script = IN_TWO_THREADS + (
        "import os; t.draws(begin())\n"
        "if pid := os.fork(): raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
        "t.draws(begin()); os._exit(7)"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", script], env=_env(), timeout=120)

    assert ended.returncode == 7


def test_threads_are_the_choice_when_dask_is_not_there() -> None:
    script = (
        "import sys; from exmc_dask.cluster.opening import ThreadPool, open_pool\n"
        "assert isinstance(open_pool(), ThreadPool) and 'distributed' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=_env())


@pytest.mark.parametrize("given", [{"cluster": "lokal"}, {"client": object(), "cluster": "local"}])
def test_an_unknown_or_double_wish_for_a_cluster_is_an_error(given: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        open_pool(**given)


def _env() -> dict[str, str]:

    return {**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
