"""sample(): what may be passed, what comes back, what decides the draws and what does not."""

import os
import signal
import threading
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import CompileError, ModelError, OptionError, SamplingError, SupportError

QUIET: dict[str, Any] = {
    "progressbar": False,
    "compute_convergence_checks": False,
    "cluster": "threads",
}
SHORT: dict[str, Any] = {"draws": 50, "tune": 50, "chains": 2, "random_seed": 3, **QUIET}


@pytest.fixture(scope="module")
def model():
    with ed.Model(coords={"group": ["a", "b", "c"]}) as model:
        mu = ed.Normal("mu", 0, 5)
        tau = ed.HalfNormal("tau", 2)
        theta = ed.Normal("theta", mu, tau, dims="group")
        ed.Deterministic("spread", ed.math.max(theta) - ed.math.min(theta))
        ed.Normal("y", theta, 1.0, observed=[0.3, 1.2, -0.4], dims="group")
    return model


def draws(trace, name="theta"):
    return trace.posterior[name].values


def test_the_result_has_the_groups_dims_and_names_that_were_declared(model):
    trace = ed.sample(model, **SHORT)

    assert set(trace.children) == {"posterior", "sample_stats", "observed_data"}
    assert trace.posterior["theta"].dims == ("chain", "draw", "group")
    assert list(trace.posterior["theta"].coords["group"].values) == ["a", "b", "c"]
    assert trace.posterior["theta"].shape == (2, 50, 3)
    np.testing.assert_allclose(
        trace.posterior["spread"], np.ptp(trace.posterior["theta"].values, axis=-1)
    )


def test_scalars_that_are_calculated_together_come_back_as_declared():
    with ed.Model() as many:
        mu = ed.Normal("mu", 0, 5)
        for i in range(10):
            x = ed.Normal(f"x{i}", mu + 10.0 * i, 1.0)
            s = ed.HalfNormal(f"s{i}", 1.0)
            ed.Normal(f"y{i}", x, s, observed=np.full(1 + i % 3, 10.0 * i))
            ed.Deterministic(f"twice{i}", 2.0 * x)
    starts = {f"x{i}": 10.0 * i for i in range(10)}
    options = SHORT | {"initvals": starts, "store_unconstrained": True}
    trace = ed.sample(many, **options)

    free = ["mu", *(f"{name}{i}" for i in range(10) for name in "xs")]
    assert list(trace.posterior) == [*free, *(f"twice{i}" for i in range(10))]
    assert set(trace.unconstrained_posterior) == set(free)
    for i in range(10):
        x, log_s = draws(trace, f"x{i}"), trace.unconstrained_posterior[f"s{i}"]
        assert abs(x.mean() - 10 * i) < 5
        np.testing.assert_array_equal(draws(trace, f"twice{i}"), 2 * x)
        np.testing.assert_allclose(draws(trace, f"s{i}"), np.exp(log_s), rtol=1e-14)


@pytest.mark.parametrize(
    "change", [{"block_draws": 1}, {"block_draws": 7}, {"compute_convergence_checks": True}]
)
def test_options_that_are_not_about_the_model_change_no_draw(model, change):
    expected = ed.sample(model, **SHORT)

    np.testing.assert_array_equal(draws(expected), draws(ed.sample(model, **SHORT | change)))


def test_a_chain_does_not_depend_on_how_many_there_are(model):
    many, one = (ed.sample(model, **SHORT | {"chains": n}) for n in (3, 1))

    np.testing.assert_array_equal(draws(many)[:1], draws(one))


def test_seeds_give_runs_of_their_own_and_a_drawn_seed_is_kept(model):
    first = ed.sample(model, **SHORT | {"random_seed": None})
    again = ed.sample(model, **SHORT | {"random_seed": first.posterior.attrs["seed"]})
    other = ed.sample(model, **SHORT | {"random_seed": 4})

    np.testing.assert_array_equal(draws(first), draws(again))
    assert not np.array_equal(draws(first), draws(other))


def test_the_model_may_stand_first_be_named_or_be_open(model):
    expected = draws(ed.sample(model, 50, 50, 2, random_seed=3, **QUIET))
    with ed.Model() as opened:
        x = ed.Normal("x", 0, 1)
        trace = ed.sample(**SHORT)

    np.testing.assert_array_equal(expected, draws(ed.sample(model=model, **SHORT)))
    assert opened.spec.free[0].node is x
    assert draws(trace, "x").shape == (2, 50)


def test_var_names_thin_and_warmup_choose_what_is_kept(model):
    trace = ed.sample(
        model, **SHORT, var_names=["mu", "spread"], thin=5, discard_tuned_samples=False
    )

    assert set(trace.posterior) == {"mu", "spread"}
    assert trace.posterior.sizes["draw"] == 10
    assert trace.warmup_posterior.sizes["draw"] == 10


