"""Where one element of a value comes from: indices, and their way through views.

An index is a polynomial with whole coefficients in loop variables, extents and elements of integer
values, so that slices, transposes, reshapes and gathers are all arithmetic on indices.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from math import prod
from weakref import WeakKeyDictionary

from exmc_dask.expressions.axes import Dim, Shape, sliced, symbols
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.indexing import Cut
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import ELEMENTWISE, Op
from exmc_dask.rewrite.lanes import Ragged

from .normal import is_data_matrix, is_tall, loop_order

VARIABLES = ("i", "j", "k", "l", "m", "n")
"""Loop variables by depth."""

LANE = "lane"
"""Number of the lane in a loop along a ragged axis."""

VIEWS = frozenset(
    {Op.BROADCAST, Op.RESHAPE, Op.TRANSPOSE, Op.SLICE, Op.GATHER}
)  # values that are elements of another value


@dataclass(frozen=True)
class Element:
    """One element of a value."""

    node: Node
    at: "tuple[Index, ...]"  # an index an axis; a single one counts elements, row-major

    def variables(self) -> frozenset[str]:
        """Loop variables on which it depends, through its indices or as part of a scan's step."""
        return turns(self.node).union(*(index.variables() for index in self.at))


_turns: WeakKeyDictionary[Node, frozenset[str]] = WeakKeyDictionary()


def turns(node: Node) -> frozenset[str]:
    """Variables of the scans in whose steps a value is made: it differs from step to step."""
    if node not in _turns:
        for each in topological([node], _turns):
            own = frozenset(each.arg[:1] if each.op is Op.LOCAL else ())
            _turns[each] = own.union(*(_turns[operand] for operand in each.src))
    return _turns[node]


type Atom = str | Element


