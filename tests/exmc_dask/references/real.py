"""References of the distributions on the real line."""

from typing import Any

import numpy as np
from scipy import stats

from exmc_dask.dist import (
    AsymmetricLaplace,
    Cauchy,
    ExGaussian,
    Flat,
    Gumbel,
    Laplace,
    Logistic,
    Moyal,
    Normal,
    SkewNormal,
    StudentT,
)
from tests.exmc_dask.references.case import REAL, Case, scipy_case
from tests.exmc_dask.references.exact import exact, mp
from tests.exmc_dask.references.tails import Tails, exgaussian, normal, phi, student

RIGHT = REAL[1:]  # on the left exp(-x) overflows


def _logistic(z: Any) -> Any:
    return 1 / (1 + mp.exp(-z))


def _cauchy(z: Any) -> Any:
    return mp.atan2(1, -z) / mp.pi


def _laplace(z: Any) -> Any:
    return mp.exp(z) / 2 if z < 0 else 1 - mp.exp(-z) / 2


def _asymmetric(z: Any, kappa: Any) -> Any:
    left = kappa**2 / (1 + kappa**2)
    return left * mp.exp(z / kappa) if z < 0 else 1 - (1 - left) * mp.exp(-z * kappa)


def _moyal(x: Any) -> Any:
    z = (x - 0.5) / 2
    return -(z + mp.exp(-z)) / 2 - mp.log(8 * mp.pi) / 2


def _skew(x: Any, alpha: float) -> Any:
    z = (x - 0.5) / 2
    return mp.log(mp.npdf(z) * phi(alpha * z))  # times 2 / sigma


def _skew_normal(alpha: float) -> Case:
    return Case(
        SkewNormal.dist, {"mu": 0.5, "sigma": 2.0, "alpha": alpha}, REAL,
        exact(lambda x: _skew(x, alpha)), stats.skewnorm(alpha, 0.5, 2.0),
    )  # fmt: skip


def _ex_gaussian(nu: float) -> Case:
    def density(x: Any) -> Any:
        z, ratio = (x - 0.5) / 2, mp.mpf(2) / nu
        return mp.log(mp.exp(ratio * (ratio / 2 - z)) * phi(z - ratio) / nu)

    return Case(
        ExGaussian.dist, {"mu": 0.5, "sigma": 2.0, "nu": nu}, REAL, exact(density),
        stats.exponnorm(nu / 2, 0.5, 2.0), tails=exgaussian(0.5, 2.0, nu),
    )  # fmt: skip


CASES: dict[str, Case] = {
    "Normal": scipy_case(Normal, {"mu": 0.5, "sigma": 2.0}, REAL, stats.norm(0.5, 2.0),
        tails=normal(0.5, 2.0)),
    "Normal, tau": scipy_case(Normal, {"mu": 0.5, "tau": 0.25}, REAL, stats.norm(0.5, 2.0)),
    "StudentT": scipy_case(
        StudentT, {"nu": 3.5, "mu": 0.5, "sigma": 2.0}, REAL, stats.t(3.5, 0.5, 2.0),
        tails=student(3.5, 0.5, 2.0),
    ),
    "StudentT, nearly normal": scipy_case(
        StudentT, {"nu": 300.0, "mu": 0.35, "sigma": 2.0}, REAL, stats.t(300.0, 0.35, 2.0),
        tails=student(300.0, 0.35, 2.0),
    ),
    "StudentT, lam": scipy_case(
        StudentT, {"nu": 3.5, "mu": 0.5, "lam": 0.25}, REAL, stats.t(3.5, 0.5, 2.0)
    ),
    "Cauchy": scipy_case(Cauchy, {"alpha": 0.5, "beta": 2.0}, REAL, stats.cauchy(0.5, 2.0),
        tails=Tails(lambda x: _cauchy((x - 0.5) / 2), lambda x: _cauchy((0.5 - x) / 2))),
    "Laplace": Case(  # scipy underflows in the tails
        Laplace.dist,
        {"mu": 0.7, "b": 2.0},
        REAL,
        lambda x: -np.abs(x - 0.7) / 2.0 - np.log(4.0),
        stats.laplace(0.7, 2.0),
        tails=Tails(
            lambda x: _laplace((x - mp.mpf(0.7)) / 2), lambda x: _laplace((mp.mpf(0.7) - x) / 2)
        ),
    ),
    "AsymmetricLaplace": scipy_case(
        AsymmetricLaplace, {"kappa": 0.6, "mu": 0.5, "b": 0.5}, REAL,
        stats.laplace_asymmetric(0.6, 0.5, 2.0),
        tails=Tails(
            lambda x: _asymmetric((x - 0.5) / 2, mp.mpf(0.6)),
            lambda x: _asymmetric((0.5 - x) / 2, 1 / mp.mpf(0.6)),
        ),
    ),
    "AsymmetricLaplace, q": scipy_case(
        AsymmetricLaplace, {"q": 0.3, "mu": 0.5, "b": 0.5}, REAL,
        stats.laplace_asymmetric(np.sqrt(3 / 7), 0.5, 2.0),
    ),
    "Logistic": scipy_case(
        Logistic, {"mu": 0.5, "s": 2.0}, REAL, stats.logistic(0.5, 2.0),
        tails=Tails(lambda x: _logistic((x - 0.5) / 2), lambda x: _logistic((0.5 - x) / 2)),
    ),
    "Gumbel": scipy_case(
        Gumbel, {"mu": 0.5, "beta": 2.0}, RIGHT, stats.gumbel_r(0.5, 2.0),
        tails=Tails(
            lambda x: mp.exp(-mp.exp((0.5 - x) / 2)), lambda x: -mp.expm1(-mp.exp((0.5 - x) / 2))
        ),
    ),
    "SkewNormal": _skew_normal(-1.5),
    "SkewNormal, sharp": _skew_normal(40.0),
    "SkewNormal, tau": Case(
        SkewNormal.dist, {"mu": 0.5, "tau": 0.25, "alpha": 3.0}, REAL,
        exact(lambda x: _skew(x, 3.0)), stats.skewnorm(3.0, 0.5, 2.0),
    ),
    "ExGaussian": _ex_gaussian(3.0),
    "ExGaussian, nearly normal": _ex_gaussian(0.01),
    "ExGaussian, nearly exponential": _ex_gaussian(50.0),
    "Moyal": Case(
        Moyal.dist, {"mu": 0.5, "sigma": 2.0}, RIGHT, exact(_moyal), stats.moyal(0.5, 2.0),
        tails=Tails(
            lambda x: mp.erfc(mp.exp((0.5 - x) / 4) / mp.sqrt(2)),
            lambda x: mp.erf(mp.exp((0.5 - x) / 4) / mp.sqrt(2)),
        ),
    ),
    "Flat": Case(Flat.dist, {}, REAL, np.zeros_like),
}  # fmt: skip
