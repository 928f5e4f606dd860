"""pool=: chains that learn together draw the same however a run is interrupted and taken up."""

import shutil
import signal
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import xarray as xr

import exmc_dask as ed
from exmc_dask.errors import FormatError, OptionError
from exmc_dask.store.objects import Folder
from exmc_dask.store.stored import Stored
from exmc_dask.store.tail import Tail
from tests.exmc_dask.runs.test_resume import QUIET, resume
from tests.exmc_dask.store.story import equal

ROOT = Path(__file__).parents[3]

# no normal law: of one the scheme "fisher" learns the same from whatever draws
MODEL = (
    ed.Builder()
    .rv("mu", ed.Normal, mu=0.0, sigma=5.0)
    .rv("tau", ed.HalfNormal, sigma=5.0)
    .rv("x", ed.StudentT, nu=4, mu="mu", sigma="tau")
    .obs("y", "x", [2.8, 0.8, -0.3, 0.7])
    .build()
)
FIXED: dict[str, Any] = {
    "chains": 5,
    "tune": 100,
    "draws": 30,
    "random_seed": 7,
    "pool": True,
    "cluster": "threads",
    "discard_tuned_samples": False,
}


def sample(**options: Any) -> Any:
    return ed.sample(MODEL, **FIXED | QUIET | options)


def draws_of(trace: Any) -> np.ndarray:
    groups = (trace.warmup_posterior, trace.posterior)
    return np.concatenate([group["mu"].values for group in groups], axis=1)


def drawn(tree: xr.DataTree) -> xr.DataTree:
    """Leave out who drew what, and how often it was tried."""
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    for name in ("sample_stats", "warmup_sample_stats"):
        if name in groups:
            groups[name] = groups[name].drop_vars(["worker", "attempt"])
    return xr.DataTree.from_dict(groups)


@pytest.fixture(scope="module")
def whole() -> Any:
    return sample()


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "run.zarr")


def ended_in_warmup(draw: int, **options: Any) -> ed.Run:
    """Begin a run of small blocks and end it when all chains have so many draws of warmup."""
    begun, ended, at = Future[ed.Run](), Event(), dict.fromkeys(range(5), 0)

    def watch(event: Any) -> None:
        at[event.unit] = event.draw
        if min(at.values()) >= draw and not ended.is_set():
            begun.result(240).abort()
            ended.set()

    small = {"block_draws": 3, "checkpoint_s": 0.0, "progressbar": watch}
    begun.set_result(sample(**small | options, blocking=False))
    run = begun.result()
    assert run.wait(240).posterior.sizes["draw"] == 0
    return run


@pytest.mark.parametrize(
    "options", [{"block_draws": 1}, {"block_draws": 7}, {"chains": 7, "pool": 3}]
)
def test_blocks_leave_no_trace(options: Any, whole: Any) -> None:
    other = sample(**options | {"block_draws": 1000}) if "pool" in options else whole
    equal(drawn(sample(**options)), drawn(other))


def test_chains_of_other_groups_change_nothing(whole: Any) -> None:
    both = draws_of(sample(chains=10, pool=5))

    np.testing.assert_array_equal(both[:5], draws_of(whole))
    assert not np.array_equal(both[5:], draws_of(sample(chains=10))[5:])


def test_chains_that_learn_together_begin_apart_and_draw_apart(whole: Any) -> None:
    alone, together = draws_of(sample(pool=False)), draws_of(whole)

    assert np.array_equal(alone[:, :3], together[:, :3])
    assert (alone[:, 30:] == together[:, 30:]).mean() < 0.01
    assert len(np.unique(together[:, 50])) == 5


@pytest.mark.parametrize("metric", ["diag", "dense", "low_rank"])
@pytest.mark.parametrize("adapt", ["fisher", "stan"])
def test_a_run_that_was_ended_in_its_warmup_goes_on_in_its_process(adapt: str, metric: str) -> None:
    how = {"adapt": adapt, "metric": metric}
    run = ended_in_warmup(22, **how)
    run.resume()

    equal(drawn(run.wait(240)), drawn(sample(**how)))


def test_a_run_is_extended_as_ever(whole: Any) -> None:
    run = sample(draws=10, blocking=False)
    run.wait()
    run.extend(20)

    equal(drawn(run.wait()), drawn(whole))


