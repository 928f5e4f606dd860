"""Expressions that are alike, side by side: one expression that has all their values.

The values of n scalars become a vector (n,), those of n arrays of one shape an array (n, *shape).
Arrays whose first axes differ in length are *ragged*: they are laid one after the other along it
(`Ragged`), and an array of whole numbers says to which lane each element belongs. Data, constants
and such numbers become slots of their own, which are made of the user's when data are bound.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from exmc_dask.expressions.axes import Dim, Shape, joined
from exmc_dask.expressions.graph import is_data
from exmc_dask.expressions.ir import Node, broadcast_to, const, elementwise, make
from exmc_dask.expressions.ops import BOOL, ELEMENTWISE, REDUCTION, Op
from exmc_dask.rewrite.forms import BATCHED, WHOLE, Forms, row_of

SLOT = "roll.{}"

type Lanes = tuple[Node, ...]


@dataclass(frozen=True)
class Ragged:
    """An axis along which lanes of different lengths follow each other.

    Attributes
    ----------
    axis : str
    lane : Node
        DATA leaf (axis,): the lane of each element. They never fall.
    first : Node
        DATA leaf (n + 1,): where each lane begins, and the length of all.
    n : int
        Number of lanes.
    """

    axis: str
    lane: Node
    first: Node
    n: int


class Apart(Exception):
    """These expressions cannot be calculated side by side."""


class Loom:
    """Lays expressions side by side; the same ones once.

    Attributes
    ----------
    slots : dict of Node to Node
        DATA leaf -> what it holds, an expression of the user's data.
    rows : dict of Node to tuple of Node
        Joined parameters -> the PARAM leaves that are joined.
    ragged : dict of tuple of Dim to Ragged
        Lengths of lanes -> the axis they make.
    """

    def __init__(self) -> None:
        self.slots: dict[Node, Node] = {}
        self.rows: dict[Node, Lanes] = {}
        self.ragged: dict[tuple[Dim, ...], Ragged] = {}
        self._made: dict[Lanes, Node] = {}
        self._held: dict[Node, Node] = {}
        self._form = Forms()

    def join(self, lanes: Lanes) -> Node:
        """Return one expression with the values of all; they must be of one form.

        Raises
        ------
        Apart
            An operation among theirs cannot be applied side by side.
        """
        before = {name: dict(x) for name, x in vars(self).items() if isinstance(x, dict)}
        try:
            return self._join(lanes)
        except Apart:
            vars(self).update(before)
            raise

    def _join(self, lanes: Lanes) -> Node:
        stack = [lanes]
        while stack:
            current = stack.pop()
            if current in self._made:
                continue
            missing = [x for x in self._operands(current) if x not in self._made]
            if missing:
                stack += [current, *missing]
            else:
                self._made[current] = self._calculated(current)
        return self._made[lanes]

    def _calculated(self, lanes: Lanes) -> Node:
        first = lanes[0]
        if _is_one(lanes):
            return broadcast_to(first, (len(lanes), *first.shape))
        rows = _rows(lanes)
        if rows is not None:
            return self.pick(rows[0], rows[1])
        if self._is_leaf(lanes):
            return self._leaves(lanes)
        try:
            return RULES[first.op](self, lanes, self._operands(lanes))
        except Apart:
            if not is_data(first):
                raise
            return self._leaves(lanes)  # calculated one by one, when data are bound

    def _operands(self, lanes: Lanes) -> list[Lanes]:
        """Lanes of each operand."""
        if _is_one(lanes) or self._is_leaf(lanes) or _rows(lanes) is not None:
            return []
        if lanes[0].op is Op.MATMUL and _needs_sums(lanes):
            return [tuple(map(_written_out, lanes))]
        return [tuple(x.src[i] for x in lanes) for i in range(len(lanes[0].src))]

    def _is_leaf(self, lanes: Lanes) -> bool:
        """Whether lanes are joined as they are: expressions of data whose operations differ too."""
        first = lanes[0]
        if first.op in (Op.CONST, Op.DATA, Op.RANGE, Op.PARAM):
            return True
        other = first.op not in BATCHED or len(set(map(self._form, lanes))) > 1
        return is_data(first) and (other or first.op is Op.MATMUL)

    def __getitem__(self, lanes: Lanes) -> Node:
        """Return what `join` made of them."""
        return self._made[lanes]

    # -- leaves ----------------------------------------------------------------------------------

    def pick(self, array: Node, places: Sequence[int]) -> Node:
        """Return the rows of an array at `places`: a slice where they follow each other."""
        first, n = places[0], len(places)
        step = places[1] - first if n > 1 else 1
        if step > 0 and list(places) == list(range(first, first + n * step, step)):
            if (first, step) == (0, 1) and array.shape[0] == n:
                return array
            stop = first + (n - 1) * step + 1
            return make(Op.SLICE, (array,), ((first, stop, step), *[WHOLE] * (array.ndim - 1)))
        return make(Op.GATHER, (array, self.hold(_stacked([const(i) for i in places]))))

    def _leaves(self, lanes: Lanes) -> Node:
        if _is_ragged(lanes):
            whole = make(Op.CONCAT, lanes, 0)
            dims = tuple(x.shape[0] for x in lanes)
        else:
            whole, dims = _stacked(lanes), ()
        if lanes[0].op is Op.PARAM:
            self.rows[whole] = lanes
            return whole
        if lanes[0].dtype == BOOL:  # joined, truth values are whole numbers
            whole = elementwise(Op.LT, 0, whole)
        return self.hold(whole, dims)

    def lane(self, dims: tuple[Dim, ...]) -> Node:
        """Say for every element along a ragged axis to which lane it belongs."""
        numbers = _lane_of_each(dims)
        if isinstance(numbers.shape[0], int):
            return self._slot(numbers, numbers.shape)
        return self._axis(dims).lane

    def total(self, dims: tuple[Dim, ...]) -> Dim:
        """Length of a ragged axis."""
        length = joined(dims)
        return length if isinstance(length, int) else self._axis(dims).axis

    def _axis(self, dims: tuple[Dim, ...]) -> Ragged:
        if dims not in self.ragged:
            axis = f"{SLOT.format(len(self.slots))}.0"
            lane = self._slot(_lane_of_each(dims), (axis,))
            lengths = _stacked([const(0), *map(_length, dims)])
            first = self._slot(make(Op.CUMSUM, (lengths,), (0, False)), lengths.shape)
            self.ragged[dims] = Ragged(axis, lane, first, len(dims))
        return self.ragged[dims]

    def hold(self, made: Node, dims: tuple[Dim, ...] = ()) -> Node:
        """Return the slot that holds an expression of data; `dims` are those of its lanes."""
        return self._slot(made, (self.total(dims), *made.shape[1:]) if dims else made.shape)

    def _slot(self, made: Node, shape: Shape) -> Node:
        if made not in self._held:
            name = SLOT.format(len(self.slots))
            self._held[made] = make(Op.DATA, (), name, shape, made.dtype)
            self.slots[self._held[made]] = made
        return self._held[made]


def _lane_of_each(dims: tuple[Dim, ...]) -> Node:
    numbers = (broadcast_to(const(i), (dim,)) for i, dim in enumerate(dims))
    return make(Op.CONCAT, tuple(numbers), 0)


def _length(dim: Dim) -> Node:
    return const(dim) if isinstance(dim, int) else broadcast_to(const(1), (dim,)).sum()


def _stacked(lanes: Sequence[Node]) -> Node:
    rows = tuple(make(Op.RESHAPE, (x,), (1, *x.shape)) for x in lanes)
    return make(Op.CONCAT, rows, 0)


def _is_one(lanes: Lanes) -> bool:
    return all(x is lanes[0] for x in lanes)


def _is_ragged(lanes: Lanes) -> bool:
    return any(x.shape != lanes[0].shape for x in lanes)


def _rows(lanes: Lanes) -> tuple[Node, list[int]] | None:
    found = [picked for picked in map(row_of, lanes) if picked is not None]
    if len(found) < len(lanes) or any(array is not found[0][0] for array, _ in found):
        return None
    return found[0][0], [place for _, place in found]


# -- operations ----------------------------------------------------------------------------------


def _dims(lanes: Lanes) -> tuple[Dim, ...]:
    return tuple(x.shape[0] for x in lanes)


def _elementwise(loom: Loom, lanes: Lanes, operands: list[Lanes]) -> Node:
    return make(lanes[0].op, tuple(loom[x] for x in operands))


def _broadcast(loom: Loom, lanes: Lanes, operands: list[Lanes]) -> Node:
    (inner,), shape = operands, lanes[0].shape
    if not _is_ragged(lanes):
        n, own = len(lanes), inner[0].shape
        padded = (n, *(1,) * (len(shape) - len(own)), *own)
        return broadcast_to(_reshaped(loom[inner], padded), (n, *shape))
    dims = _dims(lanes)
    whole = (loom.total(dims), *shape[1:])
    if _is_one(inner):
        return broadcast_to(inner[0], whole)
    if _is_ragged(inner):
        if _dims(inner) != dims or inner[0].ndim != len(shape):
            raise Apart
        return broadcast_to(loom[inner], whole)
    own = inner[0].shape
    if len(own) == len(shape):  # its first axis has length 1
        own = own[1:]
    padded = (len(lanes), *(1,) * (len(shape) - 1 - len(own)), *own)
    rows = make(Op.GATHER, (_reshaped(loom[inner], padded), loom.lane(dims)))
    return broadcast_to(rows, whole)


def _reshaped(x: Node, shape: Shape) -> Node:
    return x if x.shape == shape else make(Op.RESHAPE, (x,), shape)


def _reduced(loom: Loom, lanes: Lanes, operands: list[Lanes]) -> Node:
    (inner,), axes = operands, lanes[0].arg
    if not _is_ragged(inner):
        return make(lanes[0].op, (loom[inner],), tuple(axis + 1 for axis in axes))
    if 0 not in axes:
        return make(lanes[0].op, (loom[inner],), axes)
    if lanes[0].op is not Op.SUM or inner[0].dtype == BOOL:
        raise Apart
    rest = tuple(axis for axis in axes if axis)
    rows = make(Op.SUM, (loom[inner],), rest) if rest else loom[inner]
    return make(Op.SCATTER_ADD, (rows, loom.lane(_dims(inner))), len(lanes))


def _reshape(loom: Loom, lanes: Lanes, operands: list[Lanes]) -> Node:
    (inner,), shape = operands, lanes[0].arg
    if not _is_ragged(lanes) and not _is_ragged(inner):
        return make(Op.RESHAPE, (loom[inner],), (len(lanes), *shape))
    if not _is_ragged(lanes) or not _is_ragged(inner) or _dims(lanes) != _dims(inner):
        raise Apart
    return make(Op.RESHAPE, (loom[inner],), (*loom[inner].shape[:1], *shape[1:]))


def _transpose(loom: Loom, lanes: Lanes, operands: list[Lanes]) -> Node:
    axes = lanes[0].arg
    if not _is_ragged(operands[0]):
        return make(Op.TRANSPOSE, (loom[operands[0]],), (0, *(axis + 1 for axis in axes)))
    if axes[0] != 0:
        raise Apart
    return make(Op.TRANSPOSE, (loom[operands[0]],), axes)


def _slice(loom: Loom, lanes: Lanes, operands: list[Lanes]) -> Node:
    cuts = lanes[0].arg
    if not _is_ragged(operands[0]):
        return make(Op.SLICE, (loom[operands[0]],), (WHOLE, *cuts))
    if cuts[0] != WHOLE:
        raise Apart
    return make(Op.SLICE, (loom[operands[0]],), cuts)


def _along(loom: Loom, axis: int, operands: list[Lanes]) -> int:
    """`axis` where it is now; ragged lanes cannot be worked on along their first."""
    ragged = any(map(_is_ragged, operands))
    if ragged and (axis == 0 or not all(map(_is_ragged, operands))):
        raise Apart
    return axis if ragged else axis + 1


def _concat(loom: Loom, lanes: Lanes, operands: list[Lanes]) -> Node:
    axis = _along(loom, lanes[0].arg, operands)
    return make(Op.CONCAT, tuple(loom[x] for x in operands), axis)


def _cumsum(loom: Loom, lanes: Lanes, operands: list[Lanes]) -> Node:
    axis, reverse = lanes[0].arg
    return make(Op.CUMSUM, (loom[operands[0]],), (_along(loom, axis, operands), reverse))


def _gather(loom: Loom, lanes: Lanes, operands: list[Lanes]) -> Node:
    values, index = operands
    if _is_one(values):
        return make(Op.GATHER, (values[0], loom[index]))
    n = values[0].shape[0]
    if _is_ragged(values) or not isinstance(n, int):
        raise Apart
    flat = make(Op.RESHAPE, (loom[values],), (len(lanes) * n, *values[0].shape[1:]))
    ragged = _is_ragged(index)
    own = loom.lane(_dims(index)) if ragged else make(Op.RANGE, (), len(lanes))
    padded = _reshaped(own, (*own.shape, *(1,) * (loom[index].ndim - 1)))
    return make(Op.GATHER, (flat, loom[index] + padded * n))


def _needs_sums(lanes: Lanes) -> bool:
    """Whether products of matrices have to be written as sums of products."""
    left, right = (tuple(x.src[i] for x in lanes) for i in (0, 1))
    return not (_is_one(right) and left[0].ndim == 2 and _is_ragged(left))


def _written_out(product: Node) -> Node:
    left, right = product.src
    match left.ndim, right.ndim:
        case 1, 1:
            return (left * right).sum()
        case 2, 1:
            return (left * right).sum(1)
        case 1, 2:
            return (left.reshape(left.shape[0], 1) * right).sum(0)
    raise Apart


def _matmul(loom: Loom, lanes: Lanes, operands: list[Lanes]) -> Node:
    if len(operands) == 1:
        return loom[operands[0]]
    return make(Op.MATMUL, (loom[operands[0]], operands[1][0]))


RULES: Mapping[Op, Callable[[Loom, Lanes, list[Lanes]], Node]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(REDUCTION, _reduced),
    Op.BROADCAST: _broadcast,
    Op.RESHAPE: _reshape,
    Op.TRANSPOSE: _transpose,
    Op.SLICE: _slice,
    Op.CONCAT: _concat,
    Op.CUMSUM: _cumsum,
    Op.GATHER: _gather,
    Op.MATMUL: _matmul,
}
