"""Loop nests to text for several lanes that share a chain: who does what, who waits for whom.

All lanes walk through a function together and hold the same scalars. A loop is *divided* where its
turns write to places of their own: each lane takes every n-th turn, and sums are brought together
behind it. Any other loop is run by all lanes alike, and the loops in it may be divided. What is
written is followed by `group_sync` before anybody reads it; what would be added several times is
added by one lane.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import Op
from exmc_dask.rewrite.lanes import Ragged

from ..analysis.access import LANE, VARIABLES, Element, Index
from ..analysis.normal import SHORT
from ..analysis.tasks import Buffer, Kind, Loop, Step, Task, Tile
from .emit import Function
from .region import Region
from .source import Text, indented

_MANY_LANES = 16  # ragged lanes of a model that are dealt out whole; the elements of fewer are


class LaneFunction(Function):
    """One emitted function for a group of lanes."""

    _divided: Region | None = None  # body of the loop whose turns are dealt out
    _next = ""  # variable of the loop that is to be divided when it begins
    _is_over = False  # whether the loop that is being written down is the divided one

    def write(self) -> None:
        """Write the whole schedule."""
        self._partial: set[Task] = set()  # totals of which each lane has its own share
        super().write()

    @property
    def _together(self) -> bool:
        return self._divided is None

    def _sync(self) -> None:
        line = f"{self.call('group_sync')}()"
        if not self._lines or self._lines[-1] != line:
            self._lines.append(line)

    def _steps(self, steps: Iterable[Step], depth: int) -> None:
        steps = list(steps)
        for step, following in zip_longest(steps, steps[1:]):
            super()._steps([step], depth)
            if self._together and _is_seen(step, depth) and not _are_stores(step, following):
                self._sync()

    # -- dividing --------------------------------------------------------------------------------

    def _enter(
        self, variable: str, turns: Index, memo: Mapping[Element, Text] | None = None
    ) -> str:
        super()._enter(variable, turns, memo)
        if self._together and variable == self._next:
            self._divided, self._next = self.regions[-1], ""
        return variable

    def _turns(self, variable: str, n: str, step: int, body: list[str]) -> list[str]:
        """Return the lines of a loop that counts by itself; NVVM cannot take a range apart."""
        first, on = "0", str(step)
        if self._is_over:
            first, on = f"{self.call('first_turn')}()", f"{self.call('stride')}()"
        count = [f"{variable} = {first}", f"while {variable} < {n}:"]
        return [*count, *indented([*body, f"{variable} += {on}"])]

    def _leave(self, variable: str, n: str, comment: str = "", step: int = 1) -> None:
        self._is_over = self.regions[-1] is self._divided
        super()._leave(variable, n, comment, step)
        if self._is_over:
            self._divided = None

    def _loop(self, loop: Loop, depth: int) -> None:
        plain = loop.tile is None and loop.lanes is None
        if plain and self._together and self._is_dealt(loop, depth):
            self._next = VARIABLES[depth]
        super()._loop(loop, depth)

    def _is_dealt(self, loop: Loop, depth: int) -> bool:
        """Whether the turns of a loop are dealt out, rather than those of the loops in it."""
        if not _are_apart(loop.tasks, VARIABLES[depth]):
            return False
        turns = self.axes.extent(loop.dim).constant
        few = turns is not None and turns <= SHORT
        inner = [step for step in loop.body if isinstance(step, Loop)]
        return not (few and len(inner) == len(loop.body)) or not all(
            _are_apart(step.tasks, VARIABLES[depth + 1]) for step in inner
        )

    def _tiled(self, loop: Loop, tile: Tile, extent: Index, comment: str) -> None:
        body = [task for task in loop.tasks if task not in tile.last]
        if loop.body and self._together and _are_apart(body, "i"):
            self._next = "i"
        super()._tiled(loop, tile, extent, comment)

    def _ragged(
        self, loop: Loop, lanes: Ragged, sums: list[Task], depth: int, comment: str
    ) -> None:
        others, variable = [t for t in loop.tasks if t not in sums], VARIABLES[depth]
        inner = _are_apart(others, variable)
        if self._together and _are_apart(others, LANE, variable):
            self._next = LANE if lanes.n >= _MANY_LANES or not inner else variable
        super()._ragged(loop, lanes, sums, depth, comment)

    def _scan(self, task: Task, depth: int) -> None:
        if self._together and depth + 1 < len(task.dims):
            self._next = VARIABLES[depth]
        super()._scan(task, depth)

    def _fill(self, task: Task) -> None:
        waiting, self._next = self._next, "i"
        super()._fill(task)
        self._next = waiting
        if self._together:
            self._sync()

    # -- bringing together -----------------------------------------------------------------------

    def _add(self, name: str, task: Task) -> None:
        super()._add(name, task)
        if not self._together:
            self._partial.add(task)

    def _complete(self, task: Task, name: str) -> None:
        if self._together and task in self._partial:
            whole = self.call("group_max" if task.node.op is Op.MAX else "group_sum")
            self._lines.append(f"{name} = {whole}({name})")

    def _put(self, task: Task, sign: str, text: str) -> None:
        super()._put(task, sign, text)
        if self._together and sign == "+=":
            line = self._lines.pop()
            self._lines.extend([f"if {self.call('leads')}():", f"    {line}"])

    def _product(self, task: Task, vectors: Mapping[Node, Buffer], n: str) -> None:
        self._sync()
        super()._product(task, vectors, n)

    def _scatter(self, task: Task, vectors: Mapping[Node, Buffer], extent: Index) -> None:
        self._sync()
        super()._scatter(task, vectors, extent)


def _are_apart(tasks: Sequence[Task], *variables: str) -> bool:
    """Whether different values of one of the variables mean different places, for all tasks.

    What is stored is stored once, so that only what adds to a place may do so from several turns.
    """
    return all(
        task.kind is not Kind.ADD
        or any(_tells(index, name) for index in task.at for name in variables)
        for task in tasks
    )


def _tells(index: Index, variable: str) -> bool:
    """Whether an index is a multiple of a variable, plus what is the same for all its values."""
    own = [atoms for atoms, _ in index.terms if variable in atoms]
    counters = {*VARIABLES, LANE} - {variable}
    return (
        bool(own)
        and all(atoms.count(variable) == 1 for atoms in own)
        and not index.elements()
        and not index.variables() & counters
    )


def _is_seen(step: Step, depth: int) -> bool:
    """Whether other lanes may read next what a step wrote."""
    if isinstance(step, Loop):
        return any(task.target is not None for task in step.tasks)
    if step.kind is Kind.ADD:
        return depth == 0  # inside of a loop nobody reads it before the loop is over
    return step.kind in (Kind.STORE, Kind.SCAN)


def _are_stores(step: Step, following: Step | None) -> bool:
    return all(isinstance(each, Task) and each.kind is Kind.STORE for each in (step, following))
