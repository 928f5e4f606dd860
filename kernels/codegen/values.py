"""Values to expressions: each is written in the outermost loop that knows its indices, once.

A value gets a name if it is used twice or dear, or belongs to an outer loop; anything else is
written inside of the expression that uses it.
"""

from collections.abc import Mapping
from types import ModuleType

from exmc_dask.errors import CompileError
from exmc_dask.expressions.graph import leaves
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.layout import Layout
from exmc_dask.expressions.ops import BOOL, ELEMENTWISE, REDUCTION, Op

from ..analysis.access import LANE, VARIABLES, VIEWS, ZERO, Element, Index, identifier, number
from ..analysis.normal import is_length
from ..analysis.schedule import Schedule
from ..analysis.stored import FIXED
from ..analysis.tasks import DEAR, TRANSCENDENTAL, Buffer
from .bind import Storage
from .cost import Count
from .region import Region
from .source import ATOM, PRODUCT, SUM, UNARY, Names, Text

START = "start"
"""First row of a tile."""

_WIDE = 76  # characters of an expression
_LETTERS = {
    Op.ADD: "t", Op.SUB: "d", Op.MUL: "p", Op.DIV: "r", Op.NEG: "m", Op.WHERE: "w",
    Op.LT: "is_less", Op.LE: "is_below", Op.EQ: "is_equal", Op.AND: "is_both", Op.OR: "is_either",
    Op.NOT: "is_not",
}  # fmt: skip
"""Names of results nobody named: term, difference, product, ratio, minus, one of two."""


