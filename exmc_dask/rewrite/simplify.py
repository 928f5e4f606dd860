"""Algebra on the density graph: less work an element, and work on scalars done once.

The rules change values by rounding only. They assume what a density may assume: that a function
which is positive for every real number is positive, and that an element nobody reads is not worth
looking at. Broadcasts move outwards, so that elementwise work is done before repeating; factors and
terms that do not vary move out of sums (sums.py); powers become products, divisions by a scalar
become products with its reciprocal.
"""

from collections.abc import Sequence
from math import isfinite

from exmc_dask.expressions.axes import broadcast, is_static, static_size
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import in_bodies, is_data
from exmc_dask.expressions.ir import Node, broadcast_to, const, elementwise, make
from exmc_dask.expressions.ops import ELEMENTWISE, FLOAT, INT, Op
from exmc_dask.expressions.pattern import Pat, Rule, Rules, rewrite
from exmc_dask.rewrite.bounds import compare
from exmc_dask.rewrite.sums import SUM_RULES

FEW = 16  # scalars that are calculated one by one although they were joined
X, Y, Z = Pat(name="x"), Pat(name="y"), Pat(name="z")
S, T = Pat(name="s", scalar=True), Pat(name="t", scalar=True)
ZERO, ONE = Pat(number=0.0), Pat(number=1.0)
TRUE, FALSE = Pat(number=1), Pat(number=0)


def simplify(roots: Sequence[Node]) -> list[Node]:
    """Return roots of the same values that take less work."""
    return rewrite(in_bodies(roots, simplify), RULES)


def _p(op: Op, *src: Pat, name: str | None = None) -> Pat:
    return Pat(op, src or None, name)


def _f(op: Op, *operands: Node) -> Node:
    return elementwise(op, *operands)


def _folded(node: Node) -> Node | None:
    """Calculate what is made of constants; infinite and undefined results are left as they are."""
    if node.shape or not all(operand.op is Op.CONST for operand in node.src):
        return None
    value = evaluate([node], {})[0].item()
    return const(value) if isfinite(value) else None


def _outwards(node: Node) -> Node | None:
    """Elementwise work on repeated values: work first, repeat afterwards."""
    if not node.shape or not all(operand.op is Op.BROADCAST for operand in node.src):
        return None
    inner = [operand.src[0] for operand in node.src]
    small = broadcast(*(operand.shape for operand in inner))
    padded = (1,) * (node.ndim - len(small)) + small
    if padded == node.shape:
        return None
    return broadcast_to(_f(node.op, *inner), node.shape)


def _after_gather(node: Node) -> Node | None:
    """Elementwise work on selected values: work on the parameters, select afterwards."""
    gathers = [operand for operand in node.src if operand.op is Op.GATHER]
    if not gathers or len({(g.src[1], g.src[0].shape) for g in gathers}) != 1:
        return None
    values, index = gathers[0].src
    if not is_static(values.shape):
        return None
    inner: list[Node] = []
    for operand in node.src:
        if operand.op is Op.GATHER:
            inner.append(operand.src[0])
        elif operand.op is Op.BROADCAST and not operand.src[0].shape:
            inner.append(broadcast_to(operand.src[0], values.shape))
        else:
            return None
    return make(Op.GATHER, (_f(node.op, *inner), index))


def _power(node: Node) -> Node | None:
    """Small whole powers as products, and the square root."""
    x, y = node.src
    exponent = y.src[0] if y.op is Op.BROADCAST else y
    if exponent.op is not Op.CONST or (node.dtype == INT and exponent.arg < 0):
        return None
    match float(exponent.arg):
        case 0.0:
            return const(1.0 if node.dtype == FLOAT else 1)
        case 0.5:
            return _f(Op.SQRT, x)
        case 1.0 | 2.0 | 3.0 | 4.0 as n:
            square = x * x
            return (x, square, square * x, square * square)[int(n) - 1]
        case -1.0 | -2.0 | -3.0 | -4.0 as n:
            return 1.0 / _f(Op.POW, x, const(-n))
    return None


def _reciprocal(node: Node) -> Node | None:
    """Division by repeated or selected values: reciprocals first, repeat or select afterwards."""
    x, y = node.src
    if not node.shape or x.op is Op.BROADCAST or y.op not in (Op.BROADCAST, Op.GATHER):
        return None
    values = y.src[0]
    if y.op is Op.GATHER and (is_data(y) or not is_static(values.shape)):
        return None
    return x * make(y.op, (1.0 / values, *y.src[1:]), y.arg)


