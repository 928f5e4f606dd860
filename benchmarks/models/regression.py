"""Examples of regressions: many rows, groups, and outcomes that are not plain numbers."""

import numpy as np

import exmc_dask as ed

from .example import Arrays, Example, Values

Rng = np.random.Generator


def _wide_truth(rng: Rng) -> Values:
    beta = np.where(rng.random(60) < 0.2, rng.normal(0, 1, 60), rng.normal(0, 0.02, 60))
    return {"alpha": 1.5, "beta": beta, "sigma": 2.0}


def _wide_data(rng: Rng, truth: Values) -> Arrays:
    shared = rng.normal(size=(5000, 1))
    X = 0.6 * shared + 0.8 * rng.normal(size=(5000, 60))
    y = rng.normal(truth["alpha"] + X @ truth["beta"], truth["sigma"])
    return {"X": X, "y": y}


def _wide(data: Arrays) -> ed.Model:
    with ed.Model() as model:
        alpha = ed.Normal("alpha", 0, 5)
        tau = ed.HalfNormal("tau", 1)
        beta = ed.StudentT("beta", 3, 0, tau, shape=data["X"].shape[1])
        sigma = ed.HalfNormal("sigma", 5)
        ed.Normal("y", alpha + data["X"] @ beta, sigma, observed=data["y"])
    return model


WIDE = Example("wide_regression", _wide_truth, _wide_data, _wide, {"ncp": False}, slow=True)


def _survival_data(rng: Rng, truth: Values) -> Arrays:
    x = rng.normal(size=200)
    scale = np.exp(truth["alpha"] + truth["beta"] * x)
    lifetime = scale * rng.weibull(truth["shape"], 200)
    followed = rng.uniform(1.0, 8.0, 200)  # each leaves the study at a time of its own
    return {"x": x, "time": np.minimum(lifetime, followed), "followed": followed}


def _survival(data: Arrays) -> ed.Model:
    with ed.Model() as model:
        alpha = ed.Normal("alpha", 0, 2)
        beta = ed.Normal("beta", 0, 1)
        shape = ed.Gamma("shape", 4, 2)
        scale = ed.math.exp(alpha + beta * data["x"])
        lifetime = ed.Weibull.dist(shape, scale)
        ed.Censored("time", lifetime, upper=data["followed"], observed=data["time"])
    return model


SURVIVAL = Example(
    "censored_survival",
    lambda rng: {"alpha": 1.2, "beta": -0.5, "shape": 1.7},
    _survival_data,
    _survival,
)
