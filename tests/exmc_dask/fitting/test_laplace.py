"""Modes and Laplace's approximation, against closed forms and SciPy's optimiser."""

from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats as st

import exmc_dask as ed
from exmc_dask.errors import ModelError, OptionError, SamplingError, SupportError
from tests.exmc_dask import posteriors
from tests.exmc_dask.posteriors import regression

HERE: dict[str, Any] = {"cluster": "threads", "progressbar": False}
_UNKNOWN: Any = "svgd"
COUNTS = np.array([3, 0, 2, 4, 1])
HEIGHTS = np.array([1.2, -0.3, 0.8, 2.2, 1.9, 0.1])


def gamma_poisson() -> tuple[ed.Model, dict[str, float]]:
    with ed.Model() as model:
        rate = ed.Gamma("rate", 3.0, 2.0)
        ed.Poisson("y", rate, observed=COUNTS)
    return model, {"rate": (3 + COUNTS.sum() - 1) / (2 + COUNTS.size)}


def beta_binomial() -> tuple[ed.Model, dict[str, float]]:
    with ed.Model() as model:
        p = ed.Beta("p", 2.0, 5.0)
        ed.Binomial("y", 20, p, observed=np.array([7]))
    return model, {"p": (2 + 7 - 1) / (2 + 5 + 20 - 2)}


def heights() -> tuple[ed.Model, dict[str, float]]:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0.0, 2.0)
        sigma = ed.HalfNormal("sigma", 1.0)
        ed.Deterministic("twice", 2.0 * mu)
        ed.Normal("y", mu, sigma, observed=HEIGHTS)

    def energy(at: np.ndarray) -> float:
        mu, sigma = at
        prior = st.norm.logpdf(mu, 0, 2) + st.halfnorm.logpdf(sigma)
        return -float(prior + st.norm.logpdf(HEIGHTS, mu, sigma).sum())

    found = scipy.optimize.minimize(energy, [0.5, 1.0], method="Nelder-Mead", tol=1e-12)
    mu, sigma = found.x
    return model, {"mu": mu, "sigma": sigma, "twice": 2 * mu}


def hierarchy() -> tuple[ed.Model, dict[str, float]]:
    """Its mode on the scale of the variables is not that of the non-centred ones."""
    with ed.Model() as model:
        tau = ed.Gamma("tau", 5.0, 2.0)
        theta = ed.Normal("theta", 0.0, tau)
        ed.Normal("y", theta, 1.0, observed=2.0)

    def energy(at: np.ndarray) -> float:
        tau, theta = at
        prior = st.gamma.logpdf(tau, 5, scale=0.5) + st.norm.logpdf(theta, 0, tau)
        return -float(prior + st.norm.logpdf(2.0, theta, 1))

    found = scipy.optimize.minimize(energy, [2.0, 1.0], method="Nelder-Mead", tol=1e-12)
    return model, dict(zip(("tau", "theta"), found.x, strict=True))


@pytest.mark.parametrize("made", [gamma_poisson, beta_binomial, heights, hierarchy])
def test_the_map_is_the_mode_on_the_scale_of_the_variables(made):
    model, expected = made()
    found = ed.find_map(model, **HERE)

    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6)


@pytest.mark.parametrize("dim", [1, 2, 12])
def test_laplace_is_exact_where_the_posterior_is_normal(dim):
    known = regression(dim)
    found = ed.fit(known.model, method="laplace", **HERE)
    scale = np.outer(known.sd, known.sd)

    np.testing.assert_allclose((found.mean - known.mean) / known.sd, 0, atol=1e-6)
    np.testing.assert_allclose((found.cov - known.cov) / scale, 0, atol=1e-6)
    np.testing.assert_allclose(found.stats["log_evidence"][0], known.evidence, rtol=1e-8)

    trace = found.sample(500, random_seed=1)
    np.testing.assert_allclose(trace.fit["elbo"], known.evidence, atol=1e-5)
    assert trace.fit["khat"] < 0.7


