"""The posterior of a process' scales is the one that summing over a grid of them gives."""

import numpy as np

import exmc_dask as ed
from tests.kernels.targets import F8
from tests.statistics.moments import LIMIT, z_score

LEVELS = (0.05, 0.25, 0.75, 0.95)
X = np.linspace(-10.0, 10.0, 11)
Y = 2.0 * np.sin(0.4 * X) + np.random.default_rng(20261125).normal(0.0, 0.8, 11)

# Steps in the logarithm, where the density is smooth and all but 0 at both ends
GRID = {
    "rho": np.geomspace(0.5, 25.0, 161),
    "alpha": np.geomspace(0.01, 15.0, 161),
    "noise": np.geomspace(0.1, 6.0, 121),
}


def marginals() -> dict[str, F8]:
    """Return the probability of every value of GRID."""
    rho, alpha, noise = GRID.values()
    logp = np.empty((rho.size, alpha.size, noise.size))
    for i, length in enumerate(rho):
        shape = np.exp(-0.5 * np.subtract.outer(X, X) ** 2 / length**2)
        values, vectors = np.linalg.eigh(shape)
        variance = alpha[:, None, None] ** 2 * values.clip(0.0) + noise[:, None] ** 2
        logp[i] = -0.5 * (np.log(variance) + (vectors.T @ Y) ** 2 / variance).sum(-1)
    logp += (25 * np.log(rho) - 4 * rho)[:, None, None]  # the priors, by a step in the logarithm
    logp += (np.log(alpha) - 0.5 * (alpha / 2) ** 2)[:, None]
    logp += np.log(noise) - 0.5 * noise**2
    joint = np.exp(logp - logp.max())
    joint /= joint.sum()
    return {"rho": joint.sum((1, 2)), "alpha": joint.sum((0, 2)), "noise": joint.sum((0, 1))}


def test_it_is_what_a_grid_gives() -> None:
    with ed.Model() as model:
        rho, alpha = ed.Gamma("rho", 25, 4), ed.HalfNormal("alpha", 2)
        noise = ed.HalfNormal("noise", 1)
        process = ed.gp.Marginal(cov_func=alpha**2 * ed.gp.cov.ExpQuad(1, ls=rho))
        process.marginal_likelihood("y", X[:, None], Y, noise)
    trace = ed.sample(
        model,
        5000,
        random_seed=3,
        cluster="threads",
        progressbar=False,
        compute_convergence_checks=False,
    )

    for name, probability in marginals().items():
        draws, grid = trace.posterior[name].values, GRID[name]
        assert abs(z_score(draws, (grid * probability).sum())) < LIMIT, name
        below = np.cumsum(probability) - probability / 2
        for level, quantile in zip(LEVELS, np.interp(LEVELS, below, grid), strict=True):
            assert abs(z_score((draws <= quantile).astype(float), level)) < LIMIT, (name, level)
