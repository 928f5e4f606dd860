"""Distributions of shares: positive vectors that sum to 1."""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.axes import Shape
from exmc_dask.dist.base import Dist, Family, Param, row
from exmc_dask.dist.domain import SIMPLEX
from exmc_dask.expressions.ir import Node, as_float, make
from exmc_dask.math import gammaln, log
from exmc_dask.expressions.ops import Op


def shares(amounts: np.ndarray) -> np.ndarray:
    """Amounts in proportion to their sum along the last axis."""
    return np.asarray(amounts / amounts.sum(axis=-1, keepdims=True))


Dirichlet = row(
    Family(
        name="Dirichlet",
        doc="Dirichlet(a): shares that sum to 1, with concentrations `a` (k,).",
        params=(Param("a", domain="positive", core=1, aliases=("alpha",)),),
        logp=lambda x, a: (
            math.sum((a - 1.0) * log(x), axis=-1)
            + gammaln(math.sum(a, axis=-1))
            - math.sum(gammaln(a), axis=-1)
        ),
        draw=lambda rng, shape, a: shares(rng.standard_gamma(np.broadcast_to(a, shape))),
        support_point=lambda a: a / math.sum(a, axis=-1, keepdims=True),
        support=SIMPLEX,
        event_ndim=1,
    )
)


def _sticks(x: Node, alpha: Node, K: Node) -> Node:
    """Density of the pieces: Beta(1, alpha) for each share, over the stick that it is cut from."""
    stick = make(Op.CUMSUM, (x,), (x.ndim - 1, True))[..., 1:]
    broken = K * log(alpha) + alpha * log(x[..., -1])
    return broken - math.sum(log(stick), axis=-1)


def _pieces(alpha: Node, K: Node) -> Node:
    """Mean of every piece."""
    left = math.expand_dims(alpha / (1.0 + alpha), -1)
    before = as_float(make(Op.RANGE, (), int(K.arg)))
    return math.concatenate([left**before * (1.0 - left), left**K], axis=-1)


def _pieces_shape(dist: Dist) -> Shape:
    return (*dist.get("alpha").shape, int(dist.get("K").arg) + 1)


def _draw_pieces(rng: np.random.Generator, shape: tuple[int, ...], alpha: Any, K: Any) -> Any:
    cut = rng.beta(1.0, np.asarray(alpha)[..., None], (*shape[:-1], shape[-1] - 1))
    whole = np.ones((*shape[:-1], 1))
    stick = np.concatenate([whole, np.cumprod(1.0 - cut, axis=-1)], axis=-1)
    return stick * np.concatenate([cut, whole], axis=-1)


StickBreakingWeights = row(
    Family(
        name="StickBreakingWeights",
        doc="StickBreakingWeights(alpha, K): K + 1 shares of a stick, broken K times at a share "
        "Beta(1, alpha) of what is left; a Dirichlet process, cut off. Ishwaran and James (2001).",
        params=(Param("alpha", domain="positive"), Param("K", domain="size")),
        logp=_sticks,
        draw=_draw_pieces,
        support_point=_pieces,
        support=SIMPLEX,
        event_ndim=1,
        shape_of=_pieces_shape,
    )
)
