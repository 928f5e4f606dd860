"""References of the distributions between two bounds."""

from typing import Any

import numpy as np
from scipy import special, stats

from exmc_dask.dist import (
    Beta,
    Interpolated,
    Kumaraswamy,
    LogitNormal,
    Triangular,
    TruncatedNormal,
    Uniform,
    VonMises,
)
from tests.exmc_dask.references.case import UNIT, Case, scipy_case
from tests.exmc_dask.references.exact import exact, mp
from tests.exmc_dask.references.tails import Law, Tails, beta, normal, triangle, truncated

PI = np.pi
ANGLES = np.array([-PI, -2.0, 0.0, 0.3, 3.0, PI])
GRID = np.array([-1.0, 0.0, 0.5, 3.0])
HEIGHTS = np.array([0.3, 2.0, 0.5, 1.0])


def _logit_normal(x: Any) -> Any:
    return stats.norm.logpdf(special.logit(x), 0.5, 1.5) - np.log(x) - np.log1p(-x)


def _kumaraswamy(a: float, b: float) -> Case:
    def density(x: Any) -> Any:
        rest = 1 - x ** mp.mpf(a)
        return mp.log(mp.mpf(a) * b * x ** (mp.mpf(a) - 1) * rest ** (mp.mpf(b) - 1))

    def above(x: Any) -> Any:
        return (1 - x ** mp.mpf(a)) ** mp.mpf(b)

    def below(x: Any) -> Any:
        return -mp.expm1(b * mp.log1p(-(x ** mp.mpf(a))))

    law = Law(exact(density), exact(below))
    return Case(
        Kumaraswamy.dist, {"a": a, "b": b}, UNIT, law.logpdf, law, outside=1.0,
        tails=Tails(below, above),
    )  # fmt: skip


def _von_mises(kappa: float) -> Case:
    law = stats.vonmises(kappa, 0.5)
    from_left = Law(law.logpdf, lambda x: law.cdf(x) - law.cdf(-PI))
    return Case(
        VonMises.dist, {"mu": 0.5, "kappa": kappa}, ANGLES, law.logpdf, from_left, outside=PI + 0.1
    )


