"""Graph to loop nests: what is stored, which loops run, in what order, and what shares a loop.

A *task* is one thing that must be done: store a value, add to one, reduce, scan, call. Elementwise
values are no tasks; they are calculated inside of the loop that uses them. Tasks have *times*: one
that reads the elements another makes in the same turn of a loop may share that loop; one that
needs all of it comes later. `plan` gives one level of loops and calls itself for the body, where the
reductions of a row are the tasks.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from graphlib import TopologicalSorter

from exmc_dask.axes import Dim, Shape
from exmc_dask.graph import topological
from exmc_dask.ir import Node, const
from .access import VARIABLES, ZERO, Axes, Element, Index, atom, is_squeeze
from .normal import is_data_matrix, is_length, is_long, normal, squeezed
from exmc_dask.ops import ELEMENTWISE, LEAF, REDUCTION, Op

CHEAP = frozenset(
    {
        Op.NEG, Op.ABS, Op.SIGN, Op.FLOOR, Op.NOT, Op.FLOAT, Op.ADD, Op.SUB, Op.MUL, Op.DIV,
        Op.SQRT, Op.MAXIMUM, Op.MINIMUM, Op.LT, Op.LE, Op.EQ, Op.AND, Op.OR, Op.WHERE,
    }
)  # fmt: skip
DEAR = (ELEMENTWISE - CHEAP) | REDUCTION | {Op.MATMUL}
"""Operations whose result is stored rather than calculated twice."""

_ARRAYS = frozenset(
    {Op.SCATTER_ADD, Op.CUMSUM, Op.CHOLESKY, Op.TRISOLVE, Op.EMBED, Op.CONCAT}
)  # results that exist as a whole only
_MANY = 100
_RECOMPUTE = 8  # operations a shifted or gathered element may cost before its array is stored
TILE = 256  # rows; smaller where a matrix is wide
_TILE_ELEMENTS = 3072  # of a matrix: with its vectors it fits in the first-level cache


class Kind(Enum):
    """What a task does with its value."""

    STORE = "store"
    ADD = "add"
    REDUCE = "reduce"
    SCAN = "scan"
    CALL = "call"  # a function of linalg.py, on whole arrays
    PRODUCT = "product"  # a data matrix transposed times a vector, tile by tile
    RETURN = "return"


@dataclass(eq=False)
class Buffer:
    """Where a stored value lies: row-major in ``work``, ``grad`` or ``out``."""

    node: Node
    array: str
    shape: Shape
    offset: Index | None = None  # within `array`; None until places in ``work`` are given
    label: str = ""  # what the user calls it
    lead: int = 0  # leading axes along which an element is complete within a turn of the loop


@dataclass(eq=False)
class Task:
    """One thing to do for every point of an index space.

    Attributes
    ----------
    kind : Kind
    node : Node
        What it makes.
    dims : tuple of Dim
        Index space, outermost loop first.
    values : tuple of Element
        What it evaluates; the first is stored or added.
    target : Buffer or None
    at : tuple of Index
        Where in the target.
    kept : int
        Depth of loops at which a reduction is complete.
    fresh : bool
        Whether the target is to be filled with zeros first.
    after : list of Task
        Tasks on the same target that come first.
    """

    kind: Kind
    node: Node
    dims: tuple[Dim, ...] = ()
    values: tuple[Element, ...] = ()
    target: Buffer | None = None
    at: tuple[Index, ...] = ()
    kept: int = 0
    fresh: bool = False
    after: "list[Task]" = field(default_factory=list)
    makes: bool = False  # whether `values[0]` is to be calculated although `node` has a buffer


@dataclass(eq=False)
class Loop:
    """A loop over `dim` and its body; tiled loops run over stretches of rows in phases."""

    dim: Dim
    body: "list[Step]"
    tasks: list[Task]
    tile: "Tile | None" = None


@dataclass(eq=False)
class Tile:
    """A loop over stretches of rows: matrix times vector, elements, then products and scatters."""

    rows: int
    outputs: dict[Node, Buffer]  # products of a matrix whose elements the body reads
    vectors: dict[Node, Buffer]  # values of the body that the last phase reads
    last: list[Task]


type Step = Task | Loop
type Needs = dict[Task, list[tuple[Task, bool]]]
"""Task -> the tasks it needs, and whether these may share its loop."""


@dataclass(frozen=True)
class Root:
    """A value that a function has to write."""

    node: Node
    array: str  # "grad" or "out"
    offset: Index
    label: str


def variables(shape: Shape, order: Sequence[int] | None = None) -> tuple[Index, ...]:
    """Loop variables for the axes of `shape`, in `order`; axes of length 1 have none."""
    names = iter(VARIABLES)
    at = [ZERO] * len(shape)
    for axis in range(len(shape)) if order is None else order:
        if shape[axis] != 1:
            at[axis] = atom(next(names))
    return tuple(at)


class Schedule:
    """Loop nests of one function.

    Attributes
    ----------
    buffers : dict of Node to Buffer
    steps : list of Step
    """

    def __init__(self, axes: Axes, roots: Sequence[Root], result: Node | None) -> None:
        self.axes = axes
        self.buffers: dict[Node, Buffer] = {}
        self.tasks: list[Task] = []
        self._makers: dict[Node, list[Task]] = {}
        self._weights: dict[Node, int] = {}
        nodes = [root.node for root in roots] + ([result] if result is not None else [])
        self.uses = count_uses(nodes)
        order = topological(nodes)
        self._assembled = _assembled(order, self.uses)
        self.chosen = {x for node in order if node.op is Op.WHERE for x in node.src[1:]}
        for root in roots:
            self._add_root(root)
        if result is not None:
            self.tasks.append(Task(Kind.RETURN, result, values=(Element(result, ()),)))
        self._discover(0)
        self._share()
        self.steps = self._plan(self.tasks, 0)
        self.steps.sort(key=lambda step: isinstance(step, Task) and step.kind is Kind.RETURN)

    # -- what is stored --------------------------------------------------------------------------

    def _add_root(self, root: Root) -> None:
        node = root.node
        while node.op is Op.RESHAPE and is_squeeze(node):
            node = node.src[0]
        if self._is_array(node) and node not in self.buffers:
            self._store(node, Buffer(node, root.array, node.shape, root.offset, root.label))
            return
        target = Buffer(root.node, root.array, root.node.shape, root.offset, root.label)
        at = variables(root.node.shape)
        self.tasks.append(
            Task(
                Kind.STORE,
                root.node,
                self._space(root.node.shape),
                (Element(root.node, at),),
                target,
                at,
            )
        )

    def _space(self, shape: Shape) -> tuple[Dim, ...]:
        return tuple(self.axes.same(dim) for dim in squeezed(shape))

    def _is_array(self, node: Node) -> bool:
        """Whether a value exists only as a whole."""
        if node.op in REDUCTION and not is_length(node):
            return not _is_inner(node)
        if node.op is Op.MATMUL:
            return not self._is_rowwise(node)
        return node.op in _ARRAYS or node in self._assembled

    def _is_rowwise(self, node: Node) -> bool:
        """Whether a product with a data matrix gives one element a row, rows being the long axis."""
        return node.ndim == 1 and self.axes.row_axis(node.src[0]) == 0

    def _store(self, node: Node, buffer: Buffer | None = None) -> None:
        """Give `node` a buffer and make the tasks that fill it."""
        buffer = buffer or Buffer(node, "work", node.shape)
        self.buffers[node] = buffer
        self._weights.clear()
        made = list(self._fill(node, buffer))
        self._makers[node] = made
        self.tasks.extend(made)

    def _fill(self, node: Node, buffer: Buffer) -> Iterator[Task]:
        at = variables(node.shape)
        src = node.src
        if node in self._assembled or node.op is Op.EMBED:
            yield from self._assemble(node, buffer)
        elif node.op is Op.CONCAT:
            offset = ZERO
            for piece in src:
                own = variables(piece.shape)
                where = (*own[: node.arg], own[node.arg] + offset, *own[node.arg + 1 :])
                yield self._into(buffer, piece, own, where, Kind.STORE)
                offset = offset + self.axes.extent(piece.shape[node.arg])
        elif node.op is Op.SCATTER_ADD:
            own = variables(src[0].shape)
            place = Element(src[1], own[: src[1].ndim])
            task = self._into(buffer, src[0], own, (atom(place), *own[src[1].ndim :]), Kind.ADD)
            task.values += (place,)
            task.fresh = True
            yield task
        elif node.op is Op.CUMSUM:
            axis = node.arg[0]
            order = (*(a for a in range(node.ndim) if a != axis), axis)
            own = variables(node.shape, order)
            dims = tuple(self.axes.same(node.shape[a]) for a in order if node.shape[a] != 1)
            yield Task(Kind.SCAN, node, dims, (Element(src[0], own),), buffer, own)
        elif node.op in (Op.CHOLESKY, Op.TRISOLVE) or (node.op is Op.MATMUL and node.ndim == 2):
            yield Task(Kind.CALL, node, (), tuple(map(_whole, src)), buffer)
        elif node.op is Op.MATMUL and not self._is_rowwise(node):
            own = variables(src[1].shape)
            task = self._into(buffer, src[1], own, (), Kind.PRODUCT)
            task.fresh = True
            yield task
        elif node.op in REDUCTION and not _is_inner(node):
            own = variables(src[0].shape)
            kept = tuple(index for axis, index in enumerate(own) if axis not in node.arg)
            buffer.lead = node.arg[0]
            task = self._into(buffer, src[0], own, kept, Kind.ADD)
            task.fresh = True
            yield task
        else:
            buffer.lead = len(squeezed(node.shape))
            yield Task(
                Kind.STORE,
                node,
                self._space(node.shape),
                (Element(node, at),),
                buffer,
                at,
                makes=True,
            )

    def _into(
        self, buffer: Buffer, piece: Node, own: tuple[Index, ...], at: tuple[Index, ...], kind: Kind
    ) -> Task:
        dims = self._space(piece.shape)
        return Task(kind, buffer.node, dims, (Element(piece, own),), buffer, at)

    def _assemble(self, node: Node, buffer: Buffer) -> Iterator[Task]:
        """Yield tasks for a sum of values and of slices embedded in zeros: base, then each slice."""
        dense, pieces = self._terms(node)
        base: Task | None = None
        if dense:
            total = dense[0]
            for term in dense[1:]:
                total = normal(Op.ADD, total, term)
            at = variables(node.shape)
            base = self._into(buffer, total, at, at, Kind.STORE)
            yield base
        for piece in pieces:
            own = variables(piece.src[0].shape)
            at = self.axes.sliced(own, *piece.arg)
            task = self._into(buffer, piece.src[0], own, at, Kind.ADD)
            task.fresh = base is None
            task.after = [base] if base else []
            base = task
            yield task

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

    # -- walking ---------------------------------------------------------------------------------

    def walk(self, task: Task, depth: int) -> Iterator[tuple[Element, tuple[Dim, ...]]]:
        """Elements that one turn of a task calculates inside of loops of `depth`, and their loops.

        Elements that are ready there are among them; what they are made from is not.
        """
        seen: set[Element] = set()
        stack = [(element, task.dims) for element in reversed(task.values)]
        while stack:
            element, dims = stack.pop()
            if element in seen:
                continue
            seen.add(element)
            yield element, dims
            node = element.node
            if node in self.buffers and not (task.makes and element is task.values[0]):
                continue
            if node.op in REDUCTION:
                kept = len(squeezed(node.shape))
                if (
                    kept > depth
                    and not is_length(node)
                    and node not in self.buffers
                    or (kept > depth and task.makes and element is task.values[0])
                ):
                    stack.append((summand(element), self.reduction_dims(node)))
            elif node.op is Op.MATMUL:
                if not node.ndim == 2 and self._is_rowwise(node):
                    stack.append((_whole(node.src[1]), dims))
            else:
                stack += [(operand, dims) for operand in reversed(self.axes.operands(element))]

    def reduction_dims(self, node: Node) -> tuple[Dim, ...]:
        """Index space of an inner reduction: what it keeps, then what it goes over."""
        return self._space(node.src[0].shape)

    def _weigh(self, node: Node) -> int:
        """Return the operations that one element of `node` costs where it is not stored."""
        if not self._weights:
            self._weights = {}
        for each in topological([node]):
            if each not in self._weights:
                self._weights[each] = self._own_weight(each)
        return self._weights[node]

    def _own_weight(self, node: Node) -> int:
        if node.op in LEAF or node in self.buffers or not squeezed(node.shape):
            return 0
        own = _MANY if node.op in DEAR else int(node.op in ELEMENTWISE)
        return min(_MANY, own + sum(self._weights[operand] for operand in node.src))

    def _is_aligned(self, element: Element, dims: tuple[Dim, ...], depth: int) -> bool:
        """Whether an element belongs to the same turn of the loop at `depth`."""
        axes = [axis for axis, dim in enumerate(element.node.shape) if dim != 1]
        if len(element.at) != element.node.ndim or len(axes) <= depth or len(dims) <= depth:
            return False
        axis = axes[depth]
        same = self.axes.same(element.node.shape[axis]) == dims[depth]
        return same and element.at[axis] == atom(VARIABLES[depth])

    def _discover(self, first: int) -> None:
        """Find everything that has to be stored, beginning at task `first`."""
        totals = {task.node for task in self.tasks if task.kind is Kind.REDUCE}
        done = first
        while done < len(self.tasks):
            task = self.tasks[done]
            done += 1
            for element, dims in self.walk(task, 0):
                node = element.node
                if node in self.buffers or node.op in LEAF:
                    continue
                makes = task.makes and element is task.values[0]
                if self._is_complete_at(node, 0):
                    if node not in totals:
                        totals.add(node)
                        self.tasks.append(self._reduce(node))
                elif not makes and self._must_be_stored(element, dims, task):
                    self._store(node)
                elif node.op is Op.RESHAPE and not is_squeeze(node):
                    self._need_array(node.src[0])
                elif node.op is Op.MATMUL:
                    self._need_array(node.src[1])

    def _need_array(self, node: Node) -> None:
        if node not in self.buffers and node.op not in (Op.PARAM, Op.DATA):
            self._store(node)

    def _must_be_stored(self, element: Element, dims: tuple[Dim, ...], task: Task) -> bool:
        node = element.node
        if self._is_array(node) or (task.kind is Kind.CALL and element in task.values):
            return True
        space = squeezed(node.shape)
        if not space or is_length(node):
            return False
        if node.op in DEAR and node.op not in ELEMENTWISE and task.kind is Kind.SCAN:
            return True
        if node.op in REDUCTION:
            return not all(self._is_aligned(element, dims, depth) for depth in range(len(space)))
        if node.op is Op.MATMUL:
            return not self._is_aligned(element, dims, 0)
        if node.op in ELEMENTWISE and not self._is_aligned(element, dims, 0):
            return self._weigh(node) > _RECOMPUTE
        return False

    def _share(self) -> None:
        """Store what is dear and used by several loops."""
        while True:
            groups = self._groups(*self._needs(self.tasks, 0), 0)
            users: dict[Node, set[int]] = {}
            for number, group in enumerate(groups):
                for task in group:
                    for element, _ in self.walk(task, 0):
                        if element.node.op in DEAR and squeezed(element.node.shape):
                            users.setdefault(element.node, set()).add(number)
            shared = {
                node
                for node, loops in users.items()
                if len(loops) > 1 and node not in self.buffers and not is_length(node)
            }
            outer = shared - {
                below for node in shared for below in topological(node.src) if below in shared
            }
            if not outer:
                return
            first = len(self.tasks)
            for node in sorted(outer, key=list(users).index):
                self._store(node)
            self._discover(first)

    # -- order -----------------------------------------------------------------------------------

    def _needs(self, tasks: Iterable[Task], depth: int) -> tuple[list[Task], Needs]:
        """Return the tasks with the reductions they need at this depth, and what needs what."""
        queue = list(tasks)
        members = set(queue)
        reductions = {task.node: task for task in queue if task.kind is Kind.REDUCE}
        needs: Needs = {}
        for task in queue:  # grows
            needs[task] = [(other, False) for other in task.after if other in members]
            for element, dims in self.walk(task, depth):
                node = element.node
                makes = task.makes and element is task.values[0]
                if node in self.buffers and not makes:
                    for maker in self._makers[node]:
                        if maker in members and maker is not task:
                            inside = task.kind is not Kind.SCAN and depth < lead(maker)
                            aligned = inside and self._is_aligned(element, dims, depth)
                            needs[task].append((maker, aligned and len(task.dims) > depth))
                elif self._is_complete_at(node, depth):
                    if node not in reductions:
                        reductions[node] = self._reduce(node)
                        queue.append(reductions[node])
                        members.add(reductions[node])
                    needs[task].append((reductions[node], False))
        return queue, needs

    def _is_complete_at(self, node: Node, depth: int) -> bool:
        return (
            node.op in REDUCTION
            and not is_length(node)
            and _is_inner(node)
            and len(squeezed(node.shape)) == depth
        )

    def _reduce(self, node: Node) -> Task:
        kept = len(squeezed(node.shape))
        element = summand(Element(node, variables(node.shape)))
        dims = self.reduction_dims(node)
        return Task(Kind.REDUCE, node, dims, (element,), kept=kept)

    def _groups(self, queue: list[Task], needs: Needs, depth: int) -> list[list[Task]]:
        """Tasks that share a loop, or stand alone, in order.

        Everything comes as early as it can, unless there is one loop less when the tasks of a
        loop wait for a later one over the same dimension.
        """
        earliest: dict[Task, int] = {}
        groups = _grouped(queue, _times(queue, needs, earliest), depth)
        tried: set[tuple[Task, Task]] = set()
        while True:
            pair = next(
                (
                    (one, other)
                    for i, one in enumerate(groups)
                    for other in groups[i + 1 :]
                    if _shares(one, other, depth) and (one[0], other[0]) not in tried
                ),
                None,
            )
            if pair is None:
                return groups
            one, other = pair
            tried.add((one[0], other[0]))
            when = _times(queue, needs, earliest)[other[0]]
            waiting = earliest | dict.fromkeys(one, when)
            merged = _grouped(queue, _times(queue, needs, waiting), depth)
            if len(merged) < len(groups):
                groups, earliest = merged, waiting

    def _plan(self, tasks: list[Task], depth: int) -> list[Step]:
        """Put tasks into loops."""
        queue, needs = self._needs(tasks, depth)
        order = {
            task: n
            for n, task in enumerate(
                TopologicalSorter({t: [o for o, _ in needs[t]] for t in queue}).static_order()
            )
        }
        steps: list[Step] = []
        for group in self._groups(queue, needs, depth):
            group.sort(key=order.__getitem__)
            if len(group[0].dims) <= depth or group[0].kind is Kind.SCAN:
                steps.extend(group)
            else:
                steps.append(self._loop(group, depth))
        return steps

    def _loop(self, group: list[Task], depth: int) -> Loop:
        dim = group[0].dims[depth]
        tile = self._tile(group) if depth == 0 else None
        if tile is None:
            return Loop(dim, self._plan(group, depth + 1), group)
        body = [task for task in group if task not in tile.last]
        for node, buffer in tile.vectors.items():
            at = variables(node.shape)
            body.append(Task(Kind.STORE, node, (dim,), (Element(node, at),), buffer, at))
        return Loop(dim, self._plan(body, depth + 1) if body else [], group, tile)

    def _tile(self, group: list[Task]) -> Tile | None:
        """Decide whether a loop runs in tiles, and on what."""
        visited = [element.node for task in group for element, _ in self.walk(task, 0)]
        factors = [
            node
            for node in dict.fromkeys(visited)
            if node.op is Op.MATMUL
            and self._is_rowwise(node)
            and (node not in self.buffers or any(t in group for t in self._makers[node]))
        ]
        products = [task for task in group if task.kind is Kind.PRODUCT]
        scatters = [
            task
            for task in group
            if task.kind is Kind.ADD and task.node.op is Op.SCATTER_ADD and len(task.dims) == 1
        ]
        dear = any(
            node.op in DEAR and node not in self.buffers and squeezed(node.shape)
            for node in visited
        )
        if not factors and not products and not (scatters and dear):
            return None
        last = products + scatters
        vectors: dict[Node, Buffer] = {}
        for task in last:
            node = task.values[0].node
            if self.address(task.values[0]) is None or any(
                maker in group for maker in self._makers.get(node, ())
            ):
                vectors.setdefault(node, Buffer(node, "work", (TILE,)))
        widths = [self._width(node.src[0]) for node in factors + [task.node for task in products]]
        wide = max((w if isinstance(w, int) else 64 for w in widths), default=1)
        rows = max(16, min(TILE, _TILE_ELEMENTS // wide // 16 * 16))
        for buffer in vectors.values():
            buffer.shape = (rows,)
        outputs = {
            node: self.buffers.get(node) or Buffer(node, "work", (rows,)) for node in factors
        }
        return Tile(rows, outputs, vectors, last)

    def tile_buffers(self) -> list[Buffer]:
        """Scratch of one tile."""
        return [
            buffer
            for step in self.steps
            if isinstance(step, Loop) and step.tile is not None
            for buffer in (*step.tile.outputs.values(), *step.tile.vectors.values())
            if buffer is not self.buffers.get(buffer.node)
        ]

    def _width(self, matrix: Node) -> Dim:
        return self.axes.same(matrix.shape[1 - self.axes.row_axis(matrix)])

    def address(self, element: Element) -> tuple[Node, Index] | None:
        """Return the stored array an element is read from and its place there, if it is simply read."""
        while element.node.op not in (Op.DATA, Op.PARAM) and element.node not in self.buffers:
            operands = self.axes.operands(element)
            if len(operands) != 1 or element.node.op in ELEMENTWISE:
                return None
            element = operands[0]
        node = element.node
        flat = len(element.at) == 1 and node.ndim != 1
        return node, element.at[0] if flat else self.axes.flat(element.at, node.shape)


def _times(queue: list[Task], needs: Needs, earliest: Mapping[Task, int]) -> dict[Task, int]:
    """Return the earliest time of every task."""
    times: dict[Task, int] = {}
    for task in TopologicalSorter({t: [o for o, _ in needs[t]] for t in queue}).static_order():
        after = [times[other] + (not same) for other, same in needs[task]]
        times[task] = max(after, default=0)
        times[task] = max(times[task], earliest.get(task, 0))
    return times


def _grouped(queue: list[Task], times: Mapping[Task, int], depth: int) -> list[list[Task]]:
    """Tasks that share a loop, or stand alone, by time."""
    groups: dict[tuple[int, object], list[Task]] = {}
    for task in queue:
        key = id(task) if _is_alone(task, depth) else task.dims[depth]
        groups.setdefault((times[task], key), []).append(task)
    return [groups[key] for key in sorted(groups, key=lambda key: key[0])]


def _is_alone(task: Task, depth: int) -> bool:
    return len(task.dims) <= depth or task.kind is Kind.SCAN


def _shares(one: list[Task], other: list[Task], depth: int) -> bool:
    """Whether two groups are loops over the same dimension."""
    if _is_alone(one[0], depth) or _is_alone(other[0], depth):
        return False
    return one[0].dims[depth] == other[0].dims[depth]


def lead(task: Task) -> int:
    """Depth of loops up to which what a task stores is complete within a turn."""
    return task.target.lead if task.target is not None else 0


def _whole(node: Node) -> Element:
    """Return an operand that is needed as a whole; no loop variable fits its index."""
    return Element(node, tuple(atom("all") for _ in node.shape))


def summand(element: Element) -> Element:
    """Return what an inner reduction adds up for one of its elements."""
    node = element.node
    kept = iter(element.at)
    names = iter(VARIABLES[len(squeezed(node.shape)) :])
    shape = node.src[0].shape
    at = [
        (ZERO if dim == 1 else atom(next(names))) if axis in node.arg else next(kept)
        for axis, dim in enumerate(shape)
    ]
    return Element(node.src[0], tuple(at))


def _is_inner(node: Node) -> bool:
    """Whether a reduction goes over the trailing axes."""
    long = [axis for axis, dim in enumerate(node.src[0].shape) if dim != 1]
    kept = [axis for axis in long if axis not in node.arg]
    return kept == long[: len(kept)]


def count_uses(roots: Sequence[Node]) -> dict[Node, int]:
    """How often each value is used, uses through views included."""
    from .access import VIEWS

    order = topological(roots)
    uses = dict.fromkeys(order, 0)
    for root in roots:
        uses[root] += 1
    for node in reversed(order):
        for place, operand in enumerate(node.src):
            through = node.op in VIEWS and place == 0
            uses[operand] += max(1, uses[node]) if through else 1
    return uses


def _assembled(order: Sequence[Node], uses: Mapping[Node, int]) -> set[Node]:
    """Return the sums that have an EMBED among their terms."""
    found: set[Node] = set()
    for node in order:
        if node.op in (Op.ADD, Op.SUB) and any(
            operand.op is Op.EMBED or (operand in found and uses[operand] == 1)
            for operand in node.src
        ):
            found.add(node)
    return found
