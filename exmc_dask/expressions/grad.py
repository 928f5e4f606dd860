"""Reverse-mode derivatives of a graph, as a graph: one rule an operation.

``RULES[op](node, g, i)`` is what operand `i` of `node` receives when the root changes by `g` per
unit of `node`. Comparisons, FLOOR and SIGN are flat almost everywhere and pass nothing on; where a
MAXIMUM or MINIMUM ties the first operand receives everything, where a MAX ties its elements share.

A zero that WHERE or LOGSUMEXP sends to a value that was not chosen stays exactly zero, even where
the derivative behind it is infinite or NaN: rules are linear in `g`, so instead of the zero being
multiplied by that derivative, the choice is made again after each elementwise rule.
"""

from collections.abc import Callable, Mapping, Sequence
from math import pi, sqrt
from typing import Any

from exmc_dask.errors import ModelError
from exmc_dask.expressions import adjoint
from exmc_dask.expressions.axes import Dim, Shape
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.indexing import Cut
from exmc_dask.expressions.ir import Node, broadcast_to, const, elementwise, make
from exmc_dask.expressions.ops import COMPARISON, ELEMENTWISE, FLOAT, LOGICAL, Op

type Rule = Callable[[Node, Node, int], Node]


def gradient(root: Node, wrt: Sequence[Node]) -> list[Node]:
    """Differentiate a scalar.

    Parameters
    ----------
    root : Node
        A float scalar.
    wrt : sequence of Node
        Usually PARAM leaves; any node will do.

    Returns
    -------
    list of Node
        One a node of `wrt`, of its shape.

    Raises
    ------
    ModelError
        An operation between `root` and `wrt` has no derivative here.
    """
    order = topological([root])
    wanted = set(wrt)
    active = set(wanted)  # only float nodes: conditions and indices neither receive nor pass on
    for node in order:
        if node.op in RULES and node.dtype == FLOAT and not active.isdisjoint(node.src):
            active.add(node)
    received: dict[Node, Node] = {root: const(1.0)}
    for node in reversed(order):
        if node not in active or node not in received or not node.src:
            continue
        g = received[node] if node in wanted else received.pop(node)
        for i, operand in enumerate(node.src):
            if operand in active:
                piece = broadcast_to(_chosen_again(node, g, i), operand.shape)
                received[operand] = (
                    _plus(received[operand], piece) if operand in received else piece
                )
    return [received.get(node, broadcast_to(const(0.0), node.shape)) for node in wrt]


def _is_zero(node: Node) -> bool:
    source = node.src[0] if node.op is Op.BROADCAST else node
    return source.op is Op.CONST and source.arg == 0


def _choice(g: Node) -> tuple[Node, bool, Node] | None:
    """(condition, side, value) if `g` is a value on one `side` of a WHERE and zero on the other."""
    if g.op is Op.WHERE:
        condition, yes, no = g.src
        if _is_zero(no):
            return condition, True, yes
        if _is_zero(yes):
            return condition, False, no
    if g.op in (Op.BROADCAST, Op.RESHAPE):
        found = _choice(g.src[0])
        if found is not None:
            moved = [make(g.op, (part,), g.arg) for part in (found[0], found[2])]
            return moved[0], found[1], moved[1]
    return None


def _choose(condition: Node, side: bool, value: Node) -> Node:
    return elementwise(Op.WHERE, condition, *((value, 0.0) if side else (0.0, value)))


def _chosen_again(node: Node, g: Node, i: int) -> Node:
    """Apply the rule of `node`; what was exactly zero in `g` stays so in the result."""
    found = _choice(g) if node.op in ELEMENTWISE else None
    if found is None:
        return RULES[node.op](node, g, i)
    condition, side, value = found
    return _choose(condition, side, _chosen_again(node, value, i))


def _plus(left: Node, right: Node) -> Node:
    a, b = _choice(left), _choice(right)
    if a is not None and b is not None and a[:2] == b[:2]:
        return _choose(a[0], a[1], _plus(a[2], b[2]))
    return left + right


def _f(op: Op, *operands: Any) -> Node:
    return elementwise(op, *operands)


def _one(rule: Callable[[Node, Node, Node], Node]) -> Rule:
    """Rule of a function y = f(x), written in g, x and y."""
    return lambda node, g, i: rule(g, node.src[0], node)