def _triangle(c: float) -> Case:
    def density(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(np.interp(x, [-1.0, c, 3.0], [0.0, 0.5, 0.0]))

    return Case(
        Triangular.dist, {"lower": -1.0, "upper": 3.0, "c": c},
        np.array([-1.0, -1 + 1e-9, 0.0, 0.5, 1.5, 3 - 1e-9, 3.0]), density,
        Law(density, stats.triang((c + 1) / 4, -1.0, 4.0).cdf), outside=3.1,
        inner=np.array([0.2, 0.8]), tails=triangle(-1.0, 3.0, c),
    )  # fmt: skip


def _interpolated() -> Case:
    total = float(np.sum(np.diff(GRID) * (HEIGHTS[1:] + HEIGHTS[:-1])) / 2)

    def density(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(np.interp(x, GRID, HEIGHTS) / total)

    def below(x: Any) -> Any:
        area, whole = mp.mpf(0), mp.mpf(0)
        for a, b, f, g in zip(
            *map(mp.matrix, (GRID[:-1], GRID[1:], HEIGHTS[:-1], HEIGHTS[1:])), strict=True
        ):
            s = min(max((x - a) / (b - a), mp.mpf(0)), mp.mpf(1))
            area += (b - a) * (f * s + (g - f) * s**2 / 2)
            whole += (b - a) * (f + g) / 2
        return area / whole

    return Case(
        lambda pdf_points: Interpolated.dist(GRID, pdf_points), {"pdf_points": HEIGHTS},
        np.array([-1.0, -1 + 1e-9, 0.1, 0.5, 3 - 1e-9, 3.0]), density,
        Law(density, exact(below)), outside=3.1, inner=np.array([-0.4, 0.2, 2.0]),
        tails=Tails(below, lambda x: 1 - below(x)),
    )  # fmt: skip


CASES: dict[str, Case] = {
    "TruncatedNormal": scipy_case(
        TruncatedNormal,
        {"mu": 0.5, "sigma": 2.0, "lower": -1.0, "upper": 3.0},
        np.array([-1.0, -0.3, 1.0, 3.0]),
        stats.truncnorm(-0.75, 1.25, 0.5, 2.0),
        outside=3.1,
        tails=truncated(normal(0.5, 2.0), -1.0, 3.0),
    ),
    "TruncatedNormal, far right": scipy_case(
        TruncatedNormal,
        {"mu": 0.0, "sigma": 1.0, "lower": 9.0, "upper": 9.5},
        np.array([9.0, 9.1, 9.5]),
        stats.truncnorm(9.0, 9.5),
        inner=np.array([9.1, 9.4]),
        outside=8.9,
        tails=truncated(normal(0.0, 1.0), 9.0, 9.5),
    ),
    "TruncatedNormal, far left": scipy_case(
        TruncatedNormal,
        {"mu": 0.0, "sigma": 1.0, "upper": -20.0},
        np.array([-20.0, -20.5, -25.0]),
        stats.truncnorm(-np.inf, -20.0),
        inner=np.array([-20.6, -22.0]),
        outside=-19.0,
        tails=truncated(normal(0.0, 1.0), -1e9, -20.0),
    ),
    "TruncatedNormal, from below": scipy_case(
        TruncatedNormal,
        {"mu": 1.0, "sigma": 0.5, "lower": 0.0},
        np.array([0.0, 1.0, 3.0]),
        stats.truncnorm(-2.0, np.inf, 1.0, 0.5),
        outside=-0.1,
        tails=truncated(normal(1.0, 0.5), 0.0, 1e9),
    ),
    "TruncatedNormal, tau": scipy_case(
        TruncatedNormal,
        {"mu": 1.0, "tau": 4.0, "lower": 0.0},
        np.array([0.0, 1.0, 3.0]),
        stats.truncnorm(-2.0, np.inf, 1.0, 0.5),
        outside=-0.1,
    ),
    "Beta": scipy_case(
        Beta, {"alpha": 2.0, "beta": 0.5}, UNIT, stats.beta(2.0, 0.5), outside=1.0,
        tails=beta(2.0, 0.5),
    ),
    "Beta, mean and deviation": scipy_case(
        Beta, {"mu": 0.8, "sigma": np.sqrt(0.16 / 3.5)}, UNIT, stats.beta(2.0, 0.5), outside=1.0
    ),
    "Beta, mean and size": scipy_case(
        Beta, {"mu": 0.8, "nu": 2.5}, UNIT, stats.beta(2.0, 0.5), outside=1.0
    ),
    "LogitNormal": Case(
        LogitNormal.dist, {"mu": 0.5, "sigma": 1.5}, UNIT, _logit_normal,
        Law(_logit_normal, lambda x: stats.norm.cdf(special.logit(x), 0.5, 1.5)), outside=1.0,
        tails=normal(0.5, 1.5, lambda x: mp.log(x / (1 - x))),
    ),
    "LogitNormal, tau": Case(
        LogitNormal.dist, {"mu": 0.5, "tau": 1 / 2.25}, UNIT, _logit_normal, outside=0.0
    ),
    "Kumaraswamy": _kumaraswamy(2.0, 0.5),
    "Kumaraswamy, small": _kumaraswamy(0.4, 3.0),
    "Triangular": _triangle(0.5),
    "VonMises": _von_mises(1.5),
    "VonMises, narrow": _von_mises(300.0),
    "Interpolated": _interpolated(),
    "Uniform": scipy_case(
        Uniform, {"lower": -1.0, "upper": 3.0}, np.array([-1.0, 0.0, 3.0]), stats.uniform(-1, 4),
        outside=3.0001, tails=Tails(lambda x: (x + 1) / 4, lambda x: (3 - x) / 4),
    ),
}  # fmt: skip
