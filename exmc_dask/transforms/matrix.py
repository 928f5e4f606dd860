"""Transforms of lower triangular matrices, on the last two axes; what is before them is a batch.

Unconstrained vectors hold a triangle row by row. Correlations: Stan Reference Manual, "Cholesky
Factors of Correlation Matrices", after Lewandowski, Kurowicka and Joe (2009). Where Stan multiplies
square roots along a row, logarithms are added up here: no difference under a root can become 0.
"""

from collections.abc import Callable
from math import isqrt
from math import log as log_of

from exmc_dask import math
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.ir import Node, as_float, make
from exmc_dask.expressions.ops import Op
from exmc_dask.transforms.base import Row, kind
from exmc_dask.transforms.vector import length_of, of_vectors


def _n_rows(packed: int) -> int:
    """Rows of a matrix whose triangle, with the diagonal, has `packed` elements."""
    return (isqrt(8 * packed + 1) - 1) // 2


def _matrices(name: str, least: int, diagonal: bool) -> Callable[..., Shape]:
    """Rule of shapes: a square matrix, and the vector of its triangle."""

    def free(shape: Shape) -> Shape:
        n = shape[-1] if len(shape) > 1 and shape[-1] == shape[-2] else None
        if not isinstance(n, int) or n < least:
            raise ShapeError(f"transform '{name}' needs square matrices of {least} rows or more")
        return (*shape[:-2], n * (n + 1) // 2 if diagonal else n * (n - 1) // 2)

    return free


def _triangles(shape: Shape) -> Shape:
    """Rule of shapes: the triangle of a matrix, with its diagonal."""
    of_vectors("cholesky_cov_packed")(shape)
    size = shape[-1]
    if not isinstance(size, int) or _n_rows(size) * (_n_rows(size) + 1) // 2 != size:
        raise ShapeError(
            "transform 'cholesky_cov_packed' needs n * (n + 1) / 2 elements, the lower triangle "
            f"of a matrix, not {size}"
        )
    return shape


def _packed(matrix: Node, diagonal: bool) -> Node:
    first = 0 if diagonal else 1
    rows = [matrix[..., i, : i + 1 - first] for i in range(first, length_of(matrix))]
    return math.concatenate(rows, axis=-1)


def _expanded(z: Node) -> Node:
    return math.expand_packed_triangular(_n_rows(length_of(z)), z)


def _strict(z: Node) -> Node:
    return math.expand_packed_triangular(_n_rows(length_of(z)) + 1, z, strict=True)


def _on_diagonal(change: Callable[[Node], Node], matrix: Node) -> Node:
    return math.where(math.identity_like(matrix), change(matrix), matrix)


def row_ends(packed: Node) -> Node:
    """Mark those elements of a packed triangle that stand on the diagonal."""
    n = length_of(packed)
    ends = math.cumsum(make(Op.RANGE, (), _n_rows(n)) + 1) - 1
    places = math.expand_dims(make(Op.RANGE, (), n), 1)
    return math.sum(as_float(places.eq(ends)), axis=1) > 0.0


def _at_row_ends(change: Callable[[Node], Node], packed: Node) -> Node:
    return math.where(row_ends(packed), change(packed), packed)


cholesky_cov = kind(
    "cholesky_cov",
    Row(
        forward=lambda x: _packed(_on_diagonal(math.log, x), diagonal=True),
        backward=lambda z: _on_diagonal(math.exp, _expanded(z)),
        log_det=lambda z: math.diagonal(_expanded(z)),
        free=_matrices("cholesky_cov", least=1, diagonal=True),
    ),
)

cholesky_cov_packed = kind(
    "cholesky_cov_packed",
    Row(
        forward=lambda x: _at_row_ends(math.log, x),
        backward=lambda z: _at_row_ends(math.exp, z),
        log_det=lambda z: math.diagonal(_expanded(z)),
        free=_triangles,
    ),
)


def _log_sech(z: Node) -> Node:
    """Logarithm of ``1 / cosh(z)``, which is ``sqrt(1 - tanh(z)**2)``."""
    return log_of(2.0) - z - math.softplus(-2.0 * z)


def _log_left(spent: Node) -> Node:
    """Logarithm of the length that is left of a row of length 1 before each of its elements."""
    return math.cumsum(spent) - spent


def _corr_backward(z: Node) -> Node:
    """Each element takes the share tanh(z) of what is left, the diagonal all of it."""
    share = _strict(math.tanh(z))
    left = math.exp(_log_left(_strict(_log_sech(z))))
    return (share + as_float(math.identity_like(share))) * left


def _corr_forward(x: Node) -> Node:
    """``atanh(x / sqrt(x**2 + r))`` with r the sum of squares of what follows x in its row."""
    square = math.square(x)
    to_here = make(Op.CUMSUM, (square,), (x.ndim - 1, True))
    follows = to_here - square
    size = math.log(math.sqrt(to_here) + math.abs(x)) - 0.5 * math.log(follows)
    return _packed(math.sign(x) * size, diagonal=False)


def _corr_log_det(z: Node) -> Node:
    """Jacobian of the elements below the diagonal."""
    spent = _strict(_log_sech(z))
    row = make(Op.RANGE, (), spent.shape[-1])
    below = math.expand_dims(row, 0) < math.expand_dims(row, 1)
    return math.where(below, 2.0 * spent + _log_left(spent), 0.0)


cholesky_corr = kind(
    "cholesky_corr",
    Row(
        forward=_corr_forward,
        backward=_corr_backward,
        log_det=_corr_log_det,
        free=_matrices("cholesky_corr", least=2, diagonal=False),
    ),
)
