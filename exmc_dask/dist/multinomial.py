"""Distributions of counts in several categories that sum to a known total."""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.domain import Support
from exmc_dask.dist.forms import times_log
from exmc_dask.dist.simplex import shares
from exmc_dask.expressions.ir import Node
from exmc_dask.math import gammaln

N = Param("n", domain="count")


def _counts(n: Node, **others: Node) -> Support:
    return Support(upper=n, whole=True, shape="counts")


def _each(n: Node, share: Node) -> Node:
    return math.expand_dims(n, -1) * share if n.ndim else n * share


def _arrangements(x: Node, n: Node) -> Node:
    """Logarithm of the number of orders in which `n` outcomes give these counts."""
    return gammaln(n + 1.0) - math.sum(gammaln(x + 1.0), axis=-1)


def _draw(rng: np.random.Generator, shape: tuple[int, ...], n: Any, p: Any) -> np.ndarray:
    total = np.broadcast_to(np.asarray(n, dtype=np.int64), shape[:-1])
    return rng.multinomial(total, shares(np.broadcast_to(p, shape)))


Multinomial = row(
    Family(
        name="Multinomial",
        doc="Multinomial(n, p): how many of `n` outcomes fall into each category, with "
        "probabilities `p` (k,) that sum to 1.",
        params=(N, Param("p", domain="weights", core=1)),
        logp=lambda x, n, p: _arrangements(x, n) + math.sum(times_log(x, p), axis=-1),
        draw=_draw,
        support_point=lambda n, p: _each(n, p),
        support=_counts,
        event_ndim=1,
    )
)


def _dirichlet_multinomial(x: Node, n: Node, a: Node) -> Node:
    """Mosimann (1962), "On the compound multinomial distribution", eq. 2."""
    total = math.sum(a, axis=-1)
    drawn = math.sum(gammaln(x + a) - gammaln(a), axis=-1)
    return _arrangements(x, n) + drawn + gammaln(total) - gammaln(n + total)


DirichletMultinomial = row(
    Family(
        name="DirichletMultinomial",
        doc="DirichletMultinomial(n, a): a Multinomial whose probabilities are Dirichlet(a), "
        "integrated out.",
        params=(N, Param("a", domain="positive", core=1, aliases=("alpha",))),
        logp=_dirichlet_multinomial,
        draw=lambda rng, shape, n, a: _draw(
            rng, shape, n, shares(rng.standard_gamma(np.broadcast_to(a, shape)))
        ),
        support_point=lambda n, a: _each(n, a / math.sum(a, axis=-1, keepdims=True)),
        support=_counts,
        event_ndim=1,
    )
)
