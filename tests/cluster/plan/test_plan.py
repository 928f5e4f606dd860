"""Events in, commands out: every trouble a run can meet, without a thread or a clock."""

import math
from dataclasses import replace

import numpy as np
import pytest

from exmc_dask.cluster.plan.moves import (
    HOME,
    BlockDone,
    BlockProgress,
    CancelBlock,
    Event,
    Fault,
    Finish,
    Phase,
    RunBlock,
    Show,
    Stage,
    StopBlock,
    StoreBlock,
    Tick,
    Trouble,
    Warn,
    WorkerJoined,
    WorkerLost,
    WorkerRefused,
)
from exmc_dask.errors import ClusterMismatch, GpuError, PoisonModelError
from tests.cluster.story import Story, failed, of, result, state


def test_a_run_without_trouble_publishes_every_draw_once_and_finishes() -> None:
    story = Story(n_units=3, max_block=40)
    flying = story.blocks(WorkerJoined("a"), WorkerJoined("b"))

    while flying:
        flying += story.blocks(story.done(flying.pop(0)))

    assert story.have == {0: 100, 1: 100, 2: 100}
    assert story.log[-1] == Finish(None)
    assert story.notes() == []


def test_one_block_a_slot_and_one_block_a_unit() -> None:
    blocks = Story(n_units=5).blocks(WorkerJoined("a", 2), WorkerJoined("b", 1))

    assert [(b.worker, b.unit) for b in blocks] == [("a", 0), ("a", 1), ("b", 2)]


def test_state_travels_with_the_command() -> None:
    story = Story(n_units=1)
    first = story.only(WorkerJoined("a"))
    second = story.only(story.done(first, 30))

    assert first.state is None
    assert second.state is not None
    assert (second.first, second.n, second.state.draw) == (30, 70, 30)


def test_units_go_on_from_given_states_and_complete_ones_are_left_alone() -> None:
    story = Story(states={0: state(0, 60), 1: state(1, 100)})
    block = story.only(WorkerJoined("a", 2))

    assert (block.unit, block.first, block.n) == (0, 60, 40)
    assert of(Finish, story.tell(story.done(block)))


def test_nothing_to_do_is_finished_at_once() -> None:
    assert Story(n_units=0).tell(Tick(0.0)) == [Finish(None)]


def test_a_lost_workers_block_runs_elsewhere_in_a_child() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"), WorkerJoined("b"))
    commands = story.tell(WorkerLost("a"))
    again = of(RunBlock, commands)[0]

    assert of(CancelBlock, commands) == [CancelBlock("a", 0, 0, 0)]
    assert (again.worker, again.first, again.attempt) == ("b", block.first, 1)
    assert again.isolated


def test_after_a_good_block_there_is_no_suspicion_left() -> None:
    story = Story(n_units=1)
    story.tell(WorkerJoined("a"), WorkerJoined("b"))
    again = story.only(WorkerLost("a"))

    assert not story.only(story.done(again, 10)).isolated


def test_an_announced_leaving_costs_nothing() -> None:
    story = Story(n_units=1)
    story.tell(WorkerJoined("a"), WorkerJoined("b"))

    assert not story.only(WorkerLost("a", expected=True)).isolated


def test_the_first_result_wins_and_the_zombie_is_dropped() -> None:
    story = Story(n_units=1)
    zombie = story.only(WorkerJoined("a"), WorkerJoined("b"))
    story.tell(WorkerLost("a"))
    late = story.tell(story.done(zombie, 50))

    assert [s.result.attempt for s in of(StoreBlock, late)] == [0]
    assert of(CancelBlock, late) == [CancelBlock("b", 0, 0, 1)]
    assert of(RunBlock, late)[0].first == 50
    assert story.tell(BlockDone("b", result(zombie, 100))) == []


def test_a_zombie_may_save_a_unit_that_waits() -> None:
    story = Story(n_units=1)
    zombie = story.only(WorkerJoined("a"))
    story.tell(WorkerLost("a"))

    assert of(StoreBlock, story.tell(story.done(zombie)))
    assert story.plan.finished


