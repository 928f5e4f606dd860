"""Fits on real processes: one seed, one result, whatever happens to workers and blocks."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from distributed import Client

import exmc_dask as ed
from exmc_dask.cluster.clusters.chaos import Strike, pids
from exmc_dask.cluster.clusters.local import local
from exmc_dask.cluster.engines import fit as fit_engine
from exmc_dask.cluster.plan.moves import Note, Trouble
from exmc_dask.fitting.running import Lowered
from exmc_dask.inference.settings import AdviSettings, ModeSettings, PathfinderSettings, SmcSettings
from exmc_dask.inference.state import FitState
from exmc_dask.kernels.runtime.chain import CONTROL

type Call = Callable[..., bytes]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local(2) as cluster, Client(cluster) as client:
        yield client
        time.sleep(0.3)


def regression(n: int) -> ed.Model:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 3))
    y = (rng.random(n) < 0.4).astype(int)
    with ed.Model() as model:
        slope = ed.Normal("slope", 0.0, 1.0, shape=3)
        base = ed.Normal("base", 0.0, 1.0)
        ed.Bernoulli("y", logit_p=base + ed.math.matmul(x, slope), observed=y)
    return model


def mode(model: ed.Model, **where: Any) -> bytes:
    found = ed.find_map(model, restarts=3, random_seed=7, **where)
    return b"".join(array.tobytes() for array in found.values())


def fit(method: str, **options: Any) -> Call:
    def call(model: ed.Model, **where: Any) -> bytes:
        chosen: Any = {"method": method, **options}
        found = ed.fit(model, random_seed=7, **chosen, **where)
        return found.sample(100, random_seed=1).posterior["slope"].to_numpy().tobytes()

    return call


def particles(model: ed.Model, **where: Any) -> bytes:
    trace = ed.sample_smc(model, draws=200, chains=3, random_seed=7, **where)
    return trace.posterior["slope"].to_numpy().tobytes() + trace.fit["ess"].to_numpy().tobytes()


CALLS: dict[str, Call] = {
    "find_map": mode,
    "laplace": fit("laplace", restarts=3),
    "pathfinder": fit("pathfinder"),
    "advi": fit("advi", restarts=3),
    "fullrank": fit("fullrank", restarts=2),
    "smc": particles,
}


@pytest.mark.parametrize("name", CALLS)
def test_a_fit_does_not_know_where_its_parts_ran(name: str, client: Client) -> None:
    model, call = regression(200), CALLS[name]
    here = call(model, cluster="threads", progressbar=False)

    assert call(model, client=client, progressbar=False) == here


@pytest.mark.parametrize(
    ("name", "n", "unit", "draw"),
    [("advi", 15_000, 1, 1100), ("smc", 20_000, 0, 2), ("pathfinder", 100_000, 0, 1)],
)
def test_a_worker_killed_in_the_middle_of_a_fit_costs_no_bit(
    name: str, n: int, unit: int, draw: int, client: Client
) -> None:
    model, call = regression(n), CALLS[name]
    client.wait_for_workers(2, timeout=30)
    strike = Strike(pids(client), unit=unit, draw=draw, after_s=0.0)
    seen: list[Any] = []

    def watch(event: Any) -> None:
        strike(event)
        seen.append(event)

    disturbed = call(model, client=client, progressbar=watch)

    assert strike.struck is not None
    assert Trouble.WORKER_LOST in [event.kind for event in seen if isinstance(event, Note)]
    assert disturbed == call(model, cluster="threads", progressbar=False)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("mode", ModeSettings(seed=3, curvature=True)),
        ("pathfinder", PathfinderSettings(seed=3)),
        ("advi", AdviSettings(seed=3, full=True)),
        ("smc", SmcSettings(seed=3, draws=100)),
    ],
)
def test_blocks_leave_no_trace(method: str, settings: Any) -> None:
    """A part that is made step by step ends where one does that is made in one go."""
    lowered = Lowered.of(regression(50), tempered=method == "smc")
    engine = getattr(fit_engine, method)(lowered.spec(method, settings.to_dict()))
    initial = np.random.default_rng(0).normal(size=(100, 4)) if method == "smc" else None

    def made(n: int) -> tuple[FitState, np.ndarray]:
        state, rows = engine.start(1, initial), []
        while state.draw < settings.total:
            state, draws = engine.run(state, n, np.zeros(len(CONTROL), np.int64))
            rows.append(draws.values)
        return state, np.concatenate(rows)

    (one, rows), (whole, expected) = made(3), made(settings.total)
    np.testing.assert_array_equal(rows, expected)
    assert one.arrays.keys() == whole.arrays.keys()
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(one[name], array)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("find_map", "climb [0-2] has no starting point: .* not finite there: 'wall'"),
        ("laplace", "climb [0-2] has no starting point: .* not finite there: 'wall'"),
        ("pathfinder", "path [0-9] has no starting point: .* not finite there: 'wall'"),
        ("advi", "fit [0-2] has no starting point: .* not finite there: 'wall'"),
        ("fullrank", "fit [0-2] has no starting point: .* not finite there: 'wall'"),
        ("smc", "population [0-2], stage 0: the likelihood is 0"),
    ],
)
def test_a_part_that_fails_says_which_and_why(name: str, says: str, client: Client) -> None:
    with ed.Model() as model:
        x = ed.Normal("x", 0.0, 1.0)
        ed.Potential("wall", ed.math.where(x > 50.0, 0.0, -np.inf))
    seen: list[Any] = []
    with pytest.raises(ed.ExmcError, match=f"^{says}"):
        CALLS[name](model, client=client, progressbar=seen.append)

    told = [event.message for event in seen if isinstance(event, Note)]
    assert told
    assert not re.search(r"\bchain", " ".join(told))