@pytest.mark.parametrize("metric", ["diag", "low_rank"])
@pytest.mark.parametrize("warmup", [True, False])
def test_a_stored_run_that_ended_in_its_warmup_is_resumed(
    metric: str, warmup: bool, place: str
) -> None:
    how = {"metric": metric, "discard_tuned_samples": not warmup}
    ended_in_warmup(12, store=place, **how)

    equal(drawn(resume(place)), drawn(sample(**how)))


def test_chains_whose_tails_are_older_than_those_of_others_catch_up(
    place: str, whole: Any, tmp_path: Path
) -> None:
    old = str(tmp_path / "old.zarr")
    ended_in_warmup(2, store=old)
    ended_in_warmup(24, store=place)
    for chain in (1, 3):
        name = f"exmc/tails/{chain:06}.npz"
        shutil.copy(Path(old, name), Path(place, name))
    Path(place, "exmc/tails/000004.npz").unlink()

    equal(drawn(resume(place)), drawn(whole))


KILLED = """
import os, signal, sys
from tests.exmc_dask.runs.test_pool import sample

at = dict.fromkeys(range(5), 0)

def watch(event):
    at[event.unit] = event.draw
    if min(at.values()) >= 22:
        os.kill(os.getpid(), signal.SIGKILL)

sample(store=sys.argv[1], block_draws=3, checkpoint_s=0.0, progressbar=watch)
"""


def test_a_coordinator_killed_in_warmup_costs_no_bit(place: str, whole: Any) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, place], cwd=ROOT, timeout=240)

    assert done.returncode == -signal.SIGKILL
    states = [tail.state for tail in Stored.read(Folder(place)).tails.values()]
    assert all(state is None or state.draw <= 40 for state in states)
    equal(drawn(resume(place)), drawn(whole))


def test_a_lesson_is_written_before_any_state_that_came_of_it(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, learnt, reached, early = Folder.put, [0], [0], [False]

    def watched(self: Folder, name: str, content: Any) -> None:
        if "lessons" in name:
            learnt.append(int(name[-10:-4]))
        elif "tails" in name:
            state = Tail.from_bytes(bytes(content), name).state
            reached.append(0 if state is None else state.draw)
            early.append(reached[-1] > min(m for m in (5, 10, 20, 40, 85, 130) if m > learnt[-1]))
        put(self, name, content)

    monkeypatch.setattr(Folder, "put", watched)
    sample(store=place, block_draws=2, checkpoint_s=0.0)
    assert learnt == [0, 5, 10, 20, 40, 85]
    assert max(reached) == 130
    assert not any(early)


def test_what_was_learnt_and_is_gone_is_said(place: str, whole: Any) -> None:
    ended_in_warmup(12, store=place)
    Path(place, "exmc/lessons/000000-000005.npz").unlink()
    Path(place, "exmc/tails/000002.npz").unlink()  # the others are behind that barrier

    with pytest.raises(FormatError, match=r"000000-000005.npz is gone; .* tails of chains 0 to 4"):
        resume(place)
    for tail in Path(place, "exmc/tails").iterdir():
        tail.unlink()
    equal(drawn(resume(place)), drawn(whole))


def test_a_lesson_that_is_damaged_is_named(place: str) -> None:
    ended_in_warmup(12, store=place)
    lesson = Path(place, "exmc/lessons/000000-000005.npz")
    lesson.write_bytes(lesson.read_bytes()[:-100])

    with pytest.raises(FormatError, match=r"000000-000005.npz is damaged"):
        resume(place)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"chains": 1}, "pool= lets chains learn together, and there is one"),
        ({"pool": 1}, "pool=1 is not possible"),
        ({"pool": "yes"}, "pool='yes' is not possible; it has to be True, or how many"),
        ({"tune": 10}, "tune=10 is too short for pool="),
        ({"adapt": "step_size"}, "nothing to share with adapt='step_size'"),
    ],
    ids=str,
)
def test_what_cannot_be_shared_is_refused(options: Any, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        sample(**options)


def test_a_warm_start_has_nothing_to_share_unless_the_metric_is_learnt_anew(whole: Any) -> None:
    with pytest.raises(OptionError, match=r"the default after warm_start=; use adapt='fisher'"):
        sample(warm_start=whole)
    assert draws_of(sample(warm_start=whole, adapt="fisher")).shape == (5, 130)
