"""A run that ends when its draws are good enough: when it is looked at, and who goes how far."""

import numpy as np
import pytest

from exmc_dask.cluster.plan.asks import Ask, Ending, Request
from exmc_dask.cluster.plan.moves import (
    Fault,
    Finish,
    Look,
    Looked,
    RunBlock,
    StopBlock,
    Tick,
    Trouble,
    WorkerJoined,
    WorkerLost,
)
from tests.cluster.story import Story, failed, of, state

MARKS = (20, 30, 45, 100)


def test_a_run_is_looked_at_when_all_chains_are_there() -> None:
    story = Story(marks=MARKS)
    one, two = story.blocks(WorkerJoined("a", 2))

    assert (one.n, two.n) == (20, 20)
    assert of(Look, story.tell(story.done(one))) == []
    assert of(Look, story.tell(story.done(two, 19))) == []
    last = of(RunBlock, story.log)[-1]
    assert (last.first, last.n) == (19, 1)
    assert of(Look, story.tell(story.done(last))) == [Look(20)]
    assert of(Look, story.log) == [Look(20)]


def test_a_chain_that_is_there_first_goes_on_to_the_next_look_and_no_further() -> None:
    story = Story(marks=MARKS)
    one, two = story.blocks(WorkerJoined("a", 2))
    ahead = story.only(story.done(one))

    assert (ahead.unit, ahead.first, ahead.n) == (0, 20, 10)
    assert story.blocks(story.done(ahead)) == []
    story.tell(story.done(two))
    assert [(b.unit, b.first, b.n) for b in story.blocks(Looked(20, "R-hat"))] == [(0, 30, 15)]


def test_chains_that_others_wait_for_go_first() -> None:
    story = Story(n_units=3, marks=MARKS)
    first = story.only(WorkerJoined("a", 1))
    second = story.only(story.done(first))
    third = story.only(story.done(second, 10))
    order = [first, second, third]
    while not of(Look, story.log):
        order.append(story.only(story.done(order[-1])))

    assert [(b.unit, b.first) for b in order] == [(0, 0), (1, 0), (2, 0), (1, 10), (0, 20)]


def test_slots_are_not_idle_while_the_run_is_looked_at() -> None:
    story = Story(n_units=1, marks=MARKS)
    block = story.only(WorkerJoined("a"))
    commands = story.tell(story.done(block))

    assert of(Look, commands) == [Look(20)]
    assert [(b.first, b.n) for b in of(RunBlock, commands)] == [(20, 10)]


def test_enough_stops_what_is_ahead_and_ends_the_run() -> None:
    story = Story(n_units=1, marks=MARKS)
    block = story.only(WorkerJoined("a"))
    ahead = story.only(story.done(block))

    assert of(StopBlock, story.tell(Looked(20))) == [StopBlock("a", 0, 20, 0)]
    assert of(Finish, story.tell(story.done(ahead, 3))) == [Finish(None, Ending.ENOUGH)]


def test_the_last_look_is_at_the_end_and_says_what_is_wanting() -> None:
    story = Story(n_units=1, marks=(100,))
    block = story.only(WorkerJoined("a"))

    assert of(Finish, story.tell(story.done(block))) == []
    assert of(Finish, story.tell(Looked(100, "R-hat is 1.2"))) == [Finish(None)]
    assert story.notes() == [Trouble.UNMET]


def test_enough_at_the_end_is_enough() -> None:
    story = Story(n_units=1, marks=(100,))
    story.tell(story.done(story.only(WorkerJoined("a"))))

    assert of(Finish, story.tell(Looked(100))) == [Finish(None, Ending.ENOUGH)]


def test_a_dropped_chain_is_not_waited_for() -> None:
    story = Story(marks=MARKS, on_failure="drop")
    bad, good = story.blocks(WorkerJoined("a", 2))
    story.tell(story.done(good))

    assert of(Look, story.tell(failed(bad, Fault.RAISED))) == [Look(20)]


def test_chains_that_were_further_are_looked_at_from_the_first_mark_on() -> None:
    story = Story(states={0: state(0, 50), 1: state(1, 100)}, marks=MARKS)
    looks = [of(Look, story.tell(Tick(0.0)))[0]]
    while looks[-1].draw < 45:
        looks += of(Look, story.tell(Looked(looks[-1].draw, "ESS")))

    assert [look.draw for look in looks] == [20, 30, 45]
    (block,) = story.blocks(WorkerJoined("a"), Looked(45, "ESS"))
    assert (block.unit, block.first, block.n) == (0, 50, 50)


def test_a_run_that_is_stopped_waits_for_no_look() -> None:
    story = Story(n_units=1, marks=MARKS)
    block = story.only(WorkerJoined("a"))
    ahead = story.only(story.done(block))
    story.tell(Ask(Request.AFTER))

    assert of(Finish, story.tell(story.done(ahead, 5))) == [Finish(None, Ending.STOPPED)]


@pytest.mark.parametrize("n_enough", range(1, 4))
@pytest.mark.parametrize("seed", range(10))
def test_in_any_storm_the_looks_are_the_same_and_no_chain_runs_far_ahead(
    seed: int, n_enough: int
) -> None:
    rng = np.random.default_rng(seed)
    story = Story(n_units=4, marks=MARKS, max_block=8)
    flying: list[RunBlock] = story.blocks(WorkerJoined("w", 2))
    looks: list[Look] = []
    pending: list[Look] = []
    now = 0.0
    while not story.plan.finished:
        now += 0.25
        before = len(story.log)
        dice = rng.random()
        if dice < 0.1:
            story.tell(Tick(now), WorkerJoined(f"w{now}", int(rng.integers(1, 3))))
        elif dice < 0.2:
            story.tell(Tick(now), WorkerLost(f"w{now - 0.25 * rng.integers(1, 20)}"))
        elif dice < 0.3 and pending:
            look = pending.pop()
            story.tell(Looked(look.draw, "" if look.draw == MARKS[n_enough] else "more"))
        elif flying:
            block = flying.pop(int(rng.integers(len(flying))))
            story.tell(story.done(block, int(rng.integers(1, block.n + 1))))
        flying += of(RunBlock, story.log[before:])
        new = of(Look, story.log[before:])
        pending += new
        looks += new
        n_answered = len(looks) - len(pending)
        assert max(story.have.values(), default=0) <= MARKS[min(n_answered + 1, 3)]

    assert [look.draw for look in looks] == list(MARKS[: n_enough + 1])
    assert min(story.have.values()) >= MARKS[n_enough]
    assert of(Finish, story.log) == [Finish(None, Ending.ENOUGH)]