def _move(node: Node) -> Node | None:
    """Movements of movements, and movements that move nothing."""
    (x,) = node.src
    turned = node.op is Op.TRANSPOSE and node.arg != tuple(range(x.ndim))
    turned |= node.op is Op.SLICE and any(step < 0 for _, _, step in node.arg)
    if x.shape == node.shape and not turned:
        return x
    if not x.shape or (x.op is Op.BROADCAST and not x.src[0].shape):
        return broadcast_to(x.src[0] if x.shape else x, node.shape)
    if node.op is x.op is Op.RESHAPE:
        return make(Op.RESHAPE, (x.src[0],), node.arg)
    if node.op is x.op is Op.BROADCAST:
        return broadcast_to(x.src[0], node.shape)
    if node.op is x.op is Op.TRANSPOSE:
        return make(Op.TRANSPOSE, (x.src[0],), tuple(x.arg[axis] for axis in node.arg))
    if node.op is Op.BROADCAST and x.op is Op.RESHAPE:
        inner = x.src[0]
        if x.shape == (1,) * (x.ndim - inner.ndim) + inner.shape:
            return broadcast_to(inner, node.shape)
    return None


def _slice_of_joined(node: Node) -> Node | None:
    """Part of one of the pieces that were joined."""
    (x,) = node.src
    if x.op is not Op.CONCAT or not all(isinstance(piece.shape[x.arg], int) for piece in x.src):
        return None
    start, stop, step = node.arg[x.arg]
    places = range(static_size((x.shape[x.arg],)))[slice(start, stop, step)]
    first = 0
    for piece in x.src:
        size = static_size((piece.shape[x.arg],))
        if step == 1 and places and first <= places[0] and places[-1] < first + size:
            cut = (places[0] - first, places[-1] + 1 - first, 1)
            return make(Op.SLICE, (piece,), (*node.arg[: x.arg], cut, *node.arg[x.arg + 1 :]))
        first += size
    return None


def _piecewise(node: Node) -> Node | None:
    """Elementwise work on a few scalars that were joined: work on each, join afterwards."""
    count = {len(x.src) for x in node.src if x.op is Op.CONCAT}
    if len(count) != 1 or node.ndim != 1 or count.pop() > FEW or not is_static(node.shape):
        return None
    pieces = []
    for x in node.src:
        scalar = x.op is Op.BROADCAST and not x.src[0].shape
        if not scalar and (x.op is not Op.CONCAT or any(piece.shape != (1,) for piece in x.src)):
            return None
        pieces.append([x.src[0]] * static_size(node.shape) if scalar else list(x.src))
    return make(Op.CONCAT, tuple(_f(node.op, *each) for each in zip(*pieces, strict=True)), 0)


def _embed_all(node: Node) -> Node | None:
    """Nothing but the operand: it fills the whole."""
    (x,) = node.src
    return x if x.shape == node.shape and all(step > 0 for _, _, step in node.arg[1]) else None


def _gather(x: Node, y: Node) -> Node | None:
    if x.op is Op.BROADCAST and not x.src[0].shape:
        return broadcast_to(x.src[0], y.shape + x.shape[1:])
    return None


def _scalar_sum(op: Op, first: Op, second: Op) -> Rule:
    """(x first s) second t -> x op (s . t): what is scalar in a chain of terms comes together."""

    def put(x: Node, s: Node, t: Node) -> Node:
        both = s + t if first is second else s - t
        return _f(op, x, both)

    return Rule(_p(second, _p(first, X, S), T), put)


