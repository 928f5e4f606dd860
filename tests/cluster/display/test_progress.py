"""What a run shows of itself: the right form, all that matters in it, and at next to no cost."""

import io
import json
import re
import subprocess
import sys
from math import nan
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from exmc_dask.cluster.display import tally
from exmc_dask.cluster.display.progress import LINE_S, watch
from exmc_dask.cluster.display.tally import DRAW_SHARE, Meter, span
from exmc_dask.cluster.display.terminal import N_ROWS
from exmc_dask.cluster.plan.moves import Note, Phase, Progress, Trouble
from exmc_dask.cluster.plan.nouns import Words
from exmc_dask.errors import OptionError
from exmc_dask.sampler.state import Draws


class Clock:
    """Seconds that pass when the test says so, and ``cost`` more at each look."""

    def __init__(self, cost: float = 0.0) -> None:
        self.now = 100.0
        self.cost = cost

    def __call__(self) -> float:
        self.now += self.cost
        return self.now


@pytest.fixture(autouse=True)
def _width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def last_frame(out: io.StringIO) -> str:
    """What the terminal shows at the end, without colours."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue()).replace("\r", "\n")
    return text[text.rindex("chain  ") :]


def progress(unit: int = 0, draw: int = 300, **changes) -> Progress:
    fields = {
        "unit": unit,
        "draw": draw,
        "total": 1500,
        "phase": Phase.WARMUP,
        "step_size": 0.25,
        "divergences": 3,
        "gradients": 2100,
        "seconds": 2.0,
        "worker": "tcp://127.0.0.1:4001",
        "attempt": 0,
        "retries": 1,
    }
    return Progress(**{**fields, **changes})


NOTE = Note(Trouble.WORKER_LOST, "worker b died with 1 block(s) in flight", worker="b")


def test_the_table_shows_each_chain_and_the_whole() -> None:
    clock, out = Clock(), Terminal()
    show = watch(True, 2, 1500, stream=out, clock=clock)

    clock.now += 1.0
    show(progress(0))
    clock.now += 1.0
    show(progress(1, draw=1500, phase=Phase.DONE, step_size=nan))
    show.close()

    last = last_frame(out)
    for text in ("300/1500", "warmup", "0.25", " 7 ", "150", "8 s", "done", "127.0.0.1:4001"):
        assert text in last
    assert re.search(r"all .* 60% +6 .* 900 +1 s +2", last)
    assert "chains: 1 warmup, 1 done; 2 s gone" in last
    assert "chains: 1 waiting, 1 warmup; 1 s gone" in out.getvalue()


@pytest.mark.parametrize(
    ("width", "lacks"),
    [
        (30, {"left", "div", "draws/s", "again", "step", "worker", "grad"}),
        (60, {"draws/s", "step", "worker", "grad"}),
        (80, {"worker", "grad"}),
        (120, set()),
    ],
)
def test_a_narrow_table_gives_up_what_matters_least(
    width: int, lacks: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    clock, out = Clock(), Terminal()
    show = watch("rich", 1, 1500, stream=out, clock=clock)
    clock.now += 1.0
    show(progress())
    show.close()

    lines = last_frame(out).splitlines()
    assert max(map(len, lines)) <= width
    titles = {
        "chain",
        "draws",
        "phase",
        "left",
        "div",
        "draws/s",
        "again",
        "step",
        "worker",
        "grad",
    }
    assert set(lines[0].split()) == titles - lacks


def test_the_whole_has_rhat_and_ess_so_far() -> None:
    clock, out = Clock(), io.StringIO()
    show = watch("log", 2, 1500, 100, stream=out, clock=clock)
    rng = np.random.default_rng(1)

    for unit in range(2):
        values, ints = rng.normal(size=(300, 4)), np.zeros((300, 1), np.int64)
        draws = Draws(0, values, values, values, ints)
        block: Any = SimpleNamespace(unit=unit, draws=draws, receipt=None, unwritten="")
        show.block(block)
    clock.now += 1.0
    show(progress())

    assert re.search(r"R-hat up to 1\.0\d\d, ESS from [1-4]\d\d;", out.getvalue())


def test_a_table_of_many_chains_shows_the_furthest_behind() -> None:
    clock, out = Clock(), Terminal()
    show = watch("rich", 100, 1500, stream=out, clock=clock)

    for unit in range(100):
        show(progress(unit, draw=1500 - unit))
    show.close()
    assert out.getvalue() == ""

    clock.now += 1.0
    show(progress(99, draw=1402))
    show.close()

    last = last_frame(out)
    assert "1402/1500" in last
    assert "1500/1500" not in last
    assert f"{100 - N_ROWS} chains are further" in last


@pytest.mark.parametrize("form", ["log", "rich"])
def test_parts_of_a_fit_are_called_what_they_are(form: str) -> None:
    clock, out = Clock(), Terminal()
    show = watch(form, 2, 1500, words=Words("population", "stage"), stream=out, clock=clock)
    clock.now += LINE_S + 1
    show(progress())
    show.close()

    for text in ("populations: 1 waiting, 1 warmup", "stages"):
        assert text in out.getvalue()
    assert "chain" not in out.getvalue()
    assert "draw" not in out.getvalue()


def test_a_log_gets_a_line_now_and_then() -> None:
    clock, out = Clock(), io.StringIO()
    show = watch(True, 1, 1500, stream=out, clock=clock)

    for second in range(25):
        clock.now += 1.0
        show(progress(draw=60 * second))
    show.close()

    lines = out.getvalue().splitlines()
    assert len(lines) == 1 + 25 // LINE_S + 1
    assert lines[-1] == (
        "exmc_dask: 1440 of 1500 draws; chains: 1 warmup; 3 divergences; 1 block run again; "
        "58 draws/s; 25 s gone, 1 s left"
    )


@pytest.mark.parametrize("form", ["rich", "log"])
def test_a_short_run_shows_nothing(form: str) -> None:
    out = Terminal()
    show = watch(form, 1, 1500, stream=out, clock=Clock())

    show(progress())
    show.close()

    assert out.getvalue() == ""


@pytest.mark.parametrize("form", ["rich", "log"])
def test_notes_are_shown_whatever_happens(form: str) -> None:
    out = Terminal()
    show = watch(form, 1, 1500, stream=out, clock=Clock())

    show(NOTE)
    show.close()

    assert "worker lost: worker b died with 1 block(s) in flight" in out.getvalue()


def test_json_is_one_line_an_event_and_one_for_the_whole() -> None:
    clock, out = Clock(), io.StringIO()
    show = watch("json", 2, 1500, stream=out, clock=clock)
    show(progress(step_size=nan))
    show(NOTE)
    clock.now += 2.0
    show(progress(1, draw=900))
    show.close()

    first, second, third, whole, last = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["draw"], first["step_size"]) == ("progress", 300, None)
    assert (second["event"], second["kind"]) == ("note", "worker lost")
    assert (third["event"], third["unit"]) == ("progress", 1)
    assert whole == last
    assert (last["event"], last["draw"], last["total"], last["left_s"]) == ("all", 1200, 3000, 3.0)
    assert (last["chains"], last["retries"], last["rhat"]) == ({"warmup": 2}, 2, None)


class Gone(io.StringIO):
    """A pipe that nobody reads any more."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.tries = 0

    def write(self, _: str) -> int:
        self.tries += 1
        raise self.error


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("I/O operation on closed file")])
@pytest.mark.parametrize("form", ["rich", "log", "json"])
def test_a_reader_that_is_gone_costs_no_run(form: str, error: Exception) -> None:
    clock, out = Clock(), Gone(error)
    show = watch(form, 1, 1500, stream=out, clock=clock)
    for _ in range(3):
        clock.now += 20.0
        show(progress())
        show(NOTE)
    show.close()

    assert out.tries == 1


