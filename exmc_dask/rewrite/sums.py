"""Sums: what does not vary along the axes that are summed moves out of them.

``sum(-0.5 * (d * tau)**2 + log(tau))`` becomes ``-0.5 * tau**2 * sum(d * d) + n * log(tau)``.
"""

from math import isinf

from exmc_dask.expressions.axes import Dim
from exmc_dask.expressions.ir import Node, broadcast_to, const, elementwise, make
from exmc_dask.expressions.ops import Op
from exmc_dask.expressions.pattern import Pat, Rule

DEPTH = 32  # products to look through


def count(dim: Dim) -> Node:
    """Length of an axis as a number of the graph."""
    if isinstance(dim, int):
        return const(float(dim))
    return make(Op.SUM, (make(Op.BROADCAST, (const(1.0),), (dim,)),), (0,))


def stretched(node: Node) -> frozenset[int]:
    """Axes along which a BROADCAST repeats its operand."""
    if node.op is not Op.BROADCAST:
        return frozenset()
    shape = node.src[0].shape
    extra = node.ndim - len(shape)
    return frozenset(
        axis
        for axis, dim in enumerate(node.shape)
        if axis < extra or (shape[axis - extra] == 1 and dim != 1)
    )


def _without(node: Node, axes: frozenset[int]) -> Node:
    """Operand of a BROADCAST, repeated except along `axes`, which disappear."""
    (x,) = node.src
    extra = node.ndim - x.ndim
    kept = tuple(dim for axis, dim in enumerate(x.shape) if axis + extra not in axes)
    shape = tuple(dim for axis, dim in enumerate(node.shape) if axis not in axes)
    return broadcast_to(x if kept == x.shape else make(Op.RESHAPE, (x,), kept), shape)


def _sum(x: Node, axes: tuple[int, ...], gone: frozenset[int] = frozenset()) -> Node:
    """Sum of x over `axes`, numbered as they were before the axes `gone` disappeared."""
    left = tuple(axis - sum(g < axis for g in gone) for axis in axes if axis not in gone)
    return make(Op.SUM, (x,), left) if left else x


def sum_of_repeated(node: Node) -> Node | None:
    """Sum along a repeated axis: a product with its length."""
    (x,) = node.src
    gone = stretched(x) & set(node.arg)
    if not gone:
        return None
    (source,) = x.src
    if source.op is Op.CONST:
        if source.arg == 1.0 and node.ndim == 0 and len(gone) == 1 and x.ndim == 1:
            dim = x.shape[0]
            return const(float(dim)) if isinstance(dim, int) else None
        if source.arg == 0 or isinf(source.arg):
            return source
    total = _sum(_without(x, gone), node.arg, gone)
    for axis in sorted(gone):
        total = total * count(x.shape[axis])
    return total


def sum_of_terms(node: Node) -> Node | None:
    """Sum of a product and of terms that are repeated: those terms apart.

    Only where the product then loses factors to the outside; ``sum(x - mean)`` must stay one sum,
    since the difference of two would lose its digits.
    """
    axes = frozenset(node.arg)
    terms = additive(node.src[0])
    rest = [(sign, t) for sign, t in terms if not stretched(t) & axes]
    if len(terms) == 1 or len(rest) > 1 or (rest and not factors(rest[0][1], axes)[0]):
        return None
    return join([(sign, make(Op.SUM, (t,), node.arg)) for sign, t in terms])


def additive(node: Node) -> list[tuple[int, Node]]:
    """Terms, with signs, of which an expression is the sum."""
    terms: list[tuple[int, Node]] = []
    stack = [(1, node)]
    while stack:
        sign, term = stack.pop()
        match term.op:
            case Op.ADD:
                stack += [(sign, term.src[1]), (sign, term.src[0])]
            case Op.SUB:
                stack += [(-sign, term.src[1]), (sign, term.src[0])]
            case Op.NEG:
                stack.append((-sign, term.src[0]))
            case _:
                terms.append((sign, term))
    return terms


def join(terms: list[tuple[int, Node]]) -> Node:
    """Add up terms with signs."""
    (sign, total), *others = terms
    total = total if sign > 0 else -total
    for sign, term in others:
        total = total + term if sign > 0 else total - term
    return total


