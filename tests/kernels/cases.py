"""One expression for every operation, of `PARAMS` and `SLOTS`, each a scalar or an array."""

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.ir import Node, as_float, elementwise, make, reduce
from exmc_dask.expressions.ops import BOOL, UNARY_FLOAT, Op
from tests.kernels.densities import PARAMS, SLOTS, slot

A, B, M, V, W = PARAMS
Y, X, C = SLOTS
FLAG = slot("flag", 1, BOOL)
POSITIVE = B * B + 0.5
RANK = make(Op.RANGE, (), 4)
EYE = as_float(RANK.reshape(4, 1).eq(RANK.reshape(1, 4)))
MATRIX = M.T @ M + 3.0 * EYE
FACTOR = make(Op.CHOLESKY, (MATRIX,))


def _scan(x: Node, axis: int, reverse: bool) -> Node:
    return make(Op.CUMSUM, (x,), (axis, reverse))


def _decay() -> Node:
    """Scalar carry, one sequence of data, parameters from outside."""
    last, path = math.scan(lambda h, y: (math.tanh(A) * h + y, math.exp(0.1 * h * y)), A, Y)
    return last + path * Y


def _backwards() -> Node:
    """Carry of a vector and a matrix, rows of two sequences, from the last to the first."""

    def step(carry: tuple[Node, Node], row: tuple[Node, Node]) -> tuple[tuple[Node, Node], Node]:
        (h, m), (x, c) = carry, row
        return (math.tanh(m @ h + x * B[c]), 0.9 * m), math.logsumexp(m + h * V[c], axis=1)

    (h, m), path = math.scan(step, (B, MATRIX / 20.0), (X, C), reverse=True)
    return (path * X).sum(1) + h.sum() + m.sum()


def _nested() -> Node:
    """A scan in each step of a scan."""

    def step(h: Node, y: Node) -> tuple[Node, Node]:
        return math.scan(lambda z, v: (z + 0.1 * math.sin(z * v) * y, z * h), h, V)

    last, path = math.scan(step, A, Y)
    return path.sum(1) * Y + last


def _filter() -> Node:
    """Products, factors and solutions of matrices in each step."""

    def step(p: Node, x: Node) -> tuple[Node, Node]:
        factor = math.cholesky(0.5 * (p + p.T) + MATRIX + math.outer(x, x))
        return 0.1 * (factor @ p @ factor.T), math.solve_triangular(factor, B + x)

    p, path = math.scan(step, 0.0 * MATRIX + EYE, X)
    return path @ p @ B


