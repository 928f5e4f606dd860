"""What is stored, and by which tasks: everything that cannot or should not be calculated twice.

A value gets an array where only the whole of it exists (a cumulative sum, a factor, a scatter),
where another loop reads shifted or gathered elements of it and they are not cheap, or where several
loops need it and it is dear. Everything else is calculated inside of the loop that uses it.
"""

from collections.abc import Iterator, Mapping, Sequence

from exmc_dask.axes import Dim, Shape
from exmc_dask.graph import topological
from exmc_dask.ir import Node
from exmc_dask.ops import ELEMENTWISE, LEAF, REDUCTION, Op

from .access import VARIABLES, ZERO, Axes, Element, Index, atom, is_squeeze
from .normal import is_length, loop_order, normal, squeezed, transposed
from .steps import Steps
from .tasks import (
    DEAR,
    Buffer,
    Kind,
    Root,
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
FIXED = LEAF - {Op.LOCAL}
"""Leaves that are what they are; a LOCAL one is a row of something."""
_MANY = 100
_RECOMPUTE = 8  # operations a shifted or gathered element may cost before its array is stored


class Stored:
    """The tasks of one function and the arrays they fill.

    Attributes
    ----------
    axes : Axes
    tasks : list of Task
        In the order in which they were found; only `Task.after` and what they read orders them.
    buffers : dict of Node to Buffer
        Values that are read from memory.
    makers : dict of Node to list of Task
        The tasks that fill the buffer of a value.
    uses : dict of Node to int
        How often each value is used.
    scans : mapping of Node to Steps
        The bodies of all scans.
    """

    def __init__(self, axes: Axes, scans: Mapping[Node, Steps]) -> None:
        self.axes = axes
        self.scans = scans
        self.tasks: list[Task] = []
        self.buffers: dict[Node, Buffer] = {}
        self.makers: dict[Node, list[Task]] = {}
        self.uses: dict[Node, int] = {}
        self._outside: frozenset[Node] = frozenset()
        self._assembled: set[Node] = set()
        self._weights: dict[Node, int] = {}

    @classmethod
    def of_function(
        cls,
        axes: Axes,
        scans: Mapping[Node, Steps],
        roots: Sequence[Root],
        result: Node | None,
    ) -> "Stored":
        """Return the tasks of a whole function."""
        made = cls(axes, scans)
        nodes = [root.node for root in roots] + ([] if result is None else [result])
        made._look(nodes)
        for root in roots:
            made._add_root(root)
        if result is not None:
            made.tasks.append(Task(Kind.RETURN, result, values=(Element(result, ()),)))
        made.discover()
        return made

    def of_steps(self, node: Node) -> "Stored":
        """Return the tasks of one step of a SCAN; they may read all that is stored here."""
        made, steps = Stored(self.axes, self.scans), self.scans[node]
        made.buffers, made.uses = self.buffers, self.uses
        made._outside = frozenset(steps.outside)
        made._look(steps.pieces)
        row, column = steps.row(self.axes), ZERO
        for piece in steps.pieces:
            (own,) = variables(piece.shape)
            at = (row, column + own)
            made.tasks.append(made._into(self.buffers[node], piece, (own,), at, Kind.STORE))
            column = column + self.axes.extent(piece.shape[0])
        made.discover()
        return made

    def _look(self, nodes: Sequence[Node]) -> None:
        for node, count in count_uses(nodes).items():
            self.uses.setdefault(node, count)
        self._assembled = _assembled(nodes, self.uses)

    def _add_root(self, root: Root) -> None:
        node = root.node
        while node.op is Op.RESHAPE and is_squeeze(node):
            node = node.src[0]
        buffer = Buffer(node, root.array, node.shape, root.label, root.offset)
        if self._is_whole(node) and node not in self.buffers:
            self.store(node, buffer)
        else:
            self.tasks.append(self._copy(buffer, node))

    def space(self, shape: Shape) -> tuple[Dim, ...]:
        """Index space of a value: its axes longer than 1, equal dimensions under one name."""
        return tuple(self.axes.same(dim) for dim in squeezed(shape))

    def is_rowwise(self, node: Node) -> bool:
        """Whether a product of a data matrix gives one element for each step of its long axis."""
        return self._is_tiled(node) and self.axes.row_axis(node.src[0]) == 0

    def _is_tiled(self, node: Node) -> bool:
        """Whether a product of a data matrix and a vector can be made tile by tile."""
        return node.op is Op.MATMUL and node.ndim == 1 and self.axes.runs_along_rows(node.src[0])

    def _is_whole(self, node: Node) -> bool:
        """Whether a value exists only as a whole."""
        if is_reduction(node):
            return not is_inner(node)
        if node.op is Op.MATMUL:
            return not self.is_rowwise(node)
        return node.op in _WHOLE or node in self._assembled

    # -- walking ---------------------------------------------------------------------------------

    def walk(self, task: Task, depth: int) -> Iterator[tuple[Element, tuple[Dim, ...]]]:
        """Elements that one turn of a task calculates inside of `depth` loops, with their loops.

        Elements that are ready there are among them; what they were made from is not.
        """
        seen: set[Element] = set()
        stack = [(element, task.dims) for element in reversed(task.values)]
        while stack:
            element, dims = stack.pop()
            if element in seen or element.node in self._outside:
                continue
            seen.add(element)
            yield element, dims
            node = element.node
            if node in self.buffers and not task.calculates(element):
                continue
            if is_reduction(node):
                if len(squeezed(node.shape)) > depth:
                    stack.append((summand(element), self.space(node.src[0].shape)))
            elif self.is_rowwise(node):
                stack.append((whole(node.src[1]), dims))
            else:
                stack += [(operand, dims) for operand in reversed(self.axes.operands(element))]

    def is_aligned(self, element: Element, dims: tuple[Dim, ...], depth: int) -> bool:
        """Whether an element belongs to the same turn of the loop at `depth`."""
        axes = [axis for axis, dim in enumerate(element.node.shape) if dim != 1]
        if len(element.at) != element.node.ndim or len(axes) <= depth or len(dims) <= depth:
            return False
        axis = axes[depth]
        same = self.axes.same(element.node.shape[axis]) == dims[depth]
        return same and element.at[axis] == atom(VARIABLES[depth])

    def address(self, element: Element) -> tuple[Node, Index] | None:
        """Array and place an element is read from; None where it has to be calculated."""
        element = self._origin(element)
        node = element.node
        if node not in self.buffers and node.op not in (Op.DATA, Op.PARAM):
            return None
        if len(element.at) == 1 and node.ndim != 1:
            return node, element.at[0]
        return node, self.axes.flat(element.at, node.shape)

    def _origin(self, element: Element) -> Element:
        """Element of which this one is a view, as far as it is one."""
        while element.node not in self.buffers and element.node.op not in ELEMENTWISE:
            operands = self.axes.operands(element)
            if len(operands) != 1:
                break
            element = operands[0]
        return element

    def _will_be_read(self, element: Element) -> bool:
        """Whether an element is, or will be, one of a stored array."""
        node = self._origin(element).node
        return node in self.buffers or node.op in (Op.DATA, Op.PARAM) or self._is_whole(node)

    # -- deciding --------------------------------------------------------------------------------

    def discover(self, first: int = 0) -> None:
        """Find everything that has to be stored for the tasks from `first` on."""
        totals = {task.node for task in self.tasks if task.kind is Kind.REDUCE}
        for task in _growing(self.tasks, first):
            for element, dims in self.walk(task, 0):
                node = element.node
                if node.op in FIXED or (node in self.buffers and not task.calculates(element)):
                    continue
                if is_reduction(node) and not node.shape:
                    if node not in totals:
                        totals.add(node)
                        self.tasks.append(self.reduce(node))
                elif not task.calculates(element) and self._must_be_stored(element, dims, task):
                    self.store(node)
                elif node.op is Op.RESHAPE and not is_squeeze(node):
                    self._need_array(node.src[0])
                elif self.is_rowwise(node):
                    self._need_array(node.src[1])

    def _need_array(self, node: Node) -> None:
        if node not in self.buffers and node.op not in (Op.PARAM, Op.DATA):
            self.store(node)

    def _must_be_stored(self, element: Element, dims: tuple[Dim, ...], task: Task) -> bool:
        node = element.node
        depth = len(squeezed(node.shape))
        if self._is_whole(node) or (task.kind is Kind.CALL and element in task.values):
            return True
        if task.kind is Kind.STEPS and element in task.values:
            return bool(depth) and not self._will_be_read(element)
        if not depth or is_length(node):
            return False
        if is_reduction(node):
            aligned = all(self.is_aligned(element, dims, each) for each in range(depth))
            return not aligned or task.kind is Kind.SCAN
        if self.is_rowwise(node):
            return not self.is_aligned(element, dims, 0) or task.kind is Kind.SCAN
        if node.op in ELEMENTWISE and not self.is_aligned(element, dims, 0):
            return self._weigh(node) > _RECOMPUTE
        return False

    def _weigh(self, node: Node) -> int:
        """Return the operations that one element of `node` costs where it is not stored."""
        for each in topological([node]):
            if each not in self._weights:
                self._weights[each] = self._own_weight(each)
        return self._weights[node]

    def _own_weight(self, node: Node) -> int:
        if node.op in LEAF or node in self.buffers or not squeezed(node.shape):
            return 0
        own = _MANY if node.op in DEAR else int(node.op in ELEMENTWISE)
        return min(_MANY, own + sum(self._weights[operand] for operand in node.src))

    # -- storing ---------------------------------------------------------------------------------

    def store(self, node: Node, buffer: Buffer | None = None) -> None:
        """Give `node` a buffer, in ``work`` by default, and make the tasks that fill it."""
        buffer = buffer or Buffer(node, "work", node.shape)
        self.buffers[node] = buffer
        self.makers[node] = list(self._fill(node, buffer))
        self.tasks += self.makers[node]
        self._weights.clear()

    def reduce(self, node: Node) -> Task:
        """Return the task of an inner reduction."""
        element = summand(Element(node, variables(node.shape)))
        dims = self.space(node.src[0].shape)
        return Task(Kind.REDUCE, node, dims, (element,), kept=len(squeezed(node.shape)))

    def _into(
        self, buffer: Buffer, value: Node, own: tuple[Index, ...], at: tuple[Index, ...], kind: Kind
    ) -> Task:
        return Task(kind, buffer.node, self.space(value.shape), (Element(value, own),), buffer, at)

    def _copy(self, buffer: Buffer, value: Node) -> Task:
        """Return the task that stores a value, its loops in good order."""
        plain = tuple(range(value.ndim))
        order = loop_order(value.shape) if value.op in ELEMENTWISE else plain
        at = variables(value.shape, order)
        if order == plain:
            return self._into(buffer, value, at, at, Kind.STORE)
        turned = transposed(value, order)
        return self._into(buffer, turned, tuple(at[axis] for axis in order), at, Kind.STORE)

    def _fill(self, node: Node, buffer: Buffer) -> Iterator[Task]:
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
                at = (atom(place), *own[places.ndim :])
                task = self._into(buffer, updates, own, at, Kind.ADD)
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
                task = self._into(buffer, vector, variables(vector.shape), (), Kind.PRODUCT)
                task.fresh = True
                yield task
            case _ if node.op in REDUCTION and not is_inner(node):
                own = variables(node.src[0].shape)
                kept = tuple(index for axis, index in enumerate(own) if axis not in node.arg)
                buffer.lead = node.arg[0]
                task = self._into(buffer, node.src[0], own, kept, Kind.ADD)
                task.fresh = True
                yield task
            case _:
                task = self._copy(buffer, node)
                task.makes = task.values[0].node is node
                buffer.lead = len(squeezed(node.shape)) if task.makes else 0
                yield task

    def _concatenate(self, node: Node, buffer: Buffer) -> Iterator[Task]:
        axis, offset = node.arg, ZERO
        for piece in node.src:
            own = variables(piece.shape)
            at = (*own[:axis], own[axis] + offset, *own[axis + 1 :])
            yield self._into(buffer, piece, own, at, Kind.STORE)
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
        begin = self._into(buffer, init, own, (steps.first(self.axes), *own), Kind.STORE)
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
            before.append(self._into(buffer, total, at, at, Kind.STORE))
        for piece in pieces:
            own = variables(piece.src[0].shape)
            task = self._into(
                buffer, piece.src[0], own, self.axes.sliced(own, *piece.arg), Kind.ADD
            )
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


def _growing(tasks: list[Task], first: int) -> Iterator[Task]:
    """Tasks from `first` on, those included that are added meanwhile."""
    while first < len(tasks):
        yield tasks[first]
        first += 1


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