class Values:
    """Expressions of one function.

    Parameters
    ----------
    schedule : Schedule
    storage : Storage
    layout : Layout
    hints : mapping of Node to str
        What to call a value, where the user has a name for it.
    dialect : module
        Table of elementwise operations, such as ``dialect_cpu``.
    arguments : tuple of str
        Names of the arguments of the function.
    """

    def __init__(
        self,
        schedule: Schedule,
        storage: Storage,
        layout: Layout,
        hints: Mapping[Node, str],
        dialect: ModuleType,
        arguments: tuple[str, ...],
    ) -> None:
        self.schedule, self.storage, self.layout = schedule, storage, layout
        self.axes, self.stored = schedule.axes, schedule.stored
        self.hints, self.dialect = hints, dialect
        called = frozenset().union(*dialect.IMPORTS.values())
        users = {*hints.values(), *map(identifier, (*storage.slots, *layout.by_name))}
        steps = (scan.variable for scan in self.stored.scans.values())
        self._counters = frozenset({*VARIABLES, START, LANE, *steps})
        self.names = Names(
            {*called, *arguments, *self._counters, *storage.header, *_BUILTINS, "rows"}, users
        )
        self._functions = sorted(called)
        self.called: set[str] = set()
        self.unpacked: dict[str, list[str]] = {argument: [] for argument in arguments}
        self.near: dict[str, str] = {}  # arrays that the chains of a block share -> what makes them
        self.header: set[str] = set()
        self.count = Count()
        self.regions = [Region(frozenset(), number(1))]
        self.shift: dict[str, Index] = {}  # loop variable -> what it stands for in a tile
        self.local: set[Buffer] = set()  # arrays that hold one tile
        self._arrays: dict[Node | Buffer, str] = {}
        self._buffer_names: dict[Buffer, str] = {}
        self._place_scratch()

    def _place_scratch(self) -> None:
        buffers = (*self.stored.buffers.values(), *self.schedule.tile_buffers())
        work = {self.name_buffer(each): each for each in buffers if each.array == "work"}
        places = self.storage.scratch({name: buffer.shape for name, buffer in work.items()})
        for name, buffer in work.items():
            buffer.offset = places[name]

    # -- names -----------------------------------------------------------------------------------

    def name_buffer(self, buffer: Buffer) -> str:
        """Return the name of an array that is written."""
        if buffer not in self._buffer_names:
            wanted = (
                f"{buffer.array}_{buffer.label}" if buffer.label else self.describe(buffer.node)
            )
            self._buffer_names[buffer] = self.names.fresh(wanted)
        return self._buffer_names[buffer]

    def describe(self, node: Node) -> str:
        """Return a good name for a value."""
        while node not in self.hints and node.op in VIEWS:
            node = node.src[0]
        if node in self.hints:
            return self.hints[node]
        if node.op is Op.DATA:
            return identifier(node.arg)
        if node.op is Op.PARAM:
            return f"q_{identifier(node.arg)}"
        if node.op is Op.LOCAL:
            source, _ = self.axes.rows[node]
            return f"{self.describe(source)}_{'before' if source.op is Op.SCAN else 'now'}"
        sources = [self._origin(source) for source in node.src]
        if node.op is Op.MATMUL:
            return "_".join(map(self._short, sources))
        if node.op is Op.SCATTER_ADD:
            return "_by_".join(map(self._short, sources))
        if node.op in REDUCTION:
            return f"{'top' if node.op is Op.MAX else 'sum'}_{self._short(sources[0])}"
        if len(sources) == 1 and self._is_named(sources[0]):
            return f"{node.op.value}_{self.describe(sources[0])}"
        return _LETTERS.get(node.op, node.op.value)

    def _origin(self, node: Node) -> Node:
        while node not in self.hints and node.op in VIEWS - {Op.TRANSPOSE}:
            node = node.src[0]
        return node

    def _short(self, node: Node) -> str:
        if node.op is Op.TRANSPOSE:
            return f"{self._short(self._origin(node.src[0]))}_T"
        return self.describe(node) if self._is_named(node) else _LETTERS.get(node.op, node.op.value)

    def _is_named(self, node: Node) -> bool:
        return node in self.hints or node.op in (Op.DATA, Op.PARAM)

    def call(self, name: str) -> str:
        """Return `name`, noting that it has to be imported."""
        self.called.add(name)
        return name

    # -- arrays and indices ----------------------------------------------------------------------

    def array(self, what: Node | Buffer) -> str:
        """Return the name of a stored array, unpacked at the top of the function on first use."""
        if what in self._arrays:
            return self._arrays[what]
        array, offset = self.home(what)
        if isinstance(what, Buffer):
            name = self.name_buffer(what)
        else:
            is_own = what.op is Op.DATA or what in self.hints
            user = identifier(what.arg)
            name = self.names.own(user) if is_own else self.names.fresh(f"q_{user}")
        self.unpacked[array].append(f"{name} = {self._from(array, offset)}")
        self._arrays[what] = name
        return name

    def home(self, what: Node | Buffer) -> tuple[str, Index]:
        """Return the argument in which a stored array lies, and its place there."""
        if isinstance(what, Buffer):
            assert what.offset is not None
            return what.array, what.offset
        if what.op is Op.PARAM:
            return "q", number(self.layout[what.arg].offset)
        return self.storage.arrays[what.arg], self.storage.offset(what.arg)

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
        if len(parts) > 1:
            return Text(text, SUM, "i")
        return Text(text, PRODUCT if "*" in text else UNARY if text[0] == "-" else ATOM, "i")

    def _atom(self, what: str | Element) -> str:
        if isinstance(what, Element):
            index: Text = self.dialect.as_index(self.value(what))
            return index.inside(PRODUCT)
        if what not in self._counters:
            self.header.add(what)
        return what

    def load(self, array: str, place: Index, *, is_tile: bool = False, is_read: bool = True) -> str:
        """Return the text that reads ``array[place]``.

        Where a loop variable runs through the elements, the rest of the place becomes a view, so
        that LLVM sees an index that begins at zero.
        """
        if not is_tile:
            place = place.replaced(self.shift)
        inner = [name for name in VARIABLES if name in place.variables()]
        steps = {atoms[0]: factor for atoms, factor in place.terms if len(atoms) == 1}
        step = steps.get(inner[-1], 0) if inner else 0
        moving = Index([((inner[-1],), step)]) if inner else ZERO
        rest = place + number(-1) * moving
        if place.elements() and not step and is_read:
            return f"{self.call('at')}({array}, {self.index(place).text})"
        if step <= 0 or inner[-1] in rest.variables() or (rest.constant or 0) > 0:
            return f"{array}[{self.index(place).text}]"
        if rest.constant == 0:
            return f"{array}[{self.index(moving).text}]"
        return f"{self.view(array, rest)}[{self.index(moving).text}]"

    def view(self, array: str, place: Index) -> str:
        """Return the name of ``array`` from `place` on."""
        for region in self.regions:
            if (array, place) in region.views:
                return region.views[array, place]
        region = self.region(place.variables())
        kind = "tile" if START in region.knows - set(VARIABLES) else "row" if region.knows else "at"
        line = self._from(array, place)
        name = self.names.fresh(f"{array}_{kind}")
        region.lines.append(f"{name} = {line}")
        region.views[array, place] = name
        return name

    def _from(self, array: str, place: Index) -> str:
        """Return the text of an array from `place` on."""
        text: str = self.dialect.view(array, self.index(place).text)
        self.called.update(name for name in self._functions if f"{name}(" in text)
        return text

    def region(self, known: frozenset[str]) -> Region:
        """Return the outermost body in which the variables among `known` are known."""
        inside = known & self._counters
        return next(region for region in self.regions if inside <= region.knows)

    # -- values ----------------------------------------------------------------------------------

    def known(self, element: Element) -> Text | None:
        """Return the text of a value that was calculated already."""
        return next((r.memo[element] for r in self.regions if element in r.memo), None)

    def value(self, element: Element) -> Text:
        """Return the text of a value, after the lines that calculate it."""
        stack = [element]
        while stack:
            current = stack[-1]
            if self.known(current) is None:
                missing = [each for each in self._operands(current) if self.known(each) is None]
                if missing:
                    stack += reversed(missing)
                    continue
                self._define(current)
            stack.pop()
        text = self.known(element)
        assert text is not None
        return text

    def as_float(self, element: Element) -> str:
        """Return the text of a value as a float."""
        text: Text = self.dialect.as_float(self.value(element))
        return text.text

    def _is_read(self, node: Node) -> bool:
        return node in self.stored.buffers or node.op in (Op.DATA, Op.PARAM)

    def _operands(self, element: Element) -> list[Element]:
        if self._is_read(element.node) or element.node.op in FIXED:
            return [inner for index in element.at for inner in index.elements()]
        return self.axes.operands(element)

    def _define(self, element: Element) -> None:
        """Write a value whose operands are known, or remember how it is written."""
        node = element.node
        region = self.region(element.variables())
        text = self._read(element, region) if self._is_read(node) else self.calculate(element)
        if node.op not in VIEWS and not text.is_name and node.op not in (Op.CONST, Op.RANGE):
            many = self.stored.uses.get(node, 2) > 1
            outside = region is not self.regions[-1]
            is_slot = node.op is Op.DATA and not node.shape
            if many or outside or node.op in DEAR or is_slot:
                text = self._named(element, text)
        region.memo[element] = text

    def _named(self, element: Element, text: Text) -> Text:
        """Give a value a name, in the body to which it belongs."""
        node = element.node
        own = node in self.hints or node.op in (Op.DATA, Op.PARAM)
        at = "".join(f"_{name}" for name in VARIABLES if name in element.variables())
        wanted = self.describe(node) + (at if own else "")
        return self.assign(wanted, text, self.region(element.variables()), own)

    def assign(self, wanted: str, text: Text, region: Region, own: bool = False) -> Text:
        """Give an expression a name, in `region`."""
        name = self.names.own(wanted) if own else self.names.fresh(wanted)
        region.lines.append(f"{name} = {text.text}")
        return Text(name, ATOM, text.kind)

    def _read(self, element: Element, region: Region) -> Text:
        """Return the text that reads an element of a stored array."""
        node, at = element.node, element.at
        self.count.bytes[region.turns] += self.item_size(node) if region.knows else 0
        buffer = self.stored.buffers.get(node)
        if len(at) == 1 and node.ndim != 1:
            place = at[0]
        elif buffer is None and node.op is Op.DATA:
            place = self.storage.place(node, at)
        else:
            place = self.axes.flat(at, node.shape)
        array, offset = self.home(buffer or node)
        if not node.shape and offset.constant is not None:
            text = Text(f"{array}[{offset.constant}]")
        else:
            text = Text(self.load(self.array(buffer or node), place, is_tile=buffer in self.local))
        if array == "index":
            return Text(text.text, ATOM, "i")
        if array == "data32":
            return Text(f"1.0 * {text.text}", PRODUCT)
        is_bool = node.dtype == BOOL
        return self.dialect.as_bool(text) if is_bool else text

    def item_size(self, node: Node) -> int:
        """Bytes of one element of a value where it is read."""
        is_slot = node.op is Op.DATA and node not in self.stored.buffers
        return 4 if is_slot and self.storage.arrays[node.arg] == "data32" else 8

    def calculate(self, element: Element) -> Text:
        """Return the text of an operation on known operands."""
        node = element.node
        if node.op is Op.CONST:
            return self._constant(node.arg)
        if node.op is Op.RANGE:
            return self.index(element.at[0].replaced(self.shift))
        if is_length(node):
            return Text(f"float({self.index(self.axes.size(node.src[0].shape)).text})")
        operands = self.axes.operands(element)
        texts = [self.value(operand) for operand in operands]
        if node.op in VIEWS or node.op is Op.LOCAL:
            return texts[-1]
        if node.op not in ELEMENTWISE or node.op not in self.dialect.RULES:
            names = ", ".join(leaves(node)) or "constants"
            raise CompileError(
                f"{node.op.value} (in an expression of {names}) has no row in "
                f"{self.dialect.__name__}; add one, or write the model without it"
            )
        turns = self.region(element.variables()).turns
        dear = node.op in TRANSCENDENTAL
        (self.count.transcendentals if dear else self.count.flops)[turns] += 1
        if node.op is Op.WHERE:  # plain values on both sides, so that it is a select
            texts[1:] = map(self._plain, operands[1:], texts[1:])
        result: Text = self.dialect.RULES[node.op](*texts)
        while len(result.text) > _WIDE and not all(text.is_name for text in texts):
            longest = max(
                range(len(texts)), key=lambda i: (not texts[i].is_name, len(texts[i].text))
            )
            texts[longest] = self._named(operands[longest], texts[longest])
            result = self.dialect.RULES[node.op](*texts)
        self.called.update(name for name in self._functions if f"{name}(" in result.text)
        return result

    def _plain(self, element: Element, text: Text) -> Text:
        if text.is_name or text.text.lstrip("-").replace(".", "").isalnum():
            return text
        return self._named(element, text)

    def _constant(self, value: float) -> Text:
        if isinstance(value, bool):
            return Text(str(value), kind="b")
        if abs(value) == float("inf"):
            self.call("inf")
        binds = UNARY if str(value).startswith("-") else ATOM
        return Text(str(value), binds, "i" if isinstance(value, int) else "f")


_BUILTINS = frozenset({"abs", "all", "float", "int", "min", "range"})
