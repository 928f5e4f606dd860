"""Loop nests to text: one function at a time, every value where the loops around it allow.

A value is calculated in the outermost loop that knows its indices, once, and gets a name if it is
used twice or dear; anything else is written inside of the expression that uses it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from exmc_dask.errors import CompileError
from exmc_dask.graph import leaves
from exmc_dask.ir import Node
from .access import VARIABLES, VIEWS, ZERO, Element, Index, atom, identifier, number
from .bind import Storage
from .normal import is_length
from .schedule import (
    DEAR,
    Buffer,
    Kind,
    Loop,
    Schedule,
    Step,
    Task,
    variables,
)
from .source import ATOM, PRODUCT, SUM, UNARY, Names, Text, Writer
from exmc_dask.layout import Layout
from exmc_dask.ops import BOOL, ELEMENTWISE, LEAF, REDUCTION, Op

ARGUMENTS = ("q", "grad", "data", "data32", "index", "work")
_WIDE = 72  # characters of an expression that is still written inside of another


@dataclass
class Region:
    """Body of a loop, or of the function, while it is written."""

    knows: frozenset[str]
    lines: list[str] = field(default_factory=list)
    memo: dict[Element, Text] = field(default_factory=dict)
    views: dict[tuple[str, Index], str] = field(default_factory=dict)


class Function:
    """One emitted function.

    Parameters
    ----------
    schedule : Schedule
    storage : Storage
    layout : Layout
    names : mapping of Node to str
        What to call a value, where the user has a name for it.
    dialect : module
        Table of elementwise operations, ``dialect_cpu``.
    arguments : tuple of str
        Names of the six arguments.
    """

    def __init__(
        self,
        schedule: Schedule,
        storage: Storage,
        layout: Layout,
        names: Mapping[Node, str],
        dialect: ModuleType,
        arguments: tuple[str, ...],
    ) -> None:
        self.schedule = schedule
        self.axes = schedule.axes
        self.storage = storage
        self.layout = layout
        self.hints = names
        self.dialect = dialect
        self.uses = schedule.uses
        self.called: set[str] = set()
        reserved = set().union(*dialect.IMPORTS.values(), arguments, VARIABLES, storage.header)
        self.names = Names(reserved | {"start", "rows", "range", "float", "int", "abs", "all"})
        self.arrays: dict[object, str] = {}  # slot, parameter or buffer -> its name in the text
        self.unpacked: list[str] = []
        self.header: set[str] = set()
        self.regions = [Region(frozenset())]
        self.shift: dict[str, Index] = {}
        self.totals: dict[Node, str] = {}  # names of the reductions under way
        self.tile_buffers: set[Buffer] = set()
        self.array_of: dict[Buffer, str] = {}
        self._place_scratch()

    # -- arrays ----------------------------------------------------------------------------------

    def _place_scratch(self) -> None:
        work = {
            self._buffer_name(buffer): buffer
            for buffer in (*self.schedule.buffers.values(), *self.schedule.tile_buffers())
            if buffer.array == "work"
        }
        offsets = self.storage.scratch({name: buffer.shape for name, buffer in work.items()})
        for name, buffer in work.items():
            buffer.offset = offsets[name]

    def _buffer_name(self, buffer: Buffer) -> str:
        if buffer not in self.array_of:
            base = self.name_of(buffer.node)
            prefix = {"grad": "grad_", "out": "out_"}.get(buffer.array, "")
            self.array_of[buffer] = self.names.fresh(prefix + (buffer.label or base))
        return self.array_of[buffer]

    def array(self, what: Node | Buffer) -> str:
        """Return the name of a stored array, unpacked at the top of the function on first use."""
        if what in self.arrays:
            return self.arrays[what]
        if isinstance(what, Buffer):
            name, array, offset = self._buffer_name(what), what.array, what.offset
            assert offset is not None
        elif what.op is Op.PARAM:
            entry = self.layout[what.arg]
            name = self.names.fresh(("" if what in self.hints else "q_") + identifier(what.arg))
            array, offset = "q", Index([((), entry.offset)])
        else:
            name = self.names.fresh(identifier(what.arg))
            array, offset = self.storage.arrays[what.arg], self.storage.offset(what.arg)
        self.unpacked.append(f"{name} = {self.call('view')}({array}, {self.index(offset).text})")
        self.arrays[what] = name
        return name

    def call(self, name: str) -> str:
        """Return `name`, noting that it has to be imported."""
        self.called.add(name)
        return name

    # -- indices ---------------------------------------------------------------------------------

    def index(self, index: Index) -> Text:
        """Return the text of an index."""
        parts: list[tuple[int, str]] = []
        for atoms, factor in index.terms:
            factors = [self._atom(each) for each in atoms]
            if abs(factor) != 1 or not factors:
                factors.insert(0, str(abs(factor)))
            parts.append((factor, " * ".join(factors)))
        if not parts:
            return Text("0", kind="i")
        parts.sort(key=lambda part: part[0] < 0)
        text = ("-" if parts[0][0] < 0 else "") + parts[0][1]
        for factor, part in parts[1:]:
            text += (" + " if factor > 0 else " - ") + part
        alone = len(parts) == 1
        binds = SUM if not alone else PRODUCT if "*" in text else UNARY if text[0] == "-" else ATOM
        return Text(text, binds, "i")

    def _atom(self, what: str | Element) -> str:
        if isinstance(what, Element):
            return self.dialect.as_index(self.value(what)).inside(PRODUCT)
        if what not in VARIABLES and what != "start":
            self.header.add(what)
        return what

    def load(self, array: str, place: Index, tile: bool = False) -> str:
        """Return the text that reads ``array[place]``.

        Where a loop variable runs through consecutive elements, the rest of the place becomes a
        view, so that LLVM sees an index that begins at zero.
        """
        if not tile:
            place = replaced(place, self.shift)
        inner = [name for name in VARIABLES if name in place.variables()]
        steps = {atoms[0]: factor for atoms, factor in place.terms if len(atoms) == 1}
        step = steps.get(inner[-1], 0) if inner else 0
        moving = Index([((inner[-1],), step)]) if inner else ZERO
        rest = place + number(-1) * moving
        if step <= 0 or inner[-1] in rest.variables() or (rest.constant or 0) > 0:
            return f"{array}[{self.index(place).text}]"
        if rest.constant == 0:
            return f"{array}[{self.index(moving).text}]"
        return f"{self.view(array, rest)}[{self.index(moving).text}]"

    def view(self, array: str, place: Index) -> str:
        """Return the name of ``array`` from `place` on."""
        region = self._region(place.variables())
        for outer in self.regions:
            if (array, place) in outer.views:
                return outer.views[array, place]
        text = self.index(place).text
        name = self.names.fresh(f"{array}_row" if region is not self.regions[0] else f"{array}_at")
        region.lines.append(f"{name} = {self.call('view')}({array}, {text})")
        region.views[array, place] = name
        return name

    # -- values ----------------------------------------------------------------------------------

    def name_of(self, node: Node) -> str:
        """Return a good name for a value."""
        if node in self.hints:
            return self.hints[node]
        while node.op in VIEWS and node not in self.hints:
            node = node.src[0]
        if node in self.hints or node.op is Op.DATA:
            return self.hints.get(node) or identifier(node.arg)
        if node.op is Op.PARAM:
            return f"q_{identifier(node.arg)}"
        source = node.src[0] if len(node.src) == 1 else None
        while source is not None and source.op in VIEWS:
            source = source.src[0]
        if source is not None and (source in self.hints or source.op in (Op.DATA, Op.PARAM)):
            return f"{node.op.value}_{self.name_of(source)}"
        return _SHORT.get(node.op, node.op.value)

    def _region(self, known: frozenset[str]) -> Region:
        """Return the outermost body in which `known` variables are known."""
        inside = known & set(VARIABLES) | known & {"start"}
        return next(region for region in self.regions if inside <= region.knows)

    def known(self, element: Element) -> Text | None:
        """Return the text of a value that was calculated already."""
        for region in self.regions:
            if element in region.memo:
                return region.memo[element]
        return None

    def value(self, element: Element) -> Text:
        """Return the text of a value, after the lines that calculate it."""
        stack = [element]
        while stack:
            current = stack[-1]
            if self.known(current) is None:
                missing = [e for e in self._operands(current) if self.known(e) is None]
                if missing:
                    stack += reversed(missing)
                    continue
                self._define(current)
            stack.pop()
        text = self.known(element)
        assert text is not None
        return text

    def _is_read(self, node: Node) -> bool:
        return node in self.schedule.buffers or node.op in (Op.DATA, Op.PARAM)

    def _operands(self, element: Element) -> list[Element]:
        if self._is_read(element.node) or element.node.op in LEAF:
            return [inner for index in element.at for inner in index.elements()]
        return self.axes.operands(element)

    def _define(self, element: Element) -> None:
        """Write a value whose operands are known, or remember how it is written."""
        node = element.node
        text = self._read(element) if self._is_read(node) else self._calculate(element)
        region = self._region(element.variables())
        simple = text.binds == ATOM and text.text.replace(".", "").replace("_", "").isalnum()
        named = (
            not simple
            and node.op not in (Op.CONST, Op.RANGE)
            and (
                self.uses.get(node, 2) > 1
                or node.op in DEAR
                or len(text.text) > _WIDE
                or (region is not self.regions[-1])
                or self._feeds_choice(node)
            )
        )
        if named and node.op not in VIEWS:
            text = self.assign(self.name_of(node), text, region, self._suffix(element))
        region.memo[element] = text

    def _feeds_choice(self, node: Node) -> bool:
        return node in self.schedule.chosen

    def _suffix(self, element: Element) -> str:
        if element.node not in self.hints and element.node.op not in (Op.DATA, Op.PARAM):
            return ""
        return "".join(f"_{name}" for name in VARIABLES if name in element.variables())

    def assign(self, wanted: str, text: Text, region: Region, suffix: str = "") -> Text:
        """Give an expression a name, in `region`."""
        name = self.names.fresh(wanted + suffix)
        region.lines.append(f"{name} = {text.text}")
        return Text(name, ATOM, text.kind)

    def _read(self, element: Element) -> Text:
        """Return the text that reads an element of a stored array."""
        node, at = element.node, element.at
        buffer = self.schedule.buffers.get(node)
        flat = len(at) == 1 and node.ndim != 1
        if buffer is not None:
            place = at[0] if flat else self.axes.flat(at, node.shape)
            return self._typed(
                self.load(self.array(buffer), place, buffer in self.tile_buffers), "f"
            )
        if node.op is Op.PARAM:
            place = at[0] if flat else self.axes.flat(at, node.shape)
            if not node.shape:
                return Text(f"q[{self.layout[node.arg].offset}]")
            return Text(self.load(self.array(node), place))
        place = at[0] if flat else self.storage.place(node, at)
        text = self.load(self.array(node), place)
        kind = "i" if self.storage.arrays[node.arg] == "index" else "f"
        return self.dialect.as_bool(Text(text)) if node.dtype == BOOL else Text(text, ATOM, kind)

    def _typed(self, text: str, kind: str) -> Text:
        return Text(text, ATOM, kind)

    def _calculate(self, element: Element) -> Text:
        """Return the text of an operation on known operands."""
        node = element.node
        operands = self.axes.operands(element)
        if node.op is Op.CONST:
            return constant(node.arg, self)
        if node.op is Op.RANGE:
            return self.index(replaced(element.at[0], self.shift))
        if is_length(node):
            dims = node.src[0].shape
            return Text(f"float({self.index(self.axes.size(dims)).text})")
        if node.op in VIEWS:
            text = self.known(operands[-1])
            assert text is not None
            return text
        if node.op not in ELEMENTWISE or node.op not in self.dialect.RULES:
            names = ", ".join(leaves(node)) or "constants"
            raise CompileError(
                f"{node.op.value} (in an expression of {names}) cannot be translated for "
                f"{self.dialect.__name__}; this is a defect of exmc_dask, please report it"
            )
        texts = [self.known(operand) for operand in operands]
        result: Text = self.dialect.RULES[node.op](*texts)
        for name in set().union(*self.dialect.IMPORTS.values()):
            if f"{name}(" in result.text:
                self.call(name)
        return result

    # -- statements ------------------------------------------------------------------------------

    def steps(self, steps: Iterable[Step], depth: int) -> None:
        """Write loops and statements in order."""
        for step in steps:
            if isinstance(step, Loop):
                self._loop(step, depth)
            elif step.kind is Kind.SCAN and len(step.dims) > depth:
                self._scan(step, depth)
            else:
                if step.fresh and not step.dims:
                    self._zero(step)
                self._statement(step)

    @property
    def lines(self) -> list[str]:
        """Lines of the innermost body."""
        return self.regions[-1].lines

    def _statement(self, task: Task) -> None:
        match task.kind:
            case Kind.STORE | Kind.ADD:
                self._write(task)
            case Kind.REDUCE:
                self._accumulate(task)
            case Kind.CALL:
                self._call(task)
            case Kind.SCAN:
                text = self.value(task.values[0])
                self._store_at(task, "=", self.dialect.as_float(text).text)
            case Kind.RETURN:
                text = self.dialect.as_float(self.value(task.values[0]))
                self.lines.append(f"return {text.text}")
            case Kind.PRODUCT:
                raise AssertionError("a product is written by its tile")

    def _write(self, task: Task) -> None:
        element = task.values[0]
        if task.makes:
            text = self._made(element)
        else:
            text = self.dialect.as_float(self.value(element))
        self._store_at(task, "=" if task.kind is Kind.STORE else "+=", text.text)

    def _made(self, element: Element) -> Text:
        """Calculate the value of a stored array and keep it at hand for this turn of the loop."""
        known = self.known(element)
        if known is None:
            for operand in self.axes.operands(element):
                self.value(operand)
            text = self.dialect.as_float(self._calculate(element))
            known = self.assign(f"{self.name_of(element.node)}_here", text, self.regions[-1])
            self.regions[-1].memo[element] = known
        return self.dialect.as_float(known)

    def _store_at(self, task: Task, sign: str, text: str) -> None:
        buffer = task.target
        assert buffer is not None
        if not buffer.shape and buffer.array != "work":
            assert buffer.offset is not None
            name = self.names_comment(buffer)
            place = self.index(buffer.offset).text
            self.lines.append(f"{buffer.array}[{place}] {sign} {text}{name}")
            return
        for index in task.at:
            for inner in index.elements():
                self.value(inner)
        place = self.axes.flat(task.at, buffer.shape)
        target = self.load(self.array(buffer), place, buffer in self.tile_buffers)
        self.lines.append(f"{target} {sign} {text}")

    def names_comment(self, buffer: Buffer) -> str:
        """Return a comment that names a scalar output."""
        return f"  # {buffer.label}" if buffer.label else ""

    def _accumulate(self, task: Task) -> None:
        name = self.totals[task.node]
        value = self.value(task.values[0])
        text = self.dialect.as_float(value).text
        function = self.call("maximum" if task.node.op is Op.MAX else "accumulate")
        self.lines.append(f"{name} = {function}({name}, {text})")

    def _begin_reductions(self, tasks: Iterable[Task], depth: int) -> None:
        for task in tasks:
            if task.kind is Kind.REDUCE and task.kept == depth:
                name = self.names.fresh(self._total_name(task))
                self.totals[task.node] = name
                first = f"-{self.call('inf')}" if task.node.op is Op.MAX else "0.0"
                self.lines.append(f"{name} = {first}")

    def _total_name(self, task: Task) -> str:
        if task.node in self.hints:
            return self.hints[task.node]
        return f"{'top' if task.node.op is Op.MAX else 'sum'}_{self.name_of(task.values[0].node)}"

    def _end_reductions(self, tasks: Iterable[Task], depth: int) -> None:
        for task in tasks:
            if task.kind is Kind.REDUCE and task.kept == depth:
                element = Element(task.node, variables(task.node.shape))
                self.regions[-1].memo[element] = Text(self.totals[task.node])

    def _zero(self, task: Task) -> None:
        buffer = task.target
        assert buffer is not None
        size = self.axes.size(buffer.shape)
        if size.constant == 1:
            self.lines.append(f"{self.load(self.array(buffer), ZERO)} = 0.0")
        else:
            name = self.array(buffer)
            self._add_loop(0, self.index(size).text, [f"{name}[i] = 0.0"])

    def _loop(self, loop: Loop, depth: int) -> None:
        if depth == 0:
            for task in loop.tasks:
                if task.fresh:
                    self._zero(task)
        self._begin_reductions(loop.tasks, depth)
        extent = self.index(self.axes.extent(loop.dim)).text
        if loop.tile is not None:
            self._tiled(loop, extent)
        else:
            body = self._body(loop.body, depth)
            self._add_loop(depth, extent, body, self._comment(loop))
        self._end_reductions(loop.tasks, depth)

    def _body(
        self, steps: list[Step], depth: int, memo: Mapping[Element, Text] | None = None
    ) -> list[str]:
        knows = self.regions[-1].knows | {VARIABLES[depth]}
        self.regions.append(Region(knows, memo=dict(memo or {})))
        self.steps(steps, depth + 1)
        return self.regions.pop().lines

    def _add_loop(self, depth: int, extent: str, body: list[str], comment: str = "") -> None:
        writer = Writer()
        if comment:
            writer.line(f"# {comment}")
        writer.block(f"for {VARIABLES[depth]} in range({extent}):", body)
        self.lines.extend(writer.lines)

    def _comment(self, loop: Loop) -> str:
        return ", ".join(dict.fromkeys(self._describe(task) for task in loop.tasks))

    def _describe(self, task: Task) -> str:
        if task.kind is Kind.REDUCE:
            return self.totals.get(task.node, task.node.op.value)
        assert task.target is not None
        return self.array_of.get(task.target) or self._buffer_name(task.target)

    def _scan(self, task: Task, depth: int) -> None:
        """Write a cumulative sum: its last loop is sequential."""
        dim = task.dims[depth]
        extent = self.axes.extent(dim)
        if len(task.dims) > depth + 1:
            self._add_loop(depth, self.index(extent).text, self._body([task], depth))
            return
        total = self.names.fresh(f"sum_{self.name_of(task.values[0].node)}")
        lines = self.lines
        lines.append(f"{total} = 0.0")
        name = VARIABLES[depth]
        self.regions.append(Region(self.regions[-1].knows | {name}))
        element, at = task.values[0], task.at
        if task.node.arg[1]:
            back = {name: extent + Index([((), -1), ((name,), -1)])}
            element = Element(element.node, tuple(replaced(index, back) for index in element.at))
            at = tuple(replaced(index, back) for index in at)
        value = self.dialect.as_float(self.value(element)).text
        self.lines.append(
            f"{total} = {total} + {value}" if len(value) > 40 else f"{total} += {value}"
        )
        self._store_at(Task(Kind.STORE, task.node, target=task.target, at=at), "=", total)
        body = self.regions.pop().lines
        self._add_loop(depth, self.index(extent).text, body, f"{self._describe(task)}")

    def _matrix(self, node: Node) -> tuple[str, str, str]:
        """Return an operand matrix of `matmul`: array, distance of rows, distance of columns."""
        swapped = node.op is Op.TRANSPOSE
        stored = node.src[0] if swapped else node
        rows, columns = (self.index(self.axes.extent(dim)).text for dim in stored.shape)
        steps = ("1", rows) if self._in_columns(stored) else (columns, "1")
        if swapped:
            steps = steps[::-1]
        return (self._whole(stored), *steps)

    def _in_columns(self, node: Node) -> bool:
        return (
            node.op is Op.DATA
            and node not in self.schedule.buffers
            and node.arg in self.storage.columns
        )

    def _whole(self, node: Node) -> str:
        buffer = self.schedule.buffers.get(node)
        return self.array(buffer if buffer is not None else node)

    def _call(self, task: Task) -> None:
        assert task.target is not None
        out = self.array(task.target)
        node = task.node
        sizes = [self.index(self.axes.extent(dim)).text for dim in node.shape]
        match node.op:
            case Op.MATMUL:
                inner = self.index(self.axes.extent(node.src[0].shape[1])).text
                parts = [*self._matrix(node.src[0]), *self._matrix(node.src[1]), out]
                parts += [sizes[0], inner, sizes[1]]
                name = "matmul"
            case Op.CHOLESKY:
                parts = [self._whole(node.src[0]), out, sizes[0]]
                name = "cholesky"
            case _:
                parts = [
                    *map(self._whole, node.src),
                    out,
                    sizes[0],
                    (*sizes, "1")[1],
                    str(node.arg),
                ]
                name = "trisolve"
        self.lines.append(f"{self.call(name)}({', '.join(parts)})")

    # -- tiles -----------------------------------------------------------------------------------

    def _tiled(self, loop: Loop, extent: str) -> None:
        tile = loop.tile
        assert tile is not None
        self.regions.append(Region(frozenset({"start"})))
        self.lines.append(f"rows = min({tile.rows}, {extent} - start)")
        memo: dict[Element, Text] = {}
        for node, buffer in tile.outputs.items():
            out = self.array(buffer)
            if node in self.schedule.buffers:
                out = self.view(out, atom("start"))
            matrix, vector = node.src
            arguments = [*self._columns(matrix, extent), self._vector(vector), out]
            self.lines.append(f"{self.call('times')}({', '.join(arguments)})")
            memo[Element(node, (atom("i"),))] = Text(f"{out}[i]")
        self.shift = {"i": atom("start") + atom("i")}
        self.tile_buffers = {*tile.vectors.values(), *tile.outputs.values()}
        if loop.body:
            body = self._body(loop.body, 0, memo)
            self._add_loop(0, "rows", body)
        for task in tile.last:
            if task.kind is Kind.PRODUCT:
                self._product(task, tile.vectors, extent)
            else:
                self._scatter(task, tile.vectors)
        self.shift, self.tile_buffers = {}, set()
        body = self.regions.pop().lines
        writer = Writer()
        writer.line(f"# {self._comment(loop)}")
        writer.block(f"for start in range(0, {extent}, {tile.rows}):", body)
        self.lines.extend(writer.lines)

    def _columns(self, matrix: Node, extent: str) -> list[str]:
        """Return the first arguments of `times`: matrix, its lengths, first row and rows."""
        data = matrix.src[0] if matrix.op is Op.TRANSPOSE else matrix
        width = self.index(self.axes.extent(data.shape[1 - self.axes.row_axis(data)])).text
        return [self.array(data), extent, width, "start", "rows"]

    def _vector(self, node: Node) -> str:
        """Return the name of a vector that is stored as a whole."""
        return self._whole(node)

    def _product(self, task: Task, vectors: Mapping[Node, Buffer], extent: str) -> None:
        node = task.values[0].node
        if node in vectors:
            vector = self.array(vectors[node])
        else:
            found = self.schedule.address(task.values[0])
            assert found is not None
            stored, place = found
            rest = place + Index([(("i",), -1)])
            vector = self.view(self._whole(stored), rest + atom("start"))
        assert task.target is not None
        arguments = [*self._columns(task.node.src[0], extent), vector, self.array(task.target)]
        self.lines.append(f"{self.call('transposed_times')}({', '.join(arguments)})")

    def _scatter(self, task: Task, vectors: Mapping[Node, Buffer]) -> None:
        value = task.values[0]
        memo = {}
        if value.node in vectors:
            memo[value] = Text(f"{self.array(vectors[value.node])}[i]")
        self.regions.append(Region(self.regions[-1].knows | {"i"}, memo=memo))
        self._write(task)
        self._add_loop(0, "rows", self.regions.pop().lines)


_SHORT = {
    Op.ADD: "t", Op.SUB: "d", Op.MUL: "p", Op.DIV: "r", Op.NEG: "t", Op.WHERE: "w", Op.LT: "is_less",
    Op.LE: "is_below", Op.EQ: "is_equal", Op.AND: "both", Op.OR: "either", Op.NOT: "is_not",
}  # fmt: skip


def constant(value: float, function: Function) -> Text:
    """Return the text of a number."""
    if isinstance(value, bool):
        return Text(str(value), kind="b")
    if isinstance(value, int):
        return Text(str(value), ATOM if value >= 0 else UNARY, "i")
    if value in (float("inf"), float("-inf")):
        function.call("inf")
        return Text("inf") if value > 0 else Text("-inf", UNARY)
    return Text(repr(value), ATOM if not repr(value).startswith("-") else UNARY)


def replaced(index: Index, values: Mapping[str, Index]) -> Index:
    """Put polynomials in the place of names."""
    total = ZERO
    for atoms, factor in index.terms:
        term = Index([((), factor)])
        for each in atoms:
            term = term * (values[each] if isinstance(each, str) and each in values else atom(each))
        total = total + term
    return total
