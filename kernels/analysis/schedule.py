"""Loop nests: which loops run, in what order, and which tasks share one.

Tasks have *times*. One that reads the elements another makes in the same turn of a loop may share
that loop; one that needs all of it comes later. Within a time, tasks over the same dimension share
a loop. `_plan` does this for one level of loops and calls itself for the body, where the reductions
of a row are tasks too.
"""

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

from exmc_dask.expressions.axes import Dim
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import Op

from .access import LANE, Element
from .normal import data_of, is_length, squeezed
from .stored import Stored
from .tasks import (
    DEAR,
    Buffer,
    Kind,
    Loop,
    Step,
    Task,
    Tile,
    is_inner,
    is_reduction,
    variables,
)

ROWS = 512  # of a tile; fewer where a matrix is wide
_TILE_ELEMENTS = 12288  # of a matrix: a tile is read twice, from the second-level cache at most

type Needs = dict[Task, list[tuple[Task, bool]]]
"""Task -> the tasks it needs, and whether these may share its loop."""


class Schedule:
    """Loop nests of one function.

    Attributes
    ----------
    axes : Axes
    stored : Stored
    steps : list of Step
        Loops and tasks in order.
    inner : dict of Node to Schedule
        What one step of each SCAN does.
    tile : int
        Rows of the tiles of its own loops over matrices; 0: as suits the cache of a CPU.
    """

    def __init__(self, stored: Stored, tile: int = 0) -> None:
        self.axes, self.stored, self.tile = stored.axes, stored, tile
        self._share()
        self.steps = self._plan(stored.tasks, 0)
        self.steps.sort(key=lambda step: isinstance(step, Task) and step.kind is Kind.RETURN)
        scans = [task.node for task in stored.tasks if task.kind is Kind.STEPS]
        self.inner = {node: Schedule(stored.of_steps(node)) for node in scans}

    def matrices(self) -> list[Node]:
        """Return the data matrices of known width that loops of its own run through, each once."""
        tiles = [s.tile for s in self.steps if isinstance(s, Loop) and s.tile is not None]
        products = [
            node
            for tile in tiles
            for node in (*tile.outputs, *(t.node for t in tile.last if t.kind is Kind.PRODUCT))
        ]
        sources = [data_of(node.src[0]) for node in products]
        return [data for data in dict.fromkeys(sources) if isinstance(self._width(data), int)]

    def tile_buffers(self) -> list[Buffer]:
        """Scratch that holds one tile of a value."""
        inner = [buffer for schedule in self.inner.values() for buffer in schedule.tile_buffers()]
        return inner + [
            buffer
            for step in self.steps
            if isinstance(step, Loop) and step.tile is not None
            for buffer in (*step.tile.outputs.values(), *step.tile.vectors.values())
            if buffer is not self.stored.buffers.get(buffer.node)
        ]

    def _share(self) -> None:
        """Store what is dear and used by several loops."""
        while True:
            tasks = self.stored.tasks
            users: dict[Node, set[int]] = {}
            for number, group in enumerate(_groups(*self._needs(tasks, 0), 0)):
                for task in group:
                    for element, _ in self.stored.walk(task, 0):
                        if element.node.op in DEAR and squeezed(element.node.shape):
                            users.setdefault(element.node, set()).add(number)
            shared = {
                node: None
                for node, loops in users.items()
                if len(loops) > 1 and node not in self.stored.buffers and not is_length(node)
            }
            inside = {
                below for node in shared for below in topological(node.src) if below in shared
            }
            if not shared:
                return
            first = len(tasks)
            for node in shared:
                if node not in inside:
                    self.stored.store(node)
            self.stored.discover(first)

    def _needs(self, tasks: Iterable[Task], depth: int) -> tuple[list[Task], Needs]:
        """Return the tasks with the reductions they need at this depth, and what needs what."""
        queue = list(tasks)
        members = set(queue)
        reductions = {task.node: task for task in queue if task.kind is Kind.REDUCE}
        needs: Needs = {}
        for task in queue:  # grows
            needs[task] = [(other, False) for other in task.after if other in members]
            for element, dims in self.stored.walk(task, depth):
                node = element.node
                if node in self.stored.buffers and not task.calculates(element):
                    for maker in self.stored.makers.get(node, ()):  # none made before a scan
                        if maker in members and maker is not task:
                            same = task.kind is not Kind.SCAN and depth < _lead(maker)
                            same = same and self.stored.is_aligned(element, dims, depth)
                            needs[task].append((maker, same))
                elif is_reduction(node) and is_inner(node) and len(squeezed(node.shape)) == depth:
                    if node not in reductions:
                        reductions[node] = self.stored.reduce(node)
                        queue.append(reductions[node])
                        members.add(reductions[node])
                    needs[task].append((reductions[node], False))
        return queue, needs

    def _plan(self, tasks: Iterable[Task], depth: int) -> list[Step]:
        """Put tasks into loops."""
        queue, needs = self._needs(tasks, depth)
        order = {task: n for n, task in enumerate(_sorted(queue, needs))}
        steps: list[Step] = []
        for group in _groups(queue, needs, depth):
            group.sort(key=order.__getitem__)
            if _is_alone(group[0], depth):
                steps += group
            else:
                steps.append(self._loop(group, depth))
        return steps

    def _loop(self, group: list[Task], depth: int) -> Loop:
        dim = group[0].dims[depth]
        tile = self._tile(group) if depth == 0 else None
        lanes = self.axes.ragged.get(dim) if any(map(self._needs_lane, group)) else None
        if tile is None:
            return Loop(dim, self._plan(group, depth + 1), group, lanes=lanes)
        body = [task for task in group if task not in tile.last]
        for node, buffer in tile.vectors.items():
            at = variables(node.shape)
            body.append(Task(Kind.STORE, node, (dim,), (Element(node, at),), buffer, at))
        return Loop(dim, self._plan(body, depth + 1), group, tile, lanes)

    def _needs_lane(self, task: Task) -> bool:
        """Whether a task asks to which lane of a ragged axis an element belongs."""
        places = [index for element, _ in self.stored.walk(task, 0) for index in element.at]
        return any(LANE in index.variables() for index in (*places, *task.at))

    def _tile(self, group: list[Task]) -> Tile | None:
        """Decide whether a loop runs in tiles, and on what."""
        stored = self.stored
        made = {node for node, makers in stored.makers.items() if set(makers) & set(group)}
        visited = dict.fromkeys(e.node for task in group for e, _ in stored.walk(task, 0))
        factors = [
            node
            for node in visited
            if stored.is_rowwise(node) and (node not in stored.buffers or node in made)
        ]
        products = [task for task in group if task.kind is Kind.PRODUCT]
        scatters = [
            task for task in group if task.node.op is Op.SCATTER_ADD and len(task.dims) == 1
        ]
        if not factors and not products and all(task.is_sum_of_lane for task in scatters):
            return None
        last = products + scatters
        vectors = dict.fromkeys(
            task.values[0].node
            for task in last
            if stored.address(task.values[0]) is None or task.values[0].node in made
        )
        widths = [self._width(node.src[0]) for node in factors + [task.node for task in products]]
        wide = max((width if isinstance(width, int) else 64 for width in widths), default=1)
        rows = max(16, min(ROWS, _TILE_ELEMENTS // wide // 16 * 16))
        if self.tile and widths:
            rows = self.tile
        return Tile(
            rows,
            {node: stored.buffers.get(node) or Buffer(node, "work", (rows,)) for node in factors},
            {node: Buffer(node, "work", (rows,)) for node in vectors},
            last,
        )

    def _width(self, matrix: Node) -> Dim:
        return self.axes.same(matrix.shape[1 - self.axes.row_axis(matrix)])


def _lead(task: Task) -> int:
    return task.target.lead if task.target is not None else 0


def _sorted(queue: list[Task], needs: Needs) -> Iterable[Task]:
    return TopologicalSorter({t: [other for other, _ in needs[t]] for t in queue}).static_order()


def _times(queue: list[Task], needs: Needs, earliest: Mapping[Task, int]) -> dict[Task, int]:
    """Return the earliest time of every task, not before `earliest`."""
    times: dict[Task, int] = {}
    for task in _sorted(queue, needs):
        after = [times[other] + (not same) for other, same in needs[task]]
        times[task] = max(after, default=0)
        times[task] = max(times[task], earliest.get(task, 0))
    return times


def _groups(queue: list[Task], needs: Needs, depth: int) -> list[list[Task]]:
    """Tasks that share a loop, or stand alone, in order.

    Everything comes as early as it can, unless there is one loop less when the tasks of a loop
    wait for a later one over the same dimension.
    """
    earliest: dict[Task, int] = {}
    times = _times(queue, needs, earliest)
    groups = _grouped(queue, times, depth)
    tried: set[tuple[Task, Task]] = set()
    while True:
        loops = [group for group in groups if not _is_alone(group[0], depth)]
        pairs = (
            (one, other)
            for place, one in enumerate(loops)
            for other in loops[place + 1 :]
            if one[0].dims[depth] == other[0].dims[depth] and (one[0], other[0]) not in tried
        )
        one, other = next(pairs, ([], []))
        if not one:
            return groups
        tried.add((one[0], other[0]))
        waiting = earliest | dict.fromkeys(one, times[other[0]])
        later = _times(queue, needs, waiting)
        merged = _grouped(queue, later, depth)
        if len(merged) < len(groups):
            groups, earliest, times = merged, waiting, later


def _grouped(queue: list[Task], times: Mapping[Task, int], depth: int) -> list[list[Task]]:
    """Tasks of the same time and loop, by time."""
    groups: dict[tuple[int, object], list[Task]] = {}
    for task in queue:
        key = id(task) if _is_alone(task, depth) else task.dims[depth]
        groups.setdefault((times[task], key), []).append(task)
    return [groups[key] for key in sorted(groups, key=lambda key: key[0])]


def _is_alone(task: Task, depth: int) -> bool:
    return len(task.dims) <= depth or task.kind is Kind.SCAN
