"""Examples with something unseen behind each value: a smooth rate, the component it came from."""

import numpy as np

import exmc_dask as ed

from .example import Arrays, Example, Values

Rng = np.random.Generator

GRID = np.linspace(0.0, 10.0, 30)
JITTER = 1e-6  # on the diagonal, without which neighbours that are nearly equal have no factor


def _poisson_gp_truth(rng: Rng) -> Values:
    truth = {"mean": 1.5, "amplitude": 0.8, "length": 1.0}
    cov = truth["amplitude"] ** 2 * np.exp(
        -0.5 * np.subtract.outer(GRID, GRID) ** 2 / truth["length"] ** 2
    )
    f = truth["mean"] + np.linalg.cholesky(cov + JITTER * np.eye(30)) @ rng.normal(size=30)
    return {**truth, "f": f}


def _poisson_gp_data(rng: Rng, truth: Values) -> Arrays:
    rate: np.ndarray = np.exp(truth["f"])
    return {"x": GRID, "y": rng.poisson(rate)}


def _poisson_gp(data: Arrays) -> ed.Model:
    squared = np.subtract.outer(data["x"], data["x"]) ** 2
    n = len(data["x"])
    with ed.Model() as model:
        mean = ed.Normal("mean", 0, 2)
        amplitude = ed.HalfNormal("amplitude", 1)
        length = ed.LogNormal("length", 0, 0.5)
        cov = amplitude**2 * ed.math.exp(-0.5 * squared / length**2) + JITTER * np.eye(n)
        z = ed.Normal("z", 0, 1, shape=n)
        f = ed.Deterministic("f", mean + ed.math.cholesky(cov) @ z)
        ed.Poisson("y", ed.math.exp(f), observed=data["y"])
    return model


POISSON_GP = Example(
    "poisson_gp",
    _poisson_gp_truth,
    _poisson_gp_data,
    _poisson_gp,
    {"target_accept": 0.95},
)


def _mixture_data(rng: Rng, truth: Values) -> Arrays:
    rate = truth["rate"][rng.choice(3, 500, p=truth["w"])]
    return {"y": rng.poisson(rate)}


def _mixture(data: Arrays) -> ed.Model:
    with ed.Model() as model:
        w = ed.Dirichlet("w", np.full(3, 2.0))
        rate = ed.Gamma("rate", 2, 0.1, shape=3, transform="positive_ordered")
        ed.Mixture("y", w, ed.Poisson.dist(rate), observed=data["y"])
    return model


MIXTURE = Example(
    "ordered_mixture",
    lambda rng: {"w": np.array([0.3, 0.5, 0.2]), "rate": np.array([2.0, 12.0, 35.0])},
    _mixture_data,
    _mixture,
)
