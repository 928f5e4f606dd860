"""Comparisons whose outcome follows from the functions compared: ``exp(z) > 0`` always holds.

So the guards of a parameter that a transform keeps inside its domain cost nothing.
"""

from math import inf, nextafter

from exmc_dask.expressions.ir import Node, const
from exmc_dask.expressions.ops import Op

TINY = nextafter(0.0, 1.0)  # stands for "above 0"
BELOW_ONE = nextafter(1.0, 0.0)
DEPTH = 12  # operations to look through

type Bounds = tuple[float, float]

ANYWHERE: Bounds = (-inf, inf)
FIXED: dict[Op, Bounds] = {
    Op.EXP: (TINY, inf),
    Op.SOFTPLUS: (TINY, inf),
    Op.ERFCX: (TINY, inf),
    Op.SIGMOID: (TINY, BELOW_ONE),
    Op.TANH: (-BELOW_ONE, BELOW_ONE),
    Op.I0E: (TINY, 1.0),
    Op.ABS: (0.0, inf),
    Op.RANGE: (0.0, inf),
}
SAME = frozenset(
    {Op.BROADCAST, Op.RESHAPE, Op.TRANSPOSE, Op.SLICE, Op.GATHER, Op.FLOAT, Op.MAX}
)  # fmt: skip


def bounds(node: Node, depth: int = DEPTH) -> Bounds:
    """Smallest and largest value an expression can have for finite parameters; NaN aside."""
    if node.op is Op.CONST:
        return float(node.arg), float(node.arg)
    if node.op in FIXED:
        return FIXED[node.op]
    if not depth or not node.src:
        return ANYWHERE
    if node.op in SAME:
        return bounds(node.src[0], depth - 1)
    ends = [bounds(operand, depth - 1) for operand in node.src]
    match node.op, ends:
        case Op.NEG, [(low, high)]:
            return -high, -low
        case Op.SQRT, [(low, high)]:
            return (TINY if low > 0 else 0.0), inf
        case Op.ADD, [(a, b), (c, d)]:
            return _above(a, c), -_above(-b, -d)
        case Op.SUB, [(a, b), (c, d)]:
            return _above(a, -d), -_above(-b, c)
        case Op.MUL, [(a, _), (c, _)] if node.src[0] is node.src[1] or (a >= 0 and c >= 0):
            return (TINY if a > 0 and c > 0 else 0.0), inf
        case Op.DIV, [(a, _), (c, _)] if a >= 0 and c > 0:
            return (TINY if a > 0 else 0.0), inf
        case Op.MAXIMUM, [(a, b), (c, d)]:
            return max(a, c), max(b, d)
        case Op.MINIMUM, [(a, b), (c, d)]:
            return min(a, c), min(b, d)
        case Op.WHERE, [_, (a, b), (c, d)]:
            return min(a, c), max(b, d)
        case Op.CONCAT, _:
            return min(low for low, _ in ends), max(high for _, high in ends)
        case Op.CUMSUM | Op.SUM, [(low, _)] if low >= 0:
            return (low if node.op is Op.CUMSUM else 0.0), inf
    return ANYWHERE


def _above(a: float, b: float) -> float:
    """Lower end of a sum, where ``a + tiny`` must not lose that it is above `a`."""
    total = a + b
    if total != total:
        return -inf
    return nextafter(total, inf) if (a == TINY or b == TINY) and total in (a, b) else total


def compare(node: Node) -> Node | None:
    """Outcome of a comparison (LT, LE) if it is always the same."""
    left, right = node.src
    (low, high), (least, most) = bounds(left), bounds(right)
    if high < least or (node.op is Op.LE and high <= least):
        return const(True)
    if low > most or (node.op is Op.LT and low >= most):
        return const(False)
    return None
