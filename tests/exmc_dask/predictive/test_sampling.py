"""Prior and posterior predictive draws: their laws, their names, what decides them, mistakes."""

from typing import Any

import arviz as az
import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import ShapeError
from exmc_dask.warned import ImplicitFreezeWarning
from tests.exmc_dask.predictive.posteriors import far_from, gauss, mixed, p_value, posterior

mpl.use("Agg")

N = 4000
X = np.array([[1.0, 0.5], [-1.0, 2.0], [0.0, 1.0]])


def regression() -> ed.Model:
    with ed.Model(coords={"feature": ["age", "dose"]}) as model:
        x = ed.Data("x", X, dims=("row", "feature"))
        beta = ed.Normal("beta", 0, 1, dims="feature")
        mu = ed.Deterministic("mu", x @ beta, dims="row")
        ed.Normal("y", mu, 0.1, observed=[0.0, 1.0, 2.0], dims="row")
    return model


def betas(n_chains: int = 2, n_draws: int = 300) -> xr.DataTree:
    drawn = np.random.default_rng(3).normal(size=(n_chains, n_draws, 2))
    return posterior({"feature": ["age", "dose"]}, beta=(drawn, ("feature",)))


PRIOR_PREDICTIVE: dict[str, tuple[ed.Model, Any]] = {
    "Normal of Normal": (gauss(), stats.norm(1, np.sqrt(13))),
    "Poisson of Gamma": (
        mixed(lambda p: ed.Poisson("y", p, observed=1), ed.Gamma.dist(3.0, 0.5)),
        stats.nbinom(3, 1 / 3),
    ),
    "Binomial of Beta": (
        mixed(lambda p: ed.Binomial("y", 9, p, observed=1), ed.Beta.dist(2.0, 3.0)),
        stats.betabinom(9, 2, 3),
    ),
    "Exponential of Gamma": (
        mixed(lambda p: ed.Exponential("y", p, observed=1.0), ed.Gamma.dist(4.0, 2.0)),
        stats.lomax(4, scale=2.0),
    ),
    "an expression observed": (
        (
            ed.Builder()
            .rv("x", ed.Normal, mu=1.0, sigma=2.0)
            .obs("y", lambda x: 3.0 - 0.5 * x, 1.0)
            .build()
        ),
        stats.norm(2.5, 1.0),
    ),
}


@pytest.mark.parametrize("name", PRIOR_PREDICTIVE)
def test_prior_predictive_draws_have_the_law_of_the_mixture(name: str) -> None:
    model, law = PRIOR_PREDICTIVE[name]
    drawn = ed.sample_prior_predictive(model, N, random_seed=5).prior_predictive["y"].values

    if drawn.dtype.kind == "i":
        assert far_from(drawn, law) < 1
    else:
        assert p_value(drawn, law) > 1e-3


def test_prior_predictive_draws_have_the_groups_of_pymc() -> None:
    found = ed.sample_prior_predictive(regression(), draws=7, random_seed=1)

    assert set(found.children) == {"prior", "prior_predictive", "observed_data", "constant_data"}
    assert set(found.prior.data_vars) == {"beta", "mu"}
    assert found.prior["beta"].dims == ("chain", "draw", "feature")
    assert list(found.prior["feature"].values) == ["age", "dose"]
    assert found.prior_predictive["y"].shape == (1, 7, 3)
    assert found.prior.attrs["seed"] == 1
    assert set(found.constant_data.data_vars) == {"x"}
    np.testing.assert_allclose(found.prior["mu"], found.prior["beta"].values @ X.T, rtol=1e-14)


def test_the_model_may_be_given_in_every_way() -> None:
    model = gauss()
    expected = ed.sample_prior_predictive(model, 5, random_seed=2).prior["mu"]
    with model:
        opened = ed.sample_prior_predictive(5, random_seed=2).prior["mu"]
    named = ed.sample_prior_predictive(model=model, draws=5, random_seed=2).prior["mu"]

    np.testing.assert_array_equal(expected, opened)
    np.testing.assert_array_equal(expected, named)


