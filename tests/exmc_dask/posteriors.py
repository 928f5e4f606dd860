"""Models whose posterior and evidence are known in closed form, for the tests of fits."""

from dataclasses import dataclass

import numpy as np
import scipy.special as sp
import scipy.stats as st

import exmc_dask as ed


@dataclass(frozen=True)
class Known:
    """A model and what is known of it.

    ``mean`` and ``cov`` are those of the unconstrained vector.
    """

    model: ed.Model
    evidence: float
    mean: np.ndarray
    cov: np.ndarray

    @property
    def sd(self) -> np.ndarray:
        return np.sqrt(np.diag(self.cov))


def regression(dim: int) -> Known:
    """A linear model with correlated predictors of unlike scales: the posterior is normal."""
    rng = np.random.default_rng(dim)
    X = rng.normal(size=(30, dim)) @ (np.eye(dim) + 0.3 * rng.normal(size=(dim, dim)))
    scales = np.geomspace(0.1, 10, dim)
    X, y = X * scales, X @ rng.normal(size=dim) + 3.0
    with ed.Model() as model:
        b = ed.Normal("b", 1.0, 5.0, shape=dim)
        ed.Normal("y", ed.math.matmul(X, b), 0.5, observed=y)
    cov = np.linalg.inv(X.T @ X / 0.25 + np.eye(dim) / 25)
    marginal = st.multivariate_normal(X @ np.ones(dim), 0.25 * np.eye(30) + 25 * X @ X.T)
    return Known(model, float(marginal.logpdf(y)), cov @ (X.T @ y / 0.25 + 1.0 / 25), cov)


def gamma_poisson() -> Known:
    """The posterior of the rate is Gamma(13, 7), that of its logarithm leans to the left."""
    counts = np.array([3, 0, 2, 4, 1])
    with ed.Model() as model:
        rate = ed.Gamma("rate", 3.0, 2.0)
        ed.Poisson("y", rate, observed=counts)
    a, b = 3.0 + counts.sum(), 2.0 + counts.size
    evidence = 3 * np.log(2.0) - sp.gammaln(3) + sp.gammaln(a) - a * np.log(b)
    evidence -= sp.gammaln(counts + 1).sum()
    mean, variance = sp.digamma(a) - np.log(b), sp.polygamma(1, a)
    return Known(model, float(evidence), np.array([mean]), np.array([[variance]]))


def beta_binomial() -> Known:
    """The posterior of the probability is Beta(9, 18)."""
    with ed.Model() as model:
        p = ed.Beta("p", 2.0, 5.0)
        ed.Binomial("y", 20, p, observed=np.array([7]))
    evidence = np.log(sp.binom(20, 7)) + sp.betaln(9, 18) - sp.betaln(2, 5)
    mean = sp.digamma(9) - sp.digamma(18)
    variance = sp.polygamma(1, 9) + sp.polygamma(1, 18)
    return Known(model, float(evidence), np.array([mean]), np.array([[variance]]))


def two_peaks(share: float = 0.3, apart: float = 4.0) -> ed.Model:
    """Two normal peaks in the plane, at -apart and apart; the first has a `share`."""
    with ed.Model() as model:
        x = ed.Normal("x", 0.0, 4.0, shape=2)
        near = ed.math.log(share) - 0.5 * ((x + apart) ** 2).sum() / 0.25
        far = ed.math.log(1 - share) - 0.5 * ((x - apart) ** 2).sum() / 0.25
        ed.Potential("peaks", ed.math.logaddexp(near, far))
    return model
