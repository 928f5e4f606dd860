"""What is stored, and by which tasks: everything that cannot or should not be calculated twice.

A value gets an array where only the whole of it exists (a cumulative sum, a factor, a scatter),
where another loop reads shifted or gathered elements of it and they are not cheap, or where several
loops need it and it is dear. Everything else is calculated inside of the loop that uses it.
"""

from collections.abc import Iterator, Mapping, Sequence

from exmc_dask.expressions.axes import Dim
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import ELEMENTWISE, LEAF, Op

from .access import VARIABLES, ZERO, Axes, Element, Index, atom, is_squeeze
from .fill import Filling
from .normal import is_length, squeezed
from .steps import Steps
from .tasks import DEAR, Buffer, Kind, Root, Task, is_reduction, summand, variables, whole

FIXED = LEAF - {Op.LOCAL}
"""Leaves that are what they are; a LOCAL one is a row of something."""
_MANY = 100
_RECOMPUTE = 8  # operations a shifted or gathered element may cost before its array is stored


class Stored(Filling):
    """The tasks of one function, or of one step of a scan, and the arrays they fill.

    Attributes
    ----------
    tasks : list of Task
        In the order in which they were found; only `Task.after` and what they read orders them.
    buffers : dict of Node to Buffer
        Values that are read from memory.
    makers : dict of Node to list of Task
        The tasks that fill the buffer of a value.
    """

    def __init__(self, axes: Axes, scans: Mapping[Node, Steps]) -> None:
        super().__init__(axes, scans)
        self.tasks: list[Task] = []
        self.buffers: dict[Node, Buffer] = {}
        self.makers: dict[Node, list[Task]] = {}
        self._outside: frozenset[Node] = frozenset()
        self._beginnings: dict[Node, list[Element]] = {}
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
        made.look(nodes)
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
        made.look(steps.pieces)
        row, column = steps.row(self.axes), ZERO
        for piece in steps.pieces:
            (own,) = variables(piece.shape)
            at = (row, column + own)
            made.tasks.append(made.into(self.buffers[node], piece, (own,), at, Kind.STORE))
            column = column + self.axes.extent(piece.shape[0])
        made.discover()
        return made

    def _add_root(self, root: Root) -> None:
        node = root.node
        while node.op is Op.RESHAPE and is_squeeze(node):
            node = node.src[0]
        buffer = Buffer(node, root.array, node.shape, root.label, root.offset)
        if self.is_whole(node) and node not in self.buffers:
            self.store(node, buffer)
        else:
            self.tasks.append(self.copy(buffer, node))

    # -- walking ---------------------------------------------------------------------------------

    def walk(self, task: Task, depth: int) -> Iterator[tuple[Element, tuple[Dim, ...]]]:
        """Elements that one turn of a task calculates inside of `depth` loops, with their loops.

        Elements that are ready there are among them; what they were made from is not. Scalars that
        are calculated from others are passed by, or a chain of them would be walked again for each.
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
            elif _is_scalar_work(node):
                stack += [(below, dims) for below in reversed(self._below(node))]
            else:
                stack += [(operand, dims) for operand in reversed(self.axes.operands(element))]

    def _below(self, node: Node) -> list[Element]:
        """Return what the work on scalars that ends in `node` begins from, leaves aside."""
        stack = [node] if node not in self._beginnings else []
        while stack:
            top = stack[-1]
            found, unknown = self._look_below(top)
            if unknown:
                stack += unknown
            else:
                self._beginnings[stack.pop()] = found
        return self._beginnings[node]

    def _look_below(self, node: Node) -> tuple[list[Element], list[Node]]:
        """Elements below `node`, and nodes used several times of which they are not yet known."""
        found: dict[Element, None] = {}
        unknown: list[Node] = []
        stack = list(reversed(node.src))
        while stack:
            top = stack.pop()
            if top in self._beginnings:
                found |= dict.fromkeys(self._beginnings[top])
            elif _is_scalar_work(top) and top not in self._outside:
                if self.uses.get(top, 0) > 1:
                    unknown.append(top)
                else:
                    stack += reversed(top.src)
            elif not self._is_ready(top):
                found[Element(top, ())] = None
        return list(found), unknown

    def _is_ready(self, node: Node) -> bool:
        """Whether a scalar is made elsewhere, or is an element of an array that is given."""
        while node.op is Op.SLICE or (node.op is Op.RESHAPE and is_squeeze(node)):
            node = node.src[0]
        return node.op in FIXED or node in self._outside

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
        return node in self.buffers or node.op in (Op.DATA, Op.PARAM) or self.is_whole(node)

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
        if self.is_whole(node) or (task.kind is Kind.CALL and element in task.values):
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
        for each in topological([node], self._weights):
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
        self.makers[node] = list(self.fill(node, buffer))
        self.tasks += self.makers[node]
        self._weights.clear()


def _is_scalar_work(node: Node) -> bool:
    return not node.shape and node.op in ELEMENTWISE


def _growing(tasks: list[Task], first: int) -> Iterator[Task]:
    """Tasks from `first` on, those included that are added meanwhile."""
    while first < len(tasks):
        yield tasks[first]
        first += 1
