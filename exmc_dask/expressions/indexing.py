"""Square brackets on expressions: whole numbers, slices, masks and arrays of whole numbers."""

from math import prod
from typing import Any

import numpy as np

from exmc_dask.errors import ShapeError
from exmc_dask.expressions.arrays import Inline, as_array, data_shape
from exmc_dask.expressions.axes import Dim, Shape, show
from exmc_dask.expressions.ir import Node, as_node, elementwise, make
from exmc_dask.expressions.ops import BOOL, INT, Op

type Cut = tuple[int | None, int | None, int]


def index(node: Node, key: Any) -> Node:
    """Return ``node[key]``.

    Parameters
    ----------
    node : Node
    key : int, slice, None, Ellipsis, array of ints or an integer expression, or a tuple of these
        Arrays select along consecutive leading axes, as NumPy's advanced indexing does there. An
        array of bools selects the places where it is True.

    Raises
    ------
    ShapeError
        Too many indices, an index out of range, an array that is not of whole numbers or does not
        stand first, a mask of another length or one whose values are not known.
    """
    keys: list[Any] = []
    for item in key if isinstance(key, tuple) else (key,):
        keys += _places(item, node.shape[len(keys) :])
    used = sum(item is not None and item is not Ellipsis for item in keys)
    if used > node.ndim:
        raise ShapeError(f"{used} indices for an expression with {node.ndim} axes")
    if Ellipsis not in [item if item is Ellipsis else 0 for item in keys]:
        keys.append(Ellipsis)
    place = next(i for i, item in enumerate(keys) if item is Ellipsis)
    keys[place : place + 1] = [slice(None)] * (node.ndim - used)
    arrays = [item for item in keys if _is_array(item)]
    if not arrays:
        return _cut(node, keys)
    if not all(map(_is_array, keys[: len(arrays)])):
        raise ShapeError(
            "index arrays must stand on the first axes; transpose, or index in two steps"
        )
    return _cut(_gather(node, arrays), [slice(None)] * _rank(arrays) + keys[len(arrays) :])


def _places(item: Any, shape: Shape) -> list[Any]:
    """Places along each axis of a mask, of `shape`, where it is True; else the item as it is."""
    if isinstance(item, Node) or not _is_array(item):
        return [item]
    mask = np.asarray(item)
    if mask.dtype != bool or mask.size == 0:
        return [item]
    if mask.ndim > 1:
        pairs = zip(mask.shape, shape, strict=False)
        if any(isinstance(dim, int) and dim != length for length, dim in pairs):
            whole = show(shape[: mask.ndim])
            raise ShapeError(f"a mask of shape {mask.shape} cannot select from axes {whole}")
        return [*np.nonzero(mask)]
    inline = Inline(as_array(np.flatnonzero(mask)), item, marks=mask.size)
    return [make(Op.DATA, (), inline, data_shape(inline.label, inline.array), INT)]


def _is_array(item: Any) -> bool:
    return isinstance(item, Node | list) or getattr(item, "ndim", 0) > 0  # pandas, xarray


def _rank(arrays: list[Any]) -> int:
    return max(as_node(item).ndim for item in arrays)


def _cut(node: Node, keys: list[Any]) -> Node:
    cuts: list[Cut] = []
    shape_keys: list[Any] = []
    axis = 0
    for item in keys:
        if item is not None:
            cuts.append(_as_cut(item, node.shape[axis]))
            axis += 1
        shape_keys.append(item)
    taken = (
        make(Op.SLICE, (node,), tuple(cuts)) if any(c != (None, None, 1) for c in cuts) else node
    )
    shape: list[Dim] = []
    dims = iter(taken.shape)
    for item in shape_keys:
        if item is None:
            shape.append(1)
        elif isinstance(item, slice):
            shape.append(next(dims))
        else:
            next(dims)
    return taken if tuple(shape) == taken.shape else make(Op.RESHAPE, (taken,), tuple(shape))


def _as_cut(item: Any, dim: Dim) -> Cut:
    if isinstance(item, slice):
        start, stop, step = item.start, item.stop, 1 if item.step is None else item.step
        ends = (start, stop, step)
        if not all(end is None or isinstance(end, int | np.integer) for end in ends) or step == 0:
            raise ShapeError(f"slice {start}:{stop}:{step} needs whole numbers")
        return tuple(None if end is None else int(end) for end in ends)  # type: ignore[return-value]
    if isinstance(item, bool | np.bool_) or not isinstance(item, int | np.integer):
        raise ShapeError(
            f"{item!r} cannot be an index; use whole numbers, slices or integer arrays"
        )
    place = int(item)
    if isinstance(dim, int) and not -dim <= place < dim:
        raise ShapeError(f"index {place} is outside an axis of length {dim}")
    return (place, place + 1 if place != -1 else None, 1)


def _gather(node: Node, arrays: list[Any]) -> Node:
    """Select by arrays on the leading axes, which are flattened into one first."""
    nodes = [as_node(item) for item in arrays]
    for item in nodes:
        if item.dtype == BOOL:
            raise ShapeError(
                "a mask that is data or depends on variables selects nobody knows how many "
                "elements: use ed.math.where, or the mask= of an observed variable, or give the "
                "places as data, ed.Data('at', np.flatnonzero(mask))"
            )
        if item.dtype != INT:
            raise ShapeError(f"an index must be of whole numbers, not {item.dtype}")
    if len(nodes) == 1:
        return make(Op.GATHER, (node, nodes[0]))
    lead = node.shape[: len(nodes)]
    if not all(isinstance(dim, int) for dim in lead):
        raise ShapeError(
            "several index arrays, or a mask of several axes, need axes of fixed length, and these "
            "follow the data: select from the arrays before they enter the model, flattened, as in "
            "x[mask]; or leave observed values out with mask="
        )
    sizes = [dim for dim in lead if isinstance(dim, int)]
    flat = nodes[0]
    for item, length in zip(nodes[1:], sizes[1:], strict=True):
        flat = elementwise(Op.ADD, elementwise(Op.MUL, flat, length), item)
    merged = make(Op.RESHAPE, (node,), (prod(sizes), *node.shape[len(nodes) :]))
    return make(Op.GATHER, (merged, flat))
