"""What the owner of a run asks for: pause, go on, end soon, end now."""

from exmc_dask.cluster.moves import (
    Ask,
    CancelBlock,
    Finish,
    Request,
    RunBlock,
    StopBlock,
    StoreBlock,
    Tick,
    WorkerJoined,
)
from tests.cluster.story import Story, of


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
    assert of(Finish, story.tell(story.done(two, 20))) == [Finish(None)]


def test_now_stops_blocks_takes_what_they_have_and_gives_up_in_time() -> None:
    story = Story(n_units=2)
    one, _ = story.blocks(WorkerJoined("a", 2))
    stops = story.tell(Tick(1.0), Ask(Request.NOW))

    assert of(StopBlock, stops) == [StopBlock("a", 0, 0, 0), StopBlock("a", 1, 0, 0)]
    assert of(StoreBlock, story.tell(story.done(one, 10)))
    assert story.plan.deadline == 6.0
    assert story.tell(Tick(6.0))[-2:] == [CancelBlock("a", 1, 0, 0), Finish(None)]


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
        Finish(None),
    ]


def test_a_block_stopped_before_its_first_draw_gets_a_new_name() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))
    again = story.only(story.done(block, 0))

    assert (again.first, again.attempt) == (0, 1)
