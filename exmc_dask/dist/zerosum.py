"""Normal distributions of vectors whose elements sum to 0, exactly or nearly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.axes import Shape, show
from exmc_dask.dist.base import EVENT, Dist, Family, Param, row
from exmc_dask.dist.domain import Support
from exmc_dask.dist.forms import HALF_LOG_TWO_PI
from exmc_dask.errors import DataError, OptionError, ShapeError
from exmc_dask.expressions.ir import Node, const
from exmc_dask.math import log
from exmc_dask.transforms import sum_apart

SIGMA = Param("sigma", 1.0, "positive", EVENT, aliases=("scale",))


def _n_axes(dist: Dist) -> int:
    given = dist.get("n_zerosum_axes")
    return 1 if given is None else int(given.arg)


def _of_batch(sigma: Node, n_axes: int) -> Node:
    """`sigma` without the axes of the event, along which it has one element."""
    core = sigma.shape[max(sigma.ndim - n_axes, 0) :]
    if any(dim != 1 for dim in core):
        raise ShapeError(
            f"sigma has shape {show(sigma.shape)}; it must have length 1 along the last {n_axes} "
            "of the axes, along which the values sum to 0"
        )
    return math.reshape(sigma, sigma.shape[: sigma.ndim - len(core)])


def _zero_sum(x: Node, sigma: Node, n_zerosum_axes: Node) -> Node:
    """Density on the space of vectors that sum to 0, which has an axis less for each."""
    n_axes = int(n_zerosum_axes.arg)
    axes = tuple(range(-n_axes, 0))
    each = _of_batch(sigma, n_axes)
    freedom = const(1.0)
    for dim in x.shape[-n_axes:]:
        freedom = freedom * (math.length(dim) - 1.0)
    distance = math.sum(math.square(x / sigma), axis=axes)
    return -0.5 * distance - freedom * (log(each) + HALF_LOG_TWO_PI)


def _zero_sum_shape(dist: Dist) -> Shape:
    n_axes = _n_axes(dist)
    sigma: Node = dist.get("sigma")
    return (*sigma.shape[: max(sigma.ndim - n_axes, 0)], *(1,) * n_axes)


def _draw_zero_sum(
    rng: np.random.Generator, shape: tuple[int, ...], sigma: Any, n_zerosum_axes: Any
) -> np.ndarray:
    drawn = rng.normal(0.0, sigma, shape)
    for axis in range(-int(n_zerosum_axes), 0):
        drawn = drawn - drawn.mean(axis=axis, keepdims=True)
    return drawn


ZeroSumNormal = row(
    Family(
        name="ZeroSumNormal",
        doc="ZeroSumNormal(sigma=1, n_zerosum_axes=1): normal with mean 0 and standard deviation "
        "`sigma`, given that the values sum to 0 along each of the last `n_zerosum_axes` axes. "
        "What a group effect is beside an intercept; its length is that of shape= or dims=.",
        params=(SIGMA, Param("n_zerosum_axes", 1.0, "size")),
        logp=_zero_sum,
        draw=_draw_zero_sum,
        support_point=lambda sigma, n_zerosum_axes: const(0.0),
        support=lambda sigma, n_zerosum_axes: Support(
            shape="zero_sum", n_axes=int(n_zerosum_axes.arg)
        ),
        location_scale=(None, "sigma"),
        event_of=_n_axes,
        shape_of=_zero_sum_shape,
    )
)


def _along_edges(x: Node, edges: Node, sigma: Node, zero_sum_stdev: Node, n: Node) -> Node:
    """Besag, York and Mollié (1991), "Bayesian image restoration", eq. 3.2.

    PyMC leaves out ``(n - 1) * log(sigma)``, without which the scale of a free `sigma` is wrong.
    """
    left, right = (math.take(x, edges[:, i], axis=-1) for i in range(2))
    steps = math.sum(math.square(left - right), axis=-1)
    smooth = -0.5 * steps / math.square(sigma) - (n - 1.0) * log(sigma)
    spread = zero_sum_stdev * n
    total = math.sum(x, axis=-1) / spread
    return smooth - 0.5 * math.square(total) - log(spread) - HALF_LOG_TWO_PI


def _draw_along_edges(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    edges: Any,
    sigma: Any,
    zero_sum_stdev: Any,
    n: Any,
) -> np.ndarray:
    """Draw along the eigenvectors of the graph's Laplacian; its null space is the sum."""
    size = int(n)
    laplacian = np.zeros((size, size))
    for i, j in edges:
        laplacian[[i, j], [i, j]] += 1.0
        laplacian[[i, j], [j, i]] -= 1.0
    values, vectors = np.linalg.eigh(laplacian)
    along = np.asarray(sigma)[..., None] / np.sqrt(values[1:])
    mean = np.asarray(zero_sum_stdev)[..., None]
    z = rng.normal(size=shape)
    return np.asarray(z[..., :1] * mean + (z[..., 1:] * along) @ vectors[:, 1:].T)


