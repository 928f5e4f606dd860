"""Variational fits: against normal posteriors, where the best law is known in closed form."""

from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats as st

import exmc_dask as ed
from exmc_dask.errors import OptionError
from tests.exmc_dask.posteriors import Known, gamma_poisson, regression

HERE: dict[str, Any] = {"cluster": "threads", "progressbar": False, "random_seed": 1}


def apart() -> Known:
    """Three means that know nothing of each other, on unlike scales."""
    scales, y = np.array([0.01, 1.0, 100.0]), np.array([[0.3, -1.0, 250.0], [0.1, 0.5, 90.0]])
    with ed.Model() as model:
        mu = ed.Normal("mu", 0.0, 10 * scales, shape=3)
        ed.Normal("y", mu, scales, observed=y)
    precision = 2 / scales**2 + 1 / (10 * scales) ** 2
    evidence = sum(
        st.multivariate_normal(np.zeros(2), s**2 * (np.eye(2) + 100)).logpdf(column)
        for s, column in zip(scales, y.T, strict=True)
    )
    return Known(model, evidence, y.sum(axis=0) / scales**2 / precision, np.diag(1 / precision))


@pytest.mark.parametrize(
    ("made", "method"),
    [
        (apart, "advi"),
        (apart, "fullrank"),
        (lambda: regression(1), "advi"),
        (lambda: regression(5), "fullrank"),
        (lambda: regression(12), "fullrank_advi"),
    ],
)
def test_a_normal_posterior_is_found_and_its_elbo_is_the_evidence(made, method):
    known = made()
    found = ed.fit(known.model, method=method, **HERE)
    elbo = found.sample(200, random_seed=2).fit["elbo"]

    np.testing.assert_allclose((found.mean - known.mean) / known.sd, 0, atol=1e-3)
    scale = np.outer(known.sd, known.sd)
    np.testing.assert_allclose((found.cov - known.cov) / scale, 0, atol=1e-3)
    np.testing.assert_allclose(elbo, known.evidence, atol=1e-4)


@pytest.mark.parametrize("dim", [2, 5])
def test_without_correlations_the_law_is_as_wide_as_one_coordinate_given_the_others(dim):
    """Of all such laws that one is nearest to a normal one, and by how much is known."""
    known = regression(dim)
    found = ed.fit(known.model, method="advi", **HERE)
    fit = found.sample(4000, random_seed=2).fit
    precision = np.linalg.inv(known.cov)
    sd = 1 / np.sqrt(np.diag(precision))
    distance = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])

    np.testing.assert_allclose(found.std / sd, 1, atol=0.03)
    np.testing.assert_allclose((found.mean - known.mean) / sd, 0, atol=0.5)
    np.testing.assert_allclose(known.evidence - fit["elbo"], distance, atol=4 * fit["elbo_se"])


def test_of_a_skewed_posterior_it_is_the_nearest_law():
    """By quadrature: the normal law of log(rate) with the highest ELBO, for Gamma(13, 7)."""
    known = gamma_poisson()
    found = ed.fit(known.model, method="advi", **HERE)
    z, w = np.polynomial.hermite_e.hermegauss(60)

    def loss(at: np.ndarray) -> float:
        x = at[0] + np.exp(at[1]) * z
        return -float((w * (13 * x - 7 * np.exp(x))).sum() / w.sum() + at[1])

    m, log_s = scipy.optimize.minimize(loss, [0.6, -1.3], tol=1e-12).x
    np.testing.assert_allclose(found.mean, m, atol=0.02 * np.exp(log_s))
    np.testing.assert_allclose(found.std, np.exp(log_s), rtol=0.02)


def test_a_fit_that_was_cut_short_says_so():
    with pytest.warns(UserWarning, match="max_iterations=100"):
        ed.fit(regression(2).model, method="advi", max_iterations=100, **HERE)


def test_the_history_of_the_elbo_is_kept():
    fit = ed.fit(regression(5).model, method="advi", **HERE).sample(50).fit

    assert fit["elbo_history"].dims == fit["iteration"].dims == ("window",)
    assert (np.diff(fit["iteration"]) > 0).all()


def test_the_best_of_several_fits_counts():
    with ed.Model() as model:
        x = ed.Flat("x")
        near, far = -50 * (x - 0.2) ** 2, 3 - 50 * (x + 0.9) ** 2
        ed.Potential("peaks", ed.math.logaddexp(near, far))

    assert abs(ed.fit(model, method="advi", **HERE).mean[0] - 0.2) < 0.1
    assert abs(ed.fit(model, method="advi", restarts=8, **HERE).mean[0] + 0.9) < 0.1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n": 1000}, "called max_iterations"),
        ({"obj_n_mc": 3}, "called gradient_draws"),
        ({"learning_rate": 0.1}, "no option is called 'learning_rate'"),
        ({"gradient_draws": 0}, "gradient_draws=0"),
    ],
)
def test_options_that_cannot_be_are_named(options, match):
    with pytest.raises(OptionError, match=match):
        ed.fit(regression(1).model, method="advi", **options, **HERE)