def test_initial_values_are_where_the_chains_start(model):
    start = {"mu": 40.0, "tau": 0.5, "theta": [40.0, 41.0, 39.0]}
    options: dict[str, Any] = SHORT | {"tune": 5, "draws": 1, "ncp": False}
    near = ed.sample(model, **options, initvals=start, discard_tuned_samples=False)
    each = ed.sample(model, **options, initvals=[start, start], discard_tuned_samples=False)

    assert near.warmup_posterior["mu"].values[:, 0] == pytest.approx(40.0, abs=10)
    np.testing.assert_array_equal(near.warmup_posterior["mu"], each.warmup_posterior["mu"])


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"drawz": 5}, OptionError, "no option 'drawz'; did you mean 'draws'"),
        ({"cores": 4}, OptionError, "cluster='threads'"),
        ({"nuts_sampler": "nutpie"}, OptionError, "one sampler"),
        ({"step": 1}, OptionError, "one sampler, NUTS; discrete"),
        ({"nuts": {"target_accept": 0.9}}, OptionError, "target_accept="),
        ({"callback": print}, OptionError, "sample_stream"),
        ({"start": {"mu": 0}}, OptionError, "initvals="),
        ({"draws": 0}, OptionError, "draws=0"),
        ({"chains": 0}, OptionError, "chains=0"),
        ({"target_accept": 1.5}, OptionError, "target_accept=1.5"),
        ({"metric": "full"}, OptionError, "metric='full'"),
        ({"adapt": "none"}, OptionError, "adapt='none'"),
        ({"random_seed": 0.5}, OptionError, "random_seed=0.5"),
        ({"random_seed": -1}, OptionError, "seed=-1"),
        ({"target": "cuda"}, CompileError, "target='cuda'"),
        ({"cluster": "nowhere"}, OptionError, "cluster='nowhere'"),
        ({"progressbar": "loud"}, OptionError, "'loud'"),
        ({"var_names": ["nu"]}, ModelError, "'nu'"),
        ({"ncp": {"nu": True}}, OptionError, "'nu'"),
        ({"ncp": "always"}, OptionError, "always"),
        ({"initvals": {"nu": 1.0}}, ModelError, "'nu'"),
        ({"initvals": {"tau": -1.0}}, SupportError, "'tau'"),
        ({"initvals": {"theta": [1.0]}}, ModelError, "'theta'"),
        ({"initvals": [{}]}, OptionError, "1 entries for 2 chains"),
        ({"on_failure": "retry"}, OptionError, "on_failure='retry'"),
        ({"block_draws": 0}, OptionError, "block_draws=0"),
        ({"model": 3}, OptionError, "model"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_a_bad_option_is_refused_by_name(model, options, error, says):
    with pytest.raises(error, match=says):
        ed.sample(**{"model": model, **SHORT, **options})


def test_no_model_is_an_error_that_says_where_one_is_looked_for():
    with pytest.raises(ModelError, match=r"with ed\.Model"):
        ed.sample(**SHORT)


def test_a_model_without_a_finite_start_names_the_term():
    with ed.Model() as model:
        x = ed.Normal("x", 0, 1)
        ed.Potential("wall", ed.math.log(x * 0.0 - 1.0))

    with pytest.raises(SamplingError, match="wall"):
        ed.sample(model, **SHORT)


def test_an_interrupt_keeps_what_there_is(model):
    timer = threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    try:
        trace = ed.sample(model, draws=100_000_000, thin=1000, chains=2, random_seed=1, **QUIET)
    finally:
        timer.cancel()

    assert 0 < trace.posterior.sizes["draw"] < 100_000
    assert np.isfinite(draws(trace)).all()


def test_one_chain_without_a_start_costs_the_others_nothing(model):
    start = [{}, {"mu": 1e200, "tau": 1e-200}, {}]
    options = SHORT | {"chains": 3, "initvals": start, "ncp": False}
    with pytest.raises(SamplingError) as raised:
        ed.sample(model, **options)
    trace = ed.sample(model, **options, on_failure="drop")

    assert list(trace.posterior.chain) == [0, 2]
    assert trace.posterior.sizes["draw"] == 50
    assert set(raised.value.partial.children) >= {"posterior"}


def test_a_model_opened_again_is_the_one_to_sample(model):
    with model:
        trace = ed.sample(**{**SHORT, "draws": np.int64(50)}, var_names="theta")

    np.testing.assert_array_equal(draws(trace), draws(ed.sample(model, **SHORT)))
    assert list(trace.posterior) == ["theta"]


def test_a_dropped_chain_is_left_out_however_much_happened_since(model, monkeypatch):
    monkeypatch.setattr("exmc_dask.cluster.driver._MAX_EVENTS", 2)
    start = [{}, {"mu": 1e200, "tau": 1e-200}]
    options = SHORT | {"initvals": start, "ncp": False, "block_draws": 5}
    trace = ed.sample(model, **options, on_failure="drop")

    assert list(trace.posterior.chain) == [0]
    assert trace.posterior.sizes["draw"] == 50
