"""Log-densities of draws, element by element, against scipy.stats and through ArviZ."""

from collections.abc import Callable
from typing import Any

import arviz as az
import matplotlib as mpl
import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import ModelError, OptionError, ShapeError, UnknownName
from tests.exmc_dask.predictive.posteriors import posterior

mpl.use("Agg")

RNG = np.random.default_rng(4)
Y = np.array([0.3, -1.0, 2.5])
MU, S = RNG.normal(size=(2, 5)), RNG.uniform(0.5, 2, size=(2, 5))
A = np.array([[2.0, 0.3, 0.0], [0.1, 1.5, -0.4], [0.0, 0.2, 1.0]])
VECTORS = RNG.normal(size=(4, 3))
CHOL = np.array([[1.0, 0.0, 0.0], [0.5, 2.0, 0.0], [-0.2, 0.1, 0.7]])
TRACE = posterior(mu=MU, s=S)

type Roots = tuple[Any, Any, ed.Model]


def normal(mu: Any = MU[..., None], s: Any = S[..., None]) -> Any:
    return stats.norm.logpdf(Y, mu, s)


def declared(declare: Callable[[Any, Any, ed.Model], Any]) -> ed.Model:
    with ed.Model(coords={"place": ["a", "b", "c"]}) as model:
        declare(ed.Normal("mu", 0, 1), ed.HalfNormal("s", 1), model)
    return model


