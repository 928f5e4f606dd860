"""References of the distributions of positive numbers."""

from typing import Any

import numpy as np
from scipy import stats

from exmc_dask.dist import (
    ChiSquared,
    Exponential,
    Gamma,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    LogNormal,
    Pareto,
    Rice,
    Wald,
    Weibull,
)
from tests.exmc_dask.references.case import POSITIVE, Case, scipy_case
from tests.exmc_dask.references.exact import exact, mp
from tests.exmc_dask.references.tails import Law, Tails, gamma, half_student, mirrored, normal, wald

T = stats.t(3.5, 0, 2.0)
HALF_T = Law(lambda x: T.logpdf(x) + np.log(2), lambda x: 2 * T.cdf(x) - 1)
NOT_TINY = POSITIVE[1:]  # where 1 / x**2 is a number
NONNEGATIVE = np.append(0.0, POSITIVE)
EXPONENTIAL = Tails(lambda x: -mp.expm1(-x / 2), lambda x: mp.exp(-x / 2))


def _rice(x: Any, nu: float, sigma: float) -> Any:
    z = (x - nu) / sigma
    product = x * nu / mp.mpf(sigma) ** 2
    return mp.log(x / mp.mpf(sigma) ** 2 * mp.exp(-z * z / 2 - product) * mp.besseli(0, product))


def _wald(x: Any, mu: float, lam: float, alpha: float = 0.0) -> Any:
    t = x - mp.mpf(alpha)
    return mp.log(lam / (2 * mp.pi * t**3)) / 2 - lam * (t - mu) ** 2 / (2 * mp.mpf(mu) ** 2 * t)


