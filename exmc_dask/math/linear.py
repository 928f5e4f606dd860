"""Linear algebra on vectors and matrices."""

from typing import Any

from exmc_dask.errors import ShapeError
from exmc_dask.expressions.axes import show
from exmc_dask.expressions.ir import Node, as_float, as_node, elementwise, make
from exmc_dask.expressions.ops import Op
from exmc_dask.math.arrange import expand_dims, take
from exmc_dask.math.elementwise import log, where
from exmc_dask.math.reductions import cumsum, sum


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
    """Diagonals of square matrices, which lie on the last two axes."""
    node = as_node(matrix)
    return sum(where(identity_like(node), node, 0.0), axis=-1)


def identity_like(matrix: Any) -> Node:
    """Mark the diagonal of a matrix of the last two axes: True on it, False elsewhere."""
    rows, columns = (make(Op.RANGE, (), dim) for dim in as_node(matrix).shape[-2:])
    return elementwise(Op.EQ, expand_dims(rows, 1), expand_dims(columns, 0))


def expand_packed_triangular(n: int, packed: Any, strict: bool = False) -> Node:
    """Lower triangular matrices of which `packed` holds the triangle, row by row.

    Parameters
    ----------
    n : int
        Rows of a matrix.
    packed : (..., n * (n + 1) / 2)
        As the variable of ``ed.LKJCholeskyCov`` holds it.
    strict : bool
        The triangle is without its diagonal, ``n * (n - 1) / 2`` elements; the diagonal becomes 0.

    Returns
    -------
    Node
        (..., n, n)

    Raises
    ------
    ShapeError
        `packed` is of another length.
    """
    node = as_node(packed)
    size = n * (n - 1) // 2 if strict else n * (n + 1) // 2
    if not node.ndim or node.shape[-1] != size:
        raise ShapeError(
            f"the triangle of a matrix of {n} rows has {size} elements along the last axis, not "
            f"shape {show(node.shape)}"
        )
    row = make(Op.RANGE, (), n)
    start = cumsum(row) - row if strict else cumsum(row)
    column, below = expand_dims(row, 0), expand_dims(row, 1)
    inside = column < below if strict else column <= below
    places = where(inside, expand_dims(start, 1) + column, 0)
    return where(inside, take(node, places, axis=-1), 0.0)


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
