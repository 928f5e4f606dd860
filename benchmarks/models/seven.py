"""The seven models of the races, with their data, in the public language.

The data come from seeded generators, one stream for the first three models in their order; the
tests hold their sums to the published ones.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

import exmc_dask as ed


@cache
def _normals() -> tuple[np.ndarray, ...]:
    """Data of simple (1), medium (2) and stress (3), from one stream."""
    rng = np.random.default_rng(42)
    laws = [(3.0, 1.5, 50), (4.0, 0.8, 30), (7.0, 0.8, 30), *((m, 1, 40) for m in (0.5, 3.0, 5.5))]
    return tuple(rng.normal(*law) for law in laws)


def simple_data() -> np.ndarray:
    """Return 50 draws of N(3, 1.5)."""
    return _normals()[0]


def medium_data() -> tuple[np.ndarray, np.ndarray]:
    """Two groups of 30 around 4 and 7."""
    return _normals()[1], _normals()[2]


def stress_data() -> tuple[np.ndarray, ...]:
    """Three groups of 40 around 0.5, 3 and 5.5."""
    return _normals()[3:]


def eight_schools_data() -> tuple[np.ndarray, np.ndarray]:
    """Effects and their standard errors: Rubin (1981), table 1."""
    y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    se = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    return y, se


@cache
def logistic_data() -> tuple[np.ndarray, np.ndarray]:
    """Design (500, 20) and outcomes of a logistic regression with intercept 0.5."""
    rng = np.random.default_rng(123)
    betas = rng.normal(0, 0.3, 20)
    X = rng.standard_normal((500, 20))
    y = rng.binomial(1, 1 / (1 + np.exp(-(0.5 + X @ betas))))
    return X, y


@cache
def sv_data() -> np.ndarray:
    """Return 100 returns whose log scale walks at random."""
    rng = np.random.default_rng(456)
    s = np.cumsum(0.15 * rng.standard_normal(100))
    return rng.standard_t(10, 100) * np.exp(s)


def simple() -> ed.Model:
    """Mean and scale of normal data; 2 parameters."""
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 10)
        sigma = ed.Exponential("sigma", 1)
        ed.Normal("y", mu, sigma, observed=simple_data())
    return model


def medium() -> ed.Model:
    """Two groups under one prior; 5 parameters."""
    y_a, y_b = medium_data()
    with ed.Model() as model:
        mu_global = ed.Normal("mu_global", 0, 10)
        sigma_global = ed.Exponential("sigma_global", 1)
        alpha = ed.Normal("alpha", mu_global, sigma_global)
        beta = ed.Normal("beta", mu_global, sigma_global)
        sigma_obs = ed.Exponential("sigma_obs", 2)
        ed.Normal("y_a", alpha, sigma_obs, observed=y_a)
        ed.Normal("y_b", beta, sigma_obs, observed=y_b)
    return model


def stress() -> ed.Model:
    """Three groups, each with noise of its own; 8 parameters."""
    with ed.Model() as model:
        mu_pop = ed.Normal("mu_pop", 0, 10)
        sigma_pop = ed.Exponential("sigma_pop", 0.5)
        for j, y in enumerate(stress_data(), start=1):
            group = ed.Normal(f"group_{j}", mu_pop, sigma_pop)
            noise = ed.Exponential(f"noise_{j}", 1)
            ed.Normal(f"y_{j}", group, noise, observed=y)
    return model


def eight_schools() -> ed.Model:
    """Eight schools, centred; 10 parameters."""
    y, se = eight_schools_data()
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 5)
        tau = ed.HalfNormal("tau", 5)
        theta = ed.Normal("theta", mu, tau, shape=8)
        ed.Normal("y", theta, se, observed=y)
    return model


def eight_schools_noncentred() -> ed.Model:
    """Eight schools with standardised effects; 10 parameters."""
    y, se = eight_schools_data()
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 5)
        tau = ed.HalfNormal("tau", 5)
        eta = ed.Normal("eta", 0, 1, shape=8)
        theta = ed.Deterministic("theta", mu + tau * eta)
        ed.Normal("y", theta, se, observed=y)
    return model


def funnel() -> ed.Model:
    """Neal's funnel, centred; 10 parameters and no data."""
    with ed.Model() as model:
        y = ed.Normal("y", 0, 3)
        ed.Normal("x", 0, ed.math.exp(y / 2), shape=9)
    return model


def logistic() -> ed.Model:
    """Logistic regression; 21 parameters, 500 outcomes."""
    X, y = logistic_data()
    with ed.Model() as model:
        alpha = ed.Normal("alpha", 0, 10)
        beta = ed.Normal("beta", 0, 10, shape=20)
        ed.Bernoulli("y", logit_p=alpha + X @ beta, observed=y)
    return model


def sv() -> ed.Model:
    """Stochastic volatility; 102 parameters, 100 returns."""
    with ed.Model() as model:
        sigma = ed.Exponential("sigma", 50)
        nu = ed.Exponential("nu", 0.1)
        s = ed.GaussianRandomWalk("s", sigma=sigma, shape=100)
        ed.StudentT("r", nu, 0, ed.math.exp(s), observed=sv_data())
    return model


MODELS: dict[str, Callable[[], ed.Model]] = {
    "simple": simple,
    "medium": medium,
    "stress": stress,
    "eight_schools": eight_schools,
    "funnel": funnel,
    "logistic": logistic,
    "sv": sv,
}
