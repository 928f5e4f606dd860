"""Mixtures: each value comes from one of several distributions."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.axes import Shape, broadcast
from exmc_dask.dist.base import Dist, Family, Instead, Param, row
from exmc_dask.dist.domain import Support, alike, hull
from exmc_dask.dist.drawing import Inner
from exmc_dask.dist.forms import log_or_minus_infinity
from exmc_dask.dist.law import costs, event_ndim, logp, shape_of, support, support_point
from exmc_dask.dist.real import Normal
from exmc_dask.dist.tails import logcdf, logsf
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.ir import Node

WEIGHTS = Param("w", domain="weights", core=1)

type Components = Dist | tuple[Dist, ...]  # one whose last batch axis they lie along, or a list


def _listed(components: Components) -> tuple[Dist, ...]:
    return (components,) if isinstance(components, Dist) else components


def _n_event(components: Components) -> int:
    """Trailing axes of one event, for all components alike."""
    found = {event_ndim(component) for component in _listed(components)}
    if len(found) > 1:
        raise ShapeError("the components of Mixture are partly of numbers and partly of vectors")
    return found.pop()


def _mixed(x: Node, w: Node, components: Components, what: Callable[[Dist, Node], Node]) -> Node:
    """Logarithm of the weighted mean of probabilities, of which `what` gives the logarithms."""
    n_event = _n_event(components)
    if isinstance(components, Dist):
        parts = what(components, math.expand_dims(x, -1 - n_event))
        spoiled = [math.sum(cost, axis=-1) if cost.ndim else cost for cost in costs(components)]
    else:
        parts = math.stack([what(component, x) for component in components], axis=-1)
        spoiled = [cost for component in components for cost in costs(component)]
    return sum(spoiled, start=math.logsumexp(log_or_minus_infinity(w) + parts, axis=-1))


def _mixture_shape(dist: Dist) -> Shape:
    components, w = dist.get("comp_dists"), dist.get("w")
    n_event = _n_event(components)
    shapes = [shape_of(component) for component in _listed(components)]
    batches = [shape[: len(shape) - n_event] for shape in shapes]
    event = broadcast(*(shape[len(shape) - n_event :] for shape in shapes))
    if isinstance(components, Dist):
        return broadcast(*batches, w.shape)[:-1] + event
    return broadcast(*batches, w.shape[:-1]) + event


def _mixture_support(w: Node, comp_dists: Components) -> Support:
    """Interval around the supports of all components, each of which guards its own."""
    if not isinstance(comp_dists, Dist):
        return hull([support(component) for component in comp_dists])
    return support(comp_dists).over_last_axis()


def _density(component: Dist, x: Node, around: Support) -> Node:
    """Log-density of a component at a value inside the support of the mixture."""
    return logp(component, x, inside=alike(support(component), around))


def _mixture_point(w: Node, comp_dists: Components) -> Node:
    n_event = _n_event(comp_dists)
    points = [support_point(part, shape_of(part)) for part in _listed(comp_dists)]
    together = points[0] if isinstance(comp_dists, Dist) else math.stack(points, -1 - n_event)
    for _ in range(n_event):
        w = math.expand_dims(w, -1)
    return math.sum(w * together, axis=-1 - n_event)


def _chosen(
    rng: np.random.Generator, w: np.ndarray, drawn: np.ndarray, n_event: int = 0
) -> np.ndarray:
    """One of the components, which lie in front of the events, with probabilities `w`."""
    axis = drawn.ndim - 1 - n_event
    above = rng.random(drawn.shape[:axis])[..., None] > np.cumsum(w, axis=-1)[..., :-1]
    place = above.sum(axis=-1).reshape(*drawn.shape[:axis], *(1,) * (1 + n_event))
    return np.take_along_axis(drawn, place, axis=axis).squeeze(axis)


def _draw_mixture(
    rng: np.random.Generator, shape: tuple[int, ...], w: np.ndarray, comp_dists: Any
) -> np.ndarray:
    if isinstance(comp_dists, Inner):
        n_event = comp_dists.n_event
        split = len(shape) - n_event
        drawn = comp_dists((*shape[:split], w.shape[-1], *shape[split:]))
    else:
        n_event = comp_dists[0].n_event
        drawn = np.stack([component(shape) for component in comp_dists], axis=-1 - n_event)
    return _chosen(rng, w, drawn, n_event)


Mixture = row(
    Family(
        name="Mixture",
        doc="Mixture(w, comp_dists): each value comes from component k with probability ``w[k]``. "
        "`comp_dists` is a list of distributions, continuous, discrete or of vectors, or one whose "
        "parameters have the components along their last batch axis.",
        params=(WEIGHTS, Param("comp_dists", domain="dists")),
        logp=lambda x, w, comp_dists: _mixed(
            x, w, comp_dists, partial(_density, around=_mixture_support(w, comp_dists))
        ),
        draw=_draw_mixture,
        support_point=_mixture_point,
        support=_mixture_support,
        event_of=lambda dist: _n_event(dist.get("comp_dists")),
        logcdf=lambda x, w, comp_dists: _mixed(x, w, comp_dists, logcdf),
        logsf=lambda x, w, comp_dists: _mixed(x, w, comp_dists, logsf),
        shape_of=_mixture_shape,
    )
)

NormalMixture = row(
    Family(
        name="NormalMixture",
        doc="NormalMixture(w, mu, sigma | tau): mixture of normals, the components along the last "
        "axis.",
        params=(
            WEIGHTS,
            Param("mu", core=1, aliases=("loc",)),
            Param("sigma", domain="positive", core=1, aliases=("scale",)),
        ),
        instead=(
            Instead(
                (Param("tau", domain="positive", core=1),),
                {"sigma": lambda tau: 1.0 / math.sqrt(tau)},
            ),
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
