"""The board of a scheduler: all runs and none twice, bounded, and bytes only at its door."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from exmc_dask.cluster.dashboard import board as boards
from exmc_dask.cluster.dashboard import metrics
from exmc_dask.cluster.dashboard.board import (
    KEEP_S,
    LOST,
    MAX_BYTES,
    MAX_RUNS,
    SILENT,
    SILENT_S,
    Board,
)
from exmc_dask.cluster.messages.bulletin import RUNNING, Bulletin, detail, summary
from exmc_dask.cluster.messages.wire import Stop, pack
from exmc_dask.cluster.plan.moves import Note, Trouble
from exmc_dask.errors import FormatError
from tests.cluster.dashboard.test_scribe import progress, scribe


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(boards, "time", made)
    return made


def bulletin(run: str = "a", draw: int = 300, **changes: Any) -> Bulletin:
    writer = scribe()
    writer.hear(progress(0, draw))
    return replace(writer.write(), run=run, **changes)


def states(board: Board) -> dict[str, str]:
    return {entry.bulletin.run: state for entry, state in board.runs()}


def test_the_last_bulletin_of_each_run_is_kept() -> None:
    board = Board()
    for run, draw in (("a", 1), ("b", 5), ("a", 9)):
        board.post(pack(bulletin(run, draw)))

    assert {e.bulletin.run: e.bulletin.draws for e, _ in board.runs()} == {"a": 9, "b": 5}
    assert board.serial == 3


@pytest.mark.parametrize(
    "message", [b"", b"EXMC", b"\x80\x04.", pack(Stop("a", True)), bytes(MAX_BYTES + 1)]
)
def test_what_is_no_bulletin_is_refused(message: bytes) -> None:
    board = Board()
    with pytest.raises(FormatError):
        board.post(message)

    assert board.runs() == []


def test_a_run_that_is_over_stays_for_a_while(clock: Clock) -> None:
    board = Board()
    board.post(pack(bulletin("over", state="complete")))
    clock.now += KEEP_S - 1
    assert states(board) == {"over": "complete"}
    clock.now += 2

    assert states(board) == {}


def test_there_is_room_for_so_many_runs_and_those_that_go_on_stay(clock: Clock) -> None:
    board = Board()
    board.post(pack(bulletin("running")))
    for k in range(MAX_RUNS + 5):
        clock.now += 1
        board.post(pack(bulletin(f"run {k}", state="complete")))

    assert set(states(board)) == {"running", *(f"run {k}" for k in range(6, MAX_RUNS + 5))}


def test_a_run_whose_client_is_gone_is_lost_and_one_that_says_nothing_silent(clock: Clock) -> None:
    board = Board()
    board.post(pack(bulletin("a", client="one")))
    board.post(pack(bulletin("b", client="two")))
    board.post(pack(bulletin("c", client="one", state="failed")))
    board.remove_client(SimpleNamespace(), "one")  # type: ignore[arg-type]
    assert states(board) == {"a": LOST, "b": RUNNING, "c": "failed"}
    clock.now += SILENT_S + 1

    assert states(board) == {"a": LOST, "b": SILENT, "c": "failed"}


def test_runs_that_go_on_come_first_and_the_newest_at_the_top() -> None:
    board = Board()
    for run, state, began_at in (("a", "complete", 9.0), ("b", RUNNING, 1.0), ("c", RUNNING, 2.0)):
        board.post(pack(bulletin(run, state=state, began_at=began_at)))

    assert list(states(board)) == ["c", "b", "a"]


def test_counters_count_what_is_new_and_never_fall(clock: Clock) -> None:
    board = Board()
    for draw in (100, 250, 250):
        board.post(pack(bulletin("a", draw, kinds={"worker lost": 2})))
    board.post(pack(bulletin("b", 50, state="complete", kinds={"worker lost": 1})))
    clock.now += 2 * KEEP_S

    assert "b" not in states(board)
    assert (board.totals["draws"], board.totals["gradients"]) == (300, 2100)
    assert board.notes == {"worker lost": 3}


def test_json_has_totals_chains_variables_and_notes_and_no_nan() -> None:
    writer = scribe()
    writer.hear(progress(1, 300))
    writer.hear(Note(Trouble.WORKER_LOST, "<it> died"))
    told = summary(writer.write(), RUNNING, 0.5) | detail(writer.write())
    read = json.loads(json.dumps(told, allow_nan=False))

    assert (read["draws"], read["draws_wanted"], read["rhat"]) == (300, 3000, None)
    (chain,) = read["chain_list"]
    assert (chain["chain"], chain["draw"], chain["step_size"]) == (1, 300, None)
    assert (read["events"][0]["kind"], read["events"][0]["message"]) == ("worker lost", "<it> died")


def test_prometheus_reads_the_last_board_of_the_process() -> None:
    client = pytest.importorskip("prometheus_client")
    first, second = Board(), Board()
    second.post(pack(bulletin(owner='ada"@\nhost', kinds={"fallback": 1})))
    for board in (first, second):
        metrics.show(board)
    text = client.generate_latest().decode()
    metrics.hide(first)
    metrics.hide(second)

    assert "dask_exmc_draws_total 300.0" in text
    assert 'dask_exmc_notes_total{kind="fallback"} 1.0' in text
    assert 'dask_exmc_runs{state="running"} 1.0' in text
    assert 'dask_exmc_run_done{owner="ada\\"@\\nhost",run="a"} 0.1' in text
    assert "dask_exmc" not in client.generate_latest().decode()


def test_a_board_that_is_closed_leaves_no_metrics() -> None:
    pytest.importorskip("prometheus_client")
    board = Board()
    metrics.show(board)
    asyncio.run(board.close())

    assert not metrics._shown
