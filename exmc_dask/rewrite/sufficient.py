"""Sums of squared residuals of a linear predictor, at a cost that does not depend on their number.

With ``y - X @ b = A @ c``, where A holds the columns of X and y, and c is ``(-b, 1)``, the sum of
the squares is ``|A @ c|**2 = |R @ c|**2`` for the triangle R of A = Q R (Golub and Van Loan 2013,
section 5.3): k times k numbers in the place of n times k, calculated once when data are bound. No
product ``X.T @ X`` is formed, which would lose half of the digits, and no system is solved, so X
may be ill-conditioned or of low rank: the error is that of the residuals themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from exmc_dask.expressions.axes import static_size
from exmc_dask.expressions.graph import is_data
from exmc_dask.expressions.ir import Node, as_float, broadcast_to, const, make
from exmc_dask.expressions.ops import Op
from exmc_dask.expressions.pattern import Pat, Rule, Rules, rewrite
from exmc_dask.math import concatenate, expand_dims

MOST = 128  # columns; the triangle of more is dearer than the residuals of a few hundred rows
FEW = 8  # elements of a vector that rows select from, each of which makes a column


@dataclass(frozen=True)
class Block:
    """Part ``columns @ weights`` of a linear predictor.

    Attributes
    ----------
    columns : (n, k) Node
        Of data only.
    weights : (k,) Node
        Of parameters.
    """

    columns: Node
    weights: Node


def summarise(roots: Sequence[Node]) -> list[Node]:
    """Put the triangle of the data in the place of residuals that are squared and summed."""
    return rewrite(roots, RULES)


def _sum_of_squares(node: Node) -> Node | None:
    (x,) = node.src
    if x.op is not Op.MUL or x.src[0] is not x.src[1] or x.ndim != 1:
        return None
    blocks = linear(x.src[0])
    if blocks is None or all(block.weights.op is Op.CONST for block in blocks):
        return None
    count = sum(static_size(block.weights.shape) for block in blocks)
    n = x.shape[0]
    if count > MOST or (isinstance(n, int) and n <= count):
        return None
    triangle = make(Op.TRIANGLE, tuple(block.columns for block in blocks))
    short = triangle @ concatenate([block.weights for block in blocks])
    return (short * short).sum()


def linear(node: Node) -> list[Block] | None:
    """Write a vector as columns of data times weights; None where it is not of that form.

    Parameters
    ----------
    node : (n,) Node
    """
    if is_data(node):
        return [Block(expand_dims(as_float(node), 1), const(1.0).reshape(1))]
    match node.op, node.src:
        case Op.ADD, (left, right):
            return _both(linear(left), linear(right))
        case Op.SUB, (left, right):
            return _both(linear(left), _times(linear(right), const(-1.0)))
        case Op.NEG, (x,):
            return _times(linear(x), const(-1.0))
        case Op.MUL, (left, right):
            return _product(left, right) or _product(right, left)
        case Op.DIV, (x, y):
            return _product(x, 1.0 / y)
        case Op.BROADCAST, (x,) if not x.shape:
            ones = broadcast_to(const(1.0), (*node.shape, 1))
            return [Block(ones, x.reshape(1))]
        case Op.MATMUL, (X, b) if X.ndim == 2 and is_data(X):
            return _block(as_float(X), b)
        case Op.MATMUL, (b, X) if X.ndim == 2 and is_data(X):
            return _block(as_float(X.T), b)
        case Op.SUM, (x,) if node.arg == (1,):
            return _row_sums(x)
        case Op.GATHER, (b, index) if b.ndim == 1 and index.ndim == 1 and is_data(index):
            return _selected(b, index)
    return None


def _both(left: list[Block] | None, right: list[Block] | None) -> list[Block] | None:
    return None if left is None or right is None else left + right


def _times(blocks: list[Block] | None, factor: Node) -> list[Block] | None:
    if blocks is None:
        return None
    return [Block(block.columns, block.weights * factor) for block in blocks]


def _product(x: Node, factor: Node) -> list[Block] | None:
    """Blocks of ``x * factor``: rows times data, or weights times a scalar."""
    if is_data(factor):
        rows = expand_dims(factor, 1)
        found = linear(x)
        return found and [Block(block.columns * rows, block.weights) for block in found]
    if factor.op is Op.BROADCAST and not factor.src[0].shape:
        return _times(linear(x), factor.src[0])
    return None


def _block(columns: Node, weights: Node) -> list[Block] | None:
    return [Block(columns, weights)] if isinstance(columns.shape[1], int) else None


def _row_sums(x: Node) -> list[Block] | None:
    """Blocks of ``(X * b).sum(1)``."""
    if x.op is not Op.MUL:
        return None
    for X, b in (x.src, x.src[::-1]):
        if is_data(X) and b.op is Op.BROADCAST and b.src[0].ndim == 1:
            return _block(as_float(X), broadcast_to(b.src[0], (X.shape[1],)))
    return None


def _selected(b: Node, index: Node) -> list[Block] | None:
    """Blocks of ``b[index]``: a column of zeros and ones for each element of b."""
    (count,) = b.shape
    if not isinstance(count, int) or count > FEW:
        return None
    places = make(Op.RANGE, (), count)
    chosen = expand_dims(index, 1).eq(expand_dims(places, 0))
    return [Block(as_float(chosen), b)]


RULES = Rules([Rule(Pat(Op.SUM, None, "node"), _sum_of_squares)])
