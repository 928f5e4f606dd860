"""The benchmark of GPUs, from its first line to its last, on a device that is none."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import gpu as benchmark
from exmc_dask.errors import GpuError
from exmc_dask.kernels.cuda import gpu, on_gpu
from exmc_dask.sampler.state import ChainState, Draws
from on_card.blocks import Bench
from on_card.compiling import compile_all
from on_card.machine import Card, Rates, Twin
from on_card.moments import LIMIT, apart
from on_card.report import Budget
from on_card.subject import Subject
from on_card.supervised import AGAIN, supervised
from tests.kernels.devices import Host, stand_in

SMALL = [
    *("--models", "simple", "--chains", "6,3", "--few", "4", "--tune", "30", "--run-draws", "20"),
    *("--repeat-draws", "3", "--seconds", "0.02", "--processes", "0", "--tiled-chains", ""),
    *("--sweep-chains", ""),
]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> list[Host]:
    """Let numba on the CPU be the card; return the devices that were opened."""
    opened = stand_in(monkeypatch, lambda kernel, _: Host(kernel.program.source, kernel.lanes))
    monkeypatch.setattr(on_gpu, "choose_lanes", lambda *_: 1)
    monkeypatch.setattr(Card, "name", "a processor")
    monkeypatch.setattr(Card, "rates", lambda self, size_bytes: Twin().rates(size_bytes))
    return opened


def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    if not gpu.missing():
        pytest.skip("this machine has a GPU")

    assert benchmark.main(SMALL) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_it_goes_from_the_first_line_to_the_last(card: list[Host], tmp_path: Path) -> None:
    file = tmp_path / "found.json"

    assert benchmark.main([*SMALL, "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert card
    assert found["left_out"] == []
    assert [row["holds"] for row in (*found["blocks"], *found["runs"])] == [True, True]
    assert [row["chains"] for row in found["speeds"][1:]] == [6, 3]  # behind that of the CPU
    for row in found["speeds"]:
        assert row["leapfrogs_per_s"] > row["draws_per_s"] > 0
        assert 0 < row["fraction"] < 1


def test_chains_that_share_tiles_are_timed_beside_those_that_do_not(
    card: list[Host], tmp_path: Path
) -> None:
    file = tmp_path / "found.json"
    small = ("--models", "", "--tiled-chains", "3", "--tiled-rows", "150", "--json", str(file))

    assert benchmark.main([*SMALL, *small]) == 0
    found = json.loads(file.read_text())
    assert [row["model"] for row in found["speeds"]] == ["regression", "regression, tiles"]
    assert [row["holds"] for row in found["blocks"]] == [True]
    assert found["tiles"][0]["times_as_fast"] > 0


def test_other_lanes_and_blocks_are_timed_last(card: list[Host], tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    few = ("--sweep-chains", "4", "--sweep-lanes", "1,8", "--sweep-blocks", "64,128,256")

    assert benchmark.main([*SMALL, "--chains", "3", *few, "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    tried = [(row["lanes"], row["block"]) for row in found["sweep"]]
    assert tried == [(1, 128), (8, 128), (1, 64), (1, 256)]
    assert list(found).index("sweep") > list(found).index("speeds")


def test_a_kernel_that_cannot_be_compiled_costs_only_itself() -> None:
    pairs = [("simple", 1), ("no such model", 1), ("simple", 3)]

    rows = [*compile_all(pairs, ["--target", "cpu"], 3, limit_s=290.0, one_s=280.0)]

    found = {(row["model"], row["lanes"]): row for row in rows}
    assert found["simple", 1]["seconds"] > 0
    assert "no such model" in found["no such model", 1]["error"]
    assert "lanes=3" in found["simple", 3]["error"]
    assert [*compile_all(pairs, [], 1, limit_s=0.0)] == []


def test_compiling_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, asked = Bench(Twin()), []
    subject = benchmark.subject("simple", 5)
    right = Bench.make

    def make(self: Bench, subject: Subject, lanes: int, chains: Any, n: int, **rest: Any) -> Any:
        asked.append(n)
        return right(self, subject, lanes, chains, n, **rest)

    monkeypatch.setattr(Bench, "make", make)
    bench.speed(subject, 1, subject.starts(2), Rates(1e9, 1e9), 0.01)

    assert asked[0] == 0
    assert all(asked[1:])


def test_lanes_are_tried_on_a_processor() -> None:
    bench = Bench(Twin())
    subject = benchmark.subject("simple", 5)

    assert bench.check(subject, 2, chains=2, draws=1).holds


def test_other_draws_are_seen(card: list[Host], monkeypatch: pytest.MonkeyPatch) -> None:
    right = Subject.on_cpu

    def of_another_seed(self: Subject, state: ChainState, n: int) -> tuple[ChainState, Draws]:
        return right(replace(self, settings=replace(self.settings, seed=2)), state, n)

    monkeypatch.setattr(Subject, "on_cpu", of_another_seed)

    assert benchmark.main([*SMALL, "--chains", ""]) == 1


def test_what_raises_is_wrong_and_the_rest_goes_on(
    card: list[Host], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("an illegal address")

    monkeypatch.setattr(Bench, "check", fails)
    file = tmp_path / "found.json"

    assert benchmark.main([*SMALL, "--chains", "3", "--json", str(file)]) == 1
    found = json.loads(file.read_text())
    assert found["blocks"] == [
        {"of": "simple with 1 lanes", "error": "RuntimeError('an illegal address')", "holds": False}
    ]
    assert len(found["speeds"]) == 2


def test_without_a_peer_or_a_model_only_that_is_missing(
    card: list[Host], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "on_card.peers", None)
    file = tmp_path / "found.json"
    options = ["--models", "funnels,simple", "--chains", "3", "--peers", "numpyro"]

    assert benchmark.main([*SMALL, *options, "--json", str(file)]) == 1
    found = json.loads(file.read_text())
    assert [row["of"] for row in (*found["models"], *found["peers"])] == ["funnels", "numpyro"]
    assert [row["holds"] for row in (*found["blocks"], *found["runs"])] == [True, True]
    assert len(found["speeds"]) == 2


def test_a_gpu_that_fails_ends_the_process_with_what_there_is_and_the_next_goes_on(
    card: list[Host], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise GpuError("it failed")

    monkeypatch.setattr(Bench, "check", fails)
    file = tmp_path / "found.json"
    options = [*SMALL, "--chains", "3", "--json", str(file)]

    assert benchmark.main(options) == AGAIN
    assert benchmark.main([*options, "--go-on"]) == 1
    found = json.loads(file.read_text())
    assert [row["of"] for row in found["blocks"]] == ["simple with 1 lanes"]
    assert [row["holds"] for row in found["runs"]] == [True]
    assert len(found["speeds"]) == 2


PARTS = """
import os, sys
from pathlib import Path
from on_card.report import Report