def test_observed_parents_are_drawn_with_their_children() -> None:
    with ed.Model() as model:
        x = ed.Normal("x", 5, 1, observed=[0.0, 0.0])
        ed.Normal("y", 2 * x, 0.1, observed=[0.0, 0.0])
    found = ed.sample_prior_predictive(model, 500, random_seed=1).prior_predictive

    np.testing.assert_allclose(found["y"], 2 * found["x"], atol=0.5)
    assert found["x"].values.mean() == pytest.approx(5.0, abs=0.2)


def test_drawn_whole_numbers_may_be_indices() -> None:
    with ed.Model() as model:
        mu = ed.Normal("mu", np.array([-50.0, 50.0]), 1, shape=2)
        kind = ed.Bernoulli("kind", 0.5, observed=[0, 1, 1])
        ed.Normal("y", mu[kind], 1, observed=[0.0, 0.0, 0.0])
    found = ed.sample_prior_predictive(model, 100, random_seed=1).prior_predictive

    assert found["kind"].dtype == np.int64
    np.testing.assert_array_equal(found["y"] > 0, found["kind"] == 1)


def test_posterior_predictive_draws_of_a_conjugate_model_have_their_law() -> None:
    law = stats.norm(0.7, 0.4)
    draws = law.rvs(size=(2, N), random_state=np.random.default_rng(1))
    found = ed.sample_posterior_predictive(posterior(mu=draws), gauss([1.0, 2.0]), random_seed=1)
    drawn = found.posterior_predictive["y"].values

    assert p_value(drawn[..., 0], stats.norm(0.7, np.sqrt(9 + 0.16))) > 1e-3
    assert p_value(drawn[..., 1] - draws, stats.norm(0, 3)) > 1e-3


def test_sampling_and_then_predicting_gives_the_predictive_distribution() -> None:
    y = np.random.default_rng(2).normal(4, 3, 20)
    model = gauss(y)
    trace = ed.sample(
        model, draws=1000, tune=300, chains=4, random_seed=1,
        progressbar=False, cluster="threads", compute_convergence_checks=False,
    )  # fmt: skip
    precision = 1 / 4 + 20 / 9
    centre = (1 / 4 + y.sum() / 9) / precision
    ed.sample_posterior_predictive(trace, model, extend_inferencedata=True, random_seed=1)
    drawn = trace.posterior_predictive["y"].isel(y_dim_0=7)

    assert drawn.dims == ("chain", "draw")
    assert p_value(drawn.values[:, ::4], stats.norm(centre, np.sqrt(9 + 1 / precision))) > 1e-3
    az.plot_ppc_dist(trace)
    az.plot_ppc_pit(trace)


def test_an_observed_expression_is_drawn_from_its_variable() -> None:
    with ed.Model() as model:
        x = ed.Normal("x", ed.Normal("mu", 0, 1), 2.0, shape=3)
        model.observe("y", 3.0 - 2.0 * x, [0.1, 0.2, 0.3])
        ed.Normal("z", x, 0.01, observed=[1.0, 2.0, 3.0])
    trace = posterior(mu=np.full((1, N), 1.5))
    found = ed.sample_posterior_predictive(trace, model, random_seed=4).posterior_predictive

    assert p_value(found["y"][..., 0], stats.norm(0.0, 4.0)) > 1e-3
    np.testing.assert_allclose(found["z"], (3 - found["y"].values) / 2, atol=0.1)


def test_the_seed_alone_decides_and_what_else_is_asked_for_does_not() -> None:
    model, trace = regression(), betas()

    def y(trace: Any = trace, **options: Any) -> Any:
        options = {"random_seed": 7} | options
        return ed.sample_posterior_predictive(trace, model, **options).posterior_predictive["y"]

    more = y(var_names=["y", "beta"], sample_vars="beta")
    np.testing.assert_array_equal(y(), y())
    np.testing.assert_array_equal(y(), y(var_names=["mu", "y"]))
    np.testing.assert_array_equal(y().sel(chain=1), y(trace.sel(chain=[1])).sel(chain=1))
    np.testing.assert_array_equal(y()[:, :200], y(trace.isel(draw=slice(0, 200))))
    assert not np.array_equal(y(), y(random_seed=8))
    assert not np.array_equal(y(), more)