def factors(x: Node, axes: frozenset[int], depth: int = DEPTH) -> tuple[list[Node], Node | None]:
    """Split a product into factors that are repeated along all `axes`, and the rest."""
    if axes and axes <= stretched(x):
        one = x.src[0].op is Op.CONST and x.src[0].arg == 1  # nothing is gained, for ever
        return ([], x) if one else ([x], None)
    if depth:
        match x.op:
            case Op.NEG:
                out, rest = factors(x.src[0], axes, depth - 1)
                if out and rest is not None:
                    return out, -rest
            case Op.MUL:
                (a, p), (b, q) = (factors(operand, axes, depth - 1) for operand in x.src)
                if a or b:
                    return a + b, q if p is None else p if q is None else p * q
            case Op.DIV:
                out, rest = factors(x.src[0], axes, depth - 1)
                if out:
                    return out, (1.0 if rest is None else rest) / x.src[1]
    return [], x


def sum_of_product(node: Node) -> Node | None:
    """Sum of products: factors that do not vary are multiplied afterwards."""
    (x,) = node.src
    if x.op is Op.NEG:
        return -make(Op.SUM, x.src, node.arg)
    axes = frozenset(node.arg)
    out, rest = factors(x, axes)
    if not out or rest is None:
        return None
    total = make(Op.SUM, (rest,), node.arg)
    for factor in out:
        total = total * _without(factor, axes)
    return total


def sum_of_choice(node: Node) -> Node | None:
    """Sum of a choice that is the same for all elements: one choice of the sum."""
    (x,) = node.src
    axes = frozenset(node.arg)
    if x.op is not Op.WHERE or not axes <= stretched(x.src[0]):
        return None
    yes, no = (make(Op.SUM, (operand,), node.arg) for operand in x.src[1:])
    return elementwise(Op.WHERE, _without(x.src[0], axes), yes, no)


def sum_of_moved(node: Node) -> Node | None:
    """Sum of everything in a rearranged array: the sum of what was rearranged."""
    (x,) = node.src
    whole = len(node.arg) == x.ndim
    match x.op:
        case Op.RESHAPE | Op.TRANSPOSE | Op.EMBED if whole:
            return x.src[0].sum()
        case Op.SCATTER_ADD if whole:
            return x.src[0].sum()
        case Op.CONCAT if whole:
            return join([(1, operand.sum()) for operand in x.src])
        case Op.SUM:
            kept = [axis for axis in range(x.src[0].ndim) if axis not in x.arg]
            return make(
                Op.SUM, (x.src[0],), tuple(sorted((*x.arg, *(kept[axis] for axis in node.arg))))
            )
    if any(x.shape[axis] == 1 for axis in node.arg):
        gone = frozenset(axis for axis in node.arg if x.shape[axis] == 1)
        kept_shape = tuple(dim for axis, dim in enumerate(x.shape) if axis not in gone)
        return _sum(make(Op.RESHAPE, (x,), kept_shape), node.arg, gone)
    return None


def linear(node: Node) -> Node | None:
    """Signs and scalar factors of an operand move out of SCATTER_ADD and MATMUL."""
    places = (0,) if node.op is Op.SCATTER_ADD else (0, 1)
    for i in places:
        operand = node.src[i]
        if not operand.shape:
            continue
        out, rest = factors(operand, frozenset(range(operand.ndim)))
        if operand.op is Op.NEG:
            out, rest = [], operand.src[0]
        if rest is not None and rest is not operand:
            src = tuple(rest if j == i else other for j, other in enumerate(node.src))
            total = make(node.op, src, node.arg)
            for factor in out:
                total = total * factor.src[0].reshape(())
            return -total if operand.op is Op.NEG else total
    return None


SUM_RULES = [
    Rule(Pat(op, None, "node"), put)
    for op, put in (
        (Op.SUM, sum_of_repeated),
        (Op.SUM, sum_of_moved),
        (Op.SUM, sum_of_terms),
        (Op.SUM, sum_of_product),
        (Op.SUM, sum_of_choice),
        (Op.SCATTER_ADD, linear),
        (Op.MATMUL, linear),
    )
]
