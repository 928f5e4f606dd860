"""warm_start=: a run that begins where an earlier one was, of the same model or by name."""

from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import OptionError, ShapeError, UnknownName
from exmc_dask.sampler.state import ChainState

QUIET: dict[str, Any] = {
    "progressbar": False,
    "compute_convergence_checks": False,
    "cluster": "threads",
    "chains": 2,
}
METRICS: list[Any] = ["diag", "dense", "low_rank"]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)) * [1.0, 10.0, 0.1]
Y = X @ [1.0, 0.1, 5.0] + RNG.normal(size=60)


@pytest.fixture(scope="module")
def model() -> ed.Model:
    with ed.Model() as model:
        design, outcome = ed.Data("X", X), ed.Data("Y", Y)
        beta = ed.Normal("beta", 0, 10, shape=3)
        sigma = ed.HalfNormal("sigma", 2)
        ed.Normal("y", design @ beta, sigma, observed=outcome)
    return model


@pytest.fixture(scope="module", params=METRICS)
def earlier(request: Any, model: ed.Model) -> ed.Run:
    run = ed.sample(model, draws=300, metric=request.param, random_seed=1, blocking=False, **QUIET)
    run.wait()
    return run


def inv_mass(run: ed.Run, chain: int = 0) -> np.ndarray:
    state = run.earlier.states[chain]
    assert isinstance(state, ChainState)
    return state.inv_mass


def test_a_handle_gives_position_metric_and_step_size(model: ed.Model, earlier: ed.Run) -> None:
    metric = earlier.earlier.states[0].metric
    options = QUIET | {"chains": 3, "metric": metric, "blocking": False}
    run = ed.sample(model, draws=1, tune=0, warm_start=earlier, random_seed=2, **options)
    trace = run.wait()

    for chain in range(3):
        np.testing.assert_array_equal(inv_mass(run, chain), inv_mass(earlier, chain % 2))
    given = [earlier.earlier.states[chain % 2].step_size for chain in range(3)]
    np.testing.assert_allclose(trace.sample_stats["step_size_bar"].values[:, 0], given)


def test_new_data_are_followed_with_little_warmup(model: ed.Model, earlier: ed.Run) -> None:
    metric = earlier.earlier.states[0].metric
    options = QUIET | {"metric": metric, "draws": 1000}
    model.set_data({"X": X[:40], "Y": Y[:40] + 0.5})
    try:
        cold = ed.sample(model, tune=600, random_seed=3, **options)
        warm = ed.sample(model, warm_start=earlier, random_seed=4, **options)
    finally:
        model.set_data({"X": X, "Y": Y})

    assert warm.posterior.attrs["tuning_steps"] == 50
    table = ed.summary(warm, round_to="none")
    assert (table["r_hat"] < 1.02).all()
    for name in ("beta", "sigma"):
        far = (warm.posterior[name] - cold.posterior[name]).mean(("chain", "draw"))
        scale = cold.posterior[name].std(("chain", "draw"))
        assert (np.abs(far / scale) < 0.2).all()
    accepted = warm.sample_stats["acceptance_rate"].mean().item()
    assert 0.7 < accepted < 0.95


def test_a_store_gives_what_its_run_would(model: ed.Model, tmp_path: Any) -> None:
    kept = tmp_path / "run.zarr"
    first = ed.sample(model, draws=50, random_seed=1, store=kept, blocking=False, **QUIET)
    first.wait()
    traces = [
        ed.sample(model, draws=50, warm_start=given, random_seed=2, **QUIET)
        for given in (first, kept)
    ]

    np.testing.assert_array_equal(*(trace.posterior["beta"].values for trace in traces))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("with_q", [False, True])
def test_a_trace_will_do(model: ed.Model, metric: Any, with_q: bool) -> None:
    first = ed.sample(model, draws=300, random_seed=1, store_unconstrained=with_q, **QUIET)
    run = ed.sample(
        model, draws=300, warm_start=first, metric=metric, random_seed=2, blocking=False, **QUIET
    )
    trace = run.wait()

    spread = first.posterior["beta"].std(("chain", "draw")).values ** 2
    found = inv_mass(run)
    diagonal = found if found.ndim == 1 else np.diag(found)
    np.testing.assert_allclose(diagonal[:3], spread, rtol=0.5, atol=1e-3)
    assert (ed.summary(trace, round_to="none")["r_hat"] < 1.05).all()


def test_chains_begin_where_the_trace_ended(model: ed.Model) -> None:
    first = ed.sample(model, draws=100, random_seed=1, **QUIET)
    first.posterior["beta"].values[:, -1] += 100.0
    second = ed.sample(
        model,
        draws=1,
        tune=1,
        warm_start=first,
        random_seed=2,
        discard_tuned_samples=False,
        **QUIET,
    )

    assert (np.abs(second.warmup_posterior["beta"].values) > 10).any()


def test_the_metric_is_learnt_anew_on_request(model: ed.Model, earlier: ed.Run) -> None:
    metric = earlier.earlier.states[0].metric
    options = QUIET | {"metric": metric, "adapt": "fisher", "blocking": False}
    run = ed.sample(model, draws=5, warm_start=earlier, random_seed=2, **options)
    run.wait()

    assert not np.array_equal(inv_mass(run), inv_mass(earlier))


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"warm_start": 3}, OptionError, "the trace is a int"),
        ({"initvals": {}}, OptionError, "either initvals= or warm_start="),
        ({"metric": "other"}, OptionError, "metric="),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(
    model: ed.Model, earlier: ed.Run, change: dict[str, Any], error: type[Exception], says: str
) -> None:
    metric = earlier.earlier.states[0].metric
    if change.get("metric"):
        change = {"metric": next(m for m in METRICS if m != metric)}
    options = {"warm_start": earlier, "metric": metric, **QUIET, **change}
    with pytest.raises(error, match=says):
        ed.sample(model, **options)


def test_a_trace_of_another_model_is_refused_by_name(model: ed.Model) -> None:
    with ed.Model() as other:
        ed.Normal("alpha", 0, 1)
        ed.Normal("beta", 0, 1)
    trace = ed.sample(other, draws=5, tune=5, **QUIET)

    with pytest.raises(UnknownName, match="no 'sigma'"):
        ed.sample(model, warm_start=trace, **QUIET)
    trace.posterior["sigma"] = trace.posterior["alpha"] ** 2
    with pytest.raises(ShapeError, match="'beta'"):
        ed.sample(model, warm_start=trace, **QUIET)


def test_a_run_in_its_warmup_has_nothing_to_give(model: ed.Model) -> None:
    young = ed.sample(model, draws=1, tune=1_000_000, blocking=False, **QUIET)
    with young, pytest.raises(OptionError, match="behind its warmup"):
        ed.sample(model, warm_start=young, **QUIET)


def test_a_run_that_moves_its_variables_otherwise_is_refused() -> None:
    with ed.Model() as model:
        tau = ed.HalfNormal("tau", 1)
        theta = ed.Normal("theta", 0, tau, shape=2)
        ed.Normal("y", theta, 1, observed=[0.1, 0.2])
    run = ed.sample(model, draws=5, tune=5, ncp=True, blocking=False, **QUIET)
    run.wait()

    with pytest.raises(OptionError, match="another model, or moves"):
        ed.sample(model, draws=5, ncp=False, warm_start=run, **QUIET)
    assert ed.sample(model, draws=5, ncp=True, warm_start=run, **QUIET)
