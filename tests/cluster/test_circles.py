"""Memory of runs that are over: nothing of theirs waits for Python's collector of circles."""

import gc
import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.runs.run import Run


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def model(n: int) -> ed.Model:
    rng = np.random.default_rng(1)
    with ed.Model() as model:
        at = ed.Normal("at", 0.0, 1.0)
        ed.StudentT("y", 4.0, at, 1.0, observed=rng.normal(size=n))
    return model


def begun(n: int = 40_000, **where: Any) -> Run:
    quiet: dict[str, Any] = {"progressbar": False, "compute_convergence_checks": False}
    options = {"random_seed": 1, "block_draws": 10, **quiet, **where}
    return ed.sample(model(n), 30, 20, 2, blocking=False, **options)


def parts(run: Run) -> dict[str, weakref.ref[Any]]:
    """The run, what it holds, and its arrays."""
    recipe, pool = run._recipe, run._pool
    found = {"run": run, "spec": recipe.spec, "pool": pool, "plan": run._driver._plan}
    found |= {name: vars(pool)[name] for name in ("_roster", "_errands") if name in vars(pool)}
    found |= recipe.spec.data
    found |= {f"block {i}": b.draws.values for i, b in enumerate(run._harvest.blocks)}
    return {name: weakref.ref(part) for name, part in found.items()}


@pytest.mark.parametrize(
    ("where", "n"),
    [("threads", 40_000), ("local", 40_000), ("client", 40_000), ("client", 200_000)],
    ids="{}".format,
)  # data above 1 MB are sent in another way
@pytest.mark.usefixtures("uncollected")
def test_a_run_frees_its_data_and_draws_without_the_collector(
    where: str, n: int, request: pytest.FixtureRequest
) -> None:
    place: dict[str, Any] = {"cluster": where}
    if where == "client":
        place = {"client": request.getfixturevalue("client")}
    run = begun(n, **place)
    trace = run.wait()
    left = parts(run)
    trace.children = {}  # the circle of xarray's own, which is not for us to cut
    del run, trace

    deadline = time.monotonic() + 20  # threads and loops may be on their last lines
    while any(part() is not None for part in left.values()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [name for name, part in left.items() if part() is not None] == []


def test_large_results_that_were_dropped_are_collected_before_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("exmc_dask.results.output._COLLECT_BYTES", 1000)
    thresholds = gc.get_threshold()
    gc.set_threshold(0)
    try:
        left = weakref.ref(begun(100, cluster="threads").wait().posterior["at"].variable._data)
        assert left() is not None
        begun(100, cluster="threads").wait()
        assert left() is None
    finally:
        gc.set_threshold(*thresholds)