# name: declaration of y, its log-density in every draw, dims of its elements
CASES: dict[str, tuple[Callable[[Any, Any, ed.Model], Any], Any, tuple[str, ...]]] = {
    "Normal": (
        lambda mu, s, model: ed.Normal("y", mu, s, observed=Y, dims="place"), normal(), ("place",),
    ),
    "one number": (
        lambda mu, s, model: ed.Normal("y", mu, s, observed=0.3),
        stats.norm.logpdf(0.3, MU, S), (),
    ),
    "Poisson": (
        lambda mu, s, model: ed.Poisson("y", s, observed=[0, 3]),
        stats.poisson.logpmf([0, 3], S[..., None]), ("y_dim_0",),
    ),
    "weighted": (
        lambda mu, s, model: ed.Normal("y", mu, s, observed=Y, weight=[1, 0, 2.5]),
        normal() * [1, 0, 2.5], ("y_dim_0",),
    ),
    "masked": (
        lambda mu, s, model: ed.Normal("y", mu, s, observed=Y, mask=[1, 0, 1], dims="place"),
        normal()[..., [0, 2]], ("y_dim_0",),
    ),
    "masked by a variable": (
        lambda mu, s, model: ed.Normal("y", mu, s, observed=Y, mask=mu > 0),
        np.where(MU[..., None] > 0, normal(), 0.0), ("y_dim_0",),
    ),
    "reduced": (
        lambda mu, s, model: ed.Normal("y", mu, s, observed=Y, reduce="mean"),
        normal(), ("y_dim_0",),
    ),
    "vectors": (
        lambda mu, s, model: ed.MvNormal("y", mu * np.ones(3), chol=CHOL, observed=VECTORS),
        np.array([
            [stats.multivariate_normal(m * np.ones(3), CHOL @ CHOL.T).logpdf(VECTORS) for m in row]
            for row in MU
        ]),
        ("y_dim_0",),
    ),
    "an expression": (
        lambda mu, s, model: model.observe("y", 3 - 2 * ed.Normal("x", mu, s, shape=3), Y),
        stats.norm.logpdf(Y, 3 - 2 * MU[..., None], 2 * S[..., None]), ("y_dim_0",),
    ),
    "a matrix product": (
        lambda mu, s, model: model.observe("y", A @ ed.Normal("x", mu, s, shape=3), Y),
        np.array([
            [
                stats.multivariate_normal(m * A.sum(1), d * d * A @ A.T).logpdf(Y)
                for m, d in zip(*row, strict=True)
            ]
            for row in zip(MU, S, strict=True)
        ]),
        (),
    ),
    "given what was observed above": (
        lambda mu, s, model: ed.Normal(
            "y", mu * ed.Poisson("n", 3, observed=[1, 2, 3], likelihood=False), s, observed=Y
        ),
        stats.norm.logpdf(Y, MU[..., None] * [1, 2, 3], S[..., None]), ("y_dim_0",),
    ),
    "censored": (
        lambda mu, s, model: ed.Censored("y", ed.Normal.dist(mu, s), upper=2.5, observed=Y),
        np.concatenate(
            [normal()[..., :2], stats.norm.logsf(2.5, MU, S)[..., None]], axis=-1
        ),
        ("y_dim_0",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_log_likelihood_is_that_of_scipy(name: str) -> None:
    declare, expected, dims = CASES[name]
    found = ed.compute_log_likelihood(TRACE, declared(declare), extend_inferencedata=False)

    assert set(found.data_vars) == {"y"}
    assert found["y"].dims == ("chain", "draw", *dims)
    np.testing.assert_allclose(found["y"], expected, rtol=1e-10)


def test_what_does_not_count_is_calculated_on_request() -> None:
    model = declared(lambda mu, s, model: ed.Normal("y", mu, s, observed=Y, likelihood=False))
    none = ed.compute_log_likelihood(TRACE, model, extend_inferencedata=False)
    asked = ed.compute_log_likelihood(TRACE, model, var_names="y", extend_inferencedata=False)

    assert not none.data_vars
    np.testing.assert_allclose(asked["y"], normal(), rtol=1e-12)


def test_elements_add_up_to_the_likelihood_of_the_model() -> None:
    model = declared(
        lambda mu, s, model: ed.Normal("y", mu, s, observed=Y, mask=[1, 0, 1], weight=[1.0, 1, 3])
    )
    tree = TRACE.copy()
    ed.compute_log_prior(ed.compute_log_likelihood(tree, model), model)
    total = tree.log_likelihood["y"].sum("y_dim_0") + tree.log_prior["mu"] + tree.log_prior["s"]
    expected = [
        [model.logp({"mu": m, "s": s}) for m, s in zip(*row, strict=True)]
        for row in zip(MU, S, strict=True)
    ]

    np.testing.assert_allclose(total, expected, rtol=1e-12)


def test_the_log_prior_is_that_of_scipy() -> None:
    with ed.Model(coords={"place": ["a", "b"]}) as model:
        mu = ed.Normal("mu", 0, 2)
        s = ed.HalfNormal("s", 3)
        theta = ed.Normal("theta", mu, s, dims="place")
        w = ed.Dirichlet("w", [1.0, 2.0, 3.0])
        x = ed.Normal("x", mu, 1, shape=2)
        model.observe("y", 2 * x, [1.0, 2.0])
        ed.Normal("z", theta.sum() + w[0], 1, observed=0.0)
    thetas, shares = RNG.normal(size=(2, 5, 2)), RNG.dirichlet([1, 1, 1], size=(2, 5))
    trace = posterior(mu=MU, s=S, theta=(thetas, ("place",)), w=shares)
    found = ed.compute_log_prior(trace, model, extend_inferencedata=False)
    dirichlet = stats.dirichlet([1.0, 2.0, 3.0]).logpdf(shares.reshape(10, 3).T).reshape(2, 5)

    assert set(found.data_vars) == {"mu", "s", "theta", "w"}
    assert found["theta"].dims == ("chain", "draw", "place")
    np.testing.assert_allclose(found["mu"], stats.norm(0, 2).logpdf(MU), rtol=1e-12)
    np.testing.assert_allclose(found["s"], stats.halfnorm(0, 3).logpdf(S), rtol=1e-12)
    np.testing.assert_allclose(
        found["theta"], stats.norm.logpdf(thetas, MU[..., None], S[..., None]), rtol=1e-12
    )
    np.testing.assert_allclose(found["w"], dirichlet, rtol=1e-12)


def test_loo_of_a_conjugate_model_is_the_one_calculated_by_hand() -> None:
    y = np.random.default_rng(6).normal(0.5, 2.0, 30)
    precision = 1 / 9 + 30 / 4
    draws = np.random.default_rng(7).normal(y.sum() / 4 / precision, precision**-0.5, (4, 5000))
    with ed.Model() as model:
        ed.Normal("y", ed.Normal("mu", 0, 3), 2, observed=y)
    others = 1 / 9 + 29 / 4
    left_out = stats.norm((y.sum() - y) / 4 / others, np.sqrt(4 + 1 / others)).logpdf(y)
    found = az.loo(ed.compute_log_likelihood(posterior(mu=draws), model), pointwise=True)

    assert found.elpd == pytest.approx(left_out.sum(), abs=0.02)
    np.testing.assert_allclose(found.elpd_i, left_out, atol=0.01)


MANY = np.random.default_rng(8).normal(0.5, 1.0, 25)


def sampled(mu: float) -> Any:
    with ed.Model() as model:
        ed.Normal("y", ed.Normal("mu", mu, 0.2), 1, observed=MANY)
    trace = ed.sample(
        model, draws=200, tune=200, chains=2, random_seed=1, log_likelihood=True, log_prior=True,
        progressbar=False, cluster="threads", compute_convergence_checks=False,
    )  # fmt: skip
    ed.sample_posterior_predictive(trace, model, extend_inferencedata=True, random_seed=1)
    return trace


def test_arviz_takes_what_sample_adds() -> None:
    near, far = sampled(0.5), sampled(2.0)

    assert {"log_likelihood", "log_prior"} <= set(near.children)
    np.testing.assert_allclose(
        near.log_likelihood["y"], stats.norm.logpdf(MANY, near.posterior["mu"].values[..., None])
    )
    assert list(az.compare({"near": near, "far": far}).index) == ["near", "far"]
    assert np.isfinite(az.loo_pit(near)["y"]).all()
    assert len(az.psense_summary(near)) == 1


@pytest.mark.parametrize("option", ["log_likelihood", "log_prior"])
def test_sample_keeps_what_log_densities_are_made_of(option: str) -> None:
    model = declared(lambda mu, s, model: ed.Normal("y", mu, s, observed=Y))
    with pytest.raises(OptionError, match="leaves out 's'"):
        ed.sample(model, var_names="mu", **{option: True})  # type: ignore[call-overload]


def behind() -> ed.Model:
    with ed.Model() as model:
        ed.Normal("y", ed.Data("x", Y) * ed.Normal("mu", 0, 1), 1, observed=Y)
    model.set_data({"x": Y[:2]})
    return model


PLAIN = declared(lambda mu, s, model: ed.Normal("y", mu, s, observed=Y))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ed.compute_log_likelihood(TRACE), ModelError, r"with ed\.Model"),
        (lambda: ed.compute_log_likelihood(TRACE, PLAIN, var_names="mu"), UnknownName, "observed"),
        (lambda: ed.compute_log_prior(TRACE, PLAIN, var_names="y"), UnknownName, "free variable"),
        (
            lambda: ed.compute_log_likelihood(posterior(mu=MU), PLAIN),
            UnknownName, "'y' is made of 's', which the trace does not hold",
        ),
        (lambda: ed.compute_log_likelihood(TRACE.posterior, PLAIN), OptionError, "whole result"),
        (lambda: ed.compute_log_likelihood(TRACE, PLAIN, backend="c"), OptionError, "compiled"),
        (lambda: ed.compute_log_likelihood(TRACE, behind()), ShapeError, "predictions=True"),
        (
            lambda: ed.compute_log_likelihood(TRACE, ed.Builder()),  # type: ignore[arg-type]
            OptionError, r"\.build\(\)",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named(call: Callable[[], object], error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        call()
