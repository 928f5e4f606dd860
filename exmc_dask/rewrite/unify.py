"""Axes that must be equally long get one name, and a number where one of them is a number.

Expressions of data and parameters say which axes are meant to agree. Every other pass may then
compare shapes by name, and whether the data really agree is checked when they are bound.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exmc_dask.errors import ShapeError
from exmc_dask.expressions.axes import Dim, Joined, Sliced, extent, joined, sliced
from exmc_dask.expressions.graph import leaves, map_dims, topological
from exmc_dask.expressions.ir import Node, broadcast_to, make
from exmc_dask.expressions.ops import LEAF, Op


@dataclass(frozen=True)
class Agreement:
    """Two axes that must be equally long, and the expression that asks for it."""

    left: Dim
    right: Dim
    node: Node

    def check(self, lengths: Mapping[str, int]) -> None:
        """Raise ShapeError where `lengths` do not agree."""
        left, right = extent(self.left, lengths), extent(self.right, lengths)
        if left != right:
            raise ShapeError(
                f"{_named(self.left)} has length {left}, but {_named(self.right)} has {right}, and "
                f"they meet in an expression ({self.node.op.value}) of "
                f"{', '.join(leaves(self.node))}; give data whose lengths fit"
            )

    def __str__(self) -> str:
        return f"{self.left} = {self.right}"


def _named(dim: Dim) -> str:
    """Axis in the user's terms: the slot, and which of its axes."""
    if isinstance(dim, str):
        slot, axis = dim.rsplit(".", 1)
        return f"axis {axis} of '{slot}'"
    return "the axis it meets" if isinstance(dim, int) else f"axis {dim}"


def unify(roots: Sequence[Node]) -> tuple[list[Node], list[Agreement]]:
    """Give equal axes one name.

    Returns
    -------
    roots : list of Node
        The same values; no BROADCAST is left that only renames an axis, except behind
        operations that cut or join axes.
    agreements : list of Agreement
        What must hold of the data, in the names they had before.

    Raises
    ------
    ShapeError
        Two different numbers would have to be equal.
    """
    order = topological(roots)
    agreements: dict[tuple[Dim, Dim], Agreement] = {}
    for node in order:
        for left, right in _pairs(node):
            if left != right:
                agreements.setdefault((left, right), Agreement(left, right, node))
    names = _Names()
    while any([names.join(found) for found in agreements.values()]):
        pass  # one agreement may show two derived axes to be the same
    return _all_renamed(roots, names), list(agreements.values())


def _pairs(node: Node) -> Iterator[tuple[Dim, Dim]]:
    """Axes that an operation takes to be equally long; the second gives the name if it can."""
    shapes = [operand.shape for operand in node.src]
    match node.op:
        case Op.BROADCAST:
            meeting = zip(reversed(shapes[0]), reversed(node.shape), strict=False)
            yield from ((have, want) for have, want in meeting if have != 1)
        case Op.MATMUL:
            yield shapes[1][0], shapes[0][-1]
        case Op.CHOLESKY:
            yield shapes[0][0], shapes[0][1]
        case Op.TRISOLVE:
            yield shapes[0][0], shapes[0][1]
            yield shapes[1][0], shapes[0][1]
        case Op.CONCAT:
            for shape in shapes[1:]:
                pairs = enumerate(zip(shape, shapes[0], strict=True))
                yield from (pair for axis, pair in pairs if axis != node.arg)
        case Op.TRIANGLE:
            yield from ((shape[0], shapes[0][0]) for shape in shapes[1:])
        case Op.EMBED:
            whole, cuts = node.arg
            for have, dim, cut in zip(shapes[0], whole, cuts, strict=True):
                yield have, sliced(dim, *cut)
        case Op.SCATTER_ADD:
            yield from zip(shapes[0], shapes[1], strict=False)
        case Op.SCAN:
            body = node.arg
            for place, (leaf, shape) in enumerate(zip(body.leaves, shapes, strict=True)):
                row = (body.length,) if place in body.sequences else ()
                yield from zip(shape, row + leaf.shape, strict=True)
            for inner in topological([body.root]):
                yield from _pairs(inner)


class _Names:
    """Disjoint sets of axes; a number speaks for its set, else a symbol."""

    def __init__(self) -> None:
        self.parent: dict[Dim, Dim] = {}

    def __call__(self, dim: Dim) -> Dim:
        """Return the name that stands for `dim`."""
        match dim:
            case Sliced():
                dim = sliced(self(dim.base), dim.start, dim.stop, dim.step)
            case Joined():
                dim = joined(tuple(map(self, dim.parts)))
        while dim in self.parent:
            dim = self.parent[dim]
        return dim

    def join(self, found: Agreement) -> bool:
        """Put two axes into one set; False where they are in one already."""
        left, right = self(found.left), self(found.right)
        if left == right:
            return False
        if isinstance(left, int) and isinstance(right, int):
            raise ShapeError(
                f"axes {found.left} and {found.right} have lengths {left} and {right}, and they "
                f"meet in an expression ({found.node.op.value}) of "
                f"{', '.join(leaves(found.node))}"
            )
        if _weight(left) < _weight(right):
            left, right = right, left
        self.parent[left] = right
        return True


def _weight(dim: Dim) -> int:
    return 0 if isinstance(dim, int) else 1 if isinstance(dim, str) else 2


def _all_renamed(roots: Sequence[Node], names: _Names) -> list[Node]:
    new: dict[Node, Node] = {}
    for node in topological(roots):
        new[node] = _renamed(node, tuple(new[operand] for operand in node.src), names)
    return [new[root] for root in roots]


def _renamed(node: Node, src: tuple[Node, ...], names: _Names) -> Node:
    shape = tuple(map(names, node.shape))
    if node.op is Op.SCAN:
        root, *leaves = _all_renamed([node.arg.root, *node.arg.leaves], names)
        length = names(node.arg.length)
        body = replace(node.arg, root=root, leaves=tuple(leaves), length=length)
        return broadcast_to(make(Op.SCAN, src, body), shape)
    if node.op is Op.BROADCAST:
        return broadcast_to(src[0], shape)
    if node.op in LEAF and node.op is not Op.RANGE:
        return make(node.op, (), node.arg, shape, node.dtype)
    made = make(node.op, src, map_dims(node.op, node.arg, names))
    return broadcast_to(made, shape)