def _two(*rules: Callable[[Node, Node, Node, Node], Node]) -> Rule:
    """Rule of a function y = f(a, b), one a operand, written in g, a, b and y."""
    return lambda node, g, i: rules[i](g, node.src[0], node.src[1], node)


def _divisor(g: Node, a: Node, b: Node, y: Node) -> Node:
    reciprocal = (a.src[0] if a.op is Op.BROADCAST else a) is const(1.0)
    return -(g * y) * y if reciprocal else -(g / b) * y


def _pow_base(g: Node, a: Node, b: Node, y: Node) -> Node:
    power = b.src[0] if b.op is Op.BROADCAST else b
    if power.op is not Op.CONST:
        return g * b * a ** (b - 1.0)
    match power.arg:
        case 0:
            return g * 0.0
        case 1:
            return g
        case 2:
            return g * 2.0 * a
        case n:
            return g * float(n) * _f(Op.POW, a, n - 1)


def _refuse(node: Node, g: Node, i: int) -> Node:
    raise ModelError(f"{node.op.value} has no derivative here; write the expression without it")


def _gammainc(sign: float) -> Rule:
    """Rule of log P (sign 1) and of log(1 - P) (sign -1), for P(a, x) of the gamma function.

    With the weight ``w = x**a exp(-x) / gamma(a + 1)``, P has the derivative ``w a / x`` in x; that
    in a is w times minus the operation GAMMAINC_SHAPE.
    """

    def rule(node: Node, g: Node, i: int) -> Node:
        a, x = node.src
        weight = a * _f(Op.LOG, x) - x - _f(Op.LGAMMA, a + 1.0)
        slope = -_f(Op.GAMMAINC_SHAPE, a, x) if i == 0 else a / x
        return g * sign * slope * _f(Op.EXP, weight - node)

    return rule


def _betainc(node: Node, g: Node, i: int) -> Node:
    """Rule of log I, for I_x(a, b) of the beta function.

    With the weight ``w = x**a (1 - x)**b / B(a, b)``, I has the derivative ``w / odds`` in the
    odds; that in a is w times minus the operation BETAINC_SHAPE, that in b follows by
    I_x(a, b) = 1 - I_{1-x}(b, a).
    """
    a, b, odds = node.src
    weight = _f(Op.LGAMMA, a + b) - _f(Op.LGAMMA, a) - _f(Op.LGAMMA, b)
    weight = weight - a * _f(Op.LOG1P, 1.0 / odds) - b * _f(Op.LOG1P, odds)
    match i:
        case 0:
            slope = -_f(Op.BETAINC_SHAPE, a, b, odds)
        case 1:
            slope = _f(Op.BETAINC_SHAPE, b, a, 1.0 / odds)
        case _:
            slope = 1.0 / odds
    return g * slope * _f(Op.EXP, weight - node)


def _i1e(g: Node, x: Node, y: Node) -> Node:
    """NIST Digital Library of Mathematical Functions, 10.29.2; I1(x) / x is 1/2 at 0."""
    ratio = _f(Op.WHERE, x.eq(0.0), 0.5, y / x)
    return g * (_f(Op.I0E, x) - ratio - _f(Op.SIGN, x) * y)


def _where(node: Node, g: Node, i: int) -> Node:
    return _choose(node.src[0], i == 1, g)


def _kept(shape: Shape, axes: tuple[int, ...]) -> Shape:
    return tuple(1 if axis in axes else dim for axis, dim in enumerate(shape))


def _spread(node: Node, value: Node) -> Node:
    """Repeat `value`, of the shape of a reduction, along the axes it went over."""
    operand = node.src[0]
    kept = make(Op.RESHAPE, (value,), _kept(operand.shape, node.arg))
    return broadcast_to(kept, operand.shape)


def _max(node: Node, g: Node, i: int) -> Node:
    top = _f(Op.FLOAT, node.src[0].eq(_spread(node, node)))
    return _spread(node, g / make(Op.SUM, (top,), node.arg)) * top


def _logsumexp(node: Node, g: Node, i: int) -> Node:
    weight = _f(Op.EXP, node.src[0] - _spread(node, node))
    return _choose(const(0.0) < weight, True, _spread(node, g) * weight)


def _broadcast(node: Node, g: Node, i: int) -> Node:
    shape = node.src[0].shape
    extra = node.ndim - len(shape)
    stretched = tuple(
        axis
        for axis, dim in enumerate(node.shape)
        if axis < extra or (shape[axis - extra] == 1 and dim != 1)
    )
    total = make(Op.SUM, (g,), stretched) if stretched else g
    kept = tuple(dim for axis, dim in enumerate(node.shape) if axis not in stretched)
    return total if len(kept) == len(shape) else make(Op.RESHAPE, (total,), _back(shape, kept))


