"""Chains that learn together: who waits for whom, what they are given, in any storm the same."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from exmc_dask.cluster.plan.asks import Ask, Ending, Request
from exmc_dask.cluster.plan.moves import (
    BlockDone,
    Fault,
    Finish,
    Look,
    Looked,
    RunBlock,
    StoreBlock,
    Teach,
    Tick,
    WorkerJoined,
    WorkerLost,
)
from exmc_dask.sampler.pooling import Lesson, Pooling
from exmc_dask.sampler.state import ChainState
from tests.cluster.story import Story, failed, of, state

MARKS = (10, 25)


def pooling(chains: int, groups: int = 1) -> Pooling:
    return Pooling(chains, groups, MARKS, 1)


class Class(Story):
    """A story of chains that have seen the number of their chain, as often as they made draws."""

    def __init__(self, n_units: int = 2, groups: int = 1, **options: Any) -> None:
        super().__init__(n_units, pooling=pooling(n_units, groups), **options)

    def done(self, block: RunBlock, n: int | None = None, **kw: Any) -> BlockDone:
        event = super().done(block, n, **kw)
        return replace(event, result=replace(event.result, state=learnt(event.result.state)))


def learnt(before: Any) -> ChainState:
    unit, n = before.chain, before.draw
    return before.replace(n_front=n, mean_q=float(unit), **dict.fromkeys(["m2_q", "m2_grad"], 1.0))


def mean(of: RunBlock) -> float:
    """Return what a block's chain thinks that chains have seen."""
    assert isinstance(of.state, ChainState)
    return float(of.state["mean_q"][0])


def test_a_block_ends_at_a_barrier_and_the_chain_waits_for_the_others() -> None:
    story = Class()
    one, two = story.blocks(WorkerJoined("a", 2))

    assert (one.n, two.n) == (10, 10)
    assert story.blocks(story.done(one)) == []
    assert [b.first for b in story.blocks(story.done(two, 4))] == [4]
    assert of(Teach, story.log) == []


def test_when_all_are_there_each_goes_on_with_what_all_have_seen() -> None:
    story = Class(3)
    blocks = story.blocks(WorkerJoined("a", 3))
    story.tell(*[story.done(block) for block in blocks[:0:-1]])
    commands = story.tell(story.done(blocks[0]))

    (lesson,) = [command.lesson for command in of(Teach, commands)]
    assert (lesson.group, lesson.draw, lesson.n) == (0, 10, 30)
    following = of(RunBlock, commands)
    assert [(b.unit, b.first, b.n) for b in sorted(following, key=lambda b: b.unit)] == [
        (0, 10, 15),
        (1, 10, 15),
        (2, 10, 15),
    ]
    assert [mean(block) for block in following] == [1.0] * 3


def test_groups_do_not_wait_for_each_other() -> None:
    story = Class(4, groups=2)
    blocks = story.blocks(WorkerJoined("a", 4))
    following = story.blocks(*[story.done(block) for block in blocks[:2]])

    assert [(b.unit, b.first, mean(b)) for b in following] == [(0, 10, 0.5), (1, 10, 0.5)]


def test_a_block_that_is_lost_is_asked_for_again_from_the_lesson() -> None:
    story = Class()
    blocks = story.blocks(WorkerJoined("a"), WorkerJoined("b"))
    following = story.blocks(*[story.done(block) for block in blocks])
    again = story.blocks(WorkerLost(following[0].worker), WorkerJoined("c"))

    assert [(b.unit, b.first, b.attempt, mean(b)) for b in again] == [
        (following[0].unit, 10, 1, 0.5)
    ]


def test_a_chain_that_is_dropped_counts_for_the_windows_that_it_has_ended() -> None:
    story = Class(3, on_failure="drop")
    blocks = story.blocks(WorkerJoined("a", 3))
    following = story.blocks(*[story.done(block) for block in blocks])
    assert [mean(block) for block in following] == [1.0] * 3
    by_unit = {block.unit: block for block in following}
    story.tell(failed(by_unit[2], Fault.RAISED), story.done(by_unit[0]))
    last = story.blocks(story.done(by_unit[1]))

    assert [(b.unit, b.first, b.n, mean(b)) for b in last] == [(0, 25, 75, 0.5), (1, 25, 75, 0.5)]


def test_the_last_chain_that_was_waited_for_may_be_dropped() -> None:
    story = Class(3, on_failure="drop")
    blocks = story.blocks(WorkerJoined("a", 3))
    story.tell(*[story.done(block) for block in blocks[:2]])
    following = story.blocks(failed(blocks[2], Fault.RAISED))

    assert [(b.unit, b.first, mean(b)) for b in following] == [(0, 10, 0.5), (1, 10, 0.5)]


