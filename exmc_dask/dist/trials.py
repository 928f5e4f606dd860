"""Distributions of successes among trials."""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.domain import BINARY, Support
from exmc_dask.dist.forms import (
    log1m,
    log_beta_share,
    log_choose,
    log_or_minus_infinity,
    log_rising,
    times_log,
)
from exmc_dask.expressions.ir import Node, const
from exmc_dask.math import log, sigmoid, softplus, where

P = Param("p", domain="unit")
LOGIT_P = Param("logit_p")
N = Param("n", domain="count")


def _chance(p: Any, logit_p: Any) -> Any:
    """Numbers of the probability, whichever way it was given."""
    return p if logit_p is None else 0.5 * (1 + np.tanh(0.5 * logit_p))


def _bernoulli(x: Node, p: Node, logit_p: Node | None) -> Node:
    if logit_p is not None:
        return x * logit_p - softplus(logit_p)
    return log_or_minus_infinity(where(x > 0.5, p, 1.0 - p))


Bernoulli = row(
    Family(
        name="Bernoulli",
        doc="Bernoulli(p) or Bernoulli(logit_p=...): 1 with probability `p`, else 0.",
        params=(P, LOGIT_P),
        one_of=(("p", "logit_p"),),
        logp=_bernoulli,
        draw=lambda rng, shape, p, logit_p: rng.binomial(1, _chance(p, logit_p), shape),
        support_point=lambda p, logit_p: p if logit_p is None else sigmoid(logit_p),
        support=BINARY,
        logcdf=lambda x, p, logit_p: _bernoulli(const(0.0), p, logit_p),  # asked for below 1 only
        logsf=lambda x, p, logit_p: _bernoulli(const(1.0), p, logit_p),
    )
)


def _odds(p: Node, logit_p: Node | None) -> tuple[Node, Node]:
    """Probabilities of success and failure."""
    return (p, 1.0 - p) if logit_p is None else (sigmoid(logit_p), sigmoid(-logit_p))


def _binomial(x: Node, n: Node, p: Node, logit_p: Node | None) -> Node:
    ways = log_choose(n, x)
    if logit_p is not None:
        return ways + x * logit_p - n * softplus(logit_p)
    return ways + times_log(x, p) + where((n - x).eq(0.0), 0.0, (n - x) * log1m(p))


Binomial = row(
    Family(
        name="Binomial",
        doc="Binomial(n, p) or Binomial(n, logit_p=...): successes in `n` trials.",
        params=(N, P, LOGIT_P),
        one_of=(("p", "logit_p"),),
        logp=_binomial,
        draw=lambda rng, shape, n, p, logit_p: rng.binomial(
            n.astype(np.int64), _chance(p, logit_p), shape
        ),
        support_point=lambda n, p, logit_p: n * (p if logit_p is None else sigmoid(logit_p)),
        support=lambda n, p, logit_p: Support(0.0, n, closed=True, whole=True),
        logcdf=lambda x, n, p, logit_p: log_beta_share(
            n - x, x + 1.0, *_odds(p, logit_p)[::-1]
        ),
        logsf=lambda x, n, p, logit_p: log_beta_share(x + 1.0, n - x, *_odds(p, logit_p)),
    )
)


def _beta_binomial(x: Node, n: Node, alpha: Node, beta: Node) -> Node:
    """Written so that large `alpha` and `beta` lead to Binomial without loss of digits."""
    total = alpha + beta
    rising = log_rising(alpha, x) + log_rising(beta, n - x) - log_rising(total, n)
    return log_choose(n, x) + rising + x * log(alpha / total) + (n - x) * log(beta / total)


BetaBinomial = row(
    Family(
        name="BetaBinomial",
        doc="BetaBinomial(n, alpha, beta): successes in `n` trials that share a probability from "
        "Beta(alpha, beta).",
        params=(N, Param("alpha", domain="positive"), Param("beta", domain="positive")),
        logp=_beta_binomial,
        draw=lambda rng, shape, n, alpha, beta: rng.binomial(
            n.astype(np.int64), rng.beta(alpha, beta, shape)
        ),
        support_point=lambda n, alpha, beta: n * alpha / (alpha + beta),
        support=lambda n, alpha, beta: Support(0.0, n, closed=True, whole=True),
    )
)

HyperGeometric = row(
    Family(
        name="HyperGeometric",
        doc="HyperGeometric(N, k, n): successes in `n` draws without replacement from `N` things "
        "of which `k` are successes.",
        params=(Param("N", domain="count"), Param("k", domain="count"), N),
        logp=lambda x, N, k, n: log_choose(k, x) + log_choose(N - k, n - x) - log_choose(N, n),
        draw=lambda rng, shape, N, k, n: rng.hypergeometric(
            *np.broadcast_arrays(*(a.astype(np.int64) for a in (k, N - k, n))), shape
        ),
        support_point=lambda N, k, n: n * k / N,
        support=lambda N, k, n: Support(
            math.maximum(0.0, n - N + k), math.minimum(k, n), closed=True, whole=True,
            words="[max(0, n - N + k), min(k, n)]",
        ),
    )
)
