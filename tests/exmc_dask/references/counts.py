"""References of the distributions of counts without an upper end."""

import numpy as np
from scipy import stats

from exmc_dask.dist import DiscreteWeibull, Geometric, NegativeBinomial, Poisson
from tests.exmc_dask.references.case import COUNTS, Case, scipy_case
from tests.exmc_dask.references.exact import Real, exact, exact_case, mp


def _negative_binomial(x: Real, mu: Real, alpha: Real) -> Real:
    ways = mp.loggamma(x + alpha) - mp.loggamma(alpha) - mp.loggamma(x + 1)
    return ways + alpha * mp.log(alpha / (alpha + mu)) + x * mp.log(mu / (alpha + mu))


def _discrete_weibull(x: Real, q: Real, beta: Real) -> Real:
    return mp.log(q ** (x**beta) - q ** ((x + 1) ** beta))


class DiscreteWeibullLaw:
    """Tails, which scipy does not have."""

    def logsf(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(np.floor(x) + 1.0, 0.0) ** 0.7 * np.log(0.8)

    def logcdf(self, x: np.ndarray) -> np.ndarray:
        return np.log(-np.expm1(self.logsf(x)))

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return -np.expm1(self.logsf(x))


CASES: dict[str, Case] = {
    "Poisson": scipy_case(Poisson, {"mu": 7.5}, COUNTS, stats.poisson(7.5), outside=1.5),
    "Poisson, log": scipy_case(
        Poisson, {"log_mu": np.log(7.5)}, COUNTS, stats.poisson(7.5), outside=-1.0
    ),
    "NegativeBinomial": scipy_case(
        NegativeBinomial, {"mu": 7.5, "alpha": 2.5}, COUNTS, stats.nbinom(2.5, 0.25), outside=1.5
    ),
    "NegativeBinomial, trials": scipy_case(
        NegativeBinomial, {"p": 0.25, "alpha": 2.5}, COUNTS, stats.nbinom(2.5, 0.25), outside=-1.0
    ),
    "NegativeBinomial, log": scipy_case(
        NegativeBinomial, {"log_mu": np.log(7.5), "alpha": 2.5}, COUNTS, stats.nbinom(2.5, 0.25),
        outside=-1.0,
    ),
    "NegativeBinomial, nearly Poisson": exact_case(
        NegativeBinomial, {"mu": 7.5, "alpha": 1e14}, COUNTS, _negative_binomial,
        law=stats.poisson(7.5), outside=0.5,
    ),
    "NegativeBinomial, mostly zeros": exact_case(
        NegativeBinomial, {"mu": 3.0, "alpha": 1e-8}, COUNTS, _negative_binomial, outside=0.5
    ),
    "NegativeBinomial, tiny mean": exact_case(
        NegativeBinomial, {"mu": 1e-200, "alpha": 0.5}, COUNTS, _negative_binomial, outside=0.5
    ),
    "NegativeBinomial, large mean": exact_case(
        NegativeBinomial, {"mu": 1e5, "alpha": 300.0}, np.array([0.0, 1e3, 1e5, 1.3e5]),
        _negative_binomial, law=stats.nbinom(300.0, 300.0 / 100300.0), outside=0.5,
    ),
    "NegativeBinomial, large log mean": Case(
        NegativeBinomial.dist, {"log_mu": 800.0, "alpha": 2.0}, COUNTS,
        exact(lambda x: _negative_binomial(x, mp.exp(800), mp.mpf(2))), outside=0.5,
    ),
    "Geometric": scipy_case(
        Geometric, {"p": 0.3}, np.array([1.0, 2.0, 9.0, 500.0]), stats.geom(0.3), outside=0.0
    ),
    "Geometric, rare": exact_case(
        Geometric, {"p": 1e-6}, np.array([1.0, 2e5, 9e7]),
        lambda x, p: mp.log(p) + (x - 1) * mp.log(1 - p), outside=1.5,
    ),
    "DiscreteWeibull": exact_case(
        DiscreteWeibull, {"q": 0.8, "beta": 0.7}, COUNTS, _discrete_weibull,
        law=DiscreteWeibullLaw(), outside=0.5,
    ),
    "DiscreteWeibull, long steps": exact_case(
        DiscreteWeibull, {"q": 1 - 1e-9, "beta": 1.5}, np.array([0.0, 1e3, 1e6, 2e6]),
        _discrete_weibull, outside=-1.0,
    ),
}  # fmt: skip
