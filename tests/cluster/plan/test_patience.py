"""The plan loses patience: blocks that do not begin, that fall silent, that stand still."""

from dataclasses import replace

import numpy as np
import pytest

from exmc_dask.cluster.plan.moves import (
    HOME,
    BlockDone,
    CancelBlock,
    Finish,
    RunBlock,
    Stage,
    Tick,
    Trouble,
    WorkerJoined,
)
from exmc_dask.errors import BlockError
from tests.cluster.story import Story, of, report, result


@pytest.mark.parametrize(("has_begun_one", "patience_s"), [(False, 5.0), (True, 2.0)])
def test_a_block_that_does_not_begin_moves_on(has_begun_one: bool, patience_s: float) -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))
    if has_begun_one:
        story.tell(report(block, Stage.STARTED))
        block = story.only(BlockDone("a", result(block, 5)))

    assert story.tell(Tick(patience_s)) == []  # nowhere else to go
    story.tell(WorkerJoined("b"))
    assert story.tell(Tick(2 * patience_s - 0.1)) == []
    commands = story.tell(Tick(2 * patience_s))
    assert of(CancelBlock, commands) == [CancelBlock("a", 0, block.first, block.attempt)]
    assert [(b.worker, b.isolated) for b in of(RunBlock, commands)] == [("b", False)]


def test_a_block_that_falls_silent_runs_again_elsewhere() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"), WorkerJoined("b"))
    story.tell(Tick(1.0), report(block, Stage.STARTED), Tick(9.0), report(block))

    assert story.tell(Tick(18.9)) == []
    again = story.only(Tick(19.0))
    assert (again.worker, again.attempt, again.isolated) == ("b", 1, False)
    assert story.notes() == [Trouble.WORKER_HUNG]


def test_a_worker_may_take_half_a_minute_to_load_what_runs_its_first_block() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"), WorkerJoined("b"))
    story.tell(report(block, Stage.ARRIVED))

    assert story.tell(Tick(29.9)) == []
    assert story.only(Tick(30.0)).worker == "b"
    assert story.notes() == [Trouble.WORKER_HUNG]


@pytest.mark.parametrize(("slowest_s", "patience_s"), [(1.0, 30.0), (6.0, 60.0)])
def test_a_block_that_speaks_but_evaluates_nothing_runs_again_elsewhere(
    slowest_s: float, patience_s: float
) -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"), WorkerJoined("b"))
    frozen = replace(report(block), gradients=5)
    story.tell(report(block, Stage.STARTED), report(block), Tick(slowest_s), frozen)
    for now in np.arange(slowest_s + 1, slowest_s + patience_s):
        assert story.tell(Tick(float(now)), frozen)[1:] == []

    assert story.only(Tick(slowest_s + patience_s)).worker == "b"
    assert story.notes() == [Trouble.WORKER_HUNG]


def test_compiling_may_take_as_long_as_it_likes() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"), WorkerJoined("b"))
    for now in range(0, 600, 5):
        story.tell(Tick(float(now)), report(block, Stage.COMPILING))

    assert story.notes() == []


def test_a_hung_worker_gets_nothing_until_it_is_heard_of_or_has_rested() -> None:
    story = Story(n_units=2)
    hung, _ = story.blocks(WorkerJoined("a"), WorkerJoined("b"))
    story.tell(report(hung, Stage.STARTED))
    waiting = [b for b in story.blocks(Tick(10.0)) if b.worker == "a"]

    assert waiting == []
    assert story.blocks(BlockDone("a", result(hung, 5)))[0].worker == "a"


def test_when_all_workers_hang_the_coordinator_helps_itself() -> None:
    story = Story(n_units=1, grace_s=5.0)
    block = story.only(WorkerJoined("a"))
    story.tell(report(block, Stage.STARTED), Tick(10.0))

    assert story.only(Tick(15.0)).worker == HOME


def test_a_block_that_a_stopped_worker_does_not_take_up_is_given_to_others_that_get_on() -> None:
    """Both workers are always full, so that there is never room beside the stopped one."""
    story = Story(n_units=2, max_block=20)
    stopped, other = story.blocks(WorkerJoined("a"), WorkerJoined("b"))
    story.tell(report(stopped, Stage.STARTED), report(other, Stage.STARTED))
    stopped = story.only(BlockDone("a", result(stopped)))
    for now in range(2, 10):
        other = story.only(Tick(float(now)), BlockDone("b", result(other, 1)))

    assert of(CancelBlock, story.tell(Tick(10.0))) == [CancelBlock("a", 0, 20, 0)]
    assert story.only(BlockDone("b", result(other, 1))).unit == stopped.unit
    assert story.notes() == []


def test_while_nobody_is_heard_of_a_block_waits_behind_the_tasks_of_others() -> None:
    story = Story(n_units=2)
    story.tell(WorkerJoined("a"), WorkerJoined("b"))

    assert story.tell(*(Tick(float(now)) for now in range(100))) == []


def test_a_worker_rests_longer_each_time_until_it_answers() -> None:
    story = Story(n_units=1, grace_s=1e9)
    block = story.only(WorkerJoined("a"))
    now, rests = 0.0, []
    for _ in range(3):
        story.tell(Tick(now), report(block, Stage.STARTED), Tick(now + 30.0))
        benched_at = now + 30.0
        (block,) = story.blocks(Tick(story.plan.deadline))
        now = story.plan._now
        rests.append(now - benched_at)
    story.tell(BlockDone("a", result(block, 5)))

    assert rests == [30.0, 60.0, 120.0]


def test_blocks_that_come_back_without_a_draw_are_a_fault_in_the_end() -> None:
    story = Story(n_units=1, max_block=20)
    block = story.only(WorkerJoined("a"))
    for _ in range(2):
        block = story.only(story.done(story.only(story.done(block, 0)), 0))
        block = story.only(story.done(block, 20))
    for _ in range(2):
        block = story.only(story.done(block, 0))
    (finish,) = of(Finish, story.tell(story.done(block, 0)))

    assert isinstance(finish.error, BlockError)
    assert "chain 0 gets no further than draw 40: 3 blocks" in str(finish.error)


def test_blocks_at_home_are_not_watched() -> None:
    story = Story(n_units=1, grace_s=5.0)
    story.tell(Tick(5.0))

    assert story.tell(Tick(1e6)) == []
