"""Loop nests to text: the statements of one function."""

from collections.abc import Iterable, Mapping

from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import Op
from exmc_dask.rewrite.lanes import Ragged

from ..analysis.access import LANE, VARIABLES, ZERO, Element, Index, atom, number
from ..analysis.normal import data_of
from ..analysis.tasks import Buffer, Kind, Loop, Step, Task, Tile, variables
from .region import Region
from .source import Text, indented
from .values import START, Values


class Function(Values):
    """One emitted function; after `write`, ``regions[0].lines`` is its body."""

    def write(self) -> None:
        """Write the whole schedule."""
        self._totals: dict[Node, str] = {}
        self._sums: dict[Task, str] = {}
        self._steps(self.schedule.steps, 0)

    @property
    def _lines(self) -> list[str]:
        return self.regions[-1].lines

    def _steps(self, steps: Iterable[Step], depth: int) -> None:
        """Write loops and statements in order."""
        for step in steps:
            if isinstance(step, Loop):
                self._loop(step, depth)
            elif step.kind is Kind.SCAN:
                self._scan(step, depth)
            elif step.kind is Kind.STEPS:
                self._recur(step)
            else:
                if step.fresh and not step.dims:
                    self._fill(step)
                self._statement(step)

    def _statement(self, task: Task) -> None:
        match task.kind:
            case Kind.STORE | Kind.ADD:
                self._write(task)
            case Kind.REDUCE:
                self._accumulate(task)
            case Kind.CALL:
                self._call(task)
            case Kind.RETURN:
                self._lines.append(f"return {self.as_float(task.values[0])}")
            case _:
                raise AssertionError(f"{task.kind} is written by its loop")

    def _write(self, task: Task) -> None:
        element = task.values[0]
        if task in self._sums:
            name = self._sums[task]
            self._add(name, task)
            return
        text = self._made(element) if task.makes else self.as_float(element)
        self._put(task, "=" if task.kind is Kind.STORE else "+=", text)

    def _made(self, element: Element) -> str:
        """Calculate an element of a stored array and keep it at hand for this turn of the loop."""
        known = self.known(element)
        if known is None:
            known = self.dialect.as_float(self.calculate(element))
            if not known.is_name:
                known = self.assign(f"{self.describe(element.node)}_here", known, self.regions[-1])
            self.regions[-1].memo[element] = known
        text: Text = self.dialect.as_float(known)
        return text.text

    def _put(self, task: Task, sign: str, text: str) -> None:
        """Write ``target[at] = text``, or another sign."""
        buffer = task.target
        assert buffer is not None
        turns = self.regions[-1].turns
        self.count.bytes[turns] += 8 if sign == "=" else 16
        self.count.flops[turns] += int(sign != "=")
        if not buffer.shape and buffer.array != "work":
            assert buffer.offset is not None
            first = self.index(buffer.offset).text
            self._lines.append(f"{buffer.array}[{first}] {sign} {text}  # {buffer.label}")
            return
        for index in task.at:
            for inner in index.elements():
                self.value(inner)
        place = self.axes.flat(task.at, buffer.shape)
        target = self.load(self.array(buffer), place, is_tile=buffer in self.local, is_read=False)
        if sign == "+=" and task.node.op is Op.MAX:
            sign, text = "=", f"{self.call('maximum')}({target}, {text})"
        self._lines.append(f"{target} {sign} {text}")

    def _accumulate(self, task: Task) -> None:
        self._add(self._totals[task.node], task)

    def _add(self, name: str, task: Task) -> None:
        text = self.as_float(task.values[0])
        function = self.call("maximum" if task.node.op is Op.MAX else "accumulate")
        self.count.flops[self.regions[-1].turns] += 1
        self._lines.append(f"{name} = {function}({name}, {text})")

    # -- loops -----------------------------------------------------------------------------------

    def _loop(self, loop: Loop, depth: int) -> None:
        sums = [task for task in loop.tasks if task.is_sum_of_lane and loop.tile is None]
        if depth == 0:
            for task in loop.tasks:
                if task.fresh and task not in sums:
                    self._fill(task)
        reductions = [t for t in loop.tasks if t.kind is Kind.REDUCE and t.kept == depth]
        for task in reductions:
            self._begin(task)
        extent = self.axes.extent(loop.dim)
        comment = ", ".join(dict.fromkeys(map(self._label, loop.tasks)))
        if loop.tile is not None:
            self._tiled(loop, loop.tile, extent, comment)
        elif loop.lanes is not None:
            self._ragged(loop, loop.lanes, sums, depth, comment)
        else:
            with_region = self._enter(VARIABLES[depth], extent)
            self._steps(loop.body, depth + 1)
            self._leave(with_region, self.index(extent).text, comment)
        for task in reductions:
            self._complete(task, self._totals[task.node])
            element = Element(task.node, variables(task.node.shape))
            self.regions[-1].memo[element] = Text(self._totals[task.node])

    def _turns(self, variable: str, n: str, step: int, body: list[str]) -> list[str]:
        """Return the lines of a loop that has been written."""
        every = f"range({n})" if step == 1 else f"range(0, {n}, {step})"
        return [f"for {variable} in {every}:", *indented(body)]

    def _complete(self, task: Task, name: str) -> None:
        """Write what follows when the loops of a total are over."""

    def _enter(
        self, variable: str, turns: Index, memo: Mapping[Element, Text] | None = None
    ) -> str:
        outer = self.regions[-1]
        self.regions.append(
            Region(outer.knows | {variable}, outer.turns * turns, memo=dict(memo or {}))
        )
        return variable

    def _leave(self, variable: str, n: str, comment: str = "", step: int = 1) -> None:
        body = self.regions.pop().lines
        self._lines.extend([f"# {comment}"] if comment else [])
        self._lines.extend(self._turns(variable, n, step, body))

    def _begin(self, task: Task) -> None:
        is_max = task.node.op is Op.MAX
        if task.node in self.hints:
            name = self.names.own(self.hints[task.node])
        else:
            name = self.names.fresh(self.describe(task.node))
        self._totals[task.node] = name
        self._lines.append(f"{name} = {'-' + self.call('inf') if is_max else '0.0'}")

    def _label(self, task: Task) -> str:
        """Return what a loop is for, in its comment."""
        if task.kind is Kind.REDUCE:
            return self._totals.get(task.node, task.node.op.value)
        assert task.target is not None
        return self.name_buffer(task.target)

    def _fill(self, task: Task) -> None:
        """Fill the target of a task with what adding begins from."""
        buffer = task.target
        assert buffer is not None
        size = self.axes.size(buffer.shape)
        first = f"-{self.call('inf')}" if task.node.op is Op.MAX else "0.0"
        if size.constant == 1:
            self._lines.append(f"{self.load(self.array(buffer), ZERO)} = {first}")
        else:
            self._enter("i", size)
            self._lines.append(f"{self.array(buffer)}[i] = {first}")
            self._leave("i", self.index(size).text)

    def _scan(self, task: Task, depth: int) -> None:
        """Write a cumulative sum: loops over the other axes, then a sequential one."""
        name, extent = VARIABLES[depth], self.axes.extent(task.dims[depth])
        turns = self.index(extent).text
        if depth + 1 < len(task.dims):
            self._enter(name, extent)
            self._scan(task, depth + 1)
            self._leave(name, turns)
            return
        total = self.names.fresh(f"sum_{self.describe(task.values[0].node)}")
        self._lines.append(f"{total} = 0.0")
        self._enter(name, extent)
        element, at = task.values[0], task.at
        if task.node.arg[1]:  # from the end
            back = {name: extent + number(-1) * (atom(name) + number(1))}
            element = Element(element.node, tuple(index.replaced(back) for index in element.at))
            at = tuple(index.replaced(back) for index in at)
        self._lines.append(f"{total} += {self.as_float(element)}")
        self._put(Task(Kind.STORE, task.node, target=task.target, at=at), "=", total)
        self._leave(name, turns, self._label(task))

    def _recur(self, task: Task) -> None:
        """Write the steps of a SCAN, one after the other."""
        outer, node = self.schedule, task.node
        variable, extent = self.stored.scans[node].variable, self.axes.extent(node.arg.length)
        self._enter(variable, extent)
        self.schedule = outer.inner[node]
        self._steps(self.schedule.steps, 0)
        self.schedule = outer
        self._leave(variable, self.index(extent).text, self._label(task))

    def _ragged(
        self, loop: Loop, lanes: Ragged, sums: list[Task], depth: int, comment: str
    ) -> None:
        """Write a loop over lanes around a loop over the elements of each."""
        outer, variable = self.regions[-1], VARIABLES[depth]
        self._enter(LANE, number(lanes.n))
        self.regions[-1].knows |= {START}
        first = self.array(lanes.first)
        self._lines.append(f"{START} = {first}[{LANE}]")
        self._lines.append(f"rows = {first}[{LANE} + 1] - {START}")
        for task in sums:
            assert task.target is not None
            self._sums[task] = self.names.fresh(f"sum_{self.describe(task.values[0].node)}")
            self._lines.append(f"{self._sums[task]} = 0.0")
        self.shift = {variable: atom(START) + atom(variable)}
        self._enter(variable, number(1))
        self.regions[-1].turns = outer.turns * self.axes.extent(loop.dim)
        self._steps(loop.body, depth + 1)
        self._leave(variable, "rows")
        self.shift = {}
        for task in sums:
            self._complete(task, self._sums[task])
            self._put(task, "=" if task.fresh else "+=", self._sums.pop(task))
        self._leave(LANE, str(lanes.n), comment)

    # -- whole arrays ----------------------------------------------------------------------------

    def _whole(self, node: Node) -> str:
        """Return the name of a value that is stored as a whole."""
        return self.array(self.stored.buffers.get(node) or node)

    def _call(self, task: Task) -> None:
        """Write the call of a function of linalg.py."""
        assert task.target is not None
        node, out = task.node, self.array(task.target)
        extents = [self.axes.extent(dim) for dim in node.shape]
        sizes = [self.index(extent).text for extent in extents]
        inner = self.axes.extent(node.src[0].shape[1])
        columns = extents[1] if node.ndim == 2 else number(1)
        match node.op:
            case Op.MATMUL:
                parts = [*self._matrix(node.src[0]), *self._matrix(node.src[1]), out]
                parts += [sizes[0], self.index(inner).text, self.index(columns).text]
                turns = number(2) * extents[0] * inner * columns
            case Op.CHOLESKY:
                parts = [self._whole(node.src[0]), out, sizes[0]]
                turns = extents[0] * extents[0] * extents[0]
            case _:
                parts = [*map(self._whole, node.src), out, sizes[0], self.index(columns).text]
                parts.append(str(node.arg))
                turns = inner * inner * columns
        self.count.flops[turns] += 1
        self._lines.append(f"{self.call(node.op.value)}({', '.join(parts)})")

    def _matrix(self, node: Node) -> tuple[str, str, str]:
        """Return an operand of `matmul`: array, distance of two rows, distance of two columns."""
        if node.ndim == 1:
            return self._whole(node), "1", "1"
        is_transposed = node.op is Op.TRANSPOSE
        stored = node.src[0] if is_transposed else node
        rows, columns = (self.index(self.axes.extent(dim)).text for dim in stored.shape)
        in_columns = stored not in self.stored.buffers and stored.arg in self.axes.columns
        steps = ("1", rows) if in_columns else (columns, "1")
        return (self._whole(stored), *(steps[::-1] if is_transposed else steps))

    # -- tiles -----------------------------------------------------------------------------------

    def _tiled(self, loop: Loop, tile: Tile, extent: Index, comment: str) -> None:
        """Write a loop over stretches of rows."""
        n = self.index(extent).text
        matrices = [*tile.outputs, *(t.node for t in tile.last if t.kind is Kind.PRODUCT)]
        self._count_products([node.src[0] for node in matrices], extent)
        self._enter(START, number(1))
        self._lines.append(f"rows = min({tile.rows}, {n} - {START})")
        self._fetch([node.src[0] for node in matrices], n)
        memo: dict[Element, Text] = {}
        for node, buffer in tile.outputs.items():
            out = self.array(buffer)
            if node in self.stored.buffers:
                out = self.view(out, atom(START))
            arguments = [*self._columns(node.src[0], n), self._whole(node.src[1]), out]
            self._lines.append(f"{self.call('times')}({', '.join(arguments)})")
            memo[Element(node, (atom("i"),))] = Text(f"{out}[i]")
        self.shift = {"i": atom(START) + atom("i")}
        self.local = {*tile.vectors.values()}
        if loop.body:
            self._enter("i", extent, memo)
            if loop.lanes is not None:
                lane = self.load(self.array(loop.lanes.lane), atom("i"))
                self._lines.append(f"{LANE} = {lane}")
                self.regions[-1].knows |= {LANE}
            self._steps(loop.body, 1)
            self._leave("i", "rows")
        for task in tile.last:
            if task.kind is Kind.PRODUCT:
                self._product(task, tile.vectors, n)
            else:
                self._scatter(task, tile.vectors, extent)
        self.shift, self.local = {}, set()
        self._leave(START, n, comment, tile.rows)

    def _fetch(self, matrices: list[Node], n: str) -> None:
        """Write what brings the rows of a stretch near before they are read."""

    def _count_products(self, matrices: list[Node], extent: Index) -> None:
        for matrix in matrices:
            self.count.flops[self.axes.size(matrix.shape)] += 2
        for data in set(map(data_of, matrices)):
            self.count.bytes[self.axes.size(data.shape)] += self.item_size(data)

    def _columns(self, matrix: Node, n: str) -> list[str]:
        """Return the first arguments of `times`: matrix, its lengths, first row and rows."""
        data = data_of(matrix)
        return [self.array(data), n, self.index(self.width(data)).text, START, "rows"]

    def width(self, data: Node) -> Index:
        """Return the length of the other axis of a data matrix than that of its rows."""
        return self.axes.extent(data.shape[1 - self.axes.row_axis(data)])

    def _rows(self, value: Element, vectors: Mapping[Node, Buffer]) -> str | None:
        """Return the name of the rows of a value; None where they do not follow each other."""
        if value.node in vectors:
            return self.array(vectors[value.node])
        found = self.stored.address(value)
        if found is None or "i" in (found[1] + number(-1) * atom("i")).variables():
            return None
        node, place = found
        return self.view(self._whole(node), place.replaced({"i": atom(START)}))

    def _product(self, task: Task, vectors: Mapping[Node, Buffer], n: str) -> None:
        vector = self._rows(task.values[0], vectors)
        assert vector is not None
        assert task.target is not None
        arguments = [*self._columns(task.node.src[0], n), vector, self.array(task.target)]
        self._lines.append(f"{self.call('transposed_times')}({', '.join(arguments)})")

    def _scatter(self, task: Task, vectors: Mapping[Node, Buffer], extent: Index) -> None:
        value, place = task.values
        is_index = place.node.op is Op.DATA and self.storage.arrays[place.node.arg] == "index"
        rows, places = self._rows(value, vectors), self._rows(place, {})
        assert task.target is not None
        if rows is not None and places is not None and is_index and len(task.at) == 1:
            self.count.flops[extent] += 1
            self.count.bytes[extent] += 16
            parts = (rows, places, "rows", self.array(task.target))
            self._lines.append(f"{self.call('add_at')}({', '.join(parts)})")
            return
        memo = {} if rows is None else {value: Text(f"{rows}[i]")}
        self._enter("i", extent, memo)
        self._write(task)
        self._leave("i", "rows")