def _back(shape: Shape, kept: Shape) -> Shape:
    """`shape` with its dimensions other than 1 named as in `kept`."""
    names = iter(kept)
    return tuple(1 if dim == 1 else next(names) for dim in shape)


def _transpose(node: Node, g: Node, i: int) -> Node:
    inverse = sorted(range(node.ndim), key=lambda axis: node.arg[axis])
    return make(Op.TRANSPOSE, (g,), tuple(inverse))


def _concat(node: Node, g: Node, i: int) -> Node:
    dims = [operand.shape[node.arg] for operand in node.src]
    before, own, after = _total(dims[:i]), _total(dims[i : i + 1]), _total(dims[i + 1 :])
    if before is not None and own is not None:
        cut: Cut = (before, before + own, 1)
    elif before is not None and after is not None:
        cut = (before, -after or None, 1)
    elif own is not None and after is not None:
        cut = (-own - after, -after or None, 1)
    else:
        raise ModelError(
            "concatenate joins several expressions whose lengths only the data know, so a "
            "derivative cannot be cut out; keep the parts that depend on parameters of fixed length"
        )
    cuts = tuple(cut if axis == node.arg else (None, None, 1) for axis in range(node.ndim))
    return make(Op.SLICE, (g,), cuts)


def _total(dims: Sequence[Dim]) -> int | None:
    """Sum of `dims`, None unless all are numbers."""
    numbers = [dim for dim in dims if isinstance(dim, int)]
    return sum(numbers) if len(numbers) == len(dims) else None


def _outer(a: Node, b: Node) -> Node:
    return a.reshape(a.shape[0], 1) * b.reshape(1, b.shape[0])


def _matmul_left(g: Node, a: Node, b: Node, y: Node) -> Node:
    match a.ndim, b.ndim:
        case 1, 1:
            return g * b
        case 1, 2:
            return b @ g
        case 2, 1:
            return _outer(g, b)
        case _:
            return g @ b.T


def _matmul_right(g: Node, a: Node, b: Node, y: Node) -> Node:
    match a.ndim, b.ndim:
        case 1, 1:
            return g * a
        case 1, 2:
            return _outer(a, g)
        case 2, 1:
            return g @ a
        case _:
            return a.T @ g


def _lower(matrix: Node, diagonal: float) -> Node:
    """Lower triangle of `matrix` with its diagonal multiplied."""
    n = matrix.shape[0]
    place = make(Op.RANGE, (), n)
    row, column = place.reshape(n, 1), place.reshape(1, n)
    kept = _f(Op.WHERE, column < row, matrix, 0.0)
    return _f(Op.WHERE, column.eq(row), matrix * diagonal, kept)


def _solve(lower: Node, right: Node, transposed: bool) -> Node:
    return make(Op.TRISOLVE, (lower, right), transposed)


def _cholesky(node: Node, g: Node, i: int) -> Node:
    """Murray (2016), Differentiation of the Cholesky decomposition, eq. 10, symmetrised."""
    inner = _lower(node.T @ _lower(g, 1.0), 0.5)
    half = _solve(node, _solve(node, inner, True).T, True)
    return (half + half.T) * 0.5


def _trisolve(node: Node, g: Node, i: int) -> Node:
    lower = node.src[0]
    right = _solve(lower, g, not node.arg)
    if i == 1:
        return right
    left, x = (node, right) if node.arg else (right, node)
    return -_lower(_outer(left, x) if node.ndim == 1 else left @ x.T, 1.0)


