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


def _slopes_truth(rng: Rng) -> Values:
    sds, correlation = np.array([0.8, 0.5]), 0.5
    factor = np.array([[1.0, 0.0], [correlation, np.sqrt(1 - correlation**2)]])
    effects = np.array([-0.5, 1.0]) + rng.normal(size=(40, 2)) @ (sds[:, None] * factor).T
    return {"mean": np.array([-0.5, 1.0]), "chol_stds": sds, "effects": effects}


def _slopes_data(rng: Rng, truth: Values) -> Arrays:
    group, x = np.repeat(np.arange(40), 30), rng.normal(size=1200)
    intercept, slope = truth["effects"][group].T
    y = rng.binomial(1, 1 / (1 + np.exp(-(intercept + slope * x))))
    return {"group": group, "x": x, "y": y}


def _slopes(data: Arrays) -> ed.Model:
    group = data["group"]
    with ed.Model(coords={"group": np.unique(group), "effect": ["intercept", "slope"]}) as model:
        mean = ed.Normal("mean", 0, 2, dims="effect")
        chol, _, _ = ed.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=ed.HalfNormal.dist(1))
        z = ed.Normal("z", 0, 1, dims=("group", "effect"))
        effects = ed.Deterministic("effects", mean + z @ chol.T, dims=("group", "effect"))
        eta = effects[group, 0] + effects[group, 1] * data["x"]
        ed.Bernoulli("y", logit_p=eta, observed=data["y"])
    return model


VARYING_SLOPES = Example("varying_slopes", _slopes_truth, _slopes_data, _slopes)


def _ordinal_data(rng: Rng, truth: Values) -> Arrays:
    x = rng.normal(size=(400, 2))
    felt = x @ truth["beta"] + rng.logistic(size=400)
    return {"x": x, "y": np.searchsorted(truth["cutpoints"], felt)}


def _ordinal(data: Arrays) -> ed.Model:
    with ed.Model() as model:
        beta = ed.Normal("beta", 0, 1, shape=2)
        cutpoints = ed.Normal("cutpoints", 0, 3, shape=4, transform="ordered")
        ed.OrderedLogistic("y", data["x"] @ beta, cutpoints, observed=data["y"])
    return model


ORDINAL = Example(
    "ordinal_regression",
    lambda rng: {"beta": np.array([0.8, -0.4]), "cutpoints": np.array([-2.0, -0.5, 1.0, 2.2])},
    _ordinal_data,
    _ordinal,
)
