"""Examples of regressions: with many rows, in groups, and with predictors that are missing."""

import numpy as np

import exmc_dask as ed

from .example import Arrays, Example, Values

Rng = np.random.Generator

SPREAD = 1.2  # of predictors, some of which are missing: never both of a row
GAPS = np.add.outer(np.arange(200), np.array([0, 4])) % 9 == 0


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


WIDE = Example("wide_regression", _wide_truth, _wide_data, _wide, {"ncp": False})


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


def _imputation_truth(rng: Rng) -> Values:
    centre = np.array([1.0, -0.5])
    unseen = rng.normal(centre, SPREAD, (200, 2))[GAPS]
    return {
        "centre": centre,
        "beta": np.array([0.5, 1.5, -1.0]),
        "spread": SPREAD,
        "sigma": 0.6,
        "x_unobserved": unseen,
    }


def _imputation_data(rng: Rng, truth: Values) -> Arrays:
    x = rng.normal(truth["centre"], SPREAD, (200, 2))
    x[GAPS] = truth["x_unobserved"]
    y = rng.normal(truth["beta"][0] + x @ truth["beta"][1:], truth["sigma"])
    return {"x": np.where(GAPS, np.nan, x), "y": y}


def _imputation(data: Arrays) -> ed.Model:
    with ed.Model() as model:
        centre = ed.Normal("centre", 0, 2, shape=2)
        spread = ed.HalfNormal("spread", 2)
        x = ed.Normal("x", centre, spread, observed=data["x"])
        beta = ed.Normal("beta", 0, 2, shape=3)
        sigma = ed.HalfNormal("sigma", 1)
        ed.Normal("y", beta[0] + x @ beta[1:], sigma, observed=data["y"])
    return model


IMPUTATION = Example("imputation", _imputation_truth, _imputation_data, _imputation)
