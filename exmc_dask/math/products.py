"""Products along an axis, which may hold zeros and negative numbers."""

from typing import Any

from exmc_dask.errors import ShapeError
from exmc_dask.expressions.axes import is_static, show
from exmc_dask.expressions.ir import Node, as_float, broadcast_to, const, normal_axis
from exmc_dask.math.arrange import transpose
from exmc_dask.math.scan import scan


def cumprod(x: Any, axis: int = -1) -> Node:
    """Multiply along `axis`, keeping every step."""
    node = as_float(x)
    moved = normal_axis(axis, node.ndim)
    order = (moved, *(other for other in range(node.ndim) if other != moved))
    back = sorted(range(node.ndim), key=lambda place: order[place])
    return transpose(_products(transpose(node, order))[1], back)


def prod(x: Any, axis: int | None = None) -> Node:
    """Product over `axis`; over everything by default."""
    node = as_float(x)
    if not node.ndim:
        return node
    if axis is None:
        for _ in range(node.ndim):
            node = prod(node, 0)
        return node
    moved = normal_axis(axis, node.ndim)
    order = (moved, *(other for other in range(node.ndim) if other != moved))
    return _products(transpose(node, order))[0]


def _products(x: Node) -> tuple[Node, Node]:
    """Product over the first axis, and those up to each step."""
    rest = x.shape[1:]
    if not is_static(rest):
        raise ShapeError(
            f"a product along one axis of {show(x.shape)} needs fixed lengths of the others; "
            "multiply along the axis of the data first"
        )
    found: tuple[Node, Node] = scan(
        lambda total, row: (total * row, total * row), broadcast_to(const(1.0), rest), x
    )
    return found
