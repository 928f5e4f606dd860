"""What the owner of a run asks for: pause, go on, end soon, end now."""

import pytest

from exmc_dask.cluster.plan.asks import Ask, Ending, Extend, Request
from exmc_dask.cluster.plan.moves import (
    CancelBlock,
    Fault,
    Finish,
    RunBlock,
    Stage,
    StopBlock,
    StoreBlock,
    Tick,
    Trouble,
    WorkerJoined,
)
from tests.cluster.story import Story, failed, of, report


def test_pause_starts_nothing_and_accepts_what_comes() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))
    paused = story.tell(Ask(Request.PAUSE), story.done(block, 10))

    assert of(StoreBlock, paused)
    assert of(RunBlock, paused) == []
    assert story.only(Ask(Request.RESUME)).first == 10


def test_after_ends_with_the_last_block_in_flight() -> None:
    story = Story(n_units=3)
    one, two = story.blocks(WorkerJoined("a", 2))

    assert story.tell(Ask(Request.AFTER)) == []
    assert not of(Finish, story.tell(story.done(one, 10)))
    assert of(Finish, story.tell(story.done(two, 20))) == [Finish(None, Ending.STOPPED)]


def test_now_stops_blocks_takes_what_they_have_and_gives_up_in_time() -> None:
    story = Story(n_units=2)
    one, _ = story.blocks(WorkerJoined("a", 2))
    stops = story.tell(Tick(1.0), Ask(Request.NOW))

    assert of(StopBlock, stops) == [StopBlock("a", 0, 0, 0), StopBlock("a", 1, 0, 0)]
    assert of(StoreBlock, story.tell(story.done(one, 10)))
    assert story.plan.deadline == 6.0
    assert story.tell(Tick(6.0))[-2:] == [CancelBlock("a", 1, 0, 0), Finish(None, Ending.STOPPED)]


def test_now_after_after_still_stops() -> None:
    story = Story(n_units=1)
    story.tell(WorkerJoined("a"), Ask(Request.AFTER))

    assert of(StopBlock, story.tell(Ask(Request.NOW)))


def test_cancel_ends_at_once_without_the_blocks_in_flight() -> None:
    story = Story(n_units=2)
    story.tell(WorkerJoined("a", 2), Ask(Request.AFTER))

    assert story.tell(Ask(Request.CANCEL))[-3:] == [
        CancelBlock("a", 0, 0, 0),
        CancelBlock("a", 1, 0, 0),
        Finish(None, Ending.STOPPED),
    ]


def test_a_block_stopped_before_its_first_draw_gets_a_new_name() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))
    again = story.only(story.done(block, 0))

    assert (again.first, again.attempt) == (0, 1)


def test_a_stop_that_changes_nothing_is_no_stop() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))

    assert of(Finish, story.tell(Ask(Request.AFTER), story.done(block))) == [Finish(None)]


def test_an_extended_run_goes_on_where_it_is() -> None:
    story = Story(n_units=2)
    one, two = story.blocks(WorkerJoined("a", 2))
    assert story.blocks(story.done(one)) == []
    again = story.only(Extend(150))

    assert (again.unit, again.first, again.n) == (0, 100, 50)
    assert story.only(story.done(two)).n == 50


def test_an_extended_run_stays_paused_and_a_dropped_chain_dropped() -> None:
    story = Story(n_units=2, on_failure="drop")
    bad, good = story.blocks(WorkerJoined("a", 2))
    story.tell(failed(bad, Fault.RAISED), Ask(Request.PAUSE), Extend(150), story.done(good))

    assert [b.unit for b in story.blocks(Ask(Request.RESUME))] == [1]


def test_a_run_ends_when_its_time_is_up() -> None:
    story = Story(n_units=1, max_time_s=7.0)
    block = story.only(Tick(0.0), WorkerJoined("a"))
    for now in (1.0, 3.0, 5.0):
        story.tell(Tick(now), report(block, Stage.STARTED))
    stopping = story.tell(Tick(7.0))

    assert of(StopBlock, stopping) == [StopBlock("a", 0, 0, 0)]
    assert of(Finish, story.tell(story.done(block, 30))) == [Finish(None, Ending.TIME)]
    assert story.notes() == [Trouble.TIME]


def test_time_that_is_up_with_the_last_draw_is_no_matter() -> None:
    story = Story(n_units=1, max_time_s=1.0)
    block = story.only(WorkerJoined("a"))
    story.tell(Tick(1.0))

    assert of(Finish, story.tell(story.done(block))) == [Finish(None)]


@pytest.mark.parametrize("ending", Ending)
def test_an_owner_is_not_told_of_a_relief_that_did_not_come(ending: Ending) -> None:
    assert ending.outcome == ("stopped" if ending is Ending.RELIEVED else str(ending))