def test_laplace_has_the_curvature_of_the_unconstrained_density():
    found = ed.fit(posteriors.gamma_poisson().model, method="laplace", **HERE)
    a, b = 13, 7

    np.testing.assert_allclose(found.mean, np.log(a / b), rtol=1e-8)  # of Gamma(a, b)'s logarithm
    np.testing.assert_allclose(found.cov, 1 / a, rtol=1e-6)


def test_draws_have_the_law_that_was_found():
    known = regression(2)
    found = ed.fit(known.model, method="laplace", **HERE)
    b = found.sample(20_000, random_seed=4).posterior["b"][0]
    z = np.linalg.solve(np.linalg.cholesky(known.cov), (b.values - known.mean).T)

    assert b.dims == ("draw", "b_dim_0")
    np.testing.assert_allclose(z.mean(axis=1), 0, atol=4 / np.sqrt(20_000))
    np.testing.assert_allclose(np.cov(z), np.eye(2), atol=4 * np.sqrt(2 / 20_000))


@pytest.mark.parametrize("n", [1, 5, 29, 30])
def test_few_draws_can_be_had_too(n):
    trace = ed.fit(heights()[0], method="laplace", **HERE).sample(n, random_seed=1)

    assert trace.posterior.sizes == {"chain": 1, "draw": n}
    np.testing.assert_allclose(np.exp(trace.sample_stats["log_weight"]).sum(), 1.0, rtol=1e-9)
    assert np.isnan(trace.fit["khat"]) or n >= 30 or trace.fit["khat"] == -np.inf


def test_restarts_find_the_higher_of_two_peaks():
    with ed.Model() as model:
        x = ed.Flat("x")
        near, far = -20 * (x - 0.3) ** 2, 3 - 20 * (x + 0.9) ** 2
        ed.Potential("peaks", ed.math.logaddexp(near, far))

    assert abs(ed.find_map(model, **HERE)["x"] - 0.3) < 0.01
    assert abs(ed.find_map(model, restarts=8, random_seed=1, **HERE)["x"] + 0.9) < 0.01
    assert abs(ed.find_map(model, start={"x": -0.8}, **HERE)["x"] + 0.9) < 0.01


def test_a_search_that_does_not_arrive_says_so():
    model, _ = heights()
    with pytest.warns(UserWarning, match="did not arrive at a peak in max_iterations=2 steps"):
        ed.find_map(model, max_iterations=2, **HERE)


def test_a_density_without_a_peak_says_so():
    with ed.Model() as funnel:
        tau = ed.HalfNormal("tau", 1.0)
        ed.Normal("x", 0.0, tau, shape=5)
    with pytest.warns(UserWarning, match="may have no peak"):
        ed.find_map(funnel, max_iterations=200, **HERE)


def test_laplace_names_a_variable_that_nothing_holds():
    with ed.Model() as model:
        x = ed.Normal("x", 0.0, 1.0)
        ed.Flat("loose")
        ed.Normal("y", x, 1.0, observed=0.3)
    with pytest.raises(SamplingError, match=r"1 direction.*'loose'"):
        ed.fit(model, method="laplace", **HERE)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda m: ed.find_map(m, maxeval=3), OptionError, "called max_iterations"),
        (lambda m: ed.find_map(m, restart=3), OptionError, "did you mean 'restarts'"),
        (lambda m: ed.find_map(m, restarts=0), OptionError, "restarts=0"),
        (lambda m: ed.find_map(m, start={"p": 1.5}, **HERE), SupportError, "'p'"),
        (lambda m: ed.fit(m, method=_UNKNOWN), OptionError, "method='svgd'"),
        (lambda m: ed.fit(m, method="laplace", hist=3), OptionError, "no option is called 'hist'"),
        (lambda m: ed.fit(m, method="laplace", n=3), OptionError, "max_iterations"),
        (lambda m: ed.fit(method="laplace"), ModelError, "no model"),
    ],
)
def test_what_cannot_be_is_refused(call, error, match):
    model, _ = beta_binomial()
    with pytest.raises(error, match=match):
        call(model)
