"""How a stored value is filled: the tasks that write each kind of value to its array."""

from collections.abc import Iterator, Mapping, Sequence

from exmc_dask.expressions.axes import Dim, Shape
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import ELEMENTWISE, REDUCTION, Op

from .access import LANE, ZERO, Axes, Element, Index, atom
from .normal import loop_order, normal, squeezed, transposed
from .steps import Steps
from .tasks import (
    Buffer,
    Kind,
    Task,
    count_uses,
    is_inner,
    is_reduction,
    summand,
    variables,
    whole,
)

_WHOLE = frozenset(
    {Op.SCATTER_ADD, Op.CUMSUM, Op.CHOLESKY, Op.TRISOLVE, Op.EMBED, Op.CONCAT, Op.SCAN}
)


class Filling:
    """Tasks for values, one value at a time.

    Attributes
    ----------
    axes : Axes
    scans : mapping of Node to Steps
        The bodies of all scans.
    uses : dict of Node to int
        How often each value is used.
    """

    def __init__(self, axes: Axes, scans: Mapping[Node, Steps]) -> None:
        self.axes = axes
        self.scans = scans
        self.uses: dict[Node, int] = {}
        self._assembled: set[Node] = set()

    def look(self, nodes: Sequence[Node]) -> None:
        """Count uses in a graph before tasks are made for it."""
        for node, count in count_uses(nodes).items():
            self.uses.setdefault(node, count)
        self._assembled = _assembled(nodes, self.uses)

    def space(self, shape: Shape) -> tuple[Dim, ...]:
        """Index space of a value: its axes longer than 1, equal dimensions under one name."""
        return tuple(self.axes.same(dim) for dim in squeezed(shape))

    def is_rowwise(self, node: Node) -> bool:
        """Whether a product of a data matrix gives one element for each step of its long axis."""
        return self._is_tiled(node) and self.axes.row_axis(node.src[0]) == 0

    def _is_tiled(self, node: Node) -> bool:
        """Whether a product of a data matrix and a vector can be made tile by tile."""
        return node.op is Op.MATMUL and node.ndim == 1 and self.axes.runs_along_rows(node.src[0])

    def is_whole(self, node: Node) -> bool:
        """Whether a value exists only as a whole."""
        if is_reduction(node):
            return not is_inner(node)
        if node.op is Op.MATMUL:
            return not self.is_rowwise(node)
        return node.op in _WHOLE or node in self._assembled

    def reduce(self, node: Node) -> Task:
        """Return the task of an inner reduction."""
        element = summand(Element(node, variables(node.shape)))
        dims = self.space(node.src[0].shape)
        return Task(Kind.REDUCE, node, dims, (element,), kept=len(squeezed(node.shape)))

    def into(
        self, buffer: Buffer, value: Node, own: tuple[Index, ...], at: tuple[Index, ...], kind: Kind
    ) -> Task:
        """Return the task that puts element `own` of a value into place `at` of a buffer."""
        return Task(kind, buffer.node, self.space(value.shape), (Element(value, own),), buffer, at)

    def copy(self, buffer: Buffer, value: Node) -> Task:
        """Return the task that stores a value, its loops in good order."""
        plain = tuple(range(value.ndim))
        order = loop_order(value.shape) if value.op in ELEMENTWISE else plain
        at = variables(value.shape, order)
        if order == plain:
            return self.into(buffer, value, at, at, Kind.STORE)
        turned = transposed(value, order)
        return self.into(buffer, turned, tuple(at[axis] for axis in order), at, Kind.STORE)

    def fill(self, node: Node, buffer: Buffer) -> Iterator[Task]:
        """Yield the tasks that fill the buffer of a value."""
        match node.op:
            case Op.EMBED:
                yield from self._assemble(node, buffer)
            case _ if node in self._assembled:
                yield from self._assemble(node, buffer)
            case Op.CONCAT:
                yield from self._concatenate(node, buffer)
            case Op.CUMSUM:
                yield self._scan(node, buffer)
            case Op.SCAN:
                yield from self._recur(node, buffer)
            case Op.SCATTER_ADD:
                updates, places = node.src
                own = variables(updates.shape)
                place = Element(places, own[: places.ndim])
                in_lane = self.axes.is_lane(place)
                at = (atom(LANE if in_lane else place), *own[places.ndim :])
                task = self.into(buffer, updates, own, at, Kind.ADD)
                task.values += (place,)
                task.fresh = True
                yield task
            case Op.MATMUL if not self._is_tiled(node):
                sources = [x.src[0] if x.op is Op.TRANSPOSE else x for x in node.src]
                yield Task(Kind.CALL, node, (), tuple(map(whole, sources)), buffer)
            case Op.CHOLESKY | Op.TRISOLVE:
                yield Task(Kind.CALL, node, (), tuple(map(whole, node.src)), buffer)
            case Op.MATMUL if not self.is_rowwise(node):
                vector = node.src[1]
                task = self.into(buffer, vector, variables(vector.shape), (), Kind.PRODUCT)
                task.fresh = True
                yield task
            case _ if node.op in REDUCTION and not is_inner(node):
                own = variables(node.src[0].shape)
                kept = tuple(index for axis, index in enumerate(own) if axis not in node.arg)
                buffer.lead = node.arg[0]
                task = self.into(buffer, node.src[0], own, kept, Kind.ADD)
                task.fresh = True
                yield task
            case _:
                task = self.copy(buffer, node)
                task.makes = task.values[0].node is node
                buffer.lead = len(squeezed(node.shape)) if task.makes else 0
                yield task

    def _concatenate(self, node: Node, buffer: Buffer) -> Iterator[Task]:
        axis, offset = node.arg, ZERO
        for piece in node.src:
            own = variables(piece.shape)
            at = (*own[:axis], own[axis] + offset, *own[axis + 1 :])
            yield self.into(buffer, piece, own, at, Kind.STORE)
            offset = offset + self.axes.extent(piece.shape[axis])

    def _scan(self, node: Node, buffer: Buffer) -> Task:
        axis = node.arg[0]
        order = (*(other for other in range(node.ndim) if other != axis), axis)
        at = variables(node.shape, order)
        dims = self.space(tuple(node.shape[each] for each in order))
        return Task(Kind.SCAN, node, dims, (Element(node.src[0], at),), buffer, at)

    def _recur(self, node: Node, buffer: Buffer) -> Iterator[Task]:
        """Yield tasks for a SCAN: what it begins from, then its steps."""
        steps, init = self.scans[node], node.src[0]
        own = variables(init.shape)
        begin = self.into(buffer, init, own, (steps.first(self.axes), *own), Kind.STORE)
        yield begin
        values = tuple(map(whole, steps.outside))
        yield Task(Kind.STEPS, node, (), values, buffer, after=[begin])

    def _assemble(self, node: Node, buffer: Buffer) -> Iterator[Task]:
        """Yield tasks for a sum of whole values and embedded slices: base, then each slice."""
        dense, pieces = self._terms(node)
        before: list[Task] = []
        if dense:
            total = dense[0]
            for term in dense[1:]:
                total = normal(Op.ADD, total, term)
            at = variables(node.shape)
            before.append(self.into(buffer, total, at, at, Kind.STORE))
        for piece in pieces:
            own = variables(piece.src[0].shape)
            task = self.into(buffer, piece.src[0], own, self.axes.sliced(own, *piece.arg), Kind.ADD)
            task.fresh = not before
            task.after = before[-1:]
            before.append(task)
        yield from before

    def _terms(self, node: Node) -> tuple[list[Node], list[Node]]:
        """Split a sum into whole values and EMBEDs."""
        dense: list[Node] = []
        pieces: list[Node] = []
        stack = [(node, False)]
        while stack:
            term, negative = stack.pop()
            if term in self._assembled and (term is node or self.uses[term] == 1):
                left, right = term.src
                stack += [(right, negative ^ (term.op is Op.SUB)), (left, negative)]
                continue
            term = normal(Op.NEG, term) if negative else term
            (pieces if term.op is Op.EMBED else dense).append(term)
        return dense, pieces


def _assembled(roots: Sequence[Node], uses: Mapping[Node, int]) -> set[Node]:
    """Return the sums that have an EMBED among their terms."""
    found: set[Node] = set()
    for node in topological(roots):
        if node.op in (Op.ADD, Op.SUB) and any(
            operand.op is Op.EMBED or (operand in found and uses[operand] == 1)
            for operand in node.src
        ):
            found.add(node)
    return found
