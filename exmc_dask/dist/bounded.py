"""Continuous distributions between two bounds, with PyMC's names and parameters.

Every formula is the logarithm of the textbook density, as in scipy.stats.
"""

from typing import Any

import numpy as np

from exmc_dask.dist.base import Family, Instead, Param, row
from exmc_dask.dist.domain import UNIT, Support
from exmc_dask.dist.forms import HALF_LOG_TWO_PI, log_ndtr_between, log_or_minus_infinity
from exmc_dask.dist.parameters import MU, SIGMA, TAU
from exmc_dask.ir import Node
from exmc_dask.math import betaln, guard, log, log1p, log_ndtr, maximum, minimum, square


def _truncated_normal(x: Node, mu: Node, sigma: Node, lower: Any, upper: Any) -> Node:
    inside = -0.5 * square((x - mu) / sigma) - log(sigma) - HALF_LOG_TWO_PI
    if lower is None and upper is None:
        return inside
    if upper is None:
        return inside - log_ndtr((mu - lower) / sigma)
    if lower is None:
        return inside - log_ndtr((upper - mu) / sigma)
    a = (lower - mu) / sigma
    b = guard(lower < upper, (upper - mu) / sigma, a + 1.0)
    return inside - log_ndtr_between(a, b)


def _truncated_point(mu: Node, sigma: Node, lower: Any, upper: Any) -> Node:
    if lower is not None and upper is not None:
        middle: Node = 0.5 * (lower + upper)
        return middle
    inside = mu if lower is None else maximum(mu, lower + sigma)
    return inside if upper is None else minimum(inside, upper - sigma)


def draw_truncated(
    rng: np.random.Generator, shape: tuple[int, ...], mu: Any, sigma: Any, lower: Any, upper: Any
) -> np.ndarray:
    """Draw from a normal distribution between two bounds, by rejection.

    Robert (1995), "Simulation of truncated normal variables". Differs: in a tail the exponential
    proposal is itself truncated at the far bound, which makes one case of his three.
    """
    a, b = (
        np.broadcast_to((infinite if bound is None else bound) - mu, shape) / sigma
        for bound, infinite in ((lower, -np.inf), (upper, np.inf))
    )
    mirrored = b <= 0
    a, b = np.where(mirrored, -b, a).ravel(), np.where(mirrored, -a, b).ravel()
    result = np.empty(a.shape)
    todo = np.arange(a.size)
    while todo.size:
        low, high, u = a[todo], b[todo], rng.random(todo.size)
        rate = 0.5 * (low + np.sqrt(low**2 + 4))
        tail = low - np.log1p(u * np.expm1(-rate * (high - low))) / rate
        wide = high - low > 2.5
        middle = np.where(wide, rng.normal(size=todo.size), low + u * np.where(wide, 1, high - low))
        best = np.clip(rate, low, high)
        chance = np.where(
            low >= 0,
            np.exp(0.5 * ((best - rate) ** 2 - (tail - rate) ** 2)),
            np.where(wide, (middle > low) & (middle < high), np.exp(-0.5 * middle**2)),
        )
        kept = rng.random(todo.size) < chance
        result[todo[kept]] = np.where(low >= 0, tail, middle)[kept]
        todo = todo[~kept]
    return np.asarray(mu + sigma * np.where(mirrored, -1, 1) * result.reshape(shape))


TruncatedNormal = row(
    Family(
        name="TruncatedNormal",
        doc="TruncatedNormal(mu=0, sigma=1 | tau, lower=None, upper=None): Normal(mu, sigma) given "
        "that it lies between the bounds.",
        params=(MU, SIGMA, Param("lower", optional=True), Param("upper", optional=True)),
        instead=(TAU,),
        logp=_truncated_normal,
        draw=draw_truncated,
        support_point=_truncated_point,
        support=lambda mu, sigma, lower, upper: Support(lower, upper, closed=True),
        rising=("lower", "upper"),
    )
)

MEAN = Param("mu", domain="unit")


def _size(mu: Node, sigma: Node) -> Node:
    """Sum of alpha and beta, for a mean and a standard deviation; negative where there is none."""
    return mu * (1.0 - mu) / square(sigma) - 1.0


Beta = row(
    Family(
        name="Beta",
        doc="Beta(alpha, beta | mu, sigma | mu, nu): on (0, 1), with mean "
        "``mu = alpha / (alpha + beta)``, and standard deviation `sigma` or size "
        "``nu = alpha + beta``.",
        params=(Param("alpha", domain="positive"), Param("beta", domain="positive")),
        instead=(
            Instead(
                (MEAN, Param("sigma", domain="positive")),
                {
                    "alpha": lambda mu, sigma: mu * _size(mu, sigma),
                    "beta": lambda mu, sigma: (1.0 - mu) * _size(mu, sigma),
                },
            ),
            Instead(
                (MEAN, Param("nu", domain="positive")),
                {"alpha": lambda mu, nu: mu * nu, "beta": lambda mu, nu: (1.0 - mu) * nu},
            ),
        ),
        logp=lambda x, alpha, beta: (
            (alpha - 1.0) * log(x) + (beta - 1.0) * log1p(-x) - betaln(alpha, beta)
        ),
        draw=lambda rng, shape, alpha, beta: rng.beta(alpha, beta, shape),
        support_point=lambda alpha, beta: alpha / (alpha + beta),
        support=UNIT,
    )
)

Uniform = row(
    Family(
        name="Uniform",
        doc="Uniform(lower=0, upper=1): every value between the bounds alike.",
        params=(Param("lower", 0.0, aliases=("low",)), Param("upper", 1.0, aliases=("high",))),
        logp=lambda x, lower, upper: -log(guard(lower < upper, upper - lower, 1.0)),
        draw=lambda rng, shape, lower, upper: rng.uniform(lower, upper, shape),
        support_point=lambda lower, upper: 0.5 * (lower + upper),
        support=lambda lower, upper: Support(lower, upper, closed=True),
        rising=("lower", "upper"),
        logcdf=lambda x, lower, upper: log_or_minus_infinity((x - lower) / (upper - lower)),
        logsf=lambda x, lower, upper: log_or_minus_infinity((upper - x) / (upper - lower)),
    )
)