def test_a_callable_gets_every_event() -> None:
    seen: list[object] = []
    show = watch(seen.append, 1, 1500)

    show(progress())
    show(NOTE)
    show.close()

    assert seen == [progress(), NOTE]


@pytest.mark.parametrize("show", [False, None])
def test_nothing_is_shown_on_request(show: bool | None) -> None:
    out = Terminal()
    quiet = watch(show, 1, 1500, stream=out)

    quiet(NOTE)
    quiet.close()

    assert out.getvalue() == ""


def test_another_wish_is_refused() -> None:
    with pytest.raises(OptionError, match="progressbar='bar' is not possible"):
        watch("bar", 1, 1500)


@pytest.mark.parametrize("cost", [0.001, 0.01, 0.3])
def test_showing_takes_no_more_than_its_share_of_the_time(cost: float) -> None:
    clock = Clock()
    meter = Meter(clock, DRAW_SHARE)
    spent, began = 0.0, clock.now

    def draw() -> None:
        nonlocal spent
        clock.now += cost
        spent += cost

    for _ in range(40_000):
        clock.now += 0.01
        meter.when_due(0.0, draw)

    seconds = clock.now - began
    assert 0.8 * DRAW_SHARE < spent / seconds < 1.01 * DRAW_SHARE + cost / seconds


def test_nothing_is_done_that_is_expected_to_take_more_than_its_share() -> None:
    clock, done = Clock(), []
    meter = Meter(clock, 0.01)
    for _ in range(9):
        clock.now += 1.0
        meter.when_due(0.0, lambda: done.append(clock.now), expected_s=0.055, last=True)

    assert done == [106.0, 107.0, 108.0, 109.0]


def test_nothing_is_loaded_for_a_look_that_a_run_cannot_afford(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(tally, "import_module", loaded.append)
    clock = Clock()
    watched = tally.Tally(1000, 100, 0, clock)
    none = np.empty((100, 0))
    for unit in range(1000):
        draws = Draws(0, np.zeros((100, 12)), none, none, none.astype(np.int64))
        block: Any = SimpleNamespace(unit=unit, draws=draws, receipt=None, unwritten="")
        watched.block(block)
    for last in (False, True):
        clock.now += 5.0
        watched.look_again(last)

    assert (watched.look, loaded) == (None, [])
    clock.now += 1e6
    watched.look_again()
    assert watched.look is not None
    assert loaded == ["scipy.special"]


def test_rich_is_loaded_only_to_draw() -> None:
    probe = (
        "import sys; from exmc_dask.cluster.display.progress import watch; "
        "w = watch('rich', 1, 10); w.close(); assert 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", probe], cwd="/", check=True)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (15_000, "4 h 10 min"), (nan, "?")],
)
def test_a_span_reads_well(seconds: float, text: str) -> None:
    assert span(seconds) == text
