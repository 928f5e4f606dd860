"""Distributions with a share of zeros of their own, mixed in or in the place of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.axes import Shape, broadcast
from exmc_dask.dist.base import SHORTHANDS, Dist, Family, Param, row
from exmc_dask.dist.counts import NegativeBinomial, Poisson
from exmc_dask.dist.cut import DIST
from exmc_dask.dist.domain import ZERO, Support, hull
from exmc_dask.dist.drawing import Inner
from exmc_dask.dist.forms import log1m, log_or_minus_infinity
from exmc_dask.dist.law import costs, logp, numeric, shape_of, support, support_point
from exmc_dask.dist.positive import Gamma, LogNormal
from exmc_dask.dist.tails import logcdf, logsf
from exmc_dask.dist.trials import Binomial
from exmc_dask.errors import OptionError
from exmc_dask.expressions.ir import Node, const
from exmc_dask.math import log1mexp, logaddexp, logdiffexp, where

PSI = Param("psi", domain="unit")


def _shape(dist: Dist) -> Shape:
    return broadcast(shape_of(dist.get("dist")), dist.get("psi").shape)


def _support(psi: Node, dist: Dist) -> Support:
    inner = support(dist)
    around = hull([inner, ZERO])
    return replace(around, upper=inner.upper) if inner.starts_at(0.0) else around


def _inflated(x: Node, psi: Node, dist: Dist) -> Node:
    numeric(dist, "ZeroInflated")
    zero = where(x.eq(0.0), log1m(psi), -np.inf)
    return sum(costs(dist), start=logaddexp(zero, log_or_minus_infinity(psi) + logp(dist, x)))


ZeroInflated = row(
    Family(
        name="ZeroInflated",
        doc="ZeroInflated(psi, dist): a value of `dist` with probability `psi`, else 0.",
        params=(PSI, DIST),
        logp=_inflated,
        draw=lambda rng, shape, psi, dist: np.where(rng.random(shape) < psi, dist(shape), 0),
        support_point=lambda psi, dist: psi * support_point(dist, shape_of(dist)),
        support=_support,
        atoms=True,
        logcdf=lambda x, psi, dist: logaddexp(
            where(x >= 0.0, log1m(psi), -np.inf), log_or_minus_infinity(psi) + logcdf(dist, x)
        ),
        logsf=lambda x, psi, dist: logaddexp(
            where(x < 0.0, log1m(psi), -np.inf), log_or_minus_infinity(psi) + logsf(dist, x)
        ),
        shape_of=_shape,
    )
)


def _own_zero(dist: Dist) -> Node | None:
    """Log-probability of the zeros that `dist` has itself; None where single values have none."""
    numeric(dist, "Hurdle")
    limits = support(dist)
    if limits.whole and not limits.starts_at(0.0):
        raise OptionError(f"Hurdle takes counts, and {dist.family} may be negative")
    return logp(dist, const(0.0)) if limits.whole else None


def _over(psi: Node, dist: Dist, log_probability: Node) -> Node:
    """Logarithm of the probability of values over the hurdle, by that which `dist` gives them."""
    zero = _own_zero(dist)
    result = log_or_minus_infinity(psi) + log_probability
    if zero is None:
        return result
    others = log1mexp(zero)
    some = others > -np.inf
    return where(some, result - math.guard(some, others, 0.0), -np.inf)


def _hurdle(x: Node, psi: Node, dist: Dist) -> Node:
    result = where(x.eq(0.0), log1m(psi), _over(psi, dist, logp(dist, x)))
    return sum(costs(dist), start=result)


def _up_to(x: Node, psi: Node, dist: Dist) -> Node:
    zero, below = _own_zero(dist), logcdf(dist, x)
    over = below if zero is None else logdiffexp(below, zero)
    return logaddexp(where(x >= 0.0, log1m(psi), -np.inf), _over(psi, dist, over))


def _above(x: Node, psi: Node, dist: Dist) -> Node:
    return logaddexp(
        where(x < 0.0, log1m(psi), -np.inf), _over(psi, dist, logsf(dist, x))
    )


def _draw_hurdle(
    rng: np.random.Generator, shape: tuple[int, ...], psi: Any, dist: Inner
) -> np.ndarray:
    over = rng.random(shape) < psi
    if not support(dist.dist).whole:
        return np.where(over, dist(shape), 0.0)
    return np.where(over, dist.drawn_where(shape, lambda x: (x != 0) | ~over, 1.0, np.inf), 0)


Hurdle = row(
    Family(
        name="Hurdle",
        doc="Hurdle(psi, dist): with probability `psi` a value of `dist` that is not 0, else 0. "
        "`dist` is one of counts or of continuous numbers.",
        params=(PSI, DIST),
        logp=_hurdle,
        draw=_draw_hurdle,
        support_point=lambda psi, dist: psi * support_point(dist, shape_of(dist)),
        support=_support,
        atoms=True,
        logcdf=_up_to,
        logsf=_above,
        shape_of=_shape,
    )
)


@dataclass(frozen=True)
class Shorthand(Family):
    """A name for one family around another, whose distributions are those of the two.

    Attributes
    ----------
    outer, inner : Family
        ``outer(psi, inner(...))``.
    """

    outer: Family = ZeroInflated
    inner: Family = Poisson

    def bind(self, label: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> Dist:
        """Bind like a family of its own, then sort the parameters to the two."""
        params = dict(super().bind(label, args, given).params)
        psi = params.pop(PSI.name)
        return Dist(self.outer.name, (("psi", psi), ("dist", Dist(self.inner.name, tuple(params.items())))))


def _shorthand(outer: Family, inner: Family, doc: str) -> Family:
    def inside(psi: Node, **params: Any) -> Support:
        return _support(psi, Dist(inner.name, tuple(params.items())))

    family = Shorthand(
        name=outer.name + inner.name,
        doc=doc,
        params=(PSI, *inner.params),
        logp=outer.logp,
        draw=outer.draw,
        support_point=outer.support_point,
        support=inside,
        instead=inner.instead,
        one_of=inner.one_of,
        atoms=True,
        outer=outer,
        inner=inner,
    )
    SHORTHANDS[family.name] = family
    return family


ZeroInflatedPoisson = _shorthand(
    ZeroInflated,
    Poisson,
    "ZeroInflatedPoisson(psi, mu | log_mu): Poisson(mu) with probability `psi`, else 0.",
)
ZeroInflatedBinomial = _shorthand(
    ZeroInflated,
    Binomial,
    "ZeroInflatedBinomial(psi, n, p | logit_p): Binomial(n, p) with probability `psi`, else 0.",
)
ZeroInflatedNegativeBinomial = _shorthand(
    ZeroInflated,
    NegativeBinomial,
    "ZeroInflatedNegativeBinomial(psi, mu | log_mu | p, alpha): NegativeBinomial(mu, alpha) with "
    "probability `psi`, else 0.",
)
HurdlePoisson = _shorthand(
    Hurdle,
    Poisson,
    "HurdlePoisson(psi, mu | log_mu): with probability `psi` a value of Poisson(mu) that is not 0, "
    "else 0.",
)
HurdleNegativeBinomial = _shorthand(
    Hurdle,
    NegativeBinomial,
    "HurdleNegativeBinomial(psi, mu | log_mu | p, alpha): with probability `psi` a value of "
    "NegativeBinomial(mu, alpha) that is not 0, else 0.",
)
HurdleGamma = _shorthand(
    Hurdle,
    Gamma,
    "HurdleGamma(psi, alpha, beta | mu, sigma): Gamma(alpha, beta) with probability `psi`, else 0.",
)
HurdleLogNormal = _shorthand(
    Hurdle,
    LogNormal,
    "HurdleLogNormal(psi, mu, sigma | tau): LogNormal(mu, sigma) with probability `psi`, else 0.",
)
