"""References of the distributions made from others."""

from typing import Any

import numpy as np
from scipy import special, stats

from exmc_dask import math
from exmc_dask.dist import (
    Censored,
    Custom,
    Exponential,
    HalfNormal,
    Laplace,
    LogNormal,
    Mixture,
    Normal,
    NormalMixture,
    Uniform,
    Weibull,
)
from tests.exmc_dask.references.case import REAL, Case

WEIGHTS = np.array([0.2, 0.5, 0.3])
CENTRES = np.array([-2.0, 0.0, 5.0])
SPREADS = np.array([0.5, 1.0, 3.0])


def _mixture(x: np.ndarray) -> Any:
    return special.logsumexp(
        np.log(WEIGHTS) + stats.norm.logpdf(x[:, None], CENTRES, SPREADS), axis=-1
    )


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
