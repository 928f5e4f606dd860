"""The handle of a run: wait, interrupt, end; with an engine that needs no compiler."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from exmc_dask.cluster.plan.moves import BlockResult, Note
from exmc_dask.errors import BlockError
from exmc_dask.runs.recipe import Recipe
from exmc_dask.runs.run import Run
from exmc_dask.runs.terms import Keeper, Terms
from exmc_dask.sampler.pooling import Lesson
from tests.cluster.toy_runs import CHAINS, begin, draws_of, recipe

SLOW = {"pause_s": 0.01}
QUIET = Terms(cluster="threads", progressbar=False, compute_convergence_checks=False)


@pytest.fixture(scope="module")
def undisturbed() -> np.ndarray:
    return draws_of(begin().wait())


def test_waiting_gives_the_result_and_gives_it_again(undisturbed: np.ndarray) -> None:
    run = begin()

    assert undisturbed.shape == (CHAINS, 180, 3)
    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed)
    np.testing.assert_array_equal(draws_of(run.wait(0.0)), undisturbed)


def test_waiting_too_short_is_a_timeout_and_the_run_goes_on(undisturbed: np.ndarray) -> None:
    run = begin(trouble={"pause_s": 0.002})
    with pytest.raises(TimeoutError, match=r"0\.01 s"):
        run.wait(0.01)

    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed)


@pytest.mark.parametrize("n_interrupts", [1, 2])
def test_ctrl_c_ends_the_run_and_gives_what_there_is(n_interrupts: int) -> None:
    run = begin(tune=0, draws=10_000, trouble=SLOW, block_draws=10)
    times = [0.9 + 0.02 * i for i in range(n_interrupts)]
    timers = [threading.Timer(t, os.kill, [os.getpid(), signal.SIGINT]) for t in times]
    for timer in timers:
        timer.start()

    assert 0 < run.wait(10).posterior.sizes["draw"] < 10_000
    for timer in timers:
        timer.join()


def test_a_run_is_closed_at_the_end_of_its_context() -> None:
    with begin(draws=10_000, trouble=SLOW) as run, pytest.raises(TimeoutError):
        run.wait(0.1)

    assert run.wait(0.0).posterior.sizes["draw"] < 10_000


def test_what_was_drawn_before_an_error_is_in_it() -> None:
    run = begin(trouble={"raise_at": [1, 100]}, block_draws=20)
    with pytest.raises(BlockError) as raised:
        run.wait()

    assert raised.value.partial.posterior.sizes["draw"] <= 80


def test_a_process_ends_although_a_run_is_forgotten() -> None:
    script = (
        "from tests.cluster.toy_runs import begin\n"
        "begin(draws=10_000, trouble={'pause_s': 0.05}, cluster='local')"
    )
    script = f"if __name__ == '__main__':\n    {script.replace(chr(10), chr(10) + '    ')}"
    path = os.pathsep.join(p or os.getcwd() for p in sys.path)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,  # the run would take eight minutes
    )

    assert (done.returncode, done.stdout) == (0, "")
    assert "exmc_dask" not in done.stderr  # Dask may complain of its own ends on a busy machine


class Kept(Keeper):
    def __init__(self) -> None:
        self.blocks: list[BlockResult] = []
        self.aims: list[int] = []
        self.closed = False

    def block(self, result: BlockResult) -> BlockResult:
        self.blocks.append(result)
        return result

    def lesson(self, lesson: Lesson) -> None:
        raise AssertionError(lesson)

    def aim(self, recipe: Recipe) -> None:
        self.aims.append(recipe.settings.draws)

    def see(self, note: Note) -> None:
        raise AssertionError(note)

    def notes(self) -> list[Note]:
        return []

    def stored(self) -> list[int]:
        return []

    def away(self, block: BlockResult) -> None:
        raise AssertionError(block)

    def close(self) -> None:
        self.closed = True


def test_a_keeper_gets_every_block_and_a_run_goes_on_from_what_it_has(
    undisturbed: np.ndarray,
) -> None:
    first, second = Kept(), Kept()
    Run(recipe(draws=100), QUIET, keeper=first).wait()
    states = {block.unit: block.state for block in first.blocks}
    run = Run(recipe(), QUIET, keeper=second, states=states, blocks=first.blocks)

    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed)
    assert first.closed
    assert second.closed
    assert {block.first for block in second.blocks} >= {120}


def test_a_run_that_is_over_leaves_nothing_for_the_collector_of_circles() -> None:
    run = begin()
    left = weakref.ref(run)
    run.wait()
    gc.disable()
    try:
        del run
        deadline = time.monotonic() + 10  # its thread may be on its last lines
        while left() is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert left() is None
    finally:
        gc.enable()