def test_a_stale_failure_or_progress_changes_nothing() -> None:
    story = Story(n_units=1)
    old = story.only(WorkerJoined("a"), WorkerJoined("b"))
    story.tell(WorkerLost("a"))
    report = BlockProgress(0, 0, old.attempt, int(Stage.DRAWING), 5, 15, 0, 0.1, 1.0)

    assert story.tell(report, failed(old, Fault.RAISED)) == []


@pytest.mark.parametrize("fault", [Fault.GONE, Fault.DIED])
def test_a_lost_result_or_a_dead_child_is_another_attempt(fault: Fault) -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"), WorkerJoined("b"))
    again = story.only(failed(block, fault))

    assert (again.first, again.attempt) == (block.first, block.attempt + 1)
    assert again.isolated == (fault is Fault.DIED)


def test_children_that_die_in_two_places_condemn_the_model() -> None:
    story = Story(n_units=1)
    story.tell(WorkerJoined("a"), WorkerJoined("b"), WorkerJoined("c"))
    suspect = story.only(WorkerLost("a"))
    elsewhere = story.only(failed(suspect, Fault.DIED))
    (finish,) = of(Finish, story.tell(failed(elsewhere, Fault.DIED)))

    assert {suspect.worker, elsewhere.worker} == {"b", "c"}
    assert isinstance(finish.error, PoisonModelError)


def test_a_suspect_waits_for_a_worker_on_which_it_has_not_died() -> None:
    story = Story(n_units=2)
    suspect, other = story.blocks(WorkerJoined("a"), WorkerJoined("b"))

    assert story.blocks(failed(suspect, Fault.DIED)) == []
    assert [(b.worker, b.unit) for b in story.blocks(story.done(other))] == [("b", suspect.unit)]


def test_with_one_worker_the_coordinator_is_the_second_place() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))
    home = story.only(failed(block, Fault.DIED))
    (finish,) = of(Finish, story.tell(failed(home, Fault.DIED)))

    assert (home.worker, home.isolated) == (HOME, True)
    assert isinstance(finish.error, PoisonModelError)
    assert "chain 0" in str(finish.error)


def test_dying_workers_alone_never_condemn_a_model() -> None:
    story = Story(n_units=1)
    for worker in "abcdef":
        story.tell(WorkerJoined(worker), WorkerLost(worker))
    home = of(RunBlock, story.log)[-1]

    assert (home.worker, home.attempt) == (HOME, 4)  # tried often enough on workers
    assert of(Finish, story.tell(story.done(home)))[0].error is None


def test_without_workers_the_coordinator_helps_itself_after_the_grace() -> None:
    story = Story(n_units=3, grace_s=5.0, home_slots=2)

    assert story.plan.deadline == 5.0
    assert story.tell(Tick(4.9)) == []
    assert [b.worker for b in story.blocks(Tick(5.0))] == [HOME, HOME]
    assert story.notes() == [Trouble.FALLBACK]
    assert story.plan.deadline == math.inf


def test_units_move_back_to_a_worker_that_joins() -> None:
    story = Story(n_units=2, grace_s=5.0)
    home = story.only(Tick(5.0))
    joined = story.blocks(WorkerJoined("a"))

    assert [b.worker for b in joined] == ["a"]
    assert story.blocks(story.done(home, 10)) == []  # waits for the worker
    assert story.only(story.done(joined[0])).worker == "a"


def test_the_grace_begins_anew_when_the_last_worker_goes() -> None:
    story = Story(n_units=1, grace_s=5.0)
    story.tell(WorkerJoined("a"), Tick(60.0))
    story.tell(WorkerLost("a"))

    assert story.blocks(Tick(64.9)) == []
    assert story.only(Tick(65.0)).worker == HOME


