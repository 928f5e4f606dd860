"""Many sets of data through one compiled model: each the result that `sample` gives alone."""

import os
import signal
from typing import Any

import numpy as np
import pytest
import xarray as xr

import exmc_dask as ed

RNG = np.random.default_rng(20261125)
SETS = [{"y": RNG.normal(m, 1.0, n)} for m, n in ((0.0, 5), (3.0, 40), (-2.0, 12))]
QUIET: dict[str, Any] = {"cluster": "threads", "progressbar": False}
SHORT: dict[str, Any] = {"draws": 50, "tune": 50, "chains": 2, "random_seed": 7, **QUIET}


@pytest.fixture(scope="module")
def model() -> ed.Model:
    with ed.Model() as model:
        y = ed.Data("y", [0.0, 1.0])
        mu = ed.Normal("mu", 0, 10)
        ed.Normal("seen", mu, 1.0, observed=y)
    return model


@pytest.fixture(scope="module")
def traces(model: ed.Model) -> list[xr.DataTree]:
    return ed.map(model, SETS, **SHORT)


@pytest.mark.parametrize("k", range(3))
def test_a_set_has_the_draws_that_it_has_alone(model, traces, k):
    model.set_data(SETS[k])
    seed = traces[k].posterior.attrs["seed"]
    alone = ed.sample(model, **{**SHORT, "random_seed": seed, "compute_convergence_checks": False})
    xr.testing.assert_identical(
        traces[k]["posterior"].to_dataset().drop_attrs(),
        alone["posterior"].to_dataset().drop_attrs(),
    )
    np.testing.assert_array_equal(traces[k].observed_data["seen"], SETS[k]["y"])


def test_sets_have_seeds_of_their_own(traces):
    assert len({trace.posterior.attrs["seed"] for trace in traces}) == 3


def test_workers_and_blocks_change_nothing(model, traces):
    again = ed.map(model, SETS, **{**SHORT, "block_draws": 7})
    for one, other in zip(traces, again, strict=True):
        assert one.posterior.equals(other.posterior)


def test_a_mapping_gives_its_names_and_reduce_what_it_returns(model):
    named = dict(zip("abc", SETS, strict=True))
    means = ed.map(model, named, reduce=lambda t: float(t.posterior["mu"].mean()), **SHORT)
    assert list(means) == ["a", "b", "c"]
    assert means["b"] == pytest.approx(SETS[1]["y"].mean(), abs=0.3)


def test_the_model_keeps_its_own_data(model):
    model.set_data({"y": [5.0]})
    ed.map(model, SETS, **SHORT)
    np.testing.assert_array_equal(model.data["y"], [5.0])


@pytest.mark.parametrize(
    ("sets", "options", "message"),
    [
        ([], {}, "at least one"),
        (3, {}, "a list or a mapping"),
        ([[1.0]], {}, "data set 0 is no mapping"),
        ({"rome": {"y": [np.nan]}}, {}, "data set 'rome': .*'y'"),
        ({"rome": {"z": [1.0]}}, {}, "data set 'rome': .*'z'"),
        (SETS, {"chains": 0}, "chains=0"),
        (SETS, {"on_failure": "ignore"}, "on_failure='ignore'"),
        (SETS, {"block_draws": 0}, "block_draws=0"),
        (SETS, {"cores": 2}, "map has no option 'cores'"),
        (SETS, {"initvals": {}}, "own support point"),
    ],
)
def test_what_is_wrong_is_named(model, sets, options, message):
    with pytest.raises(ed.ExmcError, match=message):
        ed.map(model, sets, **(SHORT | options))


def test_what_reduce_raises_ends_it(model):
    def fail(trace: xr.DataTree) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ed.map(model, SETS, reduce=fail, **SHORT)


def test_ctrl_c_gives_the_sets_that_are_whole(model):
    once = iter([signal.SIGINT])

    def interrupt(trace: xr.DataTree) -> str:
        for interruption in once:
            os.kill(os.getpid(), interruption)
        return "whole"

    results = ed.map(model, SETS * 100, reduce=interrupt, **{**SHORT, "draws": 1000})
    assert results[0] == "whole"
    assert None in results


def bad(on_failure: Any, named: bool = False) -> Any:
    with ed.Model() as other:
        scale = ed.Data("scale", 1.0)
        x = ed.Normal("x", 0, 1)
        ed.Potential("cut", ed.math.log(scale - 1.0) * (1 + x**2))
    sets = [{"scale": 2.0}, {"scale": 0.5}]
    called = dict(zip(("rome", ("oslo", 2)), sets, strict=True))
    return ed.map(other, called if named else sets, on_failure=on_failure, **SHORT)


def test_a_set_that_cannot_be_sampled_is_none_when_it_may_be_dropped():
    fine, nothing = bad("drop")
    assert fine.posterior.sizes["draw"] == 50
    assert nothing is None


@pytest.mark.parametrize(("named", "called"), [(False, "1"), (True, r"\('oslo', 2\)")])
def test_it_ends_everything_when_it_may_not_and_is_named(named, called):
    begins = f"chain [01] of data set {called} has no starting point: .*not finite there: 'cut'"
    with pytest.raises(ed.ExmcError, match=begins) as caught:
        bad("raise", named)
    assert len(caught.value.partial) == 2
