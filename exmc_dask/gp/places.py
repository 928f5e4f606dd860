"""Places at which a process is looked at: a matrix with a place in each row."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.opened import open_model
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.arrays import Inline
from exmc_dask.expressions.axes import extent
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node, as_float, as_node, broadcast_to, const
from exmc_dask.expressions.ops import Op


def places(X: Any) -> Node:
    """Matrix of places, float64 (n, d); a vector is one column.

    Parameters
    ----------
    X : array, data slot or expression
    """
    node = as_float(as_node(X))
    if node.ndim == 1:
        return node[:, None]
    if node.ndim != 2:
        raise ShapeError(
            f"places are a matrix with one of them in each row, not of {node.ndim} axes"
        )
    return node


def lengths(X: Node) -> dict[str, int]:
    """Lengths of the axes of arrays in `X`, and of those of the data of the open model."""
    found = dict(getattr(open_model.get(), "lengths", {}))
    for leaf in topological([X]):
        if leaf.op is Op.DATA and isinstance(leaf.arg, Inline):
            named = zip(leaf.shape, leaf.arg.array.shape, strict=True)
            found |= {dim: n for dim, n in named if isinstance(dim, str)}
    return found


def columns(X: Node, input_dim: int, active_dims: Sequence[int] | None) -> Node:
    """Columns of `X` that a function of `input_dim` columns looks at.

    Raises
    ------
    ShapeError
        `X` has another number of columns.
    """
    found = extent(X.shape[1], lengths(X))
    if found != input_dim:
        raise ShapeError(
            f"input_dim={input_dim}, but X has {found} column{'s' * (found != 1)}; input_dim "
            "counts all of them, active_dims= chooses some"
        )
    if active_dims is None or list(active_dims) == list(range(input_dim)):
        return X
    return math.concatenate([X[:, i : i + 1] for i in active_dims], axis=1)


def chosen(input_dim: int, active_dims: Sequence[int] | None) -> tuple[int, ...] | None:
    """`active_dims` as a tuple of columns that exist."""
    if isinstance(input_dim, bool) or not isinstance(input_dim, int | np.integer) or input_dim < 1:
        raise ShapeError(f"input_dim={input_dim!r} has to be a whole number above 0")
    if active_dims is None:
        return None
    found = tuple(int(i) for i in active_dims)
    if not found or len(set(found)) < len(found) or not set(found) <= set(range(input_dim)):
        raise ShapeError(
            f"active_dims={active_dims!r} has to name some of the columns 0 to {input_dim - 1}, "
            "each once"
        )
    return found


def filled(value: Any, *places: Node) -> Node:
    """Repeat a number for each place, or for each pair of places."""
    return broadcast_to(as_float(value), tuple(X.shape[0] for X in places))


def zeros(*places: Node) -> Node:
    """0 for each place, or for each pair of places."""
    return filled(const(0.0), *places)
