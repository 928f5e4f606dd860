"""One model with everything that a view has to show."""

import numpy as np

import exmc_dask as ed
from exmc_dask import math


def clinics() -> ed.Model:
    """Regression with a varying intercept, and a bit of everything else; no name is plain ASCII."""
    rng = np.random.default_rng(0)
    with ed.Model(coords={"feature": ["age", "dose"], "clinic": ["a", "b", "c"]}) as model:
        X = ed.Data("X", rng.normal(size=(8, 2)), dims=("visit", "feature"))
        where = ed.Data("where", rng.integers(0, 3, 8), dims="visit")
        μ = ed.Normal("μ", 0, 1)
        τ = ed.HalfNormal("τ", 1)
        α = ed.Normal("α", μ, τ, dims="clinic")
        β = ed.Normal("β", 0, 2, dims="feature")
        cut = ed.Normal("end", 0, 1, shape=2, transform="ordered")
        η = ed.Deterministic("η", α[where] + X @ β, dims="visit")
        seen = ed.Data("seen", rng.integers(0, 2, 8), dims="visit")
        ed.Bernoulli("y", logit_p=η, observed=seen)
        ed.Potential("pull", -math.where(cut[0] < 0, cut * cut, 0.0).sum())
        model.observe("z", 2 * ed.Normal("x", μ, 1, shape=4) + 1, np.ones(4))
        ed.Normal("t", μ, [1.0, 2.0], observed=[0.5, 0.25], weight=2.0)
    return model
