"""One row a distribution: parameters, values with tails and edges, and the law by scipy.stats."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from exmc_dask import math
from exmc_dask.dist import (
    Bernoulli,
    Beta,
    Binomial,
    Cauchy,
    Censored,
    Custom,
    Dirichlet,
    Dist,
    Exponential,
    Flat,
    Gamma,
    GaussianRandomWalk,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    Laplace,
    LogNormal,
    Mixture,
    MvNormal,
    Normal,
    NormalMixture,
    Poisson,
    StudentT,
    TruncatedNormal,
    Uniform,
    Weibull,
)

REAL = np.array([-1e8, -40.0, -3.0, -1e-9, 0.0, 0.7, 5.0, 40.0, 1e8])
POSITIVE = np.array([1e-300, 1e-9, 0.3, 1.0, 2.5, 40.0, 1e4])
UNIT = np.array([1e-300, 1e-9, 0.2, 0.5, 0.9, 1 - 1e-12])
COUNTS = np.array([0.0, 1.0, 2.0, 7.0, 30.0, 1000.0])


@dataclass(frozen=True)
class Case:
    """A distribution with numbers for its parameters.

    `logp` is the reference; `law` a frozen distribution of scipy for draws of one element;
    `outside` a value that the support does not contain; `inner` values between the edges, where
    derivatives are taken.
    """

    dist: Callable[..., Dist]
    params: dict[str, Any]
    values: np.ndarray
    logp: Callable[[np.ndarray], Any]
    law: Any = None
    outside: Any = None
    inner: Any = None


def _scipy(law: Any) -> Callable[[np.ndarray], Any]:
    return law.logpdf if hasattr(law, "logpdf") else law.logpmf


def _case(dist: Any, params: dict[str, Any], values: np.ndarray, law: Any, **more: Any) -> Case:
    return Case(dist.dist, params, values, _scipy(law), law, **more)


A = np.array([0.7, 2.0, 5.0])
SHARES = np.array([[0.2, 0.3, 0.5], [1e-6, 1e-6, 1 - 2e-6], [0.9, 0.05, 0.05]])
MEAN = np.array([1.0, -2.0, 0.5])
COV = np.array([[2.0, 0.3, -0.5], [0.3, 1.0, 0.2], [-0.5, 0.2, 3.0]])
VECTORS = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5], [30.0, -10.0, 4.0]])
PATHS = np.array([[0.0, 0.5, -0.2, 1.0], [3.0, 3.1, 2.9, -40.0]])
WEIGHTS = np.array([0.2, 0.5, 0.3])
CENTRES = np.array([-2.0, 0.0, 5.0])
SPREADS = np.array([0.5, 1.0, 3.0])

mvnormal = stats.multivariate_normal(MEAN, COV)


def _mixture(x: np.ndarray) -> Any:
    return special.logsumexp(
        np.log(WEIGHTS) + stats.norm.logpdf(x[:, None], CENTRES, SPREADS), axis=-1
    )


def _walk(x: np.ndarray, start: Any) -> Any:
    return start.logpdf(x[:, 0]) + stats.norm.logpdf(np.diff(x), 0.3, 0.8).sum(axis=-1)


def _censored(family: Any, params: dict[str, Any], law: Any, lower: float, upper: float) -> Case:
    def reference(x: np.ndarray) -> Any:
        inner = np.where(x <= lower, law.logcdf(lower), law.logpdf(x))
        return np.where(x >= upper, law.logsf(upper), inner)

    return Case(
        lambda **params: Censored.dist(family.dist(**params), lower, upper),
        params,
        np.array([lower, 0.7, 1.5, upper]),
        reference,
        outside=upper + 0.1,
    )


CASES: dict[str, Case] = {
    "Normal": _case(Normal, {"mu": 0.5, "sigma": 2.0}, REAL, stats.norm(0.5, 2.0)),
    "HalfNormal": _case(
        HalfNormal, {"sigma": 2.0}, np.append(0.0, POSITIVE), stats.halfnorm(0, 2.0), outside=-0.1
    ),
    "TruncatedNormal": _case(
        TruncatedNormal,
        {"mu": 0.5, "sigma": 2.0, "lower": -1.0, "upper": 3.0},
        np.array([-1.0, -0.3, 1.0, 3.0]),
        stats.truncnorm(-0.75, 1.25, 0.5, 2.0),
        outside=3.1,
    ),
    "TruncatedNormal, far right": _case(
        TruncatedNormal,
        {"mu": 0.0, "sigma": 1.0, "lower": 9.0, "upper": 9.5},
        np.array([9.0, 9.1, 9.5]),
        stats.truncnorm(9.0, 9.5),
        inner=np.array([9.1, 9.4]),
        outside=8.9,
    ),
    "TruncatedNormal, far left": _case(
        TruncatedNormal,
        {"mu": 0.0, "sigma": 1.0, "upper": -20.0},
        np.array([-20.0, -20.5, -25.0]),
        stats.truncnorm(-np.inf, -20.0),
        inner=np.array([-20.1, -22.0]),
        outside=-19.0,
    ),
    "TruncatedNormal, from below": _case(
        TruncatedNormal,
        {"mu": 1.0, "sigma": 0.5, "lower": 0.0},
        np.array([0.0, 1.0, 3.0]),
        stats.truncnorm(-2.0, np.inf, 1.0, 0.5),
        outside=-0.1,
    ),
    "LogNormal": _case(
        LogNormal, {"mu": 0.5, "sigma": 1.5}, POSITIVE, stats.lognorm(1.5, 0, np.exp(0.5)),
        outside=0.0,
    ),
    "StudentT": _case(
        StudentT, {"nu": 3.5, "mu": 0.5, "sigma": 2.0}, REAL, stats.t(3.5, 0.5, 2.0)
    ),
    "Cauchy": _case(Cauchy, {"alpha": 0.5, "beta": 2.0}, REAL, stats.cauchy(0.5, 2.0)),
    "HalfCauchy": _case(
        HalfCauchy, {"beta": 2.0}, np.append(0.0, POSITIVE), stats.halfcauchy(0, 2.0), outside=-1.0
    ),
    "Laplace": Case(  # scipy underflows in the tails
        Laplace.dist,
        {"mu": 0.7, "b": 2.0},
        REAL,
        lambda x: -np.abs(x - 0.7) / 2.0 - np.log(4.0),
        stats.laplace(0.7, 2.0),
    ),
    "Exponential": _case(
        Exponential, {"lam": 0.5}, np.append(0.0, POSITIVE), stats.expon(0, 2.0), outside=-1e-9
    ),
    "Gamma": _case(
        Gamma, {"alpha": 2.5, "beta": 0.5}, POSITIVE, stats.gamma(2.5, 0, 2.0), outside=0.0
    ),
    "Gamma, small shape": _case(
        Gamma, {"alpha": 0.3, "beta": 2.0}, POSITIVE, stats.gamma(0.3, 0, 0.5), outside=-1.0
    ),
    "Weibull": _case(
        Weibull, {"alpha": 1.5, "beta": 2.0}, POSITIVE[:-1], stats.weibull_min(1.5, 0, 2.0),
        outside=0.0,
    ),
    "Beta": _case(Beta, {"alpha": 2.0, "beta": 0.5}, UNIT, stats.beta(2.0, 0.5), outside=1.0),
    "Uniform": _case(
        Uniform, {"lower": -1.0, "upper": 3.0}, np.array([-1.0, 0.0, 3.0]), stats.uniform(-1, 4),
        outside=3.0001,
    ),
    "Flat": Case(Flat.dist, {}, REAL, np.zeros_like),
    "HalfFlat": Case(HalfFlat.dist, {}, POSITIVE, np.zeros_like, outside=-1.0),
    "Bernoulli": _case(
        Bernoulli, {"p": 0.3}, np.array([0.0, 1.0]), stats.bernoulli(0.3), outside=2.0
    ),
    "Bernoulli, logit": _case(
        Bernoulli, {"logit_p": -40.0}, np.array([0.0, 1.0]), stats.bernoulli(special.expit(-40.0)),
        outside=0.5,
    ),
    "Binomial": _case(
        Binomial, {"n": 9.0, "p": 0.3}, np.array([0.0, 4.0, 9.0]), stats.binom(9, 0.3), outside=10.0
    ),
    "Binomial, logit": _case(
        Binomial, {"n": 9.0, "logit_p": 0.4}, np.array([0.0, 4.0, 9.0]),
        stats.binom(9, special.expit(0.4)), outside=-1.0,
    ),
    "Poisson": _case(Poisson, {"mu": 7.5}, COUNTS, stats.poisson(7.5), outside=1.5),
    "Poisson, log": _case(
        Poisson, {"log_mu": np.log(7.5)}, COUNTS, stats.poisson(7.5), outside=-1.0
    ),
    "Dirichlet": Case(
        Dirichlet.dist, {"a": A}, SHARES, lambda x: stats.dirichlet(A).logpdf(x.T),
        outside=np.array([1.0, 0.0, 0.0]), inner=SHARES[::2],
    ),
    "MvNormal, cov": Case(
        lambda mu, cov: MvNormal.dist(mu, cov=(cov + cov.T) / 2), {"mu": MEAN, "cov": COV},
        VECTORS, mvnormal.logpdf,
    ),
    "MvNormal, tau": Case(
        lambda mu, tau: MvNormal.dist(mu, tau=(tau + tau.T) / 2),
        {"mu": MEAN, "tau": np.linalg.inv(COV)}, VECTORS, mvnormal.logpdf,
    ),
    "MvNormal, chol": Case(
        MvNormal.dist, {"mu": MEAN, "chol": np.linalg.cholesky(COV)}, VECTORS, mvnormal.logpdf
    ),
    "GaussianRandomWalk": Case(
        GaussianRandomWalk.dist, {"mu": 0.3, "sigma": 0.8}, PATHS,
        lambda x: _walk(x, stats.norm(0, 0.8)),
    ),
    "GaussianRandomWalk, init": Case(
        lambda mu, sigma: GaussianRandomWalk.dist(mu, sigma, Normal.dist(2, 5)),
        {"mu": 0.3, "sigma": 0.8}, PATHS, lambda x: _walk(x, stats.norm(2, 5)),
    ),
    "NormalMixture": Case(
        NormalMixture.dist, {"w": WEIGHTS, "mu": CENTRES, "sigma": SPREADS}, REAL[1:-1], _mixture
    ),
    "Mixture, batched": Case(
        lambda w, mu, sigma: Mixture.dist(w, Normal.dist(mu, sigma)),
        {"w": WEIGHTS, "mu": CENTRES, "sigma": SPREADS}, REAL[1:-1], _mixture,
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
        {"w": WEIGHTS, "mu": CENTRES, "sigma": SPREADS}, REAL[1:-1], _mixture,
    ),
    "Mixture, list": Case(
        lambda w, mu: Mixture.dist(
            w, [Normal.dist(mu, 0.5), Normal.dist(0, 1), Normal.dist(5, 3)]
        ),
        {"w": WEIGHTS, "mu": -2.0}, REAL[1:-1], _mixture,
    ),
    "Mixture of different supports": Case(
        lambda lam: Mixture.dist([0.25, 0.75], [Exponential.dist(lam), Normal.dist(0, 1)]),
        {"lam": 0.5}, np.array([-3.0, 0.0, 2.0]),
        lambda x: np.log(0.25 * stats.expon(0, 2).pdf(x) + 0.75 * stats.norm.pdf(x)),
    ),
    "Custom": Case(
        lambda mu: Custom.dist(
            mu, logp=lambda x, mu: -math.square(x - mu), support="positive"
        ),
        {"mu": 0.5}, np.array([0.1, 3.0]), lambda x: -((x - 0.5) ** 2), outside=-1.0,
    ),
    "Censored Normal": _censored(
        Normal, {"mu": 0.5, "sigma": 2.0}, stats.norm(0.5, 2.0), -70.0, 80.0
    ),
    "Censored HalfNormal": _censored(
        HalfNormal, {"sigma": 2.0}, stats.halfnorm(0, 2.0), 1e-5, 60.0
    ),
    "Censored LogNormal": _censored(
        LogNormal, {"mu": 0.5, "sigma": 1.5}, stats.lognorm(1.5, 0, np.exp(0.5)), 0.1, 9e3
    ),
    "Censored Exponential": _censored(
        Exponential, {"lam": 0.5}, stats.expon(0, 2.0), 1e-5, 1e3
    ),
    "Censored Weibull": _censored(
        Weibull, {"alpha": 1.5, "beta": 2.0}, stats.weibull_min(1.5, 0, 2.0), 1e-5, 60.0
    ),
    "Censored Laplace": _censored(
        Laplace, {"mu": 0.6, "b": 2.0}, stats.laplace(0.6, 2.0), -500.0, 500.0
    ),
    "Censored Uniform": _censored(
        Uniform, {"lower": -1.0, "upper": 3.0}, stats.uniform(-1, 4), -0.5, 2.0
    ),
}  # fmt: skip
