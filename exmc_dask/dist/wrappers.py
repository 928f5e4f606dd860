"""Distributions made from others, and from a formula of the user."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.axes import Shape, broadcast
from exmc_dask.dist.base import VALUE, Dist, Family, Function, Param, as_argument, row
from exmc_dask.dist.domain import REAL, SUPPORTS, Support
from exmc_dask.dist.forms import log_or_minus_infinity
from exmc_dask.dist.law import costs, logcdf, logp, logsf, shape_of, support, support_point
from exmc_dask.dist.real import Normal
from exmc_dask.errors import OptionError
from exmc_dask.graph import rebuild, topological
from exmc_dask.ir import Node, broadcast_to, elementwise
from exmc_dask.ops import ELEMENTWISE, Op

WEIGHTS = Param("w", domain="weights", core=1)


def _mixture(x: Node, w: Node, comp_dists: Dist | tuple[Dist, ...]) -> Node:
    if isinstance(comp_dists, Dist):
        parts = logp(comp_dists, math.expand_dims(x, -1))
    else:
        parts = math.stack([logp(part, x) for part in comp_dists], axis=-1)
    result = math.logsumexp(log_or_minus_infinity(w) + parts, axis=-1)
    if isinstance(comp_dists, Dist):
        spoiled = [math.sum(c, axis=-1) if c.ndim else c for c in costs(comp_dists)]
    else:
        spoiled = [cost for part in comp_dists for cost in costs(part)]
    return sum(spoiled, start=result)


def _mixture_shape(dist: Dist) -> Shape:
    parts, weights = dist.get("comp_dists"), dist.get("w")
    if isinstance(parts, Dist):
        return broadcast(shape_of(parts), weights.shape)[:-1]
    return broadcast(weights.shape[:-1], *map(shape_of, parts))


def _mixture_support(w: Node, comp_dists: Dist | tuple[Dist, ...]) -> Support:
    """Support that all components have; where they differ, each guards its own."""
    parts = (comp_dists,) if isinstance(comp_dists, Dist) else comp_dists
    first, *others = map(support, parts)
    return first if all(other == first for other in others) else REAL


def _mixture_point(w: Node, comp_dists: Dist | tuple[Dist, ...]) -> Node:
    if isinstance(comp_dists, Dist):
        points = support_point(comp_dists, shape_of(comp_dists))
    else:
        points = math.stack([support_point(p, shape_of(p)) for p in comp_dists], axis=-1)
    return math.sum(w * points, axis=-1)


def _chosen(rng: np.random.Generator, w: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Element of the last axis of `drawn` with probabilities `w`."""
    below = rng.random(drawn.shape[:-1])[..., None] > np.cumsum(w, axis=-1)[..., :-1]
    return np.take_along_axis(drawn, below.sum(axis=-1)[..., None], axis=-1)[..., 0]


def _draw_mixture(
    rng: np.random.Generator, shape: tuple[int, ...], w: np.ndarray, comp_dists: Any
) -> np.ndarray:
    if callable(comp_dists):
        return _chosen(rng, w, comp_dists((*shape, w.shape[-1])))
    return _chosen(rng, w, np.stack([part(shape) for part in comp_dists], axis=-1))


Mixture = row(
    Family(
        name="Mixture",
        doc="Mixture(w, comp_dists): each value comes from component k with probability ``w[k]``. "
        "`comp_dists` is a list of distributions, or one whose parameters have the components "
        "along their last axis.",
        params=(WEIGHTS, Param("comp_dists", domain="dists")),
        logp=_mixture,
        draw=_draw_mixture,
        support_point=_mixture_point,
        support=_mixture_support,
        shape_of=_mixture_shape,
    )
)

NormalMixture = row(
    Family(
        name="NormalMixture",
        doc="NormalMixture(w, mu, sigma): mixture of normals, the components along the last axis.",
        params=(
            WEIGHTS,
            Param("mu", core=1, aliases=("loc",)),
            Param("sigma", domain="positive", core=1, aliases=("scale",)),
        ),
        logp=lambda x, w, mu, sigma: math.logsumexp(
            log_or_minus_infinity(w) + Normal.logp(math.expand_dims(x, -1), mu, sigma), axis=-1
        ),
        draw=lambda rng, shape, w, mu, sigma: _chosen(
            rng, w, rng.normal(mu, sigma, (*shape, w.shape[-1]))
        ),
        support_point=lambda w, mu, sigma: math.sum(w * mu, axis=-1),
    )
)