@dataclass(frozen=True, repr=False)
class Areal(Family):
    """The row of `ICAR`, whose graph comes as a matrix or as edges."""

    def bind(self, label: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> Dist:
        """Turn the matrix of neighbours into edges, and count the regions."""
        first = {"W": args[0]} if args else {}
        neighbours, edges = {**first, **given}.get("W"), given.get("edges")
        if (neighbours is None) == (edges is None) or "n" in given or given.keys() & first:
            raise OptionError(
                f"{label}: ICAR takes either W, the matrix of neighbours, or edges, pairs of them; "
                "then sigma and zero_sum_stdev"
            )
        pairs = np.asarray(edges) if neighbours is None else neighbours_of(label, neighbours)
        if pairs.dtype.kind not in "iu" or pairs.ndim != 2 or pairs.shape[1:] != (2,):
            raise DataError(
                f"{label}: edges must be an array of whole numbers, a row for each pair of "
                "neighbours, as [[0, 1], [1, 2]] is"
            )
        rest = {name: value for name, value in given.items() if name not in ("W", "edges")}
        regions = int(pairs.max(initial=0)) + 1
        return super().bind(label, (pairs, *args[1:]), {**rest, "n": regions})


def neighbours_of(label: str, neighbours: Any) -> np.ndarray:
    """Rows of regions that are neighbours, each pair once."""
    matrix = np.asarray(neighbours)
    fine = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] and matrix.dtype.kind in "biuf"
    if not fine or not np.isin(matrix, (0, 1)).all() or (matrix != matrix.T).any():
        raise DataError(f"{label}: W must be a symmetric matrix of 0 and 1, 1 for neighbours")
    alone = np.flatnonzero(matrix.sum(axis=0) - np.diagonal(matrix) == 0)
    if alone.size:
        raise DataError(
            f"{label}: region {alone[0]} has no neighbours; leave it out, with a Normal of its own"
        )
    return np.argwhere(np.tril(matrix))


def _clash(edges: Any, n: Any, **others: Any) -> str:
    if edges is None or edges.max() + 1 == n:
        return ""
    return f"edges connect {edges.max() + 1} regions, but the model was declared with {int(n)}"


ICAR = row(
    Areal(
        name="ICAR",
        doc="ICAR(W | edges, sigma=1, zero_sum_stdev=0.001): intrinsic conditional autoregression, "
        "a field whose differences between neighbours are Normal(0, `sigma`), and whose mean is "
        "Normal(0, `zero_sum_stdev`). `W` is a symmetric matrix with 1 for neighbours, `edges` has "
        "a row for each pair of them; they must connect all regions.",
        params=(
            Param("edges", domain="edges", core=2),
            Param("sigma", 1.0, "positive", aliases=("scale",)),
            Param("zero_sum_stdev", 0.001, "positive"),
            Param("n", domain="size", least=2),
        ),
        logp=_along_edges,
        draw=_draw_along_edges,
        support_point=lambda edges, sigma, zero_sum_stdev, n: const(0.0),
        support=Support(moved=sum_apart),
        clash=_clash,
        event_ndim=1,
        shape_of=lambda dist: (*dist.get("sigma").shape, int(dist.get("n").arg)),
    )
)
