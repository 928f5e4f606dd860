"""References of mixtures."""

from typing import Any

import numpy as np
from scipy import special, stats

from exmc_dask import math
from exmc_dask.dist import (
    Binomial,
    Custom,
    Dirichlet,
    Exponential,
    Mixture,
    MvNormal,
    Normal,
    NormalMixture,
    Poisson,
    Uniform,
)
from tests.exmc_dask.references.case import COUNTS, REAL, Case
from tests.exmc_dask.references.multivariate import COV, MEAN, VECTORS
from tests.exmc_dask.references.simplex import SHARES

WEIGHTS = np.array([0.2, 0.5, 0.3])
CENTRES = np.array([-2.0, 0.0, 5.0])
SPREADS = np.array([0.5, 1.0, 3.0])
RATES = np.array([0.5, 4.0, 60.0])
CONCENTRATIONS = np.array([[0.7, 2.0, 5.0], [4.0, 4.0, 1.0]])


class Mixed:
    """Law of a mixture of laws of scipy."""

    def __init__(self, weights: Any, *parts: Any) -> None:
        self.weights, self.parts = weights, parts

    def cdf(self, x: Any) -> Any:
        return sum(w * part.cdf(x) for w, part in zip(self.weights, self.parts, strict=True))

    def sf(self, x: Any) -> Any:
        return sum(w * part.sf(x) for w, part in zip(self.weights, self.parts, strict=True))

    def logcdf(self, x: Any) -> Any:
        return np.log(self.cdf(x))

    def logsf(self, x: Any) -> Any:
        return np.log(self.sf(x))

    def pdf(self, x: Any) -> Any:
        return np.exp(self.logpdf(x))

    def logpdf(self, x: Any) -> Any:
        logs = [p.logpdf(x) if hasattr(p, "logpdf") else p.logpmf(x) for p in self.parts]
        return special.logsumexp(np.stack(logs, -1) + np.log(self.weights), axis=-1)


normals = Mixed(WEIGHTS, *map(stats.norm, CENTRES, SPREADS))
poissons = Mixed(WEIGHTS, *map(stats.poisson, RATES))
both = Mixed([0.25, 0.75], stats.expon(0, 2), stats.norm())
counts = Mixed([0.25, 0.75], stats.poisson(3.5), stats.binom(9, 0.3))
uniforms = Mixed([0.25, 0.75], stats.uniform(0, 1), stats.uniform(0, 3))
vectors = Mixed([0.25, 0.75], *(stats.multivariate_normal(mean, COV) for mean in (MEAN, 0 * MEAN)))


def _dirichlet(x: np.ndarray) -> Any:
    parts = [stats.dirichlet(a).logpdf(x.T) for a in CONCENTRATIONS]
    return special.logsumexp(np.stack(parts, -1) + np.log([0.25, 0.75]), axis=-1)


CASES: dict[str, Case] = {
    "NormalMixture": Case(
        NormalMixture.dist, {"w": WEIGHTS, "mu": CENTRES, "sigma": SPREADS}, REAL[1:-1],
        normals.logpdf, normals,
    ),
    "NormalMixture, tau": Case(
        NormalMixture.dist, {"w": WEIGHTS, "mu": CENTRES, "tau": 1 / SPREADS**2}, REAL[1:-1],
        normals.logpdf, normals,
    ),
    "Mixture, batched": Case(
        lambda w, mu, sigma: Mixture.dist(w, Normal.dist(mu, sigma)),
        {"w": WEIGHTS, "mu": CENTRES, "sigma": SPREADS}, REAL[1:-1], normals.logpdf, normals,
    ),
    "Mixture of formulas": Case(
        lambda w, mu, sigma: Mixture.dist(
            w,
            Custom.dist(
                mu, sigma,
                logp=lambda x, mu, sigma: (
                    -math.square((x - mu) / sigma) / 2 - math.log(sigma) - np.log(2 * np.pi) / 2
                ),
            ),
        ),
        {"w": WEIGHTS, "mu": CENTRES, "sigma": SPREADS}, REAL[1:-1], normals.logpdf,
    ),
    "Mixture, list": Case(
        lambda w, mu: Mixture.dist(
            w, [Normal.dist(mu, 0.5), Normal.dist(0, 1), Normal.dist(5, 3)]
        ),
        {"w": WEIGHTS, "mu": -2.0}, REAL[1:-1], normals.logpdf, normals,
    ),
    "Mixture of different supports": Case(
        lambda lam: Mixture.dist([0.25, 0.75], [Exponential.dist(lam), Normal.dist(0, 1)]),
        {"lam": 0.5}, np.array([-3.0, 0.0, 2.0]), both.logpdf, both,
    ),
    "Mixture of different bounds": Case(
        lambda upper: Mixture.dist([0.25, 0.75], Uniform.dist(0, upper)),
        {"upper": np.array([1.0, 3.0])}, np.array([0.1, 1.5, 2.9]), uniforms.logpdf, uniforms,
        outside=3.1,
    ),
    "Mixture of counts": Case(
        lambda w, mu: Mixture.dist(w, Poisson.dist(mu)),
        {"w": WEIGHTS, "mu": RATES}, COUNTS, poissons.logpdf, poissons, outside=0.5,
    ),
    "Mixture of different counts": Case(
        lambda mu, p: Mixture.dist([0.25, 0.75], [Poisson.dist(mu), Binomial.dist(9, p)]),
        {"mu": 3.5, "p": 0.3}, np.array([0.0, 5.0, 12.0]), counts.logpdf, counts, outside=-1.0,
    ),
    "Mixture of vectors": Case(
        lambda w, mu, cov: Mixture.dist(
            w, [MvNormal.dist(mu, cov=(cov + cov.T) / 2), MvNormal.dist(0, cov=(cov + cov.T) / 2)]
        ),
        {"w": np.array([0.25, 0.75]), "mu": MEAN, "cov": COV}, VECTORS, vectors.logpdf,
        element=(1, Mixed([0.25, 0.75], stats.norm(-2, 1), stats.norm(0, 1))),
    ),
    "Mixture of shares": Case(
        lambda w, a: Mixture.dist(w, Dirichlet.dist(a)),
        {"w": np.array([0.25, 0.75]), "a": CONCENTRATIONS}, SHARES, _dirichlet,
        outside=np.array([0.5, 0.5, 0.5]), inner=SHARES[::2],
        element=(2, Mixed([0.25, 0.75], stats.beta(5.0, 2.7), stats.beta(1.0, 8.0))),
    ),
}  # fmt: skip