def _censored(x: Node, dist: Dist, lower: Any, upper: Any) -> Node:
    result = logp(dist, x)
    if lower is not None:
        result = math.where(x <= lower, logcdf(dist, lower), result)
    if upper is not None:
        result = math.where(x >= upper, logsf(dist, upper), result)
    return result


def _censored_support(dist: Dist, lower: Any, upper: Any) -> Support:
    """Return the bounds that censoring leaves, closed; else the support of what is censored."""
    inner = support(dist)
    low = inner.lower if lower is None else lower
    high = inner.upper if upper is None else upper
    return replace(inner, lower=low, upper=high, closed=True)


def _censored_shape(dist: Dist) -> Shape:
    bounds = [b for b in (dist.get("lower"), dist.get("upper")) if b is not None]
    return broadcast(shape_of(dist.get("dist")), *(bound.shape for bound in bounds))


Censored = row(
    Family(
        name="Censored",
        doc="Censored(dist, lower=None, upper=None): values of `dist` of which those beyond a "
        "bound are known to be beyond it only, and are given as the bound itself.",
        params=(
            Param("dist", domain="dist"),
            Param("lower", optional=True),
            Param("upper", optional=True),
        ),
        logp=_censored,
        draw=lambda rng, shape, dist, lower, upper: np.clip(dist(shape), lower, upper),
        support_point=lambda dist, lower, upper: support_point(dist, shape_of(dist)),
        support=_censored_support,
        shape_of=_censored_shape,
    )
)


@dataclass(frozen=True)
class Formula(Family):
    """The row of `Custom`, which takes its parameters by position and a formula by name."""

    def bind(self, label: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> Dist:
        """Keep formula and parameters until a model traces them."""
        unknown = given.keys() - {"logp", "support", "draw"}
        if unknown:
            raise OptionError(
                f"{label}: unknown option '{min(unknown)}'; Custom takes its parameters by "
                "position, then logp=, support= and draw="
            )
        kind = given.get("support", "real")
        if kind not in SUPPORTS:
            raise OptionError(f"{label}: support {kind!r} is none of {', '.join(SUPPORTS)}")
        functions = [(key, given[key]) for key in ("logp", "draw") if given.get(key) is not None]
        if not functions or functions[0][0] != "logp":
            raise OptionError(f"{label}: Custom needs logp=, a function of value and parameters")
        for key, call in functions:
            if not callable(call):
                raise OptionError(f"{label}: {key} is {call!r}, not a function")
        names = [Param(f"arg{i}") for i in range(1, len(args) + 1)]
        params = [
            (p.name, as_argument(f"{label}: {p.name}", p, value))
            for p, value in zip(names, args, strict=True)
        ]
        calls = [(key, Function(call)) for key, call in functions]
        return Dist(self.name, (*params, ("support", kind), *calls))


def _apply(x: Node, support: str, logp: Node) -> Node:
    """Put the value into the traced formula; elementwise operations broadcast again."""

    def replaced(node: Node, src: tuple[Node, ...]) -> Node | None:
        if node.arg == VALUE:
            return x
        if node.op in ELEMENTWISE and src != node.src:
            return elementwise(node.op, *src)
        if node.op is Op.BROADCAST and src != node.src:
            return broadcast_to(src[0], broadcast(src[0].shape, node.arg))
        return None

    return rebuild([logp], replaced)[0]


def _custom_event(dist: Dist) -> int:
    """Axes of the value that the formula reduced away: they have one log-density together."""
    formula = dist.get("logp")
    if not isinstance(formula, Node):
        return 0
    value = next((n for n in topological([formula]) if n.arg == VALUE), formula)
    return max(value.ndim - formula.ndim, 0)


def _custom_shape(dist: Dist) -> Shape:
    operands = [a for name, a in dist.params if isinstance(a, Node) and name != "logp"]
    return broadcast((), *(operand.shape for operand in operands))


Custom = row(
    Formula(
        name="Custom",
        doc="Custom(*params, logp=..., support='real', draw=None): a log-density of the user, "
        "``logp(value, *params)``, written with operators and ed.math, which returns one number an "
        "element or one for all. It is called once, with expressions, so the model travels without "
        "it. `draw(rng, shape, *params)` serves predictive draws in this process.",
        params=(Param("support", domain="text"), Param("logp")),
        logp=_apply,
        draw=None,
        support_point=None,
        support=lambda support, logp: SUPPORTS[support],
        event_of=_custom_event,
        shape_of=_custom_shape,
    )
)
