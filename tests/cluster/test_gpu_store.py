"""Runs on GPUs that end and go on: on GPUs as if they had not, on CPUs with a word about it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from benchmarks.models import seven
from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.plan.moves import Note, Trouble
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.errors import CompileError, OptionError
from exmc_dask.kernels.cuda import gpu
from exmc_dask.runs.gpus import Wish
from exmc_dask.runs.recipe import on_gpus, write
from exmc_dask.runs.run import Run
from exmc_dask.runs.units import Batches
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState
from exmc_dask.store.manifest import OWNER, Owner
from exmc_dask.store.objects import objects_at
from tests.cluster import fake_gpu

QUIET: dict[str, Any] = {
    "progressbar": False, "compute_convergence_checks": False, "cluster": "threads"
}  # fmt: skip
OPTIONS: dict[str, Any] = {"draws": 30, "tune": 40, "chains": 4, "random_seed": 5, **QUIET}


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpu.arrange(monkeypatch)


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A store that a GPU has filled."""
    place = str(tmp_path / "run.zarr")
    ed.sample(seven.eight_schools(), target="cuda", store=place, **OPTIONS)
    return place


def resumed(place: str, **options: Any) -> tuple[Any, list[Note]]:
    with ed.resume(place, draws=30, blocking=False, **QUIET, **options) as run:
        trace = run.wait()
        return trace, [event for event in run.events() if isinstance(event, Note)]


@pytest.mark.parametrize("target", ["auto", "cuda"])
def test_a_stored_run_goes_on_with_a_gpu_as_if_it_had_not_ended(place: str, target: str) -> None:
    whole = ed.sample(seven.eight_schools(), target="cuda", **OPTIONS | {"draws": 60})
    trace, notes = resumed(place, target=target)

    np.testing.assert_array_equal(trace.posterior.theta, whole.posterior.theta)
    assert trace.posterior.attrs["target"] == "cuda"
    assert Trouble.FINGERPRINT not in {note.kind for note in notes}


@pytest.mark.parametrize("target", ["auto", "cpu"])
def test_a_stored_run_goes_on_with_cpus_and_says_so(
    place: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "missing", lambda: "there is none" if target == "auto" else "")
    before = ed.open_store(place)
    trace, notes = resumed(place, target=target)

    changes = [note for note in notes if note.kind is Trouble.FINGERPRINT]
    assert [(note.unit, note.draw) for note in changes] == [(0, 70)]
    assert "4 chains go on from draw 70 on CPUs after GPUs" in changes[0].message
    assert trace.posterior.attrs["target"] == "cuda, then cpu"
    assert ed.open_store(place).posterior.attrs["target"] == "cuda, then cpu"
    np.testing.assert_array_equal(trace.posterior.mu[:, :30], before.posterior.mu)
    np.testing.assert_array_equal(trace.posterior.mu[:, 30:], _by_cpu(place, monkeypatch))


def test_a_store_knows_all_targets_that_its_run_had(place: str) -> None:
    first, _ = resumed(place, target="cpu")
    again, _ = resumed(place, target="cpu")
    back, _ = resumed(place, target="cuda")
    (change,) = first.posterior.attrs["target_changes"]

    assert change.startswith("cpu after cuda from draw 70 on")
    for trace in (first, again):
        assert trace.posterior.attrs["target"] == "cuda, then cpu"
        assert list(trace.posterior.attrs["target_changes"]) == [change]
    for trace in (back, ed.open_store(place)):
        assert trace.posterior.attrs["target"] == "cuda, then cpu, then cuda"
        told = list(trace.posterior.attrs["target_changes"])
        assert told[0] == change
        assert told[1].startswith("cuda after cpu from draw 130 on")


