"""Imputed values in the trace and after it: their posterior, predictive draws, log-densities."""

from typing import Any

import arviz as az
import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import UnknownName
from exmc_dask.warned import ImplicitFreezeWarning
from tests.exmc_dask.predictive.posteriors import p_value, posterior

pytestmark = pytest.mark.filterwarnings("ignore::exmc_dask.warned.ImputationWarning")

NAN = np.nan
Y = np.array([0.5, NAN, 0.7, 0.2, NAN])
SEEN = np.flatnonzero(~np.isnan(Y))
QUIET: dict[str, Any] = {
    "progressbar": False, "compute_convergence_checks": False, "cluster": "threads",
}  # fmt: skip


def sampled(model: ed.Model, **options: Any) -> Any:
    options = {"draws": 1000, "tune": 500, "chains": 4, "random_seed": 1} | options
    return ed.sample(model, **options, **QUIET)


def gauss() -> ed.Model:
    with ed.Model(coords={"place": list("abcde")}) as model:
        ed.Normal("y", ed.Normal("mu", 0, 2), 0.5, observed=Y, dims="place")
    return model


def standard(draws: Any, mean: Any, deviation: Any) -> np.ndarray:
    """Every fourth draw, by the law it should have a standard normal number."""
    return np.asarray((draws.values[:, ::4] - mean) / deviation)


@pytest.mark.parametrize("ncp", [True, False])
def test_imputed_values_have_the_predictive_distribution_and_teach_nothing(ncp: bool) -> None:
    trace = sampled(gauss(), ncp=ncp)
    precision = 1 / 4 + 3 / 0.25
    centre, variance = np.nansum(Y) / 0.25 / precision, 1 / precision
    imputed = trace.posterior["y_unobserved"]

    assert trace.posterior["y"].dims == ("chain", "draw", "place")
    assert p_value(standard(trace.posterior["mu"], centre, variance**0.5), stats.norm) > 1e-3
    for entry in (0, 1):
        drawn = standard(imputed[..., entry], centre, np.sqrt(variance + 0.25))
        assert p_value(drawn, stats.norm) > 1e-3
    np.testing.assert_array_equal(trace.posterior["y"].sel(place=["b", "e"]), imputed)
    assert (trace.posterior["y"][..., SEEN] == Y[SEEN]).all()


def test_a_missing_predictor_is_learnt_from_its_outcome() -> None:
    outcome = np.array([1.0, 4.0, 0.5, -1.0, 2.0])
    with ed.Model() as model:
        x = ed.Normal("x", 1.0, 2.0, observed=Y)
        ed.Normal("z", 0.3 + 1.5 * x, 0.8, observed=outcome)
    trace = sampled(model)
    variance = 1 / (1 / 4 + 1.5**2 / 0.64)
    for entry, place in enumerate(np.flatnonzero(np.isnan(Y))):
        mean = variance * (1.0 / 4 + 1.5 * (outcome[place] - 0.3) / 0.64)
        drawn = standard(trace.posterior["x_unobserved"][..., entry], mean, np.sqrt(variance))
        assert p_value(drawn, stats.norm) > 1e-3


