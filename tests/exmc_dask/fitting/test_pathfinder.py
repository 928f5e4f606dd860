"""Pathfinder: its normal laws against dense algebra, its draws against known posteriors."""

from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import exmc_dask as ed
from exmc_dask import kernels
from exmc_dask.errors import OptionError, SamplingError
from exmc_dask.fitting.approximation import Pool
from exmc_dask.inference.pathfinder import log_density
from exmc_dask.inference.state import FitState
from exmc_dask.kernels import build
from tests.exmc_dask.posteriors import beta_binomial, gamma_poisson, regression, two_peaks

HERE: dict[str, Any] = {"cluster": "threads", "progressbar": False, "method": "pathfinder"}


def fitted(model: ed.Model, **options: Any) -> Pool:
    found = ed.fit(model, **options, **HERE)
    assert isinstance(found, Pool)
    return found


@pytest.mark.parametrize("dim", [2, 9])
def test_the_law_at_a_place_is_that_of_the_moves_which_led_to_it(dim):
    """By the update of the inverse Hessian as the textbook has it, dense."""
    rng = np.random.default_rng(dim)
    lbfgs, pathfinder = (build.runtime_module(name) for name in ("lbfgs", "pathfinder"))
    model = regression(dim).model
    density = ed.fit(model, random_seed=1, **HERE).lowered.density
    kernel = kernels.compile(density)
    bound = kernel.bind(density.fold(model.data))
    history, n = 6, 4
    path = np.zeros((int(lbfgs.PAIRS) + 2 * history, dim))
    path[lbfgs.Q], path[lbfgs.GRAD] = rng.normal(size=(2, dim))
    spread = rng.uniform(0.5, 2.0, dim)
    curvature = np.cov(rng.normal(size=(dim, 3 * dim))) + np.eye(dim)
    covariance = np.diag(spread)
    for k in range(n):
        s = rng.normal(size=dim)
        z = curvature @ s
        path[lbfgs.PAIRS + 2 * k], path[lbfgs.PAIRS + 2 * k + 1] = s, z
        left = np.eye(dim) - np.outer(s, z) / (s @ z)
        covariance = left @ covariance @ left.T + np.outer(s, s) / (s @ z)
    ints = np.zeros(lbfgs.N_INTS, np.int64)
    ints[lbfgs.N_PAIRS], ints[lbfgs.NEXT_PAIR] = n, n
    mean, q, logp, logq = np.empty(dim), np.empty((20_000, dim)), *np.empty((2, 20_000))
    basis, root = np.empty((2 * n, dim)), np.empty((2 * n, 2 * n))
    work = np.empty(bound.work_size)
    assert pathfinder.scatter()(
        *(kernel.logp_grad, bound.data, bound.data32, bound.index, work),
        *(path, ints, spread, 3, 0, mean, basis, root, q, logp, logq),
    )
    law = st.multivariate_normal(path[lbfgs.Q] + covariance @ path[lbfgs.GRAD], covariance)
    z = np.linalg.solve(np.linalg.cholesky(covariance), (q - law.mean).T)

    np.testing.assert_allclose(mean, law.mean, rtol=1e-9)
    np.testing.assert_allclose(logq, law.logpdf(q), rtol=1e-8)
    found = {"mean": mean, "basis": basis, "root": root, "spread": spread}
    np.testing.assert_allclose(log_density(FitState(0, 1, found), q), logq, rtol=1e-8)
    np.testing.assert_allclose(z.mean(axis=1), 0, atol=4 / np.sqrt(20_000))
    np.testing.assert_allclose(np.cov(z), np.eye(dim), atol=4 * np.sqrt(2 / 20_000))


@pytest.mark.parametrize(
    ("made", "most"),
    [
        (lambda: regression(1), 0.01),
        (lambda: regression(5), 0.1),
        (lambda: regression(12), 0.5),
        (gamma_poisson, 0.05),
        (beta_binomial, 0.05),
    ],
)
def test_the_draws_are_near_a_known_posterior(made, most):
    """``most`` bounds the divergence from the posterior: evidence minus ELBO."""
    known = made()
    found = fitted(known.model, random_seed=2, pool=2000)
    elbo, khat = float(found.stats["elbo"][0]), float(found.stats["khat"][0])
    z = (found.mean - known.mean) / known.sd
    n = 1 / (found.weights**2).sum()  # draws that those with weights are worth

    assert known.evidence - elbo < most
    assert khat < 0.7
    np.testing.assert_allclose(z, 0, atol=4 / np.sqrt(n))
    np.testing.assert_allclose(np.sqrt(np.diag(found.cov)) / known.sd, 1, atol=4 / np.sqrt(n))


def test_paths_are_weighed_against_each_other():
    found = fitted(two_peaks(0.3, 2.0), random_seed=3, paths=24, jitter=4.0)
    n = 1 / (found.weights**2).sum()

    assert abs(found.weights[found.q[:, 0] < 0].sum() - 0.3) < 4 * np.sqrt(0.21 / n)


def test_khat_says_when_the_tails_are_missed():
    with ed.Model() as heavy:
        ed.StudentT("x", nu=1.0, mu=0.0, sigma=1.0, shape=8)

    assert ed.fit(heavy, random_seed=1, **HERE).stats["khat"][0] > 0.7


def test_the_result_has_what_a_sample_has_and_the_fit():
    known = regression(5)
    found = ed.fit(known.model, random_seed=2, **HERE)
    trace = found.sample(4000, random_seed=1)

    assert set(trace.children) == {
        *("posterior", "sample_stats", "fit", "observed_data", "constant_data")
    }
    assert {"elbo", "khat", "path_elbo", "path_steps"} <= set(trace.fit)
    z = (trace.posterior["b"].values[0] - known.mean) / known.sd
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.1)
    np.testing.assert_array_equal(
        trace.posterior["b"], found.sample(4000, random_seed=1).posterior["b"]
    )


def test_a_start_is_kept_and_a_bad_option_named():
    model = two_peaks(0.5, 6.0)
    found = fitted(model, random_seed=1, start={"x": [5.0, 5.0]})

    assert (found.q > 0).all()
    with pytest.raises(OptionError, match="called paths"):
        ed.fit(model, num_paths=3, **HERE)
    with pytest.raises(OptionError, match="elbo_draws=0"):
        ed.fit(model, elbo_draws=0, **HERE)


def test_paths_that_find_nothing_say_so():
    with ed.Model() as cliff:
        x = ed.Flat("x")
        ed.Potential("edge", ed.math.where(x < 1e-9, -x, -np.inf))
    with pytest.raises(SamplingError, match="none of the 2 paths"):
        ed.fit(cliff, random_seed=1, paths=2, start={"x": 0.0}, max_iterations=3, **HERE)
