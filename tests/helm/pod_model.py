"""A model that takes some seconds to sample, for pods of the tests."""

import numpy as np

import exmc_dask as ed

rng = np.random.default_rng(0)
x, y = rng.normal(size=(3000, 5)), rng.normal(size=3000)
with ed.Model() as model:
    b = ed.Normal("b", 0, 1, shape=5)
    nu = ed.Gamma("nu", 2, 0.1)
    ed.StudentT("y", nu, x @ b, 1, observed=y)