def test_chains_chunks_variables_and_the_two_calls_have_numbers_of_their_own() -> None:
    with ed.Model() as model:
        ed.Normal("a", 0, 1, observed=0.0)
        ed.Normal("b", 0, 1, observed=0.0)
        ed.Normal("mu", 0, 1)
    after = ed.sample_posterior_predictive(posterior(mu=np.zeros((2, 200))), model, random_seed=1)
    before = ed.sample_prior_predictive(model, 200, random_seed=1)
    streams = [
        values
        for name in ("a", "b")
        for array in (after.posterior_predictive[name], before.prior_predictive[name])
        for values in array.values.reshape(-1, 100)
    ]

    assert len({values.tobytes() for values in streams}) == len(streams) == 12
    assert np.abs(np.corrcoef(streams) - np.eye(12)).max() < 0.4


def test_a_drawn_seed_is_kept() -> None:
    first = ed.sample_prior_predictive(gauss())
    again = ed.sample_prior_predictive(gauss(), random_seed=first.prior.attrs["seed"])

    assert first.prior["mu"].size == 500
    np.testing.assert_array_equal(first.prior["mu"], again.prior["mu"])


def test_new_predictors_are_predicted_without_observed_values() -> None:
    model, trace = regression(), betas()
    new = np.arange(10.0).reshape(5, 2)
    model.set_data({"x": new})
    found = ed.sample_posterior_predictive(
        trace, model, predictions=True, var_names=["y", "mu"], random_seed=1
    )
    beta = trace.posterior["beta"].values

    assert set(found.children) == {"predictions", "predictions_constant_data"}
    assert found.predictions["y"].dims == ("chain", "draw", "row")
    np.testing.assert_allclose(found.predictions["mu"], beta @ new.T, rtol=1e-12)
    np.testing.assert_allclose(found.predictions["y"], beta @ new.T, atol=0.6)
    np.testing.assert_array_equal(found.predictions_constant_data["x"], new)


def test_one_row_and_new_coordinates_can_be_predicted() -> None:
    with ed.Model(coords={"place": ["a", "b", "c"]}) as model:
        ed.Normal("y", ed.Normal("mu", 0, 1), 1, observed=[1.0, 2.0, 3.0], dims="place")
    trace = posterior(mu=np.zeros((1, 10)))
    model.set_data({}, coords={"place": ["somewhere"]})
    found = ed.sample_posterior_predictive(trace, model, predictions=True).predictions

    assert found["y"].shape == (1, 10, 1)
    assert list(found["place"].values) == ["somewhere"]


def test_a_deterministic_of_the_trace_is_calculated_again_for_new_data() -> None:
    model = regression()
    trace = betas(1, 20)
    trace["constant_data"] = xr.DataTree(xr.Dataset({"x": (("row", "feature"), X)}))
    old = trace.posterior["beta"].values @ X.T
    trace["posterior"] = trace.posterior.to_dataset().assign(mu=(("chain", "draw", "row"), old + 9))
    options: dict[str, Any] = {"var_names": "mu", "random_seed": 1, "predictions": True}

    def mu(**more: Any) -> Any:
        return ed.sample_posterior_predictive(trace, model, **options, **more).predictions["mu"]

    np.testing.assert_array_equal(mu(), old + 9)
    np.testing.assert_allclose(mu(sample_vars="mu"), old)
    model.set_data({"x": 2 * X})
    np.testing.assert_allclose(mu(), 2 * old)
    np.testing.assert_array_equal(mu(freeze_vars="mu"), old + 9)


