"""Distributions of counts without an upper end."""

from collections.abc import Callable
from typing import Any

import numpy as np

from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.domain import COUNT, Support
from exmc_dask.dist.forms import (
    LOG_2,
    log1m,
    log_beta_share,
    log_or_minus_infinity,
    log_rising,
    times_log,
)
from exmc_dask.expressions.ir import Node
from exmc_dask.math import (
    exp,
    expm1,
    gammaln,
    guard,
    log,
    log1mexp,
    log1p,
    log_gammainc,
    log_gammaincc,
    softplus,
    where,
)

MEAN = Param("mu", domain="nonnegative", aliases=("rate",))
LOG_MEAN = Param("log_mu")


def _poisson(x: Node, mu: Node, log_mu: Node | None) -> Node:
    if log_mu is not None:
        return x * log_mu - exp(log_mu) - gammaln(x + 1.0)
    return times_log(x, mu) - mu - gammaln(x + 1.0)


def _poisson_tail(
    formula: Callable[[Any, Any], Node], x: Node, mu: Node, log_mu: Node | None,
    at_none: float, at_all: float,
) -> Node:  # fmt: skip
    """Incomplete gamma function, and what it is where the mean is 0 or infinite."""
    mean = mu if log_mu is None else exp(log_mu)
    some = (mean > 0.0) & (mean < np.inf)
    return where(
        some, formula(x + 1.0, guard(some, mean, 1.0)), where(mean > 0.0, at_all, at_none)
    )


Poisson = row(
    Family(
        name="Poisson",
        doc="Poisson(mu) or Poisson(log_mu=...): counts with mean `mu`.",
        params=(MEAN, LOG_MEAN),
        one_of=(("mu", "log_mu"),),
        logp=_poisson,
        draw=lambda rng, shape, mu, log_mu: rng.poisson(
            mu if log_mu is None else np.exp(log_mu), shape
        ),
        support_point=lambda mu, log_mu: mu if log_mu is None else exp(log_mu),
        support=COUNT,
        logcdf=lambda x, mu, log_mu: _poisson_tail(log_gammaincc, x, mu, log_mu, 0.0, -np.inf),
        logsf=lambda x, mu, log_mu: _poisson_tail(log_gammainc, x, mu, log_mu, -np.inf, 0.0),
    )
)


def _negative_binomial(x: Node, mu: Any, alpha: Node, p: Any, log_mu: Any) -> Node:
    """Written in the deviation from Poisson(mu), which vanishes for large `alpha`."""
    if p is None:
        log_mu = log_or_minus_infinity(mu) if log_mu is None else log_mu
        spread = softplus(log_mu - log(alpha))
        each, none = log_mu - spread, -spread
    else:
        each, none = log(alpha) + log1m(p), log_or_minus_infinity(p)
    times = where(x.eq(0.0), 0.0, x * each)
    return log_rising(alpha, x) - gammaln(x + 1.0) + times + alpha * none


def _mean(mu: Any, alpha: Any, p: Any, log_mu: Any, exp: Any) -> Any:
    """Mean of a negative binomial distribution, whichever way it was given."""
    if p is not None:
        return alpha * (1.0 - p) / p
    return mu if log_mu is None else exp(log_mu)


def _odds(mu: Any, alpha: Node, p: Any, log_mu: Any) -> tuple[Any, Any]:
    """Numbers that are as the probabilities of success and failure."""
    return (p, 1.0 - p) if p is not None else (alpha, _mean(mu, alpha, p, log_mu, exp))


def _draw_negative_binomial(
    rng: np.random.Generator, shape: tuple[int, ...], mu: Any, alpha: Any, p: Any, log_mu: Any
) -> np.ndarray:
    mean = _mean(mu, alpha, p, log_mu, np.exp)
    return np.asarray(rng.poisson(rng.gamma(alpha, mean / alpha, shape)))


NegativeBinomial = row(
    Family(
        name="NegativeBinomial",
        doc="NegativeBinomial(mu, alpha): counts with mean `mu` and variance ``mu + mu**2 / "
        "alpha``; with `log_mu` or a probability `p` instead of `mu`. NegativeBinomial(p=..., "
        "n=...) counts failures before success `n`, which is `alpha`.",
        params=(
            MEAN,
            Param("alpha", domain="positive", aliases=("n",)),
            Param("p", domain="unit"),
            LOG_MEAN,
        ),
        one_of=(("mu", "log_mu", "p"),),
        logp=_negative_binomial,
        draw=_draw_negative_binomial,
        support_point=lambda mu, alpha, p, log_mu: _mean(mu, alpha, p, log_mu, exp),
        support=COUNT,
        logcdf=lambda x, mu, alpha, p, log_mu: log_beta_share(
            alpha, x + 1.0, *_odds(mu, alpha, p, log_mu)
        ),
        logsf=lambda x, mu, alpha, p, log_mu: log_beta_share(
            x + 1.0, alpha, *_odds(mu, alpha, p, log_mu)[::-1]
        ),
    )
)


def _geometric_tail(x: Node, p: Node) -> Node:
    return x * log1m(p)


Geometric = row(
    Family(
        name="Geometric",
        doc="Geometric(p): trials up to the first success, each with probability `p`.",
        params=(Param("p", domain="unit"),),
        logp=lambda x, p: (
            log_or_minus_infinity(p) + where(x.eq(1.0), 0.0, (x - 1.0) * log1m(p))
        ),
        draw=lambda rng, shape, p: rng.geometric(p, shape),
        support_point=lambda p: 1.0 / p,
        support=Support(1.0, closed=True, whole=True),
        logcdf=lambda x, p: log1mexp(-_geometric_tail(x, p)),
        logsf=_geometric_tail,
    )
)


def _discrete_weibull(x: Node, q: Node, beta: Node) -> Node:
    """``log(q**(x**beta) - q**((x + 1)**beta))`` by the ratio of the two powers."""
    some = x > 0.0
    y = guard(some, x, 1.0)
    rate = -log_or_minus_infinity(q)
    reached = exp(beta * log(y))
    step = reached * expm1(beta * log1p(1.0 / y))
    return where(some, log1mexp(step * rate) - reached * rate, log1m(q))


def _discrete_weibull_tail(x: Node, q: Node, beta: Node) -> Node:
    return exp(beta * log1p(x)) * log_or_minus_infinity(q)


DiscreteWeibull = row(
    Family(
        name="DiscreteWeibull",
        doc="DiscreteWeibull(q, beta): counts with ``P(x >= k) = q**(k**beta)``, the whole part of "
        "a Weibull variable.",
        params=(Param("q", domain="unit"), Param("beta", domain="positive")),
        logp=_discrete_weibull,
        draw=lambda rng, shape, q, beta: np.floor(
            (rng.exponential(size=shape) / -np.log(q)) ** (1 / beta)
        ),
        support_point=lambda q, beta: exp(log(LOG_2 / -log(q)) / beta),
        support=COUNT,
        logcdf=lambda x, q, beta: log1mexp(-_discrete_weibull_tail(x, q, beta)),
        logsf=_discrete_weibull_tail,
    )
)
