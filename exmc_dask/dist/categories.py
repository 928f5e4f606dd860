"""Distributions over a fixed set of whole numbers."""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.domain import Support
from exmc_dask.dist.forms import element, log_ndtr_between, log_or_minus_infinity
from exmc_dask.expressions.ir import Node, const, make
from exmc_dask.math import guard, log, log1mexp, log_ndtr, softplus, where
from exmc_dask.expressions.ops import Op

DiscreteUniform = row(
    Family(
        name="DiscreteUniform",
        doc="DiscreteUniform(lower, upper): every whole number from `lower` to `upper` alike.",
        params=(
            Param("lower", domain="whole", aliases=("low",)),
            Param("upper", domain="whole", aliases=("high",)),
        ),
        logp=lambda x, lower, upper: -_log_number(lower, upper),
        draw=lambda rng, shape, lower, upper: rng.integers(
            lower.astype(np.int64), upper.astype(np.int64), shape, endpoint=True
        ),
        support_point=lambda lower, upper: math.floor(0.5 * (lower + upper)),
        support=lambda lower, upper: Support(lower, upper, closed=True, whole=True),
        logcdf=lambda x, lower, upper: log(x - lower + 1.0) - _log_number(lower, upper),
        logsf=lambda x, lower, upper: log(upper - x) - _log_number(lower, upper),
    )
)


def _log_number(lower: Node, upper: Node) -> Node:
    return log(guard(lower <= upper, upper - lower + 1.0, 1.0))


def _last(vector: Node, n_more: int) -> Support:
    """Support of as many categories as `vector` has elements, and `n_more`."""
    length = vector.shape[-1]
    if isinstance(length, int):
        return Support(0.0, float(length + n_more - 1), closed=True, whole=True)
    last = math.length(length) + (n_more - 1.0)
    return Support(0.0, last, closed=True, whole=True, words="[0, k)")


def _categorical(x: Node, p: Node, logit_p: Node | None) -> Node:
    if logit_p is not None:
        return element(logit_p, x) - math.logsumexp(logit_p, axis=-1)
    return log_or_minus_infinity(element(p, x))


def _up_to(x: Node, p: Node, logit_p: Node | None, after: bool) -> Node:
    """Log-probability of the categories up to `x`, or of those after it."""
    weights = log_or_minus_infinity(p) if logit_p is None else math.log_softmax(logit_p)
    up_to = make(Op.RANGE, (), weights.shape[-1]) <= math.expand_dims(x, -1)
    parts = (-np.inf, weights) if after else (weights, -np.inf)
    return math.logsumexp(where(up_to, *parts), axis=-1)


def _draw_categorical(
    rng: np.random.Generator, shape: tuple[int, ...], p: Any, logit_p: Any
) -> np.ndarray:
    """By the largest of the logarithms, each with a Gumbel variable added."""
    with np.errstate(divide="ignore"):
        weights = np.log(p) if logit_p is None else np.asarray(logit_p)
    return np.argmax(weights + rng.gumbel(size=(*shape, weights.shape[-1])), axis=-1)


Categorical = row(
    Family(
        name="Categorical",
        doc="Categorical(p) or Categorical(logit_p=...): number of one of k categories, which have "
        "probabilities `p` (k,), or probabilities in proportion to ``exp(logit_p)``.",
        params=(Param("p", domain="weights", core=1), Param("logit_p", core=1)),
        one_of=(("p", "logit_p"),),
        logp=_categorical,
        draw=_draw_categorical,
        support_point=lambda p, logit_p: const(0.0),
        support=lambda p, logit_p: _last(p if logit_p is None else logit_p, 0),
        logcdf=lambda x, p, logit_p: _up_to(x, p, logit_p, after=False),
        logsf=lambda x, p, logit_p: _up_to(x, p, logit_p, after=True),
    )
)

ETA = Param("eta")
CUTPOINTS = Param("cutpoints", domain="ordered", core=1)


def _between(x: Node, cutpoints: Node) -> tuple[Node, Node, Node, Node]:
    """Cutpoints below and above category `x`, and whether there is none of either."""
    last = math.length(cutpoints.shape[-1])
    return element(cutpoints, x - 1.0), element(cutpoints, x), x.eq(0.0), x.eq(last)


def _ordered_logistic(x: Node, eta: Node, cutpoints: Node) -> Node:
    """Logarithm of a difference of logistic functions as a sum, in which nothing cancels.

    ``sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b))``.
    """
    lower, upper, lowest, highest = _between(x, cutpoints)
    not_lower = where(lowest, 0.0, -softplus(lower - eta))
    not_higher = where(highest, 0.0, -softplus(eta - upper))
    return not_lower + not_higher + where(lowest | highest, 0.0, log1mexp(upper - lower))


def _ordered_probit(x: Node, eta: Node, cutpoints: Node, sigma: Node) -> Node:
    lower, upper, lowest, highest = _between(x, cutpoints)
    a, b = (lower - eta) / sigma, (upper - eta) / sigma
    inner = log_ndtr_between(a, guard(lower < upper, b, a + 1.0))
    return where(lowest, log_ndtr(b), where(highest, log_ndtr(-a), inner))


def _draw_ordered(noise: np.ndarray, cutpoints: Any) -> np.ndarray:
    """Category in which a latent variable lies."""
    return np.asarray((noise[..., None] > cutpoints).sum(axis=-1))


OrderedLogistic = row(
    Family(
        name="OrderedLogistic",
        doc="OrderedLogistic(eta, cutpoints): number of the interval between rising `cutpoints` "
        "(k - 1,) in which `eta` with logistic noise falls. Give cutpoints that are a variable "
        '``transform="ordered"``.',
        params=(ETA, CUTPOINTS),
        logp=_ordered_logistic,
        draw=lambda rng, shape, eta, cutpoints: _draw_ordered(
            rng.logistic(eta, 1.0, shape), cutpoints
        ),
        support_point=lambda eta, cutpoints: 0.0 * eta,
        support=lambda eta, cutpoints: _last(cutpoints, 1),
        logcdf=lambda x, eta, cutpoints: -softplus(eta - element(cutpoints, x)),
        logsf=lambda x, eta, cutpoints: -softplus(element(cutpoints, x) - eta),
    )
)

OrderedProbit = row(
    Family(
        name="OrderedProbit",
        doc="OrderedProbit(eta, cutpoints, sigma=1): number of the interval between rising "
        "`cutpoints` (k - 1,) in which Normal(eta, sigma) falls. Give cutpoints that are a variable "
        '``transform="ordered"``.',
        params=(ETA, CUTPOINTS, Param("sigma", 1.0, "positive", aliases=("scale",))),
        logp=_ordered_probit,
        draw=lambda rng, shape, eta, cutpoints, sigma: _draw_ordered(
            rng.normal(eta, sigma, shape), cutpoints
        ),
        support_point=lambda eta, cutpoints, sigma: 0.0 * eta,
        support=lambda eta, cutpoints, sigma: _last(cutpoints, 1),
        logcdf=lambda x, eta, cutpoints, sigma: log_ndtr((element(cutpoints, x) - eta) / sigma),
        logsf=lambda x, eta, cutpoints, sigma: log_ndtr((eta - element(cutpoints, x)) / sigma),
    )
)