def test_a_group_all_of_whose_chains_are_dropped_holds_up_nobody() -> None:
    story = Class(4, groups=2, on_failure="drop")
    blocks = story.blocks(WorkerJoined("a", 4))
    story.tell(*[failed(block, Fault.RAISED) for block in blocks[:2]])
    while not story.plan.finished:
        (block, other) = of(RunBlock, story.log)[-2:] if len(blocks) > 2 else blocks
        story.tell(story.done(block), story.done(other))

    assert of(Finish, story.log) == [Finish(None)]
    assert [c.lesson.group for c in of(Teach, story.log)] == [1, 1]


def test_chains_that_stood_at_a_barrier_learn_as_soon_as_the_run_is_taken_up() -> None:
    states = {unit: learnt(state(unit, 10)) for unit in range(2)}
    story = Class(states=states)
    following = story.blocks(WorkerJoined("a", 2))

    assert [(b.first, mean(b)) for b in following] == [(10, 0.5), (10, 0.5)]


def test_a_chain_that_is_behind_is_given_what_the_others_have_learnt_before() -> None:
    fields = {"mean_q": np.array([7.0]), "m2_q": np.ones(1)}
    states = {0: learnt(state(0, 25)), 1: learnt(state(1, 10)), 2: learnt(state(2, 4))}
    story = Class(3, states=states, lessons=(Lesson(0, 10, 3, fields),))
    at, behind = story.blocks(WorkerJoined("a", 3))

    assert (at.unit, at.first, at.n, mean(at)) == (1, 10, 15, 7.0)
    assert (behind.unit, behind.first, behind.n) == (2, 4, 6)
    caught_up = story.only(story.done(behind))
    assert (caught_up.first, caught_up.n, mean(caught_up)) == (10, 15, 7.0)
    assert of(Teach, story.log) == []
    last = story.blocks(story.done(at), story.done(caught_up))
    assert [(b.first, mean(b)) for b in last] == [(25, 1.0)] * 3


def test_chains_that_are_all_behind_a_barrier_need_not_know_what_was_learnt_there() -> None:
    story = Class(states={0: learnt(state(0, 25)), 1: learnt(state(1, 12))})
    behind = story.only(WorkerJoined("a", 2))

    assert (behind.unit, behind.first, behind.n) == (1, 12, 13)
    assert [mean(block) for block in story.blocks(story.done(behind))] == [0.5, 0.5]


def test_a_run_that_is_stopped_waits_at_no_barrier() -> None:
    story = Class()
    one, two = story.blocks(WorkerJoined("a", 2))
    story.tell(story.done(one), Ask(Request.AFTER))

    assert of(Finish, story.tell(story.done(two, 3))) == [Finish(None, Ending.STOPPED)]


def test_barriers_and_looks_do_not_mind_each_other() -> None:
    story = Class(marks=(40, 60, 100), tune=30)
    blocks = story.blocks(WorkerJoined("a", 2))
    while not of(Look, story.log):
        blocks = story.blocks(*[story.done(block) for block in blocks])

    assert [c.lesson.draw for c in of(Teach, story.log)] == [10, 25]
    assert of(Look, story.log) == [Look(40)]
    flying = [story.done(block) for block in blocks]
    story.tell(*flying, Looked(40), Tick(1.0))
    assert of(Finish, story.log) == [Finish(None, Ending.ENOUGH)]


@pytest.mark.parametrize("seed", range(20))
def test_in_any_storm_all_learn_the_same_and_none_runs_ahead(seed: int) -> None:
    rng = np.random.default_rng(seed)
    story = Class(6, groups=2, max_block=8)
    flying: list[RunBlock] = story.blocks(WorkerJoined("w", 2))
    now, known = 0.0, {(b.unit, b.first): mean(b) for b in flying if b.state is not None}
    while not story.plan.finished:
        now += 0.25
        before = len(story.log)
        dice = rng.random()
        if dice < 0.1:
            story.tell(Tick(now), WorkerJoined(f"w{now}", int(rng.integers(1, 3))))
        elif dice < 0.2:
            story.tell(Tick(now), WorkerLost(f"w{now - 0.25 * rng.integers(1, 20)}"))
        elif flying:
            block = flying.pop(int(rng.integers(len(flying))))
            story.tell(story.done(block, int(rng.integers(1, block.n + 1))))
        flying += of(RunBlock, story.log[before:])
        known |= {(b.unit, b.first): mean(b) for b in of(RunBlock, story.log[before:]) if b.first}
        for group in range(2):
            reached = [story.have.get(unit, 0) for unit in range(3 * group, 3 * group + 3)]
            passed = sum(c.lesson.group == group for c in of(Teach, story.log))
            assert max(reached) <= (*MARKS, 100)[passed]

    taught = [(c.lesson.group, c.lesson.draw, c.lesson.n) for c in of(Teach, story.log)]
    assert sorted(taught) == [(0, 10, 30), (0, 25, 75), (1, 10, 30), (1, 25, 75)]
    assert {known[unit, mark] for unit in range(3) for mark in MARKS} == {1.0}
    assert {known[unit, mark] for unit in range(3, 6) for mark in MARKS} == {4.0}
    assert sum(c.result.n for c in of(StoreBlock, story.log)) == 600
