"""Stored runs on the command line."""

import shutil
from pathlib import Path

import pytest
import xarray as xr

import exmc_dask as ed
from exmc_dask.cli_models import load
from exmc_dask.cli_results import conclude, show
from tests.exmc_dask.test_cli import FEW, MODEL, run


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    """A folder with a model and the store of its run."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "model.py").write_text(MODEL)
    done = run("sample", str(folder / "model.py"), *FEW, "--store", str(folder / "run.zarr"))
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def folder(begun, tmp_path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "copy"))


def test_a_stored_run_is_shown_and_gone_on_with(folder):
    store, out = str(folder / "run.zarr"), str(folder / "out.zarr")
    shown = run("inspect", store).output
    done = run("resume", store, "--draws", "30", "--out", out)
    sizes = xr.open_datatree(out, engine="zarr", consolidated=False, chunks=None).posterior.sizes

    assert "chain 1: draw 100 of 100, warmup included" in shown
    assert "owner: " in shown
    assert "mu" in shown
    assert done.exit_code == 0, done.output
    assert sizes["draw"] == 80
    assert "draw 130 of 130" in run("inspect", store).output


def test_a_store_that_workers_write_is_shown_as_one(folder):
    store, out = str(folder / "pieces.zarr"), str(folder / "out.zarr")
    done = run(
        *("sample", str(folder / "model.py"), *FEW, "--store", store),
        *("--store-writers", "workers"),
    )
    shown = run("inspect", store).output
    again = run("resume", store, "--draws", "30", "--store-writers", "coordinator", "--out", out)

    assert done.exit_code == 0, done.output
    assert "MB, written by workers" in shown
    assert "chain 1: draw 100 of 100, warmup included" in shown
    assert again.exit_code == 0, again.output


def test_the_same_command_begins_a_run_and_goes_on_with_it(folder):
    command = ["sample", str(folder / "model.py"), *FEW, "--store", str(folder / "new.zarr")]

    for draws, total in ((50, 100), (50, 100), (70, 120)):
        done = run(*command, "--resume", "--draws", str(draws))
        assert done.exit_code == 0, done.output
        assert f"of {total}, warmup" in run("inspect", str(folder / "new.zarr")).output
    assert run(*command).output.startswith("exmc-dask: StoreError: store=")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tune", "60"), "tune=50 and not 60"),
        (("--chains", "3"), "chains=2 and not 3"),
        (("--seed", "5"), "seed=1 and not 5"),
        (("--target-accept", "0.9"), "target_accept=0.8 and not 0.9"),
        (("--data", "DATA"), "other data"),
    ],
)
def test_another_run_is_not_gone_on_with(words, said, folder):
    (folder / "data.json").write_text('{"seen": [3.0]}')
    words = [word.replace("DATA", str(folder / "data.json")) for word in words]
    store = ["--store", str(folder / "run.zarr"), "--resume"]
    done = run("sample", str(folder / "model.py"), *FEW, *store, *words)

    assert done.exit_code == 1
    assert "holds another run" in done.output
    assert said in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("resume", "nowhere.zarr"), "StoreError: nowhere.zarr holds no run"),
        (("inspect", "nowhere.zarr"), "StoreError: nowhere.zarr holds no run"),
        (("resume", "nowhere.zarr", "--out", "x"), "has to end in .zarr"),
        (("sample", __file__, "--resume"), "--resume needs --store"),
    ],
)
def test_a_mistake_is_one_clear_line(words, said):
    done = run(*words)

    assert done.exit_code == 1
    assert len(done.output.splitlines()) == 1
    assert said in done.output


@pytest.mark.parametrize("kind", ["a run", "a folder of others", "a file", "the store itself"])
def test_a_result_is_not_written_over_anything_else(kind, folder):
    out = folder / "out.zarr"
    store: tuple[str, ...] = ()
    if kind == "a run":
        shutil.copytree(folder / "run.zarr", out)
    elif kind == "a folder of others":
        out.mkdir()
        (out / "thesis.txt").write_text("of years")
    elif kind == "a file":
        out.write_text("of years")
    else:
        store = ("--store", str(out))
    before = sorted(folder.rglob("*"))

    done = run("sample", str(folder / "model.py"), *FEW, "--out", str(out), *store)

    assert done.exit_code == 1
    assert f"--out {out} is " in done.output
    assert sorted(folder.rglob("*")) == before


def test_a_run_that_was_stopped_is_shown_kept_and_told(folder, capsys):
    model = load(str(folder / "model.py"))
    out = folder / "out.zarr"
    with ed.sample(model, draws=10**7, random_seed=1, blocking=False, progressbar=False) as handle:
        next(handle.stream())
        handle.stop()
        trace = handle.wait()

    with pytest.raises(KeyboardInterrupt):
        conclude(trace, str(out))

    n_draws = trace.posterior.sizes["draw"]
    assert f"stopped early, with {n_draws} draws of each chain" in capsys.readouterr().err
    assert (out / "posterior" / "mu" / "zarr.json").exists()


@pytest.mark.parametrize("draws", [0, 3])
def test_few_draws_are_kept_and_not_judged(draws, folder, capsys):
    trace = ed.open_store(str(folder / "run.zarr")).isel(draw=slice(0, draws))

    show(trace, str(folder / "few.zarr"))

    assert capsys.readouterr().out.startswith("too few draws for a summary yet\nresult: ")
    assert (folder / "few.zarr" / "posterior").is_dir()
