"""Functions that move, join and select elements and change none."""

from collections.abc import Sequence
from typing import Any

from exmc_dask.errors import ShapeError
from exmc_dask.expressions.axes import Shape, broadcast
from exmc_dask.expressions.ir import Node, as_float, as_node, make, normal_axis
from exmc_dask.expressions.ir import broadcast_to as _broadcast_to
from exmc_dask.expressions.ops import FLOAT, INT, Op


def expand_dims(x: Any, axis: int) -> Node:
    """`x` with an axis of length 1 put in at `axis`."""
    node = as_node(x)
    place = normal_axis(axis, node.ndim + 1)
    return make(Op.RESHAPE, (node,), (*node.shape[:place], 1, *node.shape[place:]))


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Node:
    """Join expressions along an axis they have."""
    nodes = [as_node(array) for array in arrays]
    if not nodes or not nodes[0].ndim:
        raise ShapeError("concatenate takes vectors and matrices; use stack for scalars")
    if any(node.dtype == FLOAT for node in nodes):
        nodes = [as_float(node) for node in nodes]
    place = normal_axis(axis, nodes[0].ndim)
    return make(Op.CONCAT, tuple(nodes), place) if len(nodes) > 1 else nodes[0]


def stack(arrays: Sequence[Any], axis: int = 0) -> Node:
    """Join expressions along a new axis."""
    nodes = [as_node(array) for array in arrays]
    shape = broadcast(*(node.shape for node in nodes)) if nodes else ()
    return concatenate([expand_dims(_broadcast_to(node, shape), axis) for node in nodes], axis)


def reshape(x: Any, shape: Shape) -> Node:
    """Arrange the same elements, row-major, in another shape."""
    return make(Op.RESHAPE, (as_node(x),), tuple(shape))


def transpose(x: Any, axes: Sequence[int] | None = None) -> Node:
    """Permute the axes; reverse them by default."""
    node = as_node(x)
    order = range(node.ndim)[::-1] if axes is None else [normal_axis(a, node.ndim) for a in axes]
    if sorted(order) != list(range(node.ndim)):
        raise ShapeError(f"axes {tuple(order)} are not an order of {node.ndim} axes")
    moved = list(order) != list(range(node.ndim))
    return make(Op.TRANSPOSE, (node,), tuple(order)) if moved else node


def broadcast_to(x: Any, shape: Shape) -> Node:
    """Repeat `x` to `shape`."""
    return _broadcast_to(as_node(x), tuple(shape))


def take(x: Any, index: Any, axis: int = 0) -> Node:
    """Elements of `x` at the places `index` along `axis`."""
    node, places = as_node(x), as_node(index)
    if places.dtype != INT:
        raise ShapeError(f"an index must be of whole numbers, not {places.dtype}")
    moved = normal_axis(axis, node.ndim)
    order = (moved, *(a for a in range(node.ndim) if a != moved))
    taken = make(Op.GATHER, (transpose(node, order), places))
    rank = places.ndim
    return transpose(
        taken,
        (*range(rank, rank + moved), *range(rank), *range(rank + moved, taken.ndim)),
    )
