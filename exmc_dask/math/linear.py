"""Linear algebra on vectors and matrices."""

from typing import Any

from exmc_dask.ir import Node, as_float, as_node, elementwise, make
from exmc_dask.math.arrange import expand_dims
from exmc_dask.math.elementwise import log, where
from exmc_dask.math.reductions import sum
from exmc_dask.ops import Op


def matmul(a: Any, b: Any) -> Node:
    """Matrix product of vectors and matrices, as ``a @ b``."""
    return make(Op.MATMUL, (as_node(a), as_node(b)))


def dot(a: Any, b: Any) -> Node:
    """Matrix product; a product of scalars too."""
    left, right = as_node(a), as_node(b)
    return matmul(left, right) if left.ndim and right.ndim else left * right


def outer(a: Any, b: Any) -> Node:
    """Every element of vector `a` times every element of vector `b`: shape (len(a), len(b))."""
    return expand_dims(a, 1) * expand_dims(b, 0)


def diagonal(matrix: Any) -> Node:
    """Diagonal of a square matrix."""
    node = as_node(matrix)
    return sum(where(identity_like(node), node, 0.0), axis=1)


def identity_like(matrix: Any) -> Node:
    """Mark the diagonal of a matrix of this shape: True on it, False elsewhere."""
    rows, columns = (make(Op.RANGE, (), dim) for dim in as_node(matrix).shape)
    return elementwise(Op.EQ, expand_dims(rows, 1), expand_dims(columns, 0))


def cholesky(matrix: Any) -> Node:
    """Lower triangular L with ``L @ L.T`` equal to `matrix`; NaN where it is not positive definite.

    Reads the lower triangle only.
    """
    return make(Op.CHOLESKY, (as_float(matrix),))


def solve_triangular(L: Any, b: Any, transposed: bool = False) -> Node:
    """Solve ``L @ x = b``, or ``L.T @ x = b``, for a lower triangular L; b is (n,) or (n, k)."""
    return make(Op.TRISOLVE, (as_float(L), as_float(b)), transposed)


def logdet(matrix: Any) -> Node:
    """Logarithm of the determinant of a positive definite matrix."""
    return 2.0 * sum(log(diagonal(cholesky(matrix))))
