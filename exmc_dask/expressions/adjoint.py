"""The derivative of a SCAN: another SCAN, from its last step to its first.

With rows ``h[t] = body(h[t - 1], x[t], c)`` and what reaches them from outside, ``G[t]``, the
adjoint of the carry obeys ``a[t - 1] = J[t]' (G[t] + a[t])`` with the Jacobian J[t] of the body
(Griewank and Walther 2008, "Evaluating Derivatives", chapter 3). That product is itself a gradient,
of ``sum(body * (G + a))``, so the body needs no rules of its own. What reaches a row of a sequence,
or a constant, is kept of each step; of a constant it is summed up afterwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exmc_dask.errors import ModelError
from exmc_dask.expressions.axes import is_static, show, static_size
from exmc_dask.expressions.body import Body, local
from exmc_dask.expressions.graph import is_data, leaves, substitute, topological
from exmc_dask.expressions.ir import Node, broadcast_to, const, make
from exmc_dask.expressions.ops import FLOAT, Op

type Gradient = Callable[[Node, Sequence[Node]], list[Node]]


@dataclass(frozen=True)
class Swept:
    """A backward scan, and the columns of it that belong to each operand of the forward one."""

    node: Node
    columns: dict[int, slice]


def received(node: Node, g: Node, i: int, gradient: Gradient) -> Node:
    """Return what operand `i` of a SCAN receives where `node` receives `g`.

    `gradient` is that of ``grad.py``. Operands made of data only get no column.
    """
    body: Body = node.arg
    swept = _sweep(node, g, gradient)
    columns = swept.columns[i]
    back: Body = swept.node.arg
    if i == 0:
        began: Node = g[body.first, columns] + swept.node[back.last, columns]
        return began
    rows = swept.node[back.steps, columns]
    if i in body.constants:
        return rows.sum(0).reshape(node.src[i].shape)
    return broadcast_to(rows.reshape(body.length, *node.src[i].shape[1:]), node.src[i].shape)


def _sweep(node: Node, g: Node, gradient: Gradient) -> Swept:
    """Build the backward scan; hash-consing makes it the same one for every operand."""
    body: Body = node.arg
    n = body.n_carry
    places = [p for p in range(1, len(node.src)) if _is_active(node.src[p])]
    sizes = {place: _size(node, place) for place in places}

    before, outside = node[body.before, :n], g[body.steps]
    operands = (before, outside, *(node.src[place] for place in range(1, len(node.src))))
    init = broadcast_to(const(0.0), (n,))
    n_rows = 2 + body.n_sequences
    adjoint, carry, reached, *others = [
        local(place, like, is_row=1 <= place <= n_rows)
        for place, like in enumerate((init, *operands))
    ]
    meanings = dict(zip(body.leaves, (carry, *others), strict=True))
    (step,) = substitute([body.root], meanings)
    parts = _parts(step, carry)
    wanted = [part for part in parts if not is_data(part)]
    wanted += [others[place - 1] for place in places]
    slopes = dict(zip(wanted, gradient(_pulled(step, n, reached, adjoint), wanted), strict=True))

    pieces = [slopes.get(part, part) for part in parts]
    columns, used = {0: slice(0, n)}, n
    for place in places:
        columns[place] = slice(used, used + sizes[place])
        pieces.append(slopes[others[place - 1]].reshape(sizes[place]))
        used += sizes[place]
    root = make(Op.CONCAT, tuple(pieces), 0)
    back = Body(
        root, (adjoint, carry, reached, *others), n_rows, body.length, reverse=not body.reverse
    )
    return Swept(make(Op.SCAN, (init, *operands), back), columns)


def _pulled(step: Node, n: int, reached: Node, adjoint: Node) -> Node:
    """Sum whose gradient is what the operands of a step receive; piece by piece of a row."""
    total, start = const(0.0), 0
    for piece in _joined(step):
        size = static_size(piece.shape)
        for first, last, is_carry in _split(start, start + size, n):
            weight = reached[first:last]
            weight = weight + adjoint[first:last] if is_carry else weight
            total = total + (piece[first - start : last - start] * weight).sum()
        start += size
    return total


def _joined(node: Node) -> list[Node]:
    """Pieces of which a vector is joined."""
    return [x for part in node.src for x in _joined(part)] if node.op is Op.CONCAT else [node]


def _split(first: int, last: int, n: int) -> list[tuple[int, int, bool]]:
    """Stretch of a row as one of the carry, which ends at `n`, and one behind it."""
    both = [(first, min(last, n), True), (max(first, n), last, False)]
    return [part for part in both if part[0] < part[1]]


def _parts(step: Node, carry: Node) -> list[Node]:
    """Slices that a step takes of its carry, with zeros between them: a derivative for each.

    The whole carry where they overlap, or where it is read in another way.
    """
    readers = [node for node in topological([step]) if carry in node.src]
    n = static_size(carry.shape)
    parts: list[Node] = []
    used = 0
    for start, stop, node in sorted(map(_stretch, readers), key=lambda cut: cut[:2]):
        if node.op is not Op.SLICE or start < used:
            return [carry]
        parts += [broadcast_to(const(0.0), (start - used,))] if start > used else []
        parts.append(node)
        used = stop
    return parts + ([broadcast_to(const(0.0), (n - used,))] if n > used else [])


def _stretch(reader: Node) -> tuple[int, int, Node]:
    if reader.op is not Op.SLICE or reader.arg[0][2] != 1:
        return 0, 0, reader
    places = range(static_size(reader.src[0].shape))[slice(*reader.arg[0])]
    return places.start, places.stop, reader


def _is_active(operand: Node) -> bool:
    return operand.dtype == FLOAT and not is_data(operand)


def _size(node: Node, place: int) -> int:
    """Return the number of elements of an operand that one step reads."""
    shape = node.arg.leaves[place].shape
    if not is_static(shape):
        names = ", ".join(leaves(node.src[place]))
        raise ModelError(
            f"scan takes {show(shape)} of an expression of {names}, whose size only the data "
            "know, so it has no derivative; give it a shape of numbers, or use the expression "
            "outside of the step"
        )
    return static_size(shape)