RULES: Mapping[Op, Rule] = {
    Op.NEG: _one(lambda g, x, y: -g),
    Op.EXP: _one(lambda g, x, y: g * y),
    Op.LOG: _one(lambda g, x, y: g / x),
    Op.LOG1P: _one(lambda g, x, y: g / (1.0 + x)),
    Op.EXPM1: _one(lambda g, x, y: g * (1.0 + y)),
    Op.SQRT: _one(lambda g, x, y: g * 0.5 / y),
    Op.ABS: _one(lambda g, x, y: g * _f(Op.SIGN, x)),
    Op.SIN: _one(lambda g, x, y: g * _f(Op.COS, x)),
    Op.COS: _one(lambda g, x, y: -g * _f(Op.SIN, x)),
    Op.ARCTAN: _one(lambda g, x, y: g / (1.0 + x * x)),
    Op.TANH: _one(lambda g, x, y: g * (1.0 - y * y)),
    Op.SIGMOID: _one(lambda g, x, y: g * (y * (1.0 - y))),
    Op.SOFTPLUS: _one(lambda g, x, y: g * _f(Op.SIGMOID, x)),
    Op.ERF: _one(lambda g, x, y: g * (2.0 / sqrt(pi) * _f(Op.EXP, -(x * x)))),
    Op.ERFC: _one(lambda g, x, y: g * (-2.0 / sqrt(pi) * _f(Op.EXP, -(x * x)))),
    Op.ERFCX: _one(lambda g, x, y: g * (2.0 * x * y - 2.0 / sqrt(pi))),
    Op.LOG_NDTR: _one(lambda g, x, y: g * sqrt(2.0 / pi) / _f(Op.ERFCX, x * -sqrt(0.5))),
    Op.LGAMMA: _one(lambda g, x, y: g * _f(Op.DIGAMMA, x)),
    Op.DIGAMMA: _one(lambda g, x, y: g * _f(Op.TRIGAMMA, x)),
    Op.TRIGAMMA: _refuse,
    Op.PROBIT: _one(lambda g, x, y: g * (sqrt(2.0 * pi) * _f(Op.EXP, 0.5 * (y * y)))),
    Op.I0E: _one(lambda g, x, y: g * (_f(Op.I1E, x) - _f(Op.SIGN, x) * y)),
    Op.I1E: _one(_i1e),
    Op.ADD: _two(lambda g, a, b, y: g, lambda g, a, b, y: g),
    Op.SUB: _two(lambda g, a, b, y: g, lambda g, a, b, y: -g),
    Op.MUL: _two(lambda g, a, b, y: g * b, lambda g, a, b, y: g * a),
    Op.DIV: _two(lambda g, a, b, y: g / b, _divisor),
    Op.POW: _two(
        _pow_base,
        lambda g, a, b, y: _f(Op.WHERE, const(0.0) < a, g * y * _f(Op.LOG, a), 0.0),
    ),
    Op.MAXIMUM: _two(
        lambda g, a, b, y: _choose(b <= a, True, g), lambda g, a, b, y: _choose(b <= a, False, g)
    ),
    Op.MINIMUM: _two(
        lambda g, a, b, y: _choose(a <= b, True, g), lambda g, a, b, y: _choose(a <= b, False, g)
    ),
    Op.LOG_GAMMAINC: _gammainc(1.0),
    Op.LOG_GAMMAINCC: _gammainc(-1.0),
    Op.GAMMAINC_SHAPE: _refuse,
    Op.LOG_BETAINC_ODDS: _betainc,
    Op.BETAINC_SHAPE: _refuse,
    Op.WHERE: _where,
    Op.SUM: lambda node, g, i: _spread(node, g),
    Op.MAX: _max,
    Op.LOGSUMEXP: _logsumexp,
    Op.RESHAPE: lambda node, g, i: make(Op.RESHAPE, (g,), node.src[0].shape),
    Op.TRANSPOSE: _transpose,
    Op.BROADCAST: _broadcast,
    Op.SLICE: lambda node, g, i: make(Op.EMBED, (g,), (node.src[0].shape, node.arg)),
    Op.EMBED: lambda node, g, i: make(Op.SLICE, (g,), node.arg[1]),
    Op.CONCAT: _concat,
    Op.GATHER: lambda node, g, i: make(Op.SCATTER_ADD, (g, node.src[1]), node.src[0].shape[0]),
    Op.SCATTER_ADD: lambda node, g, i: make(Op.GATHER, (g, node.src[1])),
    Op.MATMUL: _two(_matmul_left, _matmul_right),
    Op.CHOLESKY: _cholesky,
    Op.TRISOLVE: _trisolve,
    Op.TRIANGLE: _refuse,
    Op.CUMSUM: lambda node, g, i: make(Op.CUMSUM, (g,), (node.arg[0], not node.arg[1])),
    Op.SCAN: lambda node, g, i: adjoint.received(node, g, i, gradient),
}
"""A row for every operation that passes derivatives on; the others are FLAT."""

FLAT = COMPARISON | LOGICAL | {Op.NOT, Op.SIGN, Op.FLOOR, Op.FLOAT}
