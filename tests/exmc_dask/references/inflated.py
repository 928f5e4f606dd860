"""References of distributions with zeros of their own."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from exmc_dask.dist import (
    Binomial,
    Dist,
    Geometric,
    Hurdle,
    HurdleGamma,
    HurdleLogNormal,
    HurdleNegativeBinomial,
    HurdlePoisson,
    Normal,
    Truncated,
    ZeroInflated,
    ZeroInflatedBinomial,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)
from tests.exmc_dask.references.case import COUNTS, POSITIVE, Case
from tests.exmc_dask.references.exact import Real, exact_case, mp
from tests.exmc_dask.references.tails import Law


class Inflated:
    """Law with more zeros than `law` has."""

    def __init__(self, psi: float, law: Any) -> None:
        self.psi, self.law, self.whole = psi, law, not hasattr(law, "pdf")

    def logpdf(self, x: Any) -> Any:
        inner = np.log(self.psi) + (self.law.logpmf if self.whole else self.law.logpdf)(x)
        return np.logaddexp(inner, np.where(x == 0, np.log1p(-self.psi), -np.inf))

    def cdf(self, x: Any) -> Any:
        return self.psi * self.law.cdf(x) + (1 - self.psi) * (np.asarray(x) >= 0)

    def sf(self, x: Any) -> Any:
        return self.psi * self.law.sf(x) + (1 - self.psi) * (np.asarray(x) < 0)

    def logcdf(self, x: Any) -> Any:
        return np.log(self.cdf(x))

    def logsf(self, x: Any) -> Any:
        return np.log(self.sf(x))


class Hurdled(Inflated):
    """Law whose zeros are in the place of those of `law`."""

    def logpdf(self, x: Any) -> Any:
        over = np.log(self.law.sf(0)) if self.whole else 0.0
        inner = np.log(self.psi) + (self.law.logpmf if self.whole else self.law.logpdf)(x) - over
        return np.where(x == 0, np.log1p(-self.psi), inner)

    def cdf(self, x: Any) -> Any:
        zero = self.law.pmf(0) if self.whole else 0.0
        over = self.psi * (self.law.cdf(x) - zero * (np.asarray(x) >= 0)) / (1 - zero)
        return over + (1 - self.psi) * (np.asarray(x) >= 0)

    def sf(self, x: Any) -> Any:
        zero = self.law.pmf(0) if self.whole else 0.0
        before = np.asarray(x) < 0
        return (1 - self.psi) * before + self.psi * (self.law.sf(x) - zero * before) / (1 - zero)


def _hurdle_poisson(x: Real, psi: Real, mu: Real) -> Real:
    inner = x * mp.log(mu) - mu - mp.loggamma(x + 1) - mp.log(1 - mp.exp(-mu))
    return mp.log(psi) + inner if x else mp.log(1 - psi)


def _case(
    dist: Callable[..., Dist], params: dict[str, Any], law: Any, values: Any = COUNTS, **more: Any
) -> Case:
    given = {"psi": law.psi, **params}
    return Case(dist, given, np.asarray(values), law.logpdf, law, **more)


RARE = Hurdled(0.7, stats.poisson(1e-9))
NB = stats.nbinom(2.5, 2.5 / 10.0)
WIDE = np.append(0.0, POSITIVE[1:])

CASES: dict[str, Case] = {
    "ZeroInflatedPoisson": _case(
        ZeroInflatedPoisson.dist, {"mu": 3.5}, Inflated(0.7, stats.poisson(3.5)), outside=0.5
    ),
    "ZeroInflatedPoisson, hardly": _case(
        ZeroInflatedPoisson.dist, {"mu": 800.0}, Inflated(0.99, stats.poisson(800.0)),
        outside=-1.0,
    ),
    "ZeroInflatedBinomial": _case(
        ZeroInflatedBinomial.dist, {"n": 9.0, "p": 0.3}, Inflated(0.7, stats.binom(9, 0.3)),
        [0.0, 4.0, 9.0], outside=10.0,
    ),
    "ZeroInflatedNegativeBinomial": _case(
        ZeroInflatedNegativeBinomial.dist, {"mu": 7.5, "alpha": 2.5}, Inflated(0.7, NB), outside=0.5
    ),
    "ZeroInflated Geometric": _case(
        lambda psi, p: ZeroInflated.dist(psi, Geometric.dist(p)), {"p": 0.3},
        Inflated(0.7, stats.geom(0.3)), COUNTS[:-1], outside=-1.0,
    ),
    "ZeroInflated Normal": _case(
        lambda psi, mu: ZeroInflated.dist(psi, Normal.dist(mu, 2)), {"mu": 0.5},
        Inflated(0.7, stats.norm(0.5, 2)), [-30.0, 0.3, 8.0],
    ),
    "HurdlePoisson": _case(
        HurdlePoisson.dist, {"mu": 3.5}, Hurdled(0.7, stats.poisson(3.5)), outside=0.5
    ),
    "HurdlePoisson, of rare ones": exact_case(
        HurdlePoisson, {"psi": 0.7, "mu": 1e-9}, np.array([0.0, 1.0, 2.0]), _hurdle_poisson,
        law=Law(RARE.logpdf, RARE.cdf), outside=-1.0,
    ),
    "HurdleNegativeBinomial": _case(
        HurdleNegativeBinomial.dist, {"p": 0.25, "alpha": 2.5}, Hurdled(0.7, NB), outside=0.5
    ),
    "Hurdle Binomial": _case(
        lambda psi, n, p: Hurdle.dist(psi, Binomial.dist(n, p)), {"n": 9.0, "p": 0.3},
        Hurdled(0.7, stats.binom(9, 0.3)), [0.0, 4.0, 9.0], outside=10.0,
    ),
    "HurdleGamma": _case(
        HurdleGamma.dist, {"alpha": 2.5, "beta": 0.5}, Hurdled(0.7, stats.gamma(2.5, 0, 2.0)), WIDE,
        outside=-1.0,
    ),
    "HurdleLogNormal": _case(
        HurdleLogNormal.dist, {"mu": 0.5, "sigma": 1.5},
        Hurdled(0.7, stats.lognorm(1.5, 0, np.exp(0.5))), WIDE, outside=-1.0,
    ),
    "Hurdle Normal": _case(
        lambda psi, mu: Hurdle.dist(psi, Normal.dist(mu, 2)), {"mu": 0.5},
        Hurdled(0.7, stats.norm(0.5, 2)), [-30.0, 0.0, 8.0],
    ),
    "Truncated zero-inflated Geometric": Case(
        lambda psi, p: Truncated.dist(ZeroInflated.dist(psi, Geometric.dist(p)), upper=3),
        {"psi": 0.7, "p": 0.3}, np.array([0.0, 1.0, 3.0]),
        lambda x: Inflated(0.7, stats.geom(0.3)).logpdf(x)
        - np.log(Inflated(0.7, stats.geom(0.3)).cdf(3)),
        outside=4.0,
    ),
    "Truncated hurdle over Geometric": Case(
        lambda psi, p: Truncated.dist(Hurdle.dist(psi, Geometric.dist(p)), lower=2),
        {"psi": 0.7, "p": 0.3}, np.array([2.0, 9.0]),
        lambda x: Hurdled(0.7, stats.geom(0.3)).logpdf(x) - np.log(0.7 * 0.7),
        outside=1.0,
    ),
}  # fmt: skip