def test_a_gpu_of_another_generation_is_another_fingerprint(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpu.arrange(monkeypatch, capability="12.0")
    _, notes = resumed(place, target="cuda")
    changes = [note for note in notes if note.kind is Trouble.FINGERPRINT]

    assert len(changes) == 4
    for note in changes:
        now, before = note.message.split(" after {")
        assert "goes on from draw 70 under another fingerprint" in now
        assert '"gpu": "12.0"' in now
        assert '"gpu": "9.0"' in before


def test_a_change_of_target_that_brought_no_draw_is_forgotten(place: str) -> None:
    owner = Owner.read(objects_at(place))
    dead = replace(owner, targets=["cuda", "cpu"], changes=[["cpu after cuda"]])
    objects_at(place).put(OWNER, dead.to_bytes())
    trace, _ = resumed(place, target="cuda")

    assert owner.targets == ["cuda"]
    assert trace.posterior.attrs["target"] == "cuda"
    assert "target_changes" not in trace.posterior.attrs


def _by_cpu(place: str, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """What CPUs draw from where the same run on a GPU ended."""
    monkeypatch.setattr(gpu, "missing", lambda: "")
    with ed.sample(seven.eight_schools(), target="cuda", blocking=False, **OPTIONS) as run:
        run.wait()
        assert isinstance(run, Run)
        recipe, states = run._recipe.on_cpus({}).to_draw(60), dict(run._harvest.states)
    driver = Driver(
        ThreadPool(2), recipe.spec, units=states, total=recipe.settings.total, states=states
    )
    driver.start()
    driver.wait()
    blocks = run._harvest.by_chain()
    both = {chain: [*blocks[chain], *driver.results()[chain]] for chain in blocks}
    return np.asarray(recipe.tree(both, {}).posterior.mu.values[:, 30:])


def test_a_gpu_that_is_asked_for_has_to_be_there_before_the_store_has_another_owner(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = (Path(place) / "exmc/owner.json").read_bytes()
    monkeypatch.setattr(gpu, "missing", lambda: "there is none")
    with pytest.raises(CompileError, match="needs an NVIDIA GPU, but there is none"):
        resumed(place, target="cuda")

    assert (Path(place) / "exmc/owner.json").read_bytes() == owner


def test_chains_that_stand_before_other_draws_are_in_other_batches() -> None:
    draws = [7, 7, 9, 9, 9, 7]
    states = {c: ChainState.blank(1, "fisher", "diag", c, draw=d) for c, d in enumerate(draws)}
    del states[5]

    assert Batches.for_gpus(6, 1, states=states).bounds == (0, 2, 5, 6)
    assert set(Batches.for_gpus(6, 1, states=states).states(states)) == {0, 1}


def test_chains_that_learn_together_cannot_be_parted_on_a_gpu() -> None:
    recipe = write(seven.simple(), Settings(seed=1, pool=2), 4)
    blank = ChainState.blank(2, "fisher", "diag", 0)
    states = {chain: blank.replace(draw=chain) for chain in range(4)}

    assert on_gpus(recipe, Wish(1), dict.fromkeys(range(4), blank)).spec.target == "cuda"
    with pytest.raises(OptionError, match=r"learn together .* stand before different draws"):
        on_gpus(recipe, Wish(1), states)
    with pytest.warns(UserWarning, match="target='auto' is 'cpu' for this run"):
        assert on_gpus(recipe, Wish(1, else_cpus=True), states).spec.target == "cpu"


@pytest.mark.parametrize("of", ["run", "store", "trace"])
def test_a_warm_start_on_a_gpu_begins_where_that_of_a_cpu_does(of: str, place: str) -> None:
    with ed.sample(seven.eight_schools(), target="cuda", blocking=False, **OPTIONS) as run:
        earlier = {"run": run, "store": place, "trace": run.wait()}[of]
        options = OPTIONS | {"draws": 1, "tune": 0, "warm_start": earlier, "random_seed": 6}
        here = ed.sample(seven.eight_schools(), target="cpu", **options)
        there = ed.sample(seven.eight_schools(), target="cuda", **options)

    np.testing.assert_allclose(there.posterior.mu, here.posterior.mu, rtol=1e-6)
    np.testing.assert_allclose(there.sample_stats.step_size, here.sample_stats.step_size, rtol=1e-6)