CASES: dict[str, Node] = {
    **{
        op.value: elementwise(op, POSITIVE)
        for op in Op
        if op in UNARY_FLOAT - {Op.FLOAT, Op.TRIGAMMA, Op.PROBIT}
    },
    "trigamma": elementwise(Op.TRIGAMMA, Y * Y + 0.5) * A,
    "probit": elementwise(Op.PROBIT, math.sigmoid(B)),
    **{
        op.value: elementwise(op, POSITIVE, A * A + 0.3) * B
        for op in (Op.LOG_GAMMAINC, Op.LOG_GAMMAINCC)
    },
    "log_betainc_odds": elementwise(Op.LOG_BETAINC_ODDS, POSITIVE, A * A + 0.3, math.exp(B)),
    "gammainc_shape": elementwise(Op.GAMMAINC_SHAPE, Y * Y + 0.5, 1.3) * A,
    "betainc_shape": elementwise(Op.BETAINC_SHAPE, Y * Y + 0.5, 2.5, 0.7) * A,
    "const": B * 2.5 + 1.0,
    "param": M,
    "data": X * 1.0,
    "range": as_float(RANK) * B,
    "range of data": as_float(make(Op.RANGE, (), "y.0")) * Y * A,
    "neg": -B,
    "abs": abs(B),
    "sign": elementwise(Op.SIGN, Y) * A,
    "floor": elementwise(Op.FLOOR, Y * 3.0) * A,
    "float": as_float(C * 2 - 1) * A + as_float(FLAG),
    "not": math.where(~FLAG, A * Y, math.exp(A)),
    "add": B + A,
    "sub": A - B,
    "mul": B * B,
    "div": A / POSITIVE,
    "pow": POSITIVE**A + B**3 + POSITIVE**0.5 + POSITIVE**-2 + math.exp(B) ** 1.7,
    "maximum": math.maximum(B, A),
    "minimum": math.minimum(B, A),
    "lt": math.where(B < A, B, A),
    "le": math.where(B <= A, 2.0 * B, A),
    "eq": math.where(as_float(C).eq(1.0), Y * A, 0.0),
    "and": math.where((B < A) & (B < 0.0), B, A * B),
    "or": math.where((B < A) | (B < 0.0), B, A * B),
    "where": math.where(B > 0.0, math.log(B), 0.0) + math.where(B > 0.0, 0.0, math.log(-B)),
    "sum": M.sum(0),
    "sum of rows": math.exp(M).sum(1),
    "sum of data": (X * B).sum(0),
    "max": reduce(Op.MAX, M, 1),
    "max of columns": reduce(Op.MAX, M, 0),
    "logsumexp": reduce(Op.LOGSUMEXP, X * B, 1),
    "logsumexp of columns": reduce(Op.LOGSUMEXP, X * B, 0),
    "reshape": math.exp(M).reshape(4, 3) + M.T,
    "transpose": (math.exp(M).T @ V) * B,
    "broadcast": M + V.reshape(3, 1) * B,
    "slice": math.exp(W)[1:4] * W[::-2] + M[:, 1],
    "slice of data": (Y[1:] - Y[:-1]) * A + math.exp(Y * A)[::-1][1:],
    "embed": make(Op.EMBED, (V,), ((6,), ((None, None, 2),))) + W * W,
    "embed less": W * W - make(Op.EMBED, (V,), ((6,), ((-3, None, 1),))),
    "transpose of three axes": make(
        Op.TRANSPOSE, (math.exp(M.reshape(3, 4, 1) + W[:2]),), (1, 2, 0)
    ),
    "concat": make(Op.CONCAT, (V * 2.0, math.exp(W), Y * A), 0),
    "concat of columns": make(Op.CONCAT, (M, V.reshape(3, 1)), 1),
    "gather": V[C] * Y,
    "gather rows": math.exp(M)[C],
    "scatter_add": make(Op.SCATTER_ADD, (Y * A, C), 3),
    "scatter rows": make(Op.SCATTER_ADD, (X * A, C), 3) * M,
    "matmul": X @ B,
    "matmul transposed": (Y * A) @ X,
    "matmul of a product": math.tanh(X @ math.exp(B) + A) @ X,
    "matmul of parameters": M @ B + V @ M @ B,
    "matmul of matrices": X @ M.T,
    "matmul of transposed": (X * A).T @ X,
    "dot": B @ B,
    "cholesky": FACTOR,
    "trisolve": make(Op.TRISOLVE, (FACTOR, B), False),
    "trisolve of columns": make(Op.TRISOLVE, (FACTOR, M.T), True),
    "cumsum": _scan(math.exp(W), 0, False),
    "cumsum of rows": _scan(M, 1, True) + _scan(M, 0, False),
    "scan": _decay(),
    "scan of matrices, backwards": _backwards(),
    "scan in a scan": _nested(),
    "scan with linear algebra": _filter(),
    "scan without data": math.scan(lambda h, _: (0.5 * h + B, h.sum()), W[:4], length=5)[1],
}
"""Name -> expression; the name of an Op covers it."""

DATA_ROWS = (7, 12)


def flags(n: int) -> np.ndarray:
    """Values of `FLAG`."""
    return np.arange(n) % 3 == 0
