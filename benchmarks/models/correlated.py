"""Posteriors with correlations that scales cannot mend."""

import numpy as np

import exmc_dask as ed


def normal(covariance: np.ndarray) -> ed.Model:
    """Return a model whose posterior is normal."""
    with ed.Model() as model:
        ed.MvNormal("x", np.zeros(len(covariance)), cov=covariance)
    return model


def slanted() -> ed.Model:
    """A hundred dimensions; in three directions, along no axis, the law is long."""
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(100, 3)))[0]
    return normal(np.eye(100) + axes @ np.diag([30.0**2, 20.0**2, 10.0**2]) @ axes.T)


def autoregression() -> ed.Model:
    """Ten dimensions, neighbours with correlation 0.9."""
    return normal(0.9 ** np.abs(np.subtract.outer(np.arange(10), np.arange(10))))


def interaction() -> ed.Model:
    """Regression on two predictors far from 0 and their product, as one meets it."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(100.0, 15.0, 400), rng.integers(0, 2, 400)
    y = rng.normal(20.0 + 0.6 * a + 5.0 * b - 0.1 * a * b, 18.0)
    with ed.Model() as model:
        beta = ed.Normal("beta", 0, 100, shape=4)
        sigma = ed.HalfNormal("sigma", 20)
        mu = beta[0] + beta[1] * a + beta[2] * b + beta[3] * (a * b)
        ed.Normal("y", mu, sigma, observed=y)
    return model
