"""Models of vectors and matrices find what made their data, in short runs.

Where the posterior is a normal law in closed form, draws are held to its moments; elsewhere the
true values must lie where the posterior puts them.
"""

import numpy as np

import exmc_dask as ed
from exmc_dask import math
from tests.statistics.moments import F8, LIMIT, z_score
from tests.statistics.recovery import FAR, distances, sampled


def assert_normal(values: F8, mean: F8, covariance: F8) -> None:
    """Draws (chain, draw, k) have the mean and the spread of a normal law."""
    for i in range(len(mean)):
        assert abs(z_score(values[..., i], mean[i])) < LIMIT
        assert abs(z_score((values[..., i] - mean[i]) ** 2, covariance[i, i])) < LIMIT


def test_varying_intercepts_and_slopes_and_their_correlation() -> None:
    rng = np.random.default_rng(1)
    stds, corr, mean = np.array([1.2, 0.6]), -0.6, np.array([2.0, -1.0])
    covariance = np.array([[stds[0] ** 2, corr * stds.prod()], [corr * stds.prod(), stds[1] ** 2]])
    effects = rng.multivariate_normal(mean, covariance, 60)
    group, x = np.repeat(np.arange(60), 12), rng.normal(size=720)
    y = effects[group, 0] + effects[group, 1] * x + rng.normal(0, 0.5, 720)
    with ed.Model(coords={"group": range(60), "effect": ["intercept", "slope"]}) as model:
        chol, _, _ = ed.LKJCholeskyCov("chol", eta=2, n=2, sd_dist=ed.Exponential.dist(1))
        mu = ed.Normal("mu", 0, 5, dims="effect")
        beta = ed.MvNormal("beta", mu, chol=chol, dims=("group", "effect"))
        sigma = ed.HalfNormal("sigma", 1)
        ed.Normal("y", beta[group, 0] + beta[group, 1] * x, sigma, observed=y)
    found = sampled(model)

    assert (distances(found["mu"], mean) < FAR).all()
    assert (distances(found["chol_stds"], stds) < FAR).all()
    assert distances(found["chol_corr"][..., 0, 1], corr) < FAR
    assert found["chol_corr"][..., 0, 1].std() < 0.12
    assert distances(found["sigma"], 0.5) < FAR
    assert (distances(found["beta"], effects) < FAR).mean() > 0.98


def test_components_of_a_mixture_in_their_order() -> None:
    rng = np.random.default_rng(2)
    truth, share = np.array([-3.0, 0.0, 4.0]), np.array([0.5, 0.2, 0.3])
    y = rng.normal(truth[rng.choice(3, 400, p=share)], 0.7)
    with ed.Model() as model:
        weights = ed.Dirichlet("weights", np.ones(3))
        centres = ed.Normal("centres", 0, 5, shape=3, transform=ed.transforms.ordered)
        sigma = ed.HalfNormal("sigma", 1)
        ed.NormalMixture("y", weights, centres, sigma, observed=y)
    found = sampled(model)

    assert (distances(found["centres"], truth) < FAR).all()
    assert (distances(found["weights"], share) < FAR).all()
    assert distances(found["sigma"], 0.7) < FAR


def test_a_field_on_a_grid_is_the_normal_law_that_it_is() -> None:
    rng = np.random.default_rng(3)
    place = np.arange(16).reshape(4, 4)
    edges = np.concatenate([
        np.column_stack([place[:, :-1].ravel(), place[:, 1:].ravel()]),
        np.column_stack([place[:-1].ravel(), place[1:].ravel()]),
    ])  # fmt: skip
    y = np.add.outer(np.linspace(-1, 1, 4), np.linspace(-2, 2, 4)).ravel() + rng.normal(0, 0.5, 16)
    with ed.Model() as model:
        field = ed.ICAR("field", edges=edges, sigma=0.8)
        ed.Normal("y", field, 0.5, observed=y)
    laplacian = np.zeros((16, 16))
    np.add.at(laplacian, (edges, edges), 1.0)
    np.subtract.at(laplacian, (edges, edges[:, ::-1]), 1.0)
    precision = laplacian / 0.8**2 + 1 / (0.001 * 16) ** 2 + np.eye(16) / 0.5**2
    covariance = np.linalg.inv(precision)

    assert_normal(sampled(model, draws=3000)["field"].values, covariance @ y / 0.5**2, covariance)


def test_effects_that_sum_to_zero_leave_the_intercept_alone() -> None:
    rng = np.random.default_rng(4)
    group = rng.integers(0, 5, 60)
    y = 3.0 + np.array([1.0, -0.5, 0.5, 0.0, -1.0])[group] + rng.normal(0, 1, 60)
    with ed.Model() as model:
        mean = ed.Normal("mean", 0, 10)
        effects = ed.ZeroSumNormal("effects", 2.0, shape=5)
        ed.Normal("y", mean + effects[group], 1.0, observed=y)
    # effects are B z with z ~ Normal(0, 2) and B orthonormal, orthogonal to (1, ..., 1)
    basis = np.linalg.svd(np.eye(5) - 0.2)[0][:, :4]
    design = np.column_stack([np.ones(60), basis[group]])
    covariance = np.linalg.inv(design.T @ design + np.diag([0.01, *[0.25] * 4]))
    whole = np.block([[np.eye(1), np.zeros((1, 4))], [np.zeros((5, 1)), basis]])
    law = whole @ covariance @ design.T @ y, whole @ covariance @ whole.T
    found = sampled(model, draws=3000)

    assert_normal(np.dstack([found["mean"].values, found["effects"].values]), *law)


def test_concentrations_of_overdispersed_counts() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([0.8, 2.0, 5.0])
    totals = rng.integers(20, 60, 300)
    y = np.array([rng.multinomial(n, rng.dirichlet(truth)) for n in totals])
    with ed.Model() as model:
        a = ed.Gamma("a", 1.5, 0.5, shape=3)
        ed.DirichletMultinomial("y", totals, a, observed=y)
    found = sampled(model)

    assert (distances(found["a"], truth) < FAR).all()
    assert (found["a"].std(("chain", "draw")).values < 0.15 * truth).all()


def test_heavy_tails_keep_outliers_from_the_mean() -> None:
    rng = np.random.default_rng(6)
    shape = np.array([[1.0, 0.8], [0.8, 2.0]])
    normal = rng.multivariate_normal([0, 0], shape, 300)
    y = np.array([1.0, -1.0]) + normal / np.sqrt(rng.chisquare(3, (300, 1)) / 3)
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 5, shape=2)
        stds = ed.HalfNormal("stds", 3, shape=2)
        chol = math.expand_dims(stds, 1) * ed.LKJCorr("chol", 2, 1)
        nu = ed.Gamma("nu", 2, 0.1)
        ed.Deterministic("covariance", chol @ chol.T)
        ed.MvStudentT("y", nu, mu, chol=chol, observed=y)
    found = sampled(model)

    assert (distances(found["mu"], [1.0, -1.0]) < FAR).all()
    assert (distances(found["covariance"], shape) < FAR).all()
    assert distances(found["nu"], 3.0) < FAR