report = Report.go_on(Path(sys.argv[sys.argv.index("--json") + 1]))
for what in ("good", "deadly", "last"):
    if report.is_new("parts", what):
        with report.attempt("parts", what):
            if what == "deadly":
                os._exit(9)
            report.add("parts", {"part": what})
"""


def test_what_kills_its_process_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    file = tmp_path / "found.json"

    assert supervised([sys.executable, "-c", PARTS], file, 60.0) == 0
    good, deadly, last = json.loads(file.read_text())["parts"]
    assert (good, last) == ({"part": "good"}, {"part": "last"})
    assert (deadly["of"], deadly["holds"]) == ("deadly", False)
    assert "status 9" in deadly["error"]


HANGS = """
import sys, time
from pathlib import Path
from on_card.report import Report

report = Report.go_on(Path(sys.argv[sys.argv.index("--json") + 1]))
for what in ("endless", "last"):
    if report.is_new("parts", what):
        with report.attempt("parts", what, patience_s=0.5):
            if what == "endless":
                time.sleep(1000)
            report.add("parts", {"part": what})
"""


def test_what_hangs_is_ended_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    file = tmp_path / "found.json"

    assert supervised([sys.executable, "-c", HANGS], file, 60.0) == 0
    endless, last = json.loads(file.read_text())["parts"]
    assert (endless["of"], endless["holds"]) == ("endless", False)
    assert last == {"part": "last"}


def test_without_time_nothing_is_begun(card: list[Host], capsys: Any) -> None:
    assert benchmark.main([*SMALL, "--budget", "0"]) == 0
    assert not card
    assert "0 of 0 checks hold" in capsys.readouterr().out


def test_what_there_was_no_time_for_is_remembered() -> None:
    budget = Budget(5.0)

    assert [budget.allows("short", 1.0), budget.allows("long", 6.0)] == [True, False]
    assert budget.left_out == ["long"]


@pytest.mark.parametrize(
    ("shift", "scale", "holds"), [(0, 1, True), (0.1, 1, False), (0, 1.1, False)]
)
def test_runs_of_other_laws_are_apart(shift: float, scale: float, holds: bool) -> None:
    rng = np.random.default_rng(3)

    def trace(shift: float, scale: float) -> xr.DataTree:
        x = shift + scale * rng.normal(size=(64, 200, 3))
        return xr.DataTree.from_dict({"posterior": xr.Dataset({"x": (("chain", "draw", "k"), x)})})

    found = apart("normal", trace(0, 1), trace(shift, scale))
    few = apart("normal", trace(0, 1).isel(chain=[0, 1]), trace(0, 1).isel(chain=[0, 1]))

    assert found.holds is holds
    assert few.holds
    assert found.compared == 12
    assert (abs(found.largest) <= LIMIT) is holds
