"""References of distributions cut off at bounds."""

from typing import Any

import numpy as np
from scipy import special, stats

from exmc_dask import math
from exmc_dask.dist import (
    Binomial,
    Censored,
    Custom,
    DiscreteWeibull,
    Dist,
    Exponential,
    Geometric,
    HalfNormal,
    Laplace,
    LogNormal,
    Mixture,
    NegativeBinomial,
    Normal,
    OrderedLogistic,
    OrderedProbit,
    Poisson,
    Truncated,
    Uniform,
    Weibull,
)
from tests.exmc_dask.references.case import Case
from tests.exmc_dask.references.mixture import CENTRES, SPREADS, WEIGHTS, normals


class Between:
    """Law of scipy between two bounds; probabilities are taken at the smaller tail."""

    def __init__(self, law: Any, lower: float = -np.inf, upper: float = np.inf) -> None:
        self.law, self.whole = law, not hasattr(law, "pdf")
        self.before, self.upper = np.ceil(lower) - 1 if self.whole else lower, upper
        self.mass = self._above(self.before, upper)

    def _above(self, low: Any, high: Any) -> Any:
        """Logarithm of the probability above `low` and up to `high`."""
        law = self.law
        with np.errstate(divide="ignore", invalid="ignore"):
            right = law.logsf(low) + np.log1p(-np.exp(law.logsf(high) - law.logsf(low)))
            left = law.logcdf(high) + np.log1p(-np.exp(law.logcdf(low) - law.logcdf(high)))
        some = np.where(law.sf(low) < law.cdf(high), right, left)
        return np.where((low < high) & (law.cdf(high) > 0.0), some, -np.inf)

    def logpdf(self, x: Any) -> Any:
        density = self.law.logpmf if self.whole else self.law.logpdf
        return density(x) - self.mass

    def logcdf(self, x: Any) -> Any:
        return self._above(self.before, np.clip(x, self.before, self.upper)) - self.mass

    def logsf(self, x: Any) -> Any:
        return self._above(np.clip(x, self.before, self.upper), self.upper) - self.mass

    def cdf(self, x: Any) -> Any:
        return np.exp(self.logcdf(x))


def _truncated(
    dist: Any, params: dict[str, Any], law: Any, lower: Any, upper: Any, values: Any, **more: Any
) -> Case:
    ends = {side: b for side, b in (("lower", lower), ("upper", upper)) if b is not None}
    of = Between(law, **ends)
    whole = {} if of.whole else ends  # bounds of counts do not move

    def made(**given: Any) -> Dist:
        bounds = {side: given.pop(side, bound) for side, bound in ends.items()}
        return Truncated.dist(dist(**given), **bounds)

    return Case(made, {**params, **whole}, np.array(values), of.logpdf, of, **more)


def _censored(
    dist: Any, params: dict[str, Any], law: Any, lower: float, upper: float, *more: float
) -> Case:
    whole = not hasattr(law, "pdf")

    def reference(x: np.ndarray) -> Any:
        inner = np.where(x <= lower, law.logcdf(lower), (law.logpmf if whole else law.logpdf)(x))
        return np.where(x >= upper, law.logsf(upper - whole), inner)

    return Case(
        lambda **params: Censored.dist(dist(**params), lower, upper),
        params,
        np.array([lower, *(more or (0.7, 1.5)), upper]),
        reference,
        outside=upper + 0.1,
    )


ENDS = np.array([3.0, np.inf, 0.7, 9.5, 0.1])
STARTS = np.array([1.0, 2.0, 0.7, 9.0, -40.0])


def _intervals(x: np.ndarray) -> Any:
    law = stats.norm(0.5, 2.0)
    masses = [Between(law, *ends).mass for ends in zip(x, ENDS, strict=True)]
    return np.where(x < ENDS, masses, law.logpdf(x))