CASES: dict[str, Case] = {
    "HalfNormal": scipy_case(
        HalfNormal, {"sigma": 2.0}, NONNEGATIVE, stats.halfnorm(0, 2.0), outside=-0.1,
        tails=Tails(lambda x: mp.erf(x / mp.sqrt(8)), lambda x: mp.erfc(x / mp.sqrt(8))),
    ),
    "HalfNormal, tau": scipy_case(
        HalfNormal, {"tau": 0.25}, NONNEGATIVE, stats.halfnorm(0, 2.0), outside=-0.1
    ),
    "LogNormal": scipy_case(
        LogNormal, {"mu": 0.5, "sigma": 1.5}, POSITIVE, stats.lognorm(1.5, 0, np.exp(0.5)),
        outside=0.0, tails=normal(0.5, 1.5, mp.log),
    ),
    "LogNormal, tau": scipy_case(
        LogNormal, {"mu": 0.5, "tau": 1 / 2.25}, POSITIVE, stats.lognorm(1.5, 0, np.exp(0.5)),
        outside=0.0,
    ),
    "HalfCauchy": scipy_case(
        HalfCauchy, {"beta": 2.0}, NONNEGATIVE, stats.halfcauchy(0, 2.0), outside=-1.0,
        tails=Tails(
            lambda x: mp.atan(x / 2) * 2 / mp.pi, lambda x: mp.atan2(1, x / 2) * 2 / mp.pi
        ),
    ),
    "HalfStudentT": Case(
        HalfStudentT.dist, {"nu": 3.5, "sigma": 2.0}, NONNEGATIVE,
        HALF_T.logpdf, HALF_T, outside=-0.1, tails=half_student(3.5, 2.0),
    ),
    "HalfStudentT, lam": Case(
        HalfStudentT.dist, {"nu": 3.5, "lam": 0.25}, NONNEGATIVE,
        HALF_T.logpdf, outside=-0.1,
    ),
    "Exponential": scipy_case(
        Exponential, {"lam": 0.5}, NONNEGATIVE, stats.expon(0, 2.0), outside=-1e-9,
        tails=EXPONENTIAL,
    ),
    "Exponential, scale": scipy_case(
        Exponential, {"scale": 2.0}, NONNEGATIVE, stats.expon(0, 2.0), outside=-1e-9
    ),
    "Gamma": scipy_case(
        Gamma, {"alpha": 2.5, "beta": 0.5}, POSITIVE, stats.gamma(2.5, 0, 2.0), outside=0.0,
        tails=gamma(2.5, 0.5),
    ),
    "Gamma, small shape": scipy_case(
        Gamma, {"alpha": 0.3, "beta": 2.0}, POSITIVE, stats.gamma(0.3, 0, 0.5), outside=-1.0,
        tails=gamma(0.3, 2.0),
    ),
    "Gamma, mean and deviation": scipy_case(
        Gamma, {"mu": 5.0, "sigma": np.sqrt(10.0)}, POSITIVE, stats.gamma(2.5, 0, 2.0), outside=0.0
    ),
    "InverseGamma": scipy_case(
        InverseGamma, {"alpha": 2.5, "beta": 0.5}, NOT_TINY, stats.invgamma(2.5, 0, 0.5),
        outside=0.0, tails=mirrored(gamma(2.5, 0.5), lambda x: 1 / x),
    ),
    "InverseGamma, mean and deviation": scipy_case(
        InverseGamma, {"mu": 2.0, "sigma": 4.0}, NOT_TINY, stats.invgamma(2.25, 0, 2.5),
        outside=0.0,
    ),
    "ChiSquared": scipy_case(
        ChiSquared, {"nu": 3.5}, POSITIVE, stats.chi2(3.5), outside=0.0, tails=gamma(1.75, 0.5)
    ),
    "Pareto": scipy_case(
        Pareto, {"alpha": 2.5, "m": 0.3}, np.array([0.3, 0.35, 1.0, 1e6]),
        stats.pareto(2.5, 0, 0.3), outside=0.29,
        tails=Tails(
            lambda x: -mp.expm1(2.5 * mp.log(0.3 / x)), lambda x: mp.exp(2.5 * mp.log(0.3 / x))
        ),
    ),
    "Wald": Case(
        Wald.dist, {"mu": 2.0, "lam": 3.0}, NOT_TINY, exact(lambda x: _wald(x, 2.0, 3.0)),
        stats.invgauss(2 / 3, 0, 3.0), outside=0.0, tails=wald(2.0, 3.0),
    ),
    "Wald, steep": Case(
        Wald.dist, {"mu": 2.0, "lam": 3e3, "alpha": 0.1}, np.array([0.2, 1.0, 2.1, 3.0, 1e3]),
        exact(lambda x: _wald(x, 2.0, 3e3, 0.1)), stats.invgauss(2 / 3e3, 0.1, 3e3), outside=0.1,
        tails=wald(2.0, 3e3, 0.1),
    ),
    "Wald, mu and phi": Case(
        Wald.dist, {"mu": 2.0, "phi": 1.5}, NOT_TINY, exact(lambda x: _wald(x, 2.0, 3.0)),
        outside=-1.0,
    ),
    "Wald, lam and phi": Case(
        Wald.dist, {"lam": 3.0, "phi": 1.5}, NOT_TINY, exact(lambda x: _wald(x, 2.0, 3.0)),
        outside=-1.0,
    ),
    "Rice": Case(
        Rice.dist, {"nu": 0.7, "sigma": 2.0}, POSITIVE, exact(lambda x: _rice(x, 0.7, 2.0)),
        stats.rice(0.35, 0, 2.0), outside=0.0,
    ),
    "Rice, far": Case(
        Rice.dist, {"nu": 40.0, "sigma": 0.5}, POSITIVE, exact(lambda x: _rice(x, 40.0, 0.5)),
        stats.rice(80.0, 0, 0.5), outside=-1.0,
    ),
    "Rice, b": Case(
        Rice.dist, {"b": 0.35, "sigma": 2.0}, POSITIVE, exact(lambda x: _rice(x, 0.7, 2.0)),
        outside=0.0,
    ),
    "Weibull": scipy_case(
        Weibull, {"alpha": 1.5, "beta": 2.0}, POSITIVE[:-1], stats.weibull_min(1.5, 0, 2.0),
        outside=0.0,
        tails=Tails(
            lambda x: -mp.expm1(-((x / 2) ** 1.5)), lambda x: mp.exp(-((x / 2) ** 1.5))
        ),
    ),
    "HalfFlat": Case(HalfFlat.dist, {}, POSITIVE, np.zeros_like, outside=-1.0),
}  # fmt: skip
