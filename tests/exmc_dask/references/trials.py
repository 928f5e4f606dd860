"""References of the distributions of successes among trials."""

import numpy as np
from scipy import special, stats

from exmc_dask.dist import Bernoulli, BetaBinomial, Binomial, HyperGeometric
from tests.exmc_dask.references.case import Case, scipy_case
from tests.exmc_dask.references.exact import Real, exact_case, log_choose, mp
from tests.exmc_dask.references.tails import counted


def _binomial(x: Real, n: Real, p: Real) -> Real:
    return log_choose(n, x) + x * mp.log(p) + (n - x) * mp.log(1 - p)


def _beta_binomial(x: Real, n: Real, alpha: Real, beta: Real) -> Real:
    inner = mp.log(mp.beta(x + alpha, n - x + beta)) - mp.log(mp.beta(alpha, beta))
    return log_choose(n, x) + inner


CASES: dict[str, Case] = {
    "Bernoulli": scipy_case(
        Bernoulli, {"p": 0.3}, np.array([0.0, 1.0]), stats.bernoulli(0.3), outside=2.0
    ),
    "Bernoulli, logit": scipy_case(
        Bernoulli, {"logit_p": -40.0}, np.array([0.0, 1.0]), stats.bernoulli(special.expit(-40.0)),
        outside=0.5,
    ),
    "Binomial": scipy_case(
        Binomial, {"n": 9.0, "p": 0.3}, np.array([0.0, 4.0, 9.0]), stats.binom(9, 0.3), outside=10.0
    ),
    "Binomial, logit": scipy_case(
        Binomial, {"n": 9.0, "logit_p": 0.4}, np.array([0.0, 4.0, 9.0]),
        stats.binom(9, special.expit(0.4)), outside=-1.0,
    ),
    "Binomial, many trials": exact_case(
        Binomial, {"n": 1e9, "p": 1e-8}, np.array([0.0, 7.0, 30.0]), _binomial,
        law=stats.binom(1e9, 1e-8), outside=1e9 + 1,
        tails=counted(lambda k: _binomial(k, mp.mpf(1e9), mp.mpf(1e-8))),
    ),
    "BetaBinomial": scipy_case(
        BetaBinomial, {"n": 12.0, "alpha": 0.7, "beta": 2.5}, np.array([0.0, 1.0, 5.0, 12.0]),
        stats.betabinom(12, 0.7, 2.5), outside=13.0,
    ),
    "BetaBinomial, nearly Binomial": exact_case(
        BetaBinomial, {"n": 12.0, "alpha": 3e11, "beta": 7e11}, np.array([0.0, 5.0, 12.0]),
        _beta_binomial, law=stats.binom(12, 0.3), outside=0.5,
    ),
    "BetaBinomial, all or nothing": exact_case(
        BetaBinomial, {"n": 1000.0, "alpha": 1e-9, "beta": 1e-8}, np.array([0.0, 500.0, 1000.0]),
        _beta_binomial, outside=-1.0,
    ),
    "HyperGeometric": scipy_case(
        HyperGeometric, {"N": 50.0, "k": 20.0, "n": 35.0}, np.array([5.0, 14.0, 20.0]),
        stats.hypergeom(50, 20, 35), outside=4.0,
    ),
    "HyperGeometric, of a large population": exact_case(
        HyperGeometric, {"N": 1e9, "k": 1e6, "n": 2000.0}, np.array([0.0, 2.0, 40.0]),
        lambda x, N, k, n: log_choose(k, x) + log_choose(N - k, n - x) - log_choose(N, n),
        law=stats.hypergeom(10**9, 10**6, 2000), outside=2001.0,
    ),
}  # fmt: skip