def _standard(mu: Any, sigma: Any) -> Any:
    return Custom.dist(
        mu, sigma,
        logp=lambda x, mu, sigma: -math.softplus((mu - x) / sigma) - math.softplus((x - mu) / sigma)
        - math.log(sigma),
        logcdf=lambda x, mu, sigma: -math.softplus((mu - x) / sigma),
        logsf=lambda x, mu, sigma: -math.softplus((x - mu) / sigma),
    )  # fmt: skip


GRADES = special.expit(np.array([-1.0, 0.4, 2.0]) - 0.7)
GRADED = stats.rv_discrete(values=(range(4), np.diff([0.0, *GRADES, 1.0])))
ORDERED = {"eta": 0.7, "cutpoints": np.array([-1.0, 0.4, 2.0])}

CASES: dict[str, Case] = {
    "Truncated Normal": _truncated(
        Normal.dist, {"mu": 0.5, "sigma": 2.0}, stats.norm(0.5, 2.0), -1.0, 3.0,
        [-1.0, -0.3, 1.0, 3.0], outside=3.1,
    ),
    "Truncated Normal, far right": _truncated(
        Normal.dist, {"mu": 0.0, "sigma": 1.0}, stats.norm(), 9.0, 9.5, [9.0, 9.1, 9.5],
        inner=np.array([9.1, 9.4]), outside=8.9,
    ),
    "Truncated Normal, far left": _truncated(
        Normal.dist, {"mu": 0.0, "sigma": 1.0}, stats.norm(), -9.5, -9.0, [-9.5, -9.2, -9.0],
        inner=np.array([-9.4, -9.1]), outside=-8.9,
    ),
    "Truncated Weibull, from below": _truncated(
        Weibull.dist, {"alpha": 1.5, "beta": 2.0}, stats.weibull_min(1.5, 0, 2.0), 3.0, None,
        [3.0, 4.0, 50.0], inner=np.array([3.5, 8.0]), outside=2.9,
    ),
    "Truncated LogNormal, from above": _truncated(
        LogNormal.dist, {"mu": 0.5, "sigma": 1.5}, stats.lognorm(1.5, 0, np.exp(0.5)), None, 2.0,
        [1e-9, 0.5, 2.0], outside=0.0,
    ),
    "Truncated Laplace": _truncated(
        Laplace.dist, {"mu": 0.6, "b": 2.0}, stats.laplace(0.6, 2.0), 40.0, 44.0, [40.0, 43.0],
        inner=np.array([41.0, 43.0]), outside=44.5,
    ),
    "Truncated mixture": _truncated(
        lambda mu: Mixture.dist(WEIGHTS, Normal.dist(mu, SPREADS)), {"mu": CENTRES}, normals,
        1.0, 30.0, [1.0, 5.0, 29.0], inner=np.array([2.0, 8.0]), outside=0.5,
    ),
    "Truncated formula": _truncated(
        _standard, {"mu": 0.5, "sigma": 2.0}, stats.logistic(0.5, 2.0), 40.0, 90.0,
        [40.0, 60.0, 90.0], inner=np.array([41.0, 70.0]), outside=30.0,
    ),
    "Truncated truncated Normal": _truncated(
        lambda mu: Truncated.dist(Normal.dist(mu, 2.0), -1.0, 5.0), {"mu": 0.5},
        stats.norm(0.5, 2.0), 0.0, 4.0, [0.1, 3.0], outside=-0.5,
    ),
    "Truncated Poisson": _truncated(
        Poisson.dist, {"mu": 3.5}, stats.poisson(3.5), 1.0, 6.0, [1.0, 4.0, 6.0], outside=0.0
    ),
    "Truncated Poisson, far out": _truncated(
        Poisson.dist, {"mu": 3.5}, stats.poisson(3.5), 60.0, None, [60.0, 61.0, 70.0], outside=59.0
    ),
    "Truncated Binomial": _truncated(
        lambda p: Binomial.dist(20, p), {"p": 0.3}, stats.binom(20, 0.3), 8.0, 20.0,
        [8.0, 9.0, 20.0], outside=7.0,
    ),
    "Truncated NegativeBinomial": _truncated(
        NegativeBinomial.dist, {"mu": 7.5, "alpha": 2.5}, stats.nbinom(2.5, 0.25), None, 4.0,
        [0.0, 3.0, 4.0], outside=5.0,
    ),
    "Truncated Geometric": _truncated(
        Geometric.dist, {"p": 0.3}, stats.geom(0.3), 3.0, 9.0, [3.0, 5.0, 9.0], outside=2.0
    ),
    "Truncated DiscreteWeibull": _truncated(
        DiscreteWeibull.dist, {"q": 0.8, "beta": 1.0}, stats.geom(0.2, -1), 60.5, None,
        [61.0, 70.0, 900.0], outside=60.0,
    ),
    "Truncated OrderedLogistic": _truncated(
        OrderedLogistic.dist, ORDERED, GRADED, 1.0, 2.0, [1.0, 2.0], outside=3.0
    ),
    "Censored Normal": _censored(
        Normal.dist, {"mu": 0.5, "sigma": 2.0}, stats.norm(0.5, 2.0), -70.0, 80.0
    ),
    "Censored HalfNormal": _censored(
        HalfNormal.dist, {"sigma": 2.0}, stats.halfnorm(0, 2.0), 1e-5, 60.0
    ),
    "Censored LogNormal": _censored(
        LogNormal.dist, {"mu": 0.5, "sigma": 1.5}, stats.lognorm(1.5, 0, np.exp(0.5)), 0.1, 9e3
    ),
    "Censored Exponential": _censored(
        Exponential.dist, {"lam": 0.5}, stats.expon(0, 2.0), 1e-5, 1e3
    ),
    "Censored Weibull": _censored(
        Weibull.dist, {"alpha": 1.5, "beta": 2.0}, stats.weibull_min(1.5, 0, 2.0), 1e-5, 60.0
    ),
    "Censored Laplace": _censored(
        Laplace.dist, {"mu": 0.6, "b": 2.0}, stats.laplace(0.6, 2.0), -500.0, 500.0
    ),
    "Censored Uniform": _censored(
        Uniform.dist, {"lower": -1.0, "upper": 3.0}, stats.uniform(-1, 4), -0.5, 2.0
    ),
    "Censored Poisson": _censored(
        Poisson.dist, {"mu": 3.5}, stats.poisson(3.5), 1.0, 60.0, 2.0, 40.0
    ),
    "Censored Binomial": _censored(
        lambda logit_p: Binomial.dist(20, logit_p=logit_p), {"logit_p": 0.4},
        stats.binom(20, special.expit(0.4)), 3.0, 19.0, 4.0, 18.0,
    ),
    "Censored NegativeBinomial": _censored(
        NegativeBinomial.dist, {"mu": 7.5, "alpha": 2.5}, stats.nbinom(2.5, 0.25), 2.0, 90.0,
        3.0, 40.0,
    ),
    "Censored Geometric": _censored(
        Geometric.dist, {"p": 0.3}, stats.geom(0.3), 2.0, 90.0, 3.0, 40.0
    ),
    "Censored OrderedProbit": _censored(
        lambda eta: OrderedProbit.dist(eta, [-1.0, 0.4, 2.0]), {"eta": 0.7},
        stats.rv_discrete(
            values=(range(4), np.diff([0.0, *special.ndtr([-1.7, -0.3, 1.3]), 1.0]))
        ),
        1.0, 3.0, 2.0, 2.0,
    ),
    "Censored in intervals": Case(
        lambda mu, sigma: Censored.dist(Normal.dist(mu, sigma), end=ENDS),
        {"mu": 0.5, "sigma": 2.0}, STARTS, _intervals, inner=STARTS + 0.01,
    ),
    "Censored counts in intervals": Case(
        lambda p: Censored.dist(Geometric.dist(p), end=[3.0, np.inf, 7.0]),
        {"p": 0.3}, np.array([1.0, 40.0, 7.0]),
        lambda x: np.array(
            [stats.geom(0.3).logcdf(3), stats.geom(0.3).logsf(39), stats.geom(0.3).logpmf(7)]
        ),
    ),
}  # fmt: skip