NODE = "node"
ALGEBRA = [
    Rule(_p(Op.ADD, X, ZERO), lambda x: x),
    Rule(_p(Op.SUB, X, ZERO), lambda x: x),
    Rule(_p(Op.SUB, ZERO, X), lambda x: -x),
    Rule(_p(Op.MUL, X, ONE), lambda x: x),
    Rule(_p(Op.MUL, X, Pat(number=-1.0)), lambda x: -x),
    Rule(_p(Op.DIV, X, ONE), lambda x: x),
    Rule(_p(Op.NEG, _p(Op.NEG, X)), lambda x: x),
    Rule(_p(Op.NEG, _p(Op.SUB, X, Y)), lambda x, y: y - x),
    Rule(_p(Op.NEG, _p(Op.MUL, X, S)), lambda x, s: x * -s),
    Rule(_p(Op.ADD, X, X), lambda x: x * 2.0 if x.dtype == FLOAT else None),
    Rule(
        _p(Op.ADD, _p(Op.ADD, X, Y), Z),
        lambda x, y, z: y + x * 2.0 if z is x else x + y * 2.0 if z is y else None,
    ),
    Rule(_p(Op.ADD, X, _p(Op.NEG, Y)), lambda x, y: x - y),
    Rule(_p(Op.SUB, X, _p(Op.NEG, Y)), lambda x, y: x + y),
    Rule(_p(Op.MUL, _p(Op.NEG, X), _p(Op.NEG, Y)), lambda x, y: x * y),
    Rule(_p(Op.MUL, _p(Op.NEG, X), S), lambda x, s: x * -s),
    Rule(_p(Op.MUL, _p(Op.NEG, X), Y), lambda x, y: -(x * y)),
    Rule(_p(Op.DIV, _p(Op.NEG, X), Y), lambda x, y: -(x / y)),
    Rule(_p(Op.MUL, _p(Op.MUL, X, S), T), lambda x, s, t: x * (s * t)),
    Rule(
        _p(Op.DIV, X, S),
        lambda x, s: None if x.op is Op.CONST or x.op is Op.BROADCAST else x * (1.0 / s),
    ),
    Rule(Pat(Op.DIV, None, NODE), _reciprocal),
    Rule(
        _p(Op.MUL, X, _p(Op.DIV, ONE, Y)),  # reciprocals of data are calculated once
        lambda x, y: x / y if x.shape and not is_data(y) else None,
    ),
    _scalar_sum(Op.ADD, Op.ADD, Op.ADD),
    _scalar_sum(Op.ADD, Op.ADD, Op.SUB),
    _scalar_sum(Op.SUB, Op.SUB, Op.SUB),
    _scalar_sum(Op.SUB, Op.SUB, Op.ADD),
    Rule(_p(Op.LOG, _p(Op.EXP, X)), lambda x: x),
    Rule(_p(Op.LOG, _p(Op.SQRT, X)), lambda x: 0.5 * _f(Op.LOG, x)),
    Rule(_p(Op.LOG, _p(Op.SIGMOID, X)), lambda x: -_f(Op.SOFTPLUS, -x)),
    Rule(_p(Op.LOG, _p(Op.SUB, ONE, _p(Op.SIGMOID, X))), lambda x: -_f(Op.SOFTPLUS, x)),
    Rule(
        _p(Op.LOG, _p(Op.WHERE, Z, _p(Op.SIGMOID, X), _p(Op.SUB, ONE, _p(Op.SIGMOID, X)))),
        lambda x, z: -_f(Op.SOFTPLUS, _f(Op.WHERE, z, -x, x)),
    ),
    Rule(_p(Op.LOG1P, _p(Op.NEG, _p(Op.SIGMOID, X))), lambda x: -_f(Op.SOFTPLUS, x)),
    Rule(_p(Op.LOG1P, _p(Op.EXP, X)), lambda x: _f(Op.SOFTPLUS, x)),
    Rule(_p(Op.SQRT, _p(Op.MUL, X, X)), lambda x: _f(Op.ABS, x)),
    Rule(Pat(Op.POW, None, NODE), _power),
]
CHOICES = [
    Rule(_p(Op.WHERE, TRUE, X, Y), lambda x, y: x),
    Rule(_p(Op.WHERE, FALSE, X, Y), lambda x, y: y),
    Rule(_p(Op.WHERE, Z, X, X), lambda x, z: x),
    Rule(_p(Op.WHERE, _p(Op.NOT, Z), X, Y), lambda x, y, z: _f(Op.WHERE, z, y, x)),
    Rule(
        _p(Op.WHERE, Z, _p(Op.WHERE, Z, X, Pat()), Y),
        lambda x, y, z: _f(Op.WHERE, z, x, y),
    ),
    Rule(
        _p(Op.ADD, _p(Op.WHERE, Z, X, ZERO), _p(Op.WHERE, Z, ZERO, Y)),
        lambda x, y, z: _f(Op.WHERE, z, x, y),
    ),
    Rule(_p(Op.AND, TRUE, X), lambda x: x),
    Rule(_p(Op.AND, X, X), lambda x: x),
    Rule(_p(Op.OR, FALSE, X), lambda x: x),
    Rule(_p(Op.OR, X, X), lambda x: x),
    Rule(Pat(Op.LT, None, NODE), compare),
    Rule(Pat(Op.LE, None, NODE), compare),
]
FOLDING = [Rule(Pat(op, None, NODE), _folded) for op in Op if op in ELEMENTWISE]
ORDER = [
    Rule(Pat(op, None, NODE), put)
    for op in Op
    for put in (
        *((_outwards, _after_gather, _piecewise) if op in ELEMENTWISE else ()),
        *((_move,) if op in (Op.RESHAPE, Op.BROADCAST, Op.TRANSPOSE, Op.SLICE) else ()),
    )
]
RULES = Rules(
    [
        *FOLDING,
        *ALGEBRA,
        *CHOICES,
        *ORDER,
        Rule(_p(Op.GATHER, X, Y), _gather),
        Rule(Pat(Op.EMBED, None, NODE), _embed_all),
        Rule(Pat(Op.SLICE, None, NODE), _slice_of_joined),
        *SUM_RULES,
    ]
)