def test_another_model_may_predict_by_the_names_it_shares() -> None:
    with ed.Model() as other:
        beta = ed.Normal("beta", 0, 1, shape=2)
        noise = ed.HalfNormal("noise", 1)
        ed.Normal("y", beta.sum(), noise, shape=4)
    trace = betas(1, 400)
    found = ed.sample_posterior_predictive(
        trace, other, sample_vars=["y", "noise"], random_seed=1
    ).posterior_predictive

    assert found["y"].shape == (1, 400, 4)
    standard = (found["y"] - trace.posterior["beta"].sum("feature")) / found["noise"]
    assert p_value(standard, stats.norm) > 1e-3


def test_what_was_observed_elsewhere_is_what_is_predicted() -> None:
    with ed.Model() as other:
        ed.Normal("y", ed.Normal("mu", 0, 1), 1, shape=2)
    trace = posterior(mu=np.zeros((1, 5)))
    trace["observed_data"] = xr.DataTree(xr.Dataset({"y": ("n", [1.0, 2.0])}))
    with pytest.warns(UserWarning, match="'y' is not in the trace"):
        found = ed.sample_posterior_predictive(trace, other)

    assert set(found.posterior_predictive.data_vars) == {"y"}


def test_draws_may_lie_along_other_dimensions() -> None:
    trace = betas(2, 30).posterior.to_dataset().expand_dims(pred_id=3)
    found = ed.sample_posterior_predictive(
        trace, regression(), sample_dims=["chain", "draw", "pred_id"], random_seed=1
    ).posterior_predictive
    flat = trace.isel(pred_id=0).stack(sample=("chain", "draw")).reset_index("sample")
    one = ed.sample_posterior_predictive(flat, regression(), sample_dims=["sample"], random_seed=1)

    assert found["y"].dims == ("chain", "draw", "pred_id", "row")
    assert len(np.unique(found["y"])) == found["y"].size
    assert one.posterior_predictive["y"].dims == ("sample", "row")


def test_extending_keeps_what_is_there() -> None:
    model, trace = regression(), betas()
    trace["observed_data"] = xr.DataTree(xr.Dataset({"y": ("row", [0.0, 1.0, 2.0])}))
    before = trace["observed_data"].to_dataset()
    returned = ed.sample_posterior_predictive(trace, model, extend_inferencedata=True)
    model.set_data({"x": X[:2]})
    ed.sample_posterior_predictive(trace, model, predictions=True, extend_inferencedata=True)

    assert returned is trace
    assert trace["observed_data"].to_dataset().identical(before)
    assert set(trace.children) == {
        "posterior", "posterior_predictive", "observed_data", "constant_data",
        "predictions", "predictions_constant_data",
    }  # fmt: skip
    with pytest.warns(UserWarning, match="group posterior_predictive of the trace is replaced"):
        ed.sample_posterior_predictive(
            trace, regression(), extend_inferencedata=True, var_names="mu"
        )
    assert set(trace.posterior_predictive.data_vars) == {"mu"}


def test_what_is_kept_although_something_changed_is_said() -> None:
    with ed.Model(coords={"place": ["a", "b"]}) as model:
        mu = ed.Normal("mu", 0, 1)
        theta = ed.Normal("theta", mu, 1, dims="place")
        ed.Normal("y", theta, 1, observed=[0.0, 0.0])
        ed.Potential("pull", -mu * mu)
    trace = posterior(
        {"place": ["x", "y"]}, mu=np.zeros((1, 3)), theta=(np.zeros((1, 3, 2)), ("place",))
    )

    with (
        pytest.warns(ImplicitFreezeWarning, match=r"'theta' keeps .* 'mu' is drawn, 'place' has"),
        pytest.warns(UserWarning, match="from a potential, so 'pull'"),
    ):
        ed.sample_posterior_predictive(trace, model, var_names=["y", "mu"], sample_vars="mu")
    with pytest.warns(UserWarning, match="'beta' is not in the trace"):
        ed.sample_posterior_predictive(posterior(mu=np.zeros((1, 3))), regression())


def test_observed_values_left_behind_ask_for_predictions() -> None:
    model = regression()
    model.set_data({"x": X[:2]})

    with pytest.raises(ShapeError, match="predictions=True"):
        ed.sample_posterior_predictive(betas(), model)
    assert "observed_data" not in ed.sample_prior_predictive(model, 3).children
