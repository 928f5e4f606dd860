"""Coordinators are killed: another process goes on, wherever it runs, and no bit is different."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.store.objects import Folder
from exmc_dask.store.stored import Stored
from tests.exmc_dask.runs.test_resume import QUIET, resume, without_workers
from tests.exmc_dask.store.story import equal

DRAWS, TUNE, CHAINS = 400, 100, 3
SCRIPT = """
import sys, time
import exmc_dask as ed

if __name__ == "__main__":
    act, cluster, store = sys.argv[1:]
    terms = {"cluster": cluster, "checkpoint_s": 0.0, "block_draws": 5}
    terms["progressbar"] = lambda _: time.sleep(0.03)  # to be caught in the middle
    if act == "resume":
        ed.resume(store, **terms)
    else:
        with ed.Model() as model:
            x = ed.Normal("x", 0, 1, shape=3)
            ed.Normal("y", x.sum(), 1, observed=[0.3, 1.2])
        options = {"draws": 400, "tune": 100, "chains": 3, "random_seed": 5}
        ed.sample(model, store=store, discard_tuned_samples=False, **options, **terms)
"""


def safe_draws(place: Path) -> list[int]:
    """Return how many draws of each chain are safe."""
    try:
        tails = Stored.read(Folder(place)).tails
    except ed.ExmcError:
        return [0]
    states = [tails[chain].state if chain in tails else None for chain in range(CHAINS)]
    return [state.draw if state else 0 for state in states]


def killed_at(draw: int, act: str, cluster: str, place: Path, script: Path) -> list[int]:
    """Run the script until all chains have so many draws and kill it; return how many they have."""
    command = [sys.executable, str(script), act, cluster, str(place)]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while min(safe_draws(place)) < draw:
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < until
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        return safe_draws(place)
    finally:
        with contextlib.suppress(ProcessLookupError):  # what its cluster has left
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("local", "threads"),
        pytest.param("threads", "local", marks=pytest.mark.slow),
        pytest.param("threads", "threads", marks=pytest.mark.slow),
    ],
)
def test_a_killed_coordinator_costs_no_draw_and_no_bit(first, then, tmp_path):
    place, script = tmp_path / "run.zarr", tmp_path / "script.py"
    script.write_text(SCRIPT)
    with ed.Model() as model:
        x = ed.Normal("x", 0, 1, shape=3)
        ed.Normal("y", x.sum(), 1, observed=[0.3, 1.2])
    options: dict[str, Any] = {"draws": DRAWS, "tune": TUNE, "chains": CHAINS, "random_seed": 5}
    whole = ed.sample(model, **options | QUIET, discard_tuned_samples=False)

    lives = [killed_at(40, "sample", first, place, script)]
    lives.append(killed_at(160, "resume", then, place, script))
    so_far = ed.open_store(place).posterior["x"].values
    found = resume(str(place))

    assert 40 <= min(lives[0]) <= 160 <= min(lives[1])
    assert min(lives[1]) < DRAWS + TUNE
    assert so_far.shape[1] == min(lives[1]) - TUNE
    assert np.array_equal(so_far, whole.posterior["x"].values[:, : so_far.shape[1]])
    equal(without_workers(found), without_workers(whole))
    equal(without_workers(ed.open_store(place)), without_workers(whole))