def test_a_model_that_raises_ends_the_run_and_keeps_the_others_draws() -> None:
    story = Story(n_units=2)
    bad, good = story.blocks(WorkerJoined("a", 2))
    stopping = story.tell(failed(bad, Fault.RAISED))
    last = story.tell(story.done(good, 30))

    assert of(StopBlock, stopping) == [StopBlock("a", 1, 0, 0)]
    assert of(RunBlock, stopping + last) == []
    assert str(of(Finish, last)[0].error) == "boom"
    assert story.have == {1: 30}


def test_a_chain_that_cannot_go_on_may_be_dropped() -> None:
    story = Story(n_units=2, on_failure="drop")
    bad, good = story.blocks(WorkerJoined("a", 2))
    story.tell(failed(bad, Fault.RAISED))
    last = story.tell(story.done(good))

    assert story.notes() == [Trouble.DROPPED]
    assert of(Finish, last)[0].error is None


def test_dropping_the_last_chain_is_an_error() -> None:
    story = Story(n_units=1, on_failure="drop")
    block = story.only(WorkerJoined("a"))

    assert of(Finish, story.tell(failed(block, Fault.RAISED)))[0].error is not None


def test_only_mismatched_workers_are_an_error_with_their_reasons() -> None:
    commands = Story().tell(WorkerRefused("a", "worker a has numba 0.1 (here 0.2)"))

    error = of(Finish, commands)[0].error
    assert isinstance(error, ClusterMismatch)
    assert "numba 0.1" in str(error)


def test_a_refused_worker_is_passed_over() -> None:
    story = Story(n_units=1)
    commands = story.blocks(WorkerJoined("a"), WorkerRefused("b", "old"))

    assert [b.worker for b in commands] == ["a"]


def test_a_worker_refused_in_use_gives_its_blocks_back_without_blame() -> None:
    story = Story(n_units=1)
    story.tell(WorkerJoined("a"), WorkerJoined("b"))
    again = story.only(WorkerRefused("a", "cannot import"))

    assert (again.worker, again.isolated) == ("b", False)


def test_a_change_of_fingerprint_is_said_with_the_first_draw_after_it() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))
    block = story.only(story.done(block, 40))
    note = of(Warn, story.tell(story.done(block, 10, fingerprint="other")))[0].note

    assert (note.kind, note.unit, note.draw) == (Trouble.FINGERPRINT, 0, 40)


def test_progress_counts_what_is_published_and_what_is_under_way() -> None:
    story = Story(n_units=1, tune=50)
    block = story.only(WorkerJoined("a"))
    block = story.only(story.done(block, 40))
    report = BlockProgress(0, 40, 0, int(Stage.DRAWING), 20, 60, 2, 0.25, 1.0)
    (show,) = of(Show, story.tell(report))

    assert (show.progress.draw, show.progress.phase) == (60, Phase.SAMPLING)
    assert (show.progress.gradients, show.progress.divergences) == (180, 3)


@pytest.mark.parametrize(
    ("round_trip_s", "n_workers", "low", "high"),
    [(0.0, 1, 0.25, 0.25), (0.02, 1, 1.0, 2.1), (1.0, 1, 5.0, 15.0), (0.0, 900, 9.0, 9.0)],
)
def test_the_budget_follows_the_round_trip_and_the_size_of_the_cluster(
    round_trip_s: float, n_workers: int, low: float, high: float
) -> None:
    story = Story(n_units=1)
    block = story.only(*(WorkerJoined(str(i)) for i in range(n_workers)))
    for i in range(1, 20):
        story.tell(Tick(i * (0.1 + round_trip_s)))
        block = story.only(story.done(block, 1))

    assert low <= block.budget_s <= high


def test_one_slow_journey_does_not_make_blocks_long() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))
    story.tell(Tick(9.0))  # the worker had much to import

    assert story.only(story.done(block, 1)).budget_s == 0.25


def test_thinned_draws_count_with_those_that_were_not_kept() -> None:
    story = Story(n_units=1)
    block = story.only(WorkerJoined("a"))
    kept = replace(result(block, 30), draws=result(block, 10).draws)

    assert story.only(BlockDone("a", kept)).first == 30


