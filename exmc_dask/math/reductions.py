"""Functions along axes: sums, means, largest values, and running sums."""

from typing import Any

from exmc_dask.expressions.axes import Dim, is_static, static_size
from exmc_dask.expressions.ir import (
    Node,
    as_float,
    as_node,
    broadcast_to,
    chosen_axes,
    const,
    make,
    normal_axis,
    reduce,
)
from exmc_dask.expressions.ops import Op
from exmc_dask.math.elementwise import exp, square

type Axis = int | tuple[int, ...] | None


def length(dim: Dim) -> Node:
    """Length of an axis as a number of the graph; `dim` is a number or an axis symbol."""
    if isinstance(dim, int):
        return const(float(dim))
    return reduce(Op.SUM, broadcast_to(const(1.0), (dim,)))


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Sum over `axis`."""
    return reduce(Op.SUM, x, axis, keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Arithmetic mean over `axis`."""
    node = as_float(x)
    dims = [node.shape[a] for a in chosen_axes(node, axis)]
    count = const(1.0)
    if is_static(tuple(dims)):
        count = const(float(static_size(tuple(dims))))
    else:
        for dim in dims:
            count = count * length(dim)
    return sum(node, axis, keepdims) / count


def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Variance over `axis`: mean squared distance from the mean."""
    node = as_float(x)
    return mean(square(node - mean(node, axis, keepdims=True)), axis, keepdims)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Largest value over `axis`."""
    return reduce(Op.MAX, x, axis, keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Smallest value over `axis`."""
    return -reduce(Op.MAX, -as_node(x), axis, keepdims)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """``log(sum(exp(x)))`` without overflow; all -inf give -inf with a gradient of 0."""
    return reduce(Op.LOGSUMEXP, as_float(x), axis, keepdims)


def log_softmax(x: Any, axis: int = -1) -> Node:
    """Logarithm of `softmax`."""
    node = as_float(x)
    return node - logsumexp(node, axis, keepdims=True)


def softmax(x: Any, axis: int = -1) -> Node:
    """Positive numbers in proportion to ``exp(x)`` that sum to 1 along `axis`."""
    return exp(log_softmax(x, axis))


def cumsum(x: Any, axis: int = -1) -> Node:
    """Sum up along `axis`, keeping every step."""
    node = as_node(x)
    return make(Op.CUMSUM, (node,), (normal_axis(axis, node.ndim), False))


def diff(x: Any, axis: int = -1) -> Node:
    """Differences of neighbours along `axis`, which becomes one shorter."""
    node = as_node(x)
    before = (slice(None),) * normal_axis(axis, node.ndim)
    return node[(*before, slice(1, None))] - node[(*before, slice(None, -1))]
