"""Runs in stores: begun, gone on with, shown; the draws are those of one that was never stopped."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import exmc_dask as ed
from exmc_dask.errors import OptionError, StoreError, StoreTaken
from exmc_dask.runs.keeper import begin
from exmc_dask.runs.recipe import write
from exmc_dask.sampler.settings import Settings
from exmc_dask.store.writer import Writer
from tests.exmc_dask.store.story import equal

QUIET: dict[str, Any] = {"progressbar": False, "compute_convergence_checks": False}
MODEL = (
    ed.Builder(coords={"school": ["A", "B", "C"]})
    .data("x", [1.0, 2.0, 4.0], dims="school")
    .rv("mu", ed.Normal, mu=0.0, sigma=5.0)
    .rv("theta", ed.Normal, mu="mu", sigma="x", dims="school")
    .obs("y", "theta", [2.1, 1.8, 2.5])
    .build()
)


def sample(**options: Any) -> Any:
    fixed = {"chains": 2, "tune": 100, "random_seed": 7}
    return ed.sample(MODEL, **fixed | QUIET | options)


def resume(place: str, **options: Any) -> Any:
    return ed.resume(place, **QUIET | options)


def slowly(**options: Any) -> ed.Run:
    """Begin a run that can be caught in the middle."""
    slow = {"progressbar": lambda _: time.sleep(0.003), "block_draws": 7, "blocking": False}
    return sample(**options | slow)


def reach(run: ed.Run, draws: int) -> None:
    """Wait until both chains have so many draws."""
    seen = set()
    for draw in run.stream(draws):
        seen.add(draw.chain)
        if len(seen) == 2:
            return


def stopped_at(run: ed.Run, draws: int) -> int:
    """Stop a run once both chains have so many draws, and say how many there are then."""
    reach(run, draws)
    run.stop()
    return run.wait(60).posterior.sizes["draw"]


@pytest.fixture
def place(tmp_path) -> str:
    return str(tmp_path / "run.zarr")


OPTIONS = {
    "plain": {},
    "warmup": {"discard_tuned_samples": False},
    "thinned": {"thin": 3, "store_unconstrained": True},
    "chosen": {"var_names": ["mu"], "ncp": False},
    "initvals": {"initvals": [{"mu": 1.0}, {"mu": -1.0}], "target_accept": 0.9},
    "densities": {"log_likelihood": True, "metric": "low_rank"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_run_that_was_ended_goes_on_as_if_it_had_not_been(options, place):
    whole = sample(draws=200, **options)
    run = slowly(draws=200, store=place, **options)
    n = stopped_at(run, 20)

    assert 5 < n < 200 // options.get("thin", 1)
    assert (ed.open_store(place).posterior["mu"] == whole.posterior["mu"][:, :n]).all()
    equal(without_workers(resume(place)), without_workers(whole))
    equal(without_workers(ed.open_store(place)), without_workers(whole, ["log_likelihood"]))


@pytest.mark.parametrize("way", ["resume", "extend", "both", "while it goes on"])
def test_more_draws_are_those_of_a_run_that_was_asked_for_all(way, place):
    whole = sample(draws=220)
    if way == "while it goes on":
        run = sample(draws=100, store=place, blocking=False)
        run.extend(120)
        found = run.wait()
    elif way == "resume":
        sample(draws=100, store=place)
        found = resume(place, draws=120)
    else:
        run = sample(draws=100, store=place, blocking=False)
        run.wait()
        run.extend(20 if way == "both" else 120)
        run.wait()
        found = resume(place, draws=100) if way == "both" else run.wait()

    equal(without_workers(found), without_workers(whole))
    equal(without_workers(ed.open_store(place)), without_workers(whole))
    equal(without_workers(resume(place)), without_workers(whole))


@pytest.mark.parametrize("options", [{}, {"discard_tuned_samples": False}, {"thin": 7}])
def test_a_run_that_ended_in_its_warmup_loses_nothing(place, options):
    wanted = {"draws": 70, "tune": 2000, **options}
    run = slowly(**wanted, store=place, checkpoint_s=0.0)
    while not run.progress or max(chain.draw for chain in run.progress) < 30:
        time.sleep(0.01)
    run.abort()
    assert run.wait(60).posterior.sizes["draw"] == 0

    equal(without_workers(resume(place)), without_workers(sample(**wanted)))


def test_wishes_that_come_at_once_meet_one_writer(place, monkeypatch):
    made: list[Writer] = []

    class Slow(Writer):
        def __init__(self, *args: Any, **options: Any) -> None:
            made.append(self)
            time.sleep(0.1)
            super().__init__(*args, **options)

    monkeypatch.setattr("exmc_dask.runs.keeper.Writer", Slow)
    recipe = write(MODEL, Settings(seed=1, draws=10, tune=10), chains=1)
    keeper = begin(place, recipe, "raise", 10.0)
    keeper.close()  # the next wish or block opens the store again
    wishes = [threading.Thread(target=keeper.aim, args=(recipe,)) for _ in range(3)]
    for wish in wishes:
        wish.start()
    for wish in wishes:
        wish.join()
    keeper.close()
    assert len(made) == 2


def test_a_run_until_its_draws_suffice_ends_where_it_would_have(place):
    until = {"ess_bulk": 300}
    whole = sample(draws=2000, until=until)
    assert stopped_at(slowly(draws=2000, until=until, store=place), 50) < 200
    found = resume(place)

    assert 200 <= whole.posterior.sizes["draw"] < 2000
    equal(without_workers(found), without_workers(whole))
    more = resume(place, draws=30)
    assert more.posterior.sizes["draw"] == whole.posterior.sizes["draw"] + 30


def test_a_store_behind_a_url(place):
    whole = sample(draws=150)
    sample(draws=100, store="memory://exmc-test/run.zarr")
    equal(without_workers(resume("memory://exmc-test/run.zarr", draws=50)), without_workers(whole))
    equal(without_workers(ed.open_store("memory://exmc-test/run.zarr")), without_workers(whole))
    sample(draws=150, store=f"file://{place}")
    equal(without_workers(ed.open_store(place)), without_workers(whole))


def test_the_process_that_was_overtaken_stops_and_keeps_what_it_has(place):
    old = sample(draws=100_000, store=place, blocking=False, block_draws=20, checkpoint_s=0.0)
    reach(old, 100)
    new = resume(place, blocking=False, block_draws=20)

    with pytest.raises(StoreTaken, match=r"taken over by .*epoch 2 after 1") as caught:
        old.wait(60)
    assert caught.value.partial.posterior.sizes["draw"] > 100
    assert stopped_at(new, 100) > 100


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda place: sample(draws=10, store=place), r"holds a run already: ed.resume\("),
        (lambda place: sample(draws=10, store=Path(place).parent), "is not empty"),
        (lambda place: ed.resume(place + "x"), "holds no run: there is no exmc/manifest.json"),
        (lambda place: ed.open_store(place + "x"), "holds no run"),
        (lambda place: sample(draws=10, store="/proc/run.zarr"), "cannot be written"),
    ],
)
def test_a_store_that_cannot_be_used_is_said_at_the_door(act, message, place):
    sample(draws=10, store=place)

    with pytest.raises(StoreError, match=message):
        act(place)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": -1}, "draws=-1"),
        ({"draws": True}, "draws=True"),
        ({"chains": 8}, "a run goes on as it was begun"),
        ({"checkpoint_s": -1.0}, "checkpoint_s=-1.0"),
        ({"until": {"rhat": 1.1}}, "a run goes on as it was begun"),
        ({"clientt": 1}, "did you mean 'client'"),
    ],
)
def test_a_wrong_option_is_said_and_changes_nothing(options, message, place):
    sample(draws=10, store=place)
    before = (Path(place) / "exmc/owner.json").read_bytes()

    with pytest.raises(OptionError, match=message):
        resume(place, **options)
    assert (Path(place) / "exmc/owner.json").read_bytes() == before


@pytest.mark.parametrize("store", [3, "", "nosuch://bucket/run.zarr"])
def test_what_is_no_place_is_refused(store):
    with pytest.raises(OptionError, match="store="):
        sample(draws=10, store=store)


def without_workers(tree: xr.DataTree, without: tuple[str, ...] | list[str] = ()) -> xr.DataTree:
    """Leave out who drew what, which threads decide anew each time."""
    groups = {n: node.to_dataset() for n, node in tree.children.items() if n not in without}
    own = [name for name in ("sample_stats", "warmup_sample_stats") if name in groups]
    groups |= {name: groups[name].drop_vars("worker") for name in own}
    return xr.DataTree.from_dict(groups)
