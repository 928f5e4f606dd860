"""Models of counts, grades and cut-off values find what made their data, in short runs.

Where the posterior has a closed form, draws are held to its quantiles; elsewhere the true values
must lie where the posterior puts them.
"""

import numpy as np
from scipy import special, stats

import exmc_dask as ed
from exmc_dask import math
from tests.statistics.recovery import assert_law, assert_near, sampled

N = 400


def test_zero_inflated_regression() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=N)
    truth = {"a": 1.2, "b": -0.6, "psi": 0.7}
    y = rng.poisson(np.exp(1.2 - 0.6 * x)) * (rng.random(N) < 0.7)
    with ed.Model() as model:
        a, b = ed.Normal("a", 0, 2), ed.Normal("b", 0, 2)
        psi = ed.Beta("psi", 1, 1)
        ed.ZeroInflatedPoisson("y", psi, math.exp(a + b * x), observed=y)

    assert_near(sampled(model), truth)


def test_the_share_of_a_hurdle_has_a_beta_posterior() -> None:
    rng = np.random.default_rng(2)
    some = stats.poisson(2.5).ppf(rng.uniform(stats.poisson(2.5).pmf(0), 1, N))
    y = np.where(rng.random(N) < 0.6, some, 0.0)
    with ed.Model() as model:
        psi = ed.Beta("psi", 2, 3)
        mu = ed.Gamma("mu", 2, 0.5)
        ed.HurdlePoisson("y", psi, mu, observed=y)
    found = sampled(model)

    assert_law(found["psi"].values, stats.beta(2 + (y > 0).sum(), 3 + (y == 0).sum()))
    assert_near(found, {"mu": 2.5})


def test_negative_binomial_regression() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 2))
    mean = np.exp(1.0 + x @ [0.5, -0.3])
    y = rng.poisson(rng.gamma(1.5, mean / 1.5))
    with ed.Model() as model:
        a = ed.Normal("a", 0, 2)
        b = ed.Normal("b", 0, 1, shape=2)
        alpha = ed.Exponential("alpha", 0.5)
        ed.NegativeBinomial("y", log_mu=a + x @ b, alpha=alpha, observed=y)

    assert_near(sampled(model), {"a": 1.0, "b": [0.5, -0.3], "alpha": 1.5})


def test_ordinal_regression() -> None:
    rng = np.random.default_rng(4)
    x, cuts = rng.normal(size=N), np.array([-1.0, 0.5, 2.0])
    grade = (1.3 * x + rng.logistic(size=N))[:, None] > cuts
    with ed.Model() as model:
        b = ed.Normal("b", 0, 2)
        points = ed.Normal("cuts", 0, 3, shape=3, transform=ed.transforms.ordered)
        ed.OrderedLogistic("y", b * x, points, observed=grade.sum(axis=1))

    assert_near(sampled(model), {"b": 1.3, "cuts": cuts})


def test_categories_with_scores() -> None:
    rng = np.random.default_rng(5)
    x, truth = rng.normal(size=(N, 1)), np.array([[0.3, -0.5], [1.0, -1.0]])  # of 1 and 2, over 0
    shares = special.softmax(np.hstack([np.zeros((N, 1)), truth[0] + x * truth[1]]), axis=1)
    y = (rng.random((N, 1)) > np.cumsum(shares, axis=1)).sum(axis=1)
    with ed.Model() as model:
        a, b = ed.Normal("a", 0, 2, shape=2), ed.Normal("b", 0, 2, shape=2)
        scores = math.concatenate([np.zeros((N, 1)), a + x * b], axis=1)
        ed.Categorical("y", logit_p=scores, observed=y)

    assert_near(sampled(model), {"a": truth[0], "b": truth[1]})


def test_survival_with_ends_that_were_not_seen() -> None:
    rng = np.random.default_rng(6)
    x, ends = rng.normal(size=N), rng.uniform(0.5, 4.0, N)
    life = np.exp(0.8 - 0.4 * x) * rng.weibull(1.7, N)
    with ed.Model() as model:
        alpha = ed.Gamma("alpha", 2, 1)
        a, b = ed.Normal("a", 0, 2), ed.Normal("b", 0, 2)
        law = ed.Weibull.dist(alpha, math.exp(a + b * x))
        ed.Censored("life", law, upper=ends, observed=np.minimum(life, ends))

    assert_near(sampled(model), {"alpha": 1.7, "a": 0.8, "b": -0.4})


def test_a_rate_behind_censoring_and_late_entry_has_a_gamma_posterior() -> None:
    rng = np.random.default_rng(7)
    entry = rng.uniform(0, 1, 40)
    life = entry + rng.exponential(1 / 0.7, 40)  # of those who lived to enter
    seen = np.minimum(rng.exponential(1 / 0.7, 60), 1.5)
    with ed.Model() as model:
        rate = ed.Gamma("rate", 2, 1)
        ed.Truncated("late", ed.Exponential.dist(rate), lower=entry, observed=life)
        ed.Censored("seen", ed.Exponential.dist(rate), upper=1.5, observed=seen)
    events, time = 40 + (seen < 1.5).sum(), (life - entry).sum() + seen.sum()

    assert_law(sampled(model)["rate"].values, stats.gamma(2 + events, 0, 1 / (1 + time)))


def test_the_mean_of_a_truncated_normal_law() -> None:
    rng = np.random.default_rng(10)
    y = stats.truncnorm(-0.5, 2.0, 1.0, 2.0).rvs(2000, random_state=rng)  # between 0 and 5
    with ed.Model() as model:
        mu, sigma = ed.Normal("mu", 0, 3), ed.HalfNormal("sigma", 3)
        ed.Truncated("y", ed.Normal.dist(mu, sigma), lower=0, upper=5, observed=y)

    assert_near(sampled(model, draws=3000, tune=1000), {"mu": 1.0, "sigma": 2.0})


def test_values_known_to_lie_in_bins() -> None:
    rng = np.random.default_rng(9)
    edges = np.array([-50.0, -1.0, 0.5, 2.0, 3.0, 50.0])
    bins = np.digitize(rng.normal(1.0, 1.5, N), edges) - 1
    with ed.Model() as model:
        mu, sigma = ed.Normal("mu", 0, 5), ed.HalfNormal("sigma", 5)
        law = ed.Normal.dist(mu, sigma)
        ed.Censored("y", law, end=edges[bins + 1], observed=edges[bins])

    assert_near(sampled(model), {"mu": 1.0, "sigma": 1.5})