def test_a_refused_worker_does_not_end_a_run_that_has_results() -> None:
    story = Story(n_units=1, grace_s=5.0)
    block = story.only(WorkerJoined("a"))
    story.tell(story.done(block, 10), WorkerLost("a"), WorkerRefused("b", "old"))

    assert story.only(Tick(5.0)).worker == HOME


def test_a_worker_whose_gpu_failed_gets_nothing_more_whatever_it_still_sends() -> None:
    story = Story(n_units=2, home_slots=0)
    bad, good = story.blocks(WorkerJoined("a", 2))
    story.tell(WorkerJoined("b"))
    again = story.only(failed(bad, Fault.DEVICE))
    more = story.blocks(story.done(good, 30), Tick(1e3), story.done(again))

    assert (again.worker, again.first, again.attempt, again.isolated) == ("b", 0, 1, False)
    assert story.notes() == [Trouble.GPU_FAILED]
    assert [(block.worker, block.unit, block.first) for block in more] == [("b", 1, 30)]


@pytest.mark.parametrize("gives_way", [False, True])
def test_without_a_gpu_that_works_the_run_ends_after_the_grace(gives_way: bool) -> None:
    story = Story(n_units=1, home_slots=0, grace_s=5.0, gives_way=gives_way)
    block = story.only(WorkerJoined("a"))
    story.tell(failed(block, Fault.DEVICE), WorkerJoined("b"), WorkerLost("b"))

    assert story.tell(Tick(4.9)) == []
    (finish,) = of(Finish, story.tell(Tick(5.0)))
    assert isinstance(finish.error, GpuError)
    assert "a: DEVICE" in str(finish.error)
    assert (Trouble.FAILED in story.notes()) != gives_way


def test_what_does_not_fit_into_a_gpu_ends_the_run_with_what_the_others_have() -> None:
    story = Story(n_units=2, home_slots=0, gives_way=True)
    large, other = story.blocks(WorkerJoined("a", 2))
    stopping = story.tell(failed(large, Fault.MEMORY))
    (finish,) = of(Finish, story.tell(story.done(other, 30)))

    assert of(StopBlock, stopping) == [StopBlock("a", 1, 0, 0)]
    assert (str(finish.error), story.have, story.notes()) == ("full", {1: 30}, [])


@pytest.mark.parametrize("times", [1, 2])
def test_where_the_coordinator_cannot_help_a_suspect_stays_on_the_only_worker(times: int) -> None:
    story = Story(n_units=1, home_slots=0)
    block = story.only(WorkerJoined("a"))
    for _ in range(times):
        block = story.only(failed(block, Fault.DIED))

    assert (block.worker, block.attempt) == ("a", times)


@pytest.mark.parametrize("seed", range(30))
def test_any_storm_ends_with_every_draw_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    story = Story(n_units=6, total=60, max_block=20, grace_s=3.0, home_slots=2)
    flying: list[RunBlock] = []
    workers: list[str] = []
    now = 0.0
    for step in range(2000):
        now += 0.5
        event: Event = Tick(now)
        dice = rng.random()
        if dice < 0.1 and len(workers) < 4:
            workers.append(f"w{step}")
            event = WorkerJoined(workers[-1], int(rng.integers(1, 3)))
        elif dice < 0.15 and workers:
            gone = workers.pop(int(rng.integers(len(workers))))
            event = WorkerLost(gone, expected=bool(rng.integers(2)))
        elif dice < 0.2 and flying:
            event = failed(flying.pop(int(rng.integers(len(flying)))), Fault.GONE)
        elif dice < 0.6 and flying:  # of a lost worker as well: a zombie
            block = flying[int(rng.integers(len(flying)))]
            event = story.done(block, int(rng.integers(1, block.n + 1)))
        flying += story.blocks(event)
        if story.plan.finished:
            break

    assert story.log[-1] == Finish(None)
    assert story.have == dict.fromkeys(range(6), 60)
