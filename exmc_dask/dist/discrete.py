"""Distributions of whole numbers: observed, or parts of a mixture; NUTS cannot move them."""

from typing import Any

import numpy as np

from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.domain import BINARY, COUNT, Support
from exmc_dask.dist.forms import log_or_minus_infinity, times_log
from exmc_dask.ir import Node
from exmc_dask.math import exp, gammaln, guard, log1p, sigmoid, softplus, where

P = Param("p", domain="unit")
LOGIT_P = Param("logit_p")


def _bernoulli(x: Node, p: Node, logit_p: Node | None) -> Node:
    if logit_p is not None:
        return x * logit_p - softplus(logit_p)
    return log_or_minus_infinity(where(x > 0.5, p, 1.0 - p))


def _chance(p: Any, logit_p: Any) -> Any:
    """Numbers of the probability, whichever way it was given."""
    return p if logit_p is None else 0.5 * (1 + np.tanh(0.5 * logit_p))


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
    )
)


def _binomial(x: Node, n: Node, p: Node, logit_p: Node | None) -> Node:
    ways = gammaln(n + 1.0) - gammaln(x + 1.0) - gammaln(n - x + 1.0)
    if logit_p is not None:
        return ways + x * logit_p - n * softplus(logit_p)
    return ways + times_log(x, p) + where((n - x).eq(0.0), 0.0, (n - x) * _log1m(p))


def _log1m(p: Node) -> Node:
    """``log(1 - p)``, exact for small `p`; -inf with a gradient of 0 at 1."""
    return where(p < 1.0, log1p(-guard(p < 1.0, p, 0.0)), -np.inf)


Binomial = row(
    Family(
        name="Binomial",
        doc="Binomial(n, p) or Binomial(n, logit_p=...): successes in `n` trials.",
        params=(Param("n", domain="count"), P, LOGIT_P),
        one_of=(("p", "logit_p"),),
        logp=_binomial,
        draw=lambda rng, shape, n, p, logit_p: rng.binomial(
            n.astype(np.int64), _chance(p, logit_p), shape
        ),
        support_point=lambda n, p, logit_p: n * (p if logit_p is None else sigmoid(logit_p)),
        support=lambda n, p, logit_p: Support(0.0, n, closed=True, whole=True),
    )
)


def _poisson(x: Node, mu: Node, log_mu: Node | None) -> Node:
    if log_mu is not None:
        return x * log_mu - exp(log_mu) - gammaln(x + 1.0)
    return times_log(x, mu) - mu - gammaln(x + 1.0)


Poisson = row(
    Family(
        name="Poisson",
        doc="Poisson(mu) or Poisson(log_mu=...): counts with mean `mu`.",
        params=(Param("mu", domain="nonnegative", aliases=("rate",)), Param("log_mu")),
        one_of=(("mu", "log_mu"),),
        logp=_poisson,
        draw=lambda rng, shape, mu, log_mu: rng.poisson(
            mu if log_mu is None else np.exp(log_mu), shape
        ),
        support_point=lambda mu, log_mu: mu if log_mu is None else exp(log_mu),
        support=COUNT,
    )
)
