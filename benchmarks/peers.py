"""The seven models for the peers: PyMC declarations, and nutpie and PyMC's own NUTS to run them.

Needs ``pymc`` and ``nutpie``, which are not dependencies of this project.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import nutpie
import pymc as pm

from models.seven import (
    eight_schools_data,
    logistic_data,
    medium_data,
    simple_data,
    stress_data,
    sv_data,
)


def simple() -> Any:
    """Normal mean and scale."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.Exponential("sigma", 1)
        pm.Normal("y", mu, sigma, observed=simple_data())
    return model


def medium() -> Any:
    """Two groups under one normal."""
    y_a, y_b = medium_data()
    with pm.Model() as model:
        mu_global = pm.Normal("mu_global", 0, 10)
        sigma_global = pm.Exponential("sigma_global", 1)
        alpha = pm.Normal("alpha", mu_global, sigma_global)
        beta = pm.Normal("beta", mu_global, sigma_global)
        sigma_obs = pm.Exponential("sigma_obs", 2)
        pm.Normal("y_a", alpha, sigma_obs, observed=y_a)
        pm.Normal("y_b", beta, sigma_obs, observed=y_b)
    return model


def stress() -> Any:
    """Three groups with a noise scale each."""
    with pm.Model() as model:
        mu_pop = pm.Normal("mu_pop", 0, 10)
        sigma_pop = pm.Exponential("sigma_pop", 0.5)
        for j, y in enumerate(stress_data(), start=1):
            group = pm.Normal(f"group_{j}", mu_pop, sigma_pop)
            noise = pm.Exponential(f"noise_{j}", 1)
            pm.Normal(f"y_{j}", group, noise, observed=y)
    return model


def eight_schools() -> Any:
    """Centred eight schools."""
    y, se = eight_schools_data()
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfNormal("tau", 5)
        theta = pm.Normal("theta", mu, tau, shape=8)
        pm.Normal("y", theta, se, observed=y)
    return model


def funnel() -> Any:
    """Neal's funnel, centred."""
    with pm.Model() as model:
        y = pm.Normal("y", 0, 3)
        pm.Normal("x", 0, pm.math.exp(y / 2), shape=9)
    return model


def logistic() -> Any:
    """Logistic regression."""
    X, y = logistic_data()
    with pm.Model() as model:
        alpha = pm.Normal("alpha", 0, 10)
        beta = pm.Normal("beta", 0, 10, shape=20)
        pm.Bernoulli("y", logit_p=alpha + X @ beta, observed=y)
    return model


def sv() -> Any:
    """Stochastic volatility, centred."""
    with pm.Model() as model:
        sigma = pm.Exponential("sigma", 50)
        nu = pm.Exponential("nu", 0.1)
        s = pm.GaussianRandomWalk("s", 0, sigma, init_dist=pm.Normal.dist(0, sigma), steps=99)
        pm.StudentT("r", nu=nu, mu=0, sigma=pm.math.exp(s), observed=sv_data())
    return model


MODELS: dict[str, Callable[[], Any]] = {
    f.__name__: f for f in (simple, medium, stress, eight_schools, funnel, logistic, sv)
}


class PeerRun(NamedTuple):
    """One run of a peer: the trace, seconds of the call, gradients with warmup."""

    trace: Any
    seconds: float
    gradients: int


def prepare_nutpie(model: Any, clock: Callable[[], float]) -> Callable[[int], PeerRun]:
    """Compile for nutpie; the result runs one chain for a seed."""
    compiled = nutpie.compile_pymc_model(model, backend="numba")

    def run(seed: int) -> PeerRun:
        began = clock()
        trace = nutpie.sample(
            compiled,
            draws=1000,
            tune=1000,
            chains=1,
            cores=1,
            seed=seed,
            target_accept=0.8,
            maxdepth=10,
            progress_bar=False,
        )
        seconds = clock() - began
        groups = (trace["sample_stats"], trace["warmup_sample_stats"])
        return PeerRun(trace, seconds, int(sum(np.sum(g["n_steps"].values) for g in groups)))

    return run


def prepare_pymc(model: Any, clock: Callable[[], float]) -> Callable[[int], PeerRun]:
    """PyMC's own NUTS; its compile time is inside the call and cannot be taken out."""

    def run(seed: int) -> PeerRun:
        began = clock()
        with model:
            trace = pm.sample(
                1000,
                tune=1000,
                chains=1,
                cores=1,
                random_seed=seed,
                nuts_sampler="pymc",
                progressbar=False,
                compute_convergence_checks=False,
                discard_tuned_samples=False,
            )
        seconds = clock() - began
        groups = (trace["sample_stats"], trace["warmup_sample_stats"])
        return PeerRun(trace, seconds, int(sum(np.sum(g["n_steps"].values) for g in groups)))

    return run


PEERS: dict[str, Callable[[Any, Callable[[], float]], Callable[[int], PeerRun]]] = {
    "nutpie": prepare_nutpie,
    "pymc": prepare_pymc,
}
