"""superchains=: chains that share a starting point and nothing else, and how they are judged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from benchmarks.models import seven
from exmc_dask.cluster.engines.nuts import prepare
from exmc_dask.errors import OptionError
from exmc_dask.results.convergence import rhat, rhat_nested
from exmc_dask.runs.run import Run

OPTIONS: dict[str, Any] = {
    "draws": 30, "tune": 20, "chains": 6, "superchains": 3, "random_seed": 3, "progressbar": False,
    "compute_convergence_checks": False, "cluster": "threads",
}  # fmt: skip


def starts(**options: Any) -> np.ndarray:
    """Where chains begin: their positions before the first draw."""
    options = OPTIONS | {"draws": 1, "tune": 0, "max_treedepth": 1, "blocking": False} | options
    with ed.sample(seven.eight_schools(), **options) as run:
        assert isinstance(run, Run)
        recipe = run._recipe
        engine = prepare(recipe.spec)
        initials = recipe.initials
        return np.array([engine.start(c, initials.get(c)).q for c in range(recipe.chains)])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"initvals": [{"mu": 1.0}, {"mu": 2.0}, {"mu": 3.0}]},
        {"init": "laplace"},
        {"adapt": "step_size"},
    ],
    ids=["jitter", "initvals", "a fit", "step size"],
)
def test_chains_of_a_superchain_share_their_start_and_no_others(options: dict[str, Any]) -> None:
    points = starts(**options)

    np.testing.assert_array_equal(points[::2], points[1::2])
    assert len(np.unique(points, axis=0)) == 3


def test_a_warm_start_is_shared_too() -> None:
    earlier = ed.sample(seven.eight_schools(), **OPTIONS | {"superchains": None})
    points = starts(warm_start=earlier)

    np.testing.assert_array_equal(points[::2], points[1::2])
    assert len(np.unique(points, axis=0)) == 3


def test_random_numbers_are_not_shared() -> None:
    trace = ed.sample(seven.eight_schools(), **OPTIONS)

    assert len(np.unique(trace.posterior.mu.values[:, 0])) == 6


def test_as_many_superchains_as_chains_change_no_draw() -> None:
    plain = ed.sample(seven.eight_schools(), **OPTIONS | {"superchains": None})
    nested = ed.sample(seven.eight_schools(), **OPTIONS | {"superchains": 6})

    assert "superchain" not in plain.posterior.coords
    assert nested.posterior.superchain.values.tolist() == list(range(6))
    np.testing.assert_array_equal(plain.posterior.theta, nested.posterior.theta)


def test_results_say_which_chains_belong_together() -> None:
    more = {"discard_tuned_samples": False, "store_unconstrained": True}
    trace = ed.sample(seven.eight_schools(), **OPTIONS | more)

    for group in ("posterior", "sample_stats", "warmup_posterior", "unconstrained_posterior"):
        assert trace[group].superchain.dims == ("chain",)
        assert trace[group].superchain.values.tolist() == [0, 0, 1, 1, 2, 2]
    assert "superchain" not in trace.observed_data.coords


def test_a_store_knows_them_and_goes_on_with_them(tmp_path: Path) -> None:
    place = tmp_path / "run.zarr"
    whole = ed.sample(seven.eight_schools(), **OPTIONS | {"draws": 60})
    ed.sample(seven.eight_schools(), **OPTIONS, store=place)
    stored = ed.open_store(place)
    longer = ed.resume(place, draws=30, progressbar=False, cluster="threads")

    assert stored.posterior.superchain.values.tolist() == [0, 0, 1, 1, 2, 2]
    assert longer.posterior.superchain.values.tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(longer.posterior.mu, whole.posterior.mu)


def test_until_looks_at_nested_rhat() -> None:
    """With a limit between the two kinds of R-hat at the first look, they decide otherwise."""
    options = OPTIONS | {"tune": 200, "draws": 300, "chains": 4, "superchains": 2}
    whole = ed.sample(seven.simple(), **options).posterior.isel(draw=slice(200))
    draws = np.concatenate([v.values.reshape(4, 200, -1) for v in whole.values()], axis=2)
    nested, plain = rhat_nested(draws, np.array([0, 0, 1, 1])).max(), rhat(draws).max()
    trace = ed.sample(seven.simple(), **options, until={"rhat": (nested + plain) / 2})

    assert abs(nested - plain) > 1e-4
    assert trace.posterior.sizes["draw"] == (200 if nested < plain else 300)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"superchains": 4}, "superchains=4 does not divide chains=6.*let chains be 8"),
        ({"superchains": 1}, "superchains=1 is not possible"),
        ({"superchains": 2.0}, r"superchains=2\.0 is not possible"),
        ({"initvals": {"mu": 1.0}}, "initvals has one point for all superchains"),
        ({"initvals": [{"mu": 1.0}] * 6}, "initvals has 6 entries for 3 superchains"),
        ({"init": "map"}, "init='map' has all superchains start at one point"),
    ],
)
def test_what_superchains_cannot_be_is_an_error(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        ed.sample(seven.eight_schools(), **OPTIONS | options)