def conditional(
    mean: np.ndarray, cov: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviations of the missing elements of a normal vector, given the others."""
    lost, seen = np.isnan(value), ~np.isnan(value)
    gain = cov[np.ix_(lost, seen)] @ np.linalg.inv(cov[np.ix_(seen, seen)])
    spread = cov[np.ix_(lost, lost)] - gain @ cov[np.ix_(seen, lost)]
    return mean[lost] + gain @ (value - mean)[seen], np.sqrt(np.diag(spread))


COV = np.array([[2.0, 0.8, -0.5], [0.8, 1.0, 0.2], [-0.5, 0.2, 3.0]])
WALK = np.array([0.3, NAN, NAN, 2.0, NAN])
STEPS = 0.7**2 * np.minimum.outer(np.arange(1.0, 6.0), np.arange(1.0, 6.0))
VECTORS: dict[str, tuple[Any, np.ndarray, np.ndarray, np.ndarray]] = {
    "MvNormal": (
        lambda y: ed.MvNormal("y", [1.0, 0.0, -1.0], cov=COV, observed=y),
        np.array([1.0, 0.0, -1.0]), COV, np.array([2.0, NAN, NAN]),
    ),
    "GaussianRandomWalk": (
        lambda y: ed.GaussianRandomWalk("y", 0.0, 0.7, observed=y), np.zeros(5), STEPS, WALK,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_gaps_in_vectors_are_filled_by_what_the_rest_says(name: str) -> None:
    declare, mean, cov, value = VECTORS[name]
    with ed.Model() as model:
        ed.Normal("mu", 0, 1)
        declare(value)
    drawn = sampled(model).posterior["y_unobserved"]
    for entry, (centre, spread) in enumerate(zip(*conditional(mean, cov, value), strict=True)):
        assert p_value(standard(drawn[..., entry], centre, spread), stats.norm) > 1e-3


def test_prior_predictive_draws_have_the_names_of_pymc() -> None:
    found = ed.sample_prior_predictive(gauss(), 2000, random_seed=1)
    whole = found.prior["y"].values

    assert set(found.prior.data_vars) == {"mu", "y", "y_unobserved"}
    assert set(found.prior_predictive.data_vars) == {"y_observed"}
    np.testing.assert_array_equal(found.prior["y_unobserved"], whole[..., [1, 4]])
    np.testing.assert_array_equal(found.prior_predictive["y_observed"], whole[..., SEEN])
    np.testing.assert_array_equal(found.observed_data["y_observed"], Y[SEEN])
    assert p_value(whole[..., 1], stats.norm(0, np.sqrt(4.25))) > 1e-3


MU = np.random.default_rng(1).normal(size=(2, 100))
IMPUTED = np.random.default_rng(2).normal(size=(2, 100, 2))
TRACE = posterior(mu=MU, y_unobserved=IMPUTED)


def test_posterior_predictive_draws_keep_what_was_imputed() -> None:
    found = ed.sample_posterior_predictive(TRACE, gauss(), random_seed=1).posterior_predictive

    assert set(found.data_vars) == {"y", "y_observed"}
    assert found["y"].dims == ("chain", "draw", "place")
    np.testing.assert_array_equal(found["y"][..., [1, 4]], IMPUTED)
    np.testing.assert_array_equal(found["y"][..., SEEN], found["y_observed"])
    assert p_value(found["y_observed"] - MU[..., None], stats.norm(0, 0.5)) > 1e-3


def test_imputed_values_are_drawn_anew_on_request_or_where_the_trace_lacks_them() -> None:
    asked = ed.sample_posterior_predictive(
        TRACE, gauss(), var_names=["y", "y_unobserved"], sample_vars="y_unobserved", random_seed=1
    ).posterior_predictive
    with pytest.warns(UserWarning, match="'y_unobserved' is not in the trace"):
        absent = ed.sample_posterior_predictive(posterior(mu=MU), gauss(), random_seed=1)
    with pytest.warns(
        ImplicitFreezeWarning, match="'y_unobserved' keeps its values.*'mu' is drawn"
    ):
        ed.sample_posterior_predictive(TRACE, gauss(), sample_vars="mu", var_names="y")

    np.testing.assert_array_equal(asked["y"][..., [1, 4]], asked["y_unobserved"])
    np.testing.assert_array_equal(asked["y"], absent.posterior_predictive["y"])
    assert p_value(asked["y_unobserved"] - MU[..., None], stats.norm(0, 0.5)) > 1e-3


def test_children_of_imputed_values_follow_them() -> None:
    with ed.Model() as model:
        x = ed.Normal("x", 0, 1, observed=Y)
        ed.Deterministic("double", 2 * x)
        ed.Normal("z", 100 * x, 0.01, observed=np.zeros(5))
    trace = posterior(x_unobserved=IMPUTED)
    found = ed.sample_posterior_predictive(trace, model, random_seed=1).posterior_predictive

    assert set(found.data_vars) == {"x", "x_observed", "z", "double"}
    np.testing.assert_array_equal(found["double"], 2 * found["x"])
    np.testing.assert_allclose(found["z"] / 100, found["x"].values, atol=1e-3)


def test_vectors_are_drawn_as_a_whole() -> None:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        ed.MvNormal("y", mu * np.ones(2), cov=[[1.0, 0.99], [0.99, 1.0]], observed=[[1.0, NAN]])
    trace = posterior(mu=MU, y_unobserved=np.full((2, 100, 1), 50.0))
    found = ed.sample_posterior_predictive(
        trace, model, var_names=["y", "y_unobserved"], random_seed=1
    ).posterior_predictive

    assert np.ptp(found["y"].values, axis=-1).max() < 1
    assert (found["y_unobserved"] == 50).all()


def test_new_predictors_are_predicted_whatever_was_missing() -> None:
    with ed.Model() as model:
        ed.Normal("y", ed.Data("x", np.arange(5.0)) + ed.Normal("mu", 0, 1), 0.1, observed=Y)
    model.set_data({"x": [10.0, 20.0]})
    found = ed.sample_posterior_predictive(TRACE, model, predictions=True, random_seed=1)

    assert set(found.predictions.data_vars) == {"y"}
    np.testing.assert_allclose(
        found.predictions["y"] - MU[..., None], [[[10, 20]] * 100] * 2, atol=1
    )
    assert set(ed.sample_prior_predictive(model, 3).prior_predictive.data_vars) == {"y"}
    with pytest.raises(UnknownName, match="'y_observed' is neither"):
        ed.sample_posterior_predictive(TRACE, model, predictions=True, var_names="y_observed")


def test_log_densities_are_of_what_was_seen_and_of_what_was_not() -> None:
    tree = TRACE.copy()
    ed.compute_log_prior(ed.compute_log_likelihood(tree, gauss()), gauss())

    assert set(tree.log_likelihood.data_vars) == {"y_observed"}
    assert set(tree.log_prior.data_vars) == {"mu", "y_unobserved"}
    np.testing.assert_allclose(
        tree.log_likelihood["y_observed"], stats.norm(MU[..., None], 0.5).logpdf(Y[SEEN])
    )
    np.testing.assert_allclose(
        tree.log_prior["y_unobserved"], stats.norm(MU[..., None], 0.5).logpdf(IMPUTED)
    )


def test_loo_is_that_of_the_model_without_the_missing_entries() -> None:
    y = np.random.default_rng(4).normal(0.3, 1.0, 30)
    holes = np.where(np.arange(30) % 7 == 3, NAN, y)
    draws = np.random.default_rng(5).normal(np.nanmean(holes), 0.2, (4, 500))
    trace = posterior(mu=draws, y_unobserved=np.zeros((4, 500, 4)))
    found = []
    for given in (holes, holes[~np.isnan(holes)]):
        with ed.Model() as model:
            ed.Normal("y", ed.Normal("mu", 0, 1), 1, observed=given)
        found.append(az.loo(ed.compute_log_likelihood(trace.copy(), model)).elpd)

    assert found[0] == found[1]


def test_log_densities_of_vectors_are_of_all_of_them() -> None:
    rows = np.array([[1.0, NAN], [0.3, 0.4], [NAN, NAN]])
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        ed.MvNormal("y", mu * np.ones(2), cov=np.eye(2), observed=rows)
    imputed = np.random.default_rng(3).normal(size=(2, 100, 3))
    tree = posterior(mu=MU, y_unobserved=imputed)
    group: Any = ed.compute_log_likelihood(tree, model, extend_inferencedata=False)
    found = group["y_observed"]
    first = stats.norm(MU, 1).logpdf(1.0) + stats.norm(MU, 1).logpdf(imputed[..., 0])

    assert found.shape == (2, 100, 2)
    np.testing.assert_allclose(found[..., 0], first)
    assert set(ed.compute_log_prior(tree, model, extend_inferencedata=False)) == {"mu"}
    with pytest.raises(UnknownName, match="a density of its own"):
        ed.compute_log_prior(tree, model, var_names="y_unobserved")


def test_what_a_mask_leaves_out_is_shown_as_missing() -> None:
    with ed.Model() as model:
        rate = ed.Exponential("rate", 1)
        ed.Poisson("n", rate, observed=[1.0, NAN, 3.0], mask=[1, 0, 1])
    trace = posterior(rate=np.exp(MU))
    seen = ed.sample_prior_predictive(model, 2).observed_data["n"]
    likelihood = ed.compute_log_likelihood(trace, model, extend_inferencedata=False)["n"]

    np.testing.assert_array_equal(seen, [1, NAN, 3])
    np.testing.assert_allclose(likelihood, stats.poisson(np.exp(MU)[..., None]).logpmf([1, 3]))


def test_deterministics_and_thinned_traces_have_the_values_put_in() -> None:
    model = gauss()
    trace = sampled(model, draws=50, tune=100, chains=2, var_names=["mu", "y_unobserved"])
    found = ed.compute_deterministics(trace, model)

    assert list(found.data_vars) == ["y"]
    np.testing.assert_array_equal(found["y"][..., [1, 4]], trace.posterior["y_unobserved"])
    assert (found["y"][..., SEEN] == Y[SEEN]).all()
