"""Which expressions are alike: the same operations in the same places, on other leaves.

Alike leaves are constants, parameters, data, and elements of one and the same array. A form is a
number; expressions with equal numbers can be calculated side by side (lanes.py).
"""

from collections.abc import Callable, Hashable, Sequence
from math import prod

from exmc_dask.expressions.axes import Dim, Shape
from exmc_dask.expressions.graph import is_data, topological
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import BOOL, ELEMENTWISE, REDUCTION, Op

WHOLE = (None, None, 1)  # what a slice leaves as it is

BATCHED = (
    ELEMENTWISE
    | REDUCTION
    | {Op.RESHAPE, Op.TRANSPOSE, Op.BROADCAST, Op.SLICE, Op.CONCAT, Op.GATHER, Op.MATMUL, Op.CUMSUM}
)
"""Operations that can be applied to many operands side by side."""


class Forms:
    """Forms of expressions.

    Parameters
    ----------
    constants : bool
        Whether different constants are alike.
    arrays : bool
        Whether expressions of data are alike whatever their operations.
    params : function (PARAM leaf) -> object, optional
        Parameters of one shape are alike where it gives the same; none are without it.
    named : set of Node
        Expressions that are alike as leaves are, whatever they are made of.
    """

    def __init__(
        self,
        *,
        constants: bool = True,
        arrays: bool = False,
        params: Callable[[Node], Hashable] | None = None,
        named: frozenset[Node] = frozenset(),
    ) -> None:
        self._constants, self._arrays, self._params = constants, arrays, params
        self._named = named
        self._numbers: dict[Hashable, int] = {}
        self._found: dict[Node, int] = {}
        self._of_arrays: set[Node] = set()

    def __call__(self, node: Node) -> int:
        """Form of an expression."""
        for each in topological([node], self._found):
            is_leaf = each in self._named
            key = (Op.VAR, each.shape) if is_leaf else self._key(each)
            self._found[each] = self._numbers.setdefault(key, len(self._numbers))
        return self._found[node]

    def of_step(self, node: Node) -> int:
        """Form of a named expression, of other named ones."""
        self(node)
        return self._numbers.setdefault(self._key(node), len(self._numbers))

    def _key(self, node: Node) -> Hashable:
        if node.op in (Op.DATA, Op.RANGE) or not self._of_arrays.isdisjoint(node.src):
            self._of_arrays.add(node)
            if self._arrays and is_data(node):
                return Op.DATA, node.dtype, _pattern(node.shape)
        picked = row_of(node)
        if picked is not None:
            return Op.GATHER, picked[0]
        match node.op:
            case Op.CONST:
                return (Op.CONST, node.dtype) if self._constants and node.dtype != BOOL else node
            case Op.PARAM:
                return (Op.PARAM, node.shape, self._params(node)) if self._params else node
            case Op.DATA | Op.RANGE:
                return Op.DATA, node.dtype, _pattern(node.shape)
            case op if op in BATCHED:
                operands = tuple(self._found[operand] for operand in node.src)
                return op, operands, _argument(node), node.dtype, _pattern(node.shape)
            case _:
                return node


def roles(terms: Sequence[Node]) -> dict[Node, int]:
    """Give parameters of terms a number by the places in which they stand.

    The common mean of a group, a member of it and its scale have the same prior perhaps, but not
    the same role. In which and in how many terms of one form a parameter stands does not count.
    """
    form = Forms(arrays=True, params=lambda leaf: None)
    numbers: dict[Hashable, int] = {}
    found: dict[Node, int] = {}
    above: dict[Node, set[Hashable]] = {}
    for term in terms:
        above.setdefault(term, set()).add(form(term))
    for node in reversed(topological(terms)):
        role = numbers.setdefault(frozenset(above.pop(node)), len(numbers))
        if node.op is Op.PARAM:
            found[node] = role
        for place, operand in enumerate(node.src):
            among = 0 if node.op is Op.CONCAT else place
            above.setdefault(operand, set()).add((role, form(node), among))
    return found


def _pattern(shape: Shape) -> Hashable:
    """`shape` without the length of its first axis, in which expressions that are alike differ."""
    return len(shape), shape[1:]


def _argument(node: Node) -> Hashable:
    argument: Hashable = node.arg
    match node.op:
        case Op.BROADCAST:  # does it repeat its operand along the first axis?
            return node.src[0].ndim == node.ndim and node.src[0].shape[0] == node.shape[0]
        case Op.RESHAPE:
            return None
        case Op.POW:  # small whole powers are products, so the number is part of the operation
            power = node.src[1]
            number = power.src[0] if power.op is Op.BROADCAST else power
            return number if number.op is Op.CONST else None
        case _:
            return argument


def row_of(node: Node) -> tuple[Node, int] | None:
    """(array, place) of which an expression is ``array[place]``."""
    if node.op is not Op.RESHAPE or node.src[0].op is not Op.SLICE:
        return None
    cut = node.src[0]
    array, cuts = cut.src[0], cut.arg
    rank = array.ndim - node.ndim
    if rank < 1 or node.shape != array.shape[rank:] or cuts[rank:] != (WHOLE,) * node.ndim:
        return None
    place, lengths = 0, array.shape[:rank]
    for dim, (start, stop, step) in zip(lengths, cuts, strict=False):
        first = _first(dim, start)
        if first is None or step != 1 or stop != (None if start == -1 else start + 1):
            return None
        if rank > 1 and not isinstance(dim, int):
            return None
        place = place * (dim if isinstance(dim, int) else 1) + first
    if rank > 1:
        size = prod(dim for dim in lengths if isinstance(dim, int))
        array = make(Op.RESHAPE, (array,), (size, *node.shape))
    return array, place


def row(array: Node, place: int) -> Node:
    """Return ``array[place]``."""
    cuts = ((place, place + 1, 1), *[WHOLE] * (array.ndim - 1))
    return make(Op.RESHAPE, (make(Op.SLICE, (array,), cuts),), array.shape[1:])


def _first(dim: Dim, start: int | None) -> int | None:
    if start is None or (start < 0 and not isinstance(dim, int)):
        return None
    return start if start >= 0 else start + dim  # type: ignore[operator]
