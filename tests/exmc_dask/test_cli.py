"""The command line: what it prints, what it writes, and with which code it ends."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner, Result

from exmc_dask import cli
from exmc_dask.cli_models import load, read_data
from exmc_dask.errors import DataError, OptionError
from exmc_dask.kernels.cuda import gpu

MODEL = """
import exmc_dask as ed

with ed.Model() as model:
    mu = ed.Normal("mu", 0, 5)
    y = ed.Normal("y", mu, 1, observed=ed.Data("seen", [1.0, 2.0, 3.0]))

def made():
    return model

number = 3
"""
FEW = ("--draws", "50", "--tune", "50", "--chains", "2", "--seed", "1")


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.main, words)


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return str(path)


@pytest.mark.parametrize("command", cli.main.commands)
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")

    assert result.exit_code == 0
    assert str(cli.main.commands[command].help).split(",")[0] in result.output


def test_info_names_versions_devices_and_the_cache() -> None:
    result = run("info")

    assert result.exit_code == 0
    for word in ("exmc-dask     0.1.0", "numba", "distributed", "cores, class", "kernel cache"):
        assert word in result.output


def test_a_run_has_a_dashboard_on_request(model: str) -> None:
    shown = run("sample", model, *FEW, "--dashboard")
    refused = run("sample", model, *FEW, "--dashboard", "--scheduler", "threads")

    assert shown.exit_code == 0
    assert re.search(r"dashboard at http://127\.0\.0\.1:\d+/exmc\n", shown.stderr)
    assert refused.exit_code == 1
    assert "--dashboard is for clusters that we start, not for threads" in refused.stderr


@pytest.mark.parametrize("unread", ["stdout", "both"])
def test_a_pipe_that_is_read_no_further_is_no_error(unread: str) -> None:
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-c", "from exmc_dask.cli import main; main()", "info"],
        stdout=write,
        stderr=write if unread == "both" else subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(write)

    assert ended.returncode == 1
    assert not ended.stderr


def test_the_cache_is_shown_and_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXMC_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / ("a" * 64)
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    (folder / "kernel_1.py").write_text(" " * 100_000)

    shown = run("info", "--cache").output
    young = run("cache", "clear", "--older-than", "1").output
    cleared = run("cache", "clear").output

    assert "cache: 1 kernels, 0.1 MB, 1 versions of the runtime" in shown
    assert "aaaaaaaaaaaaaaaa      1 kernels      0.1 MB   last used 20" in shown
    assert young.startswith("deleted 0 versions")
    assert cleared == "deleted 1 versions of the runtime, 0.1 MB\n"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("sample",), 2, "Missing argument 'MODEL'"),
        (("sample", "m.py", "--chain", "3"), 2, "No such option"),
        (("sample", "nowhere.py"), cli.ERROR, "there is no file nowhere.py"),
        (("sample", "m.py", "--out", "x.nc"), cli.ERROR, "--out x.nc: the name has to end in"),
    ],
)
def test_errors_are_one_line_and_a_code(words: tuple[str, ...], code: int, said: str) -> None:
    result = run(*words)

    assert result.exit_code == code
    assert said in result.output.splitlines()[-1]
    assert "Traceback" not in result.output


def test_debug_shows_where() -> None:
    result = run("--debug", "sample", "nowhere.py")

    assert isinstance(result.exception, OptionError)


def test_an_unexpected_error_is_one_line_too(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")

    result = run("check", str(tmp_path / "broken.py"))

    assert result.exit_code == cli.ERROR
    assert "ZeroDivisionError: division by zero; 'exmc-dask --debug" in result.output


@pytest.mark.parametrize("name", ["", ":model", ":made"])
def test_a_model_is_found_by_name(name: str, model: str) -> None:
    assert "mu" in repr(load(model + name))


@pytest.mark.parametrize("name", [":number", ":absent"])
def test_what_is_no_model_is_refused(name: str, model: str) -> None:
    with pytest.raises(OptionError, match=f"no model called {name[1:]}"):
        load(model + name)


@pytest.mark.parametrize("form", ["npz", "json"])
def test_data_take_the_place_of_the_models_own(form: str, model: str, tmp_path: Path) -> None:
    path = tmp_path / f"data.{form}"
    if form == "npz":
        np.savez(path, seen=[4.0, 5.0])
    else:
        path.write_text(json.dumps({"seen": [4.0, 5.0]}))

    np.testing.assert_array_equal(load(model, str(path)).data["seen"], [4.0, 5.0])


@pytest.mark.parametrize(("name", "text"), [("d.csv", "1,2"), ("d.json", "[1, 2]")])
def test_other_data_files_are_refused(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(DataError, match=name):
        read_data(tmp_path / name)


def test_sample_reports_and_keeps_the_result(model: str, tmp_path: Path) -> None:
    out = tmp_path / "trace.zarr"

    result = run("sample", model, "--scheduler", "threads", *FEW, "--out", str(out))

    assert result.exit_code == 0, result.output
    assert "ess_bulk" in result.output
    assert "effective sample size" in result.output
    with xr.open_datatree(out, engine="zarr", consolidated=False) as trace:
        assert trace.posterior.mu.shape == (2, 50)


def test_check_passes_a_fit_model(model: str) -> None:
    result = run("check", model)

    assert result.exit_code == 0, result.output
    assert "gradient error" in result.output


def test_check_refuses_a_model_without_a_start(tmp_path: Path) -> None:
    (tmp_path / "unfit.py").write_text(
        "import exmc_dask as ed\n"
        "with ed.Model() as model:\n"
        "    x = ed.HalfNormal('x', 1)\n"
        "    ed.Potential('wall', ed.math.log(x - 1e9))\n"
    )

    result = run("check", str(tmp_path / "unfit.py"))

    assert result.exit_code == cli.UNFIT, result.output
    assert "trouble: chain 0 has no starting point" in result.output


def test_demo_runs_as_a_user_runs_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("exmc-dask")), "demo"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONWARNINGS": "error::UserWarning"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    for word in ("theta[Choate]", "ess_bulk", "diagnosis: nothing found", "eight_schools.png"):
        assert word in done.stdout
    assert (tmp_path / "eight_schools.png").read_bytes().startswith(b"\x89PNG")


def test_a_result_that_needs_zarr_is_refused_before_the_run(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exmc_dask.cli_results.find_spec", lambda name: None)

    result = run("sample", model, "--out", "x.zarr")

    assert result.exit_code == cli.ERROR
    assert result.output.splitlines() == [
        "exmc-dask: OptionError: --out needs zarr, which is not installed: "
        "pip install 'exmc-dask[store]'"
    ]


def test_a_model_of_another_name_is_told(model: str) -> None:
    assert run("sample", f"{model}:other").output.endswith("called other; there is model\n")


def test_a_model_may_come_as_bytes(model: str, tmp_path: Path) -> None:
    file, data = tmp_path / "model.exmc", tmp_path / "data.json"
    file.write_bytes(load(model).to_bytes())
    data.write_text(json.dumps({"seen": [4.0, 5.0]}))

    traces: list[xr.DataTree] = []
    for path in (model, str(file)):
        out = str(tmp_path / f"{len(traces)}.zarr")
        assert run("sample", path, *FEW, "--data", str(data), "--out", out).exit_code == 0
        traces.append(xr.open_datatree(out, engine="zarr", consolidated=False).load())

    np.testing.assert_array_equal(*(trace.posterior["mu"] for trace in traces))
    np.testing.assert_array_equal(traces[1].observed_data["y"], [4.0, 5.0])


def test_other_files_are_no_models(tmp_path: Path) -> None:
    file = tmp_path / "model.txt"
    file.write_text("with ed.Model() as model: ...")

    result = run("check", str(file))

    assert result.exit_code == cli.ERROR
    assert (
        "neither a Python file, whose name ends in .py, nor what model.to_bytes()" in result.output
    )


def test_the_target_of_a_command_is_that_of_its_run(model: str, tmp_path: Path) -> None:
    store = str(tmp_path / "run.zarr")
    begun = run("sample", model, *FEW, "--store", store, "--target", "cpu")

    asked = [
        ("sample", model, *FEW),
        ("sample", model, *FEW, "--store", store, "--resume"),
        ("resume", store),
    ]
    assert begun.exit_code == 0
    if not gpu.missing():
        pytest.skip("this machine has a GPU")
    for words in asked:
        refused = run(*words, "--target", "cuda")
        assert refused.exit_code == cli.ERROR
        assert "target='cuda' needs an NVIDIA GPU" in refused.output.splitlines()[-1]