class Index:
    """A polynomial: products of atoms with whole coefficients. Immutable."""

    __slots__ = ("_key", "terms")

    def __init__(self, terms: Iterable[tuple[tuple[Atom, ...], int]]) -> None:
        total: dict[tuple[Atom, ...], int] = {}
        for atoms, factor in terms:
            total[atoms] = total.get(atoms, 0) + factor
        self.terms = tuple((atoms, factor) for atoms, factor in total.items() if factor)
        self._key = frozenset(self.terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Index({self.terms})"

    def __add__(self, other: "Index") -> "Index":
        return Index((*self.terms, *other.terms))

    def __mul__(self, other: "Index") -> "Index":
        return Index((_product(a, b), m * n) for a, m in self.terms for b, n in other.terms)

    @property
    def constant(self) -> int | None:
        """The number that this is, if it is one."""
        if not self.terms:
            return 0
        (atoms, factor), *others = self.terms
        return factor if not atoms and not others else None

    def value(self, names: Mapping[str, int]) -> int:
        """Return the number that this is for the values of all names in it."""
        return sum(
            factor * prod(names[atom] for atom in atoms if isinstance(atom, str))
            for atoms, factor in self.terms
        )

    def replaced(self, values: "Mapping[str, Index]") -> "Index":
        """Put polynomials in the place of names."""
        total = ZERO
        for atoms, factor in self.terms:
            term = number(factor)
            for each in atoms:
                known = values.get(each) if isinstance(each, str) else None
                term = term * (atom(each) if known is None else known)
            total = total + term
        return total

    def variables(self) -> frozenset[str]:
        """Names in it, those inside of elements too."""
        return frozenset(_names(self))

    def elements(self) -> list[Element]:
        """Elements of integer values in it."""
        return [atom for atoms, _ in self.terms for atom in atoms if isinstance(atom, Element)]


def _product(a: tuple[Atom, ...], b: tuple[Atom, ...]) -> tuple[Atom, ...]:
    return tuple(sorted((*a, *b), key=str)) if all(isinstance(x, str) for x in (*a, *b)) else a + b


def _names(index: Index) -> Iterator[str]:
    for atoms, _ in index.terms:
        for atom in atoms:
            if isinstance(atom, str):
                yield atom
            else:
                yield from atom.variables()


def number(value: int) -> Index:
    """Return a constant index."""
    return Index([((), value)])


def atom(value: Atom) -> Index:
    """Return the index that is one name or element."""
    return Index([((value,), 1)])


ZERO = number(0)


class Axes:
    """Dimensions of a graph: which are the same, and what their lengths are called.

    Attributes
    ----------
    equal : dict of (Dim, Dim) to Node
        Dimensions with different names that an operation needs to be equal.
    columns : set of str
        Data matrices that are stored column after column.
    names : dict of Dim to str
        Name of the length of every dimension that only the data know.
    starts : dict of (Dim, cut) to str
        Name of the first index of a slice of such a dimension, where it depends on the length.
    rows : dict of Node to (Node, Index)
        The value of which a LOCAL leaf is a row, and which.
    ragged : dict of Dim to Ragged
        Dimensions along which lanes of different lengths follow each other.
    """

    def __init__(
        self,
        roots: Iterable[Node],
        shapes: Iterable[Shape] = (),
        ragged: Iterable[Ragged] = (),
    ) -> None:
        self._parent: dict[Dim, Dim] = {}
        self.equal: dict[tuple[Dim, Dim], Node] = {}
        self.names: dict[Dim, str] = {}
        self.starts: dict[tuple[Dim, Cut], str] = {}
        self.rows: dict[Node, tuple[Node, Index]] = {}
        order = topological(roots)
        for node in order:
            for one, other in _equal_dims(node):
                if one != other:
                    self.equal.setdefault((one, other), node)
                    self._join(one, other)
        self.ragged = {self.same(axis.axis): axis for axis in ragged}
        self._lanes = {axis.lane for axis in self.ragged.values()}
        self.columns = self._in_columns(order)
        for shape in shapes:
            for dim in shape:
                self._name(self.same(dim))
        for node in order:
            for dim in node.shape:
                self._name(self.same(dim))
            if node.op in (Op.SLICE, Op.EMBED):
                whole, cuts = (node.src[0].shape, node.arg) if node.op is Op.SLICE else node.arg
                for dim, cut in zip(whole, cuts, strict=True):
                    self._name_start(self.same(dim), cut)

    def _in_columns(self, order: Iterable[Node]) -> set[str]:
        """Return the matrices whose loops run over their rows; not those read as one vector."""
        found: set[str] = set()
        flat: set[str] = set()
        for node in order:
            source = node.src[0] if node.src else node
            if node.op is Op.DATA and loop_order(tuple(map(self.same, node.shape))) == (1, 0):
                found.add(node.arg)
            elif node.op is Op.MATMUL:
                for factor in filter(is_data_matrix, node.src):
                    data = factor.src[0] if factor.op is Op.TRANSPOSE else factor
                    tall = is_tall(data) or node.ndim == 1
                    found |= {data.arg} if tall and self.row_axis(data) == 0 else set()
            elif node.op is Op.RESHAPE and source.op is Op.DATA and not is_squeeze(node):
                flat.add(source.arg)
        return found - flat

    def same(self, dim: Dim) -> Dim:
        """Return the representative of all dimensions that equal `dim`; a number if one is."""
        while dim in self._parent:
            dim = self._parent[dim]
        return dim

    def _join(self, one: Dim, other: Dim) -> None:
        one, other = self.same(one), self.same(other)
        if one == other:
            return
        keep, drop = sorted((one, other), key=lambda dim: (not isinstance(dim, int), str(dim)))
        self._parent[drop] = keep

    def _name(self, dim: Dim) -> None:
        if not isinstance(dim, int) and dim not in self.names:
            slot, _, axis = min(symbols(dim)).rpartition(".")
            base = "n_" + identifier(slot) + ("" if axis == "0" else f"_{axis}")
            taken = sum(
                re.fullmatch(rf"{base}(_part\d+)?", name) is not None
                for name in self.names.values()
            )
            self.names[dim] = f"{base}_part{taken}" if taken else base

    def _name_start(self, dim: Dim, cut: Cut) -> None:
        start, _, step = cut
        fixed = isinstance(dim, int) or (step > 0 and (start is None or start >= 0))
        if not fixed:
            self._name(dim)
            self.starts.setdefault((dim, cut), f"first_{len(self.starts) + 1}_{self.names[dim]}")

    def extent(self, dim: Dim) -> Index:
        """Length of a dimension."""
        dim = self.same(dim)
        return number(dim) if isinstance(dim, int) else atom(self.names[dim])

    def size(self, shape: Shape) -> Index:
        """Return the number of elements."""
        return reduce(Index.__mul__, map(self.extent, shape), number(1))

    def row_axis(self, matrix: Node) -> int:
        """Axis of a data matrix, perhaps transposed, along which it is stored: the long one."""
        data = matrix.src[0] if matrix.op is Op.TRANSPOSE else matrix
        a, b = map(self.same, data.shape)
        long = int(isinstance(a, int) and (not isinstance(b, int) or b > a))
        return 1 - long if matrix.op is Op.TRANSPOSE else long

    def runs_along_rows(self, matrix: Node) -> bool:
        """Whether a data matrix, perhaps transposed, is stored along its long axis."""
        data = matrix.src[0] if matrix.op is Op.TRANSPOSE else matrix
        return (self.row_axis(data) == 0) == (data.arg in self.columns)

    def start(self, dim: Dim, cut: Cut) -> Index:
        """First index of a slice."""
        dim = self.same(dim)
        if (dim, cut) in self.starts:
            return atom(self.starts[dim, cut])
        return number(slice(*cut).indices(dim)[0] if isinstance(dim, int) else cut[0] or 0)

    def flat(self, at: tuple[Index, ...], shape: Shape) -> Index:
        """Return the row-major place of an element."""
        place = ZERO
        for index, dim in zip(at, shape, strict=True):
            place = place * self.extent(dim) + index
        return place

    def operands(self, element: Element) -> list[Element]:
        """Return the elements from which one is calculated; for a reduction, see `summand`."""
        node, at = element.node, element.at
        match node.op:
            case Op.BROADCAST:
                source = node.src[0]
                own = at[node.ndim - source.ndim :]
                pairs = zip(own, source.shape, strict=True)
                return [Element(source, tuple(ZERO if dim == 1 else x for x, dim in pairs))]
            case Op.TRANSPOSE:
                back = sorted(range(node.ndim), key=lambda axis: node.arg[axis])
                return [Element(node.src[0], tuple(at[axis] for axis in back))]
            case Op.SLICE:
                return [Element(node.src[0], self.sliced(at, node.src[0].shape, node.arg))]
            case Op.RESHAPE:
                return [Element(node.src[0], self._reshaped(node, at))]
            case Op.GATHER:
                values, places = node.src
                place = Element(places, at[: places.ndim])
                if self.is_lane(place):
                    return [Element(values, (atom(LANE), *at[1:]))]
                return [place, Element(values, (atom(place), *at[places.ndim :]))]
            case Op.LOCAL:
                whole, row = self.rows[node]
                return [Element(whole, (row, *at))]
            case _ if node.op in ELEMENTWISE:
                return [Element(source, at) for source in node.src]
            case _:
                return []

    def is_lane(self, place: Element) -> bool:
        """Whether an index is the lane of the element at which a loop stands."""
        return place.node in self._lanes and place.at in [(atom(name),) for name in VARIABLES]

    def sliced(
        self,
        at: tuple[Index, ...],
        whole: Shape,
        cuts: tuple[Cut, ...],
    ) -> tuple[Index, ...]:
        """Place in the whole of an element of a slice."""
        return tuple(
            self.start(dim, cut) + number(cut[2]) * index if cut != (None, None, 1) else index
            for index, dim, cut in zip(at, whole, cuts, strict=True)
        )

    def _reshaped(self, node: Node, at: tuple[Index, ...]) -> tuple[Index, ...]:
        source = node.src[0]
        if is_squeeze(node):
            long = iter([x for x, dim in zip(at, node.shape, strict=True) if dim != 1])
            return tuple(ZERO if dim == 1 else next(long) for dim in source.shape)
        return (self.flat(at, node.shape),)


def identifier(name: str) -> str:
    """Return a name of the user as a Python identifier."""
    return re.sub(r"\W|^(?=\d)", "_", name)


def is_squeeze(node: Node) -> bool:
    """Whether a RESHAPE only adds and removes axes of length 1."""
    kept = [[dim for dim in shape if dim != 1] for shape in (node.shape, node.src[0].shape)]
    return kept[0] == kept[1]


def _equal_dims(node: Node) -> Iterator[tuple[Dim, Dim]]:
    """Pairs of dimensions that a well-formed node shows to be equal."""
    shapes = [operand.shape for operand in node.src]
    match node.op:
        case Op.BROADCAST:
            lead = node.ndim - len(shapes[0])
            pairs = zip(shapes[0], node.shape[lead:], strict=True)
            yield from ((one, other) for one, other in pairs if one != 1)
        case Op.MATMUL:
            yield shapes[0][-1], shapes[1][0]
        case Op.CHOLESKY:
            yield shapes[0][0], shapes[0][1]
        case Op.TRISOLVE:
            yield shapes[0][0], shapes[0][1]
            yield shapes[0][1], shapes[1][0]
        case Op.EMBED:
            for have, dim, cut in zip(shapes[0], *node.arg, strict=True):
                yield have, sliced(dim, *cut)
        case Op.CONCAT:
            for shape in shapes:
                for axis, dim in enumerate(shape):
                    if axis != node.arg:
                        yield dim, node.shape[axis]
        case Op.SCATTER_ADD:
            yield from zip(shapes[0], shapes[1], strict=False)
        case Op.SCAN:
            for place, (leaf, shape) in enumerate(zip(node.arg.leaves, shapes, strict=True)):
                row = (node.arg.length,) if place in node.arg.sequences else ()
                yield from zip(shape, row + leaf.shape, strict=True)
