"""Functions on model expressions; numbers and arrays are taken wherever an expression is.

All of them build graph nodes and calculate nothing. Axes count as in NumPy; a reduction without
``axis`` runs over everything.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from exmc_dask.axes import Dim, Shape, broadcast, is_static, static_size
from exmc_dask.errors import ShapeError
from exmc_dask.ir import (
    FUNCTIONS,
    Node,
    as_float,
    as_node,
    const,
    elementwise,
    make,
    normal_axis,
    reduce,
)
from exmc_dask.ir import (
    broadcast_to as _broadcast_to,
)
from exmc_dask.ops import BOOL, FLOAT, INT, Op

type Axis = int | tuple[int, ...] | None


def _unary(op: Op, doc: str) -> Callable[[Any], Node]:
    def function(x: Any) -> Node:
        return elementwise(op, as_float(x))

    function.__name__ = function.__qualname__ = op.value
    function.__doc__ = doc
    return function


exp = _unary(Op.EXP, "Exponential function.")
log = _unary(Op.LOG, "Natural logarithm.")
log1p = _unary(Op.LOG1P, "``log(1 + x)``, exact near 0.")
expm1 = _unary(Op.EXPM1, "``exp(x) - 1``, exact near 0.")
sqrt = _unary(Op.SQRT, "Square root.")
sin = _unary(Op.SIN, "Sine of an angle in radians.")
cos = _unary(Op.COS, "Cosine of an angle in radians.")
tanh = _unary(Op.TANH, "Hyperbolic tangent.")
sigmoid = _unary(Op.SIGMOID, "Logistic function ``1 / (1 + exp(-x))``.")
softplus = _unary(Op.SOFTPLUS, "``log(1 + exp(x))``, which neither overflows nor loses digits.")
erf = _unary(Op.ERF, "Error function.")
erfc = _unary(Op.ERFC, "Complementary error function.")
erfcx = _unary(Op.ERFCX, "Scaled complementary error function ``exp(x**2) * erfc(x)``.")
log_ndtr = _unary(Op.LOG_NDTR, "Logarithm of the standard normal distribution function.")
gammaln = _unary(Op.LGAMMA, "Logarithm of the gamma function of a positive number.")
digamma = _unary(Op.DIGAMMA, "Derivative of `gammaln`.")


def square(x: Any) -> Node:
    """``x * x``."""
    return elementwise(Op.MUL, x, x)


def abs(x: Any) -> Node:
    """Absolute value; its gradient at 0 is 0."""
    return elementwise(Op.ABS, x)


def sign(x: Any) -> Node:
    """-1, 0 or 1; its gradient is 0."""
    return elementwise(Op.SIGN, x)


def floor(x: Any) -> Node:
    """Largest whole number not above `x`; its gradient is 0."""
    return elementwise(Op.FLOOR, x)


def tan(x: Any) -> Node:
    """Tangent of an angle in radians."""
    return sin(x) / cos(x)


def logit(p: Any) -> Node:
    """Inverse of `sigmoid`: ``log(p) - log(1 - p)``."""
    return log(p) - log1p(-as_float(p))


def betaln(a: Any, b: Any) -> Node:
    """Logarithm of the beta function."""
    return gammaln(a) + gammaln(b) - gammaln(as_float(a) + as_float(b))


def maximum(a: Any, b: Any) -> Node:
    """Larger of two values, element by element."""
    return elementwise(Op.MAXIMUM, a, b)


def minimum(a: Any, b: Any) -> Node:
    """Smaller of two values, element by element."""
    return elementwise(Op.MINIMUM, a, b)


def clip(x: Any, lower: Any = None, upper: Any = None) -> Node:
    """`x` moved into ``[lower, upper]``; ``None`` leaves a side open."""
    node = as_node(x)
    node = node if lower is None else maximum(node, lower)
    return node if upper is None else minimum(node, upper)


def where(condition: Any, x: Any, y: Any) -> Node:
    """`x` where `condition` holds, `y` elsewhere.

    The value that is not chosen may be infinite or NaN: neither it nor its gradient is looked at.
    """
    if isinstance(condition, bool):
        raise ShapeError(
            f"the condition of where is {condition} for all elements: between two expressions == "
            "asks whether they are the same one; write a.eq(b)"
        )
    chosen, left, right = as_node(condition), as_node(x), as_node(y)
    if chosen.dtype != BOOL:
        raise ShapeError("the condition of where is not a comparison; write for instance x > 0")
    if left.dtype != right.dtype:
        left, right = as_float(left), as_float(right)
    return elementwise(Op.WHERE, chosen, left, right)


def guard(condition: Any, x: Any, safe: Any) -> Node:
    """Argument that is `x` where `condition` holds and `safe` elsewhere.

    For the argument of a function that is not defined everywhere:
    ``where(x > 0, log(guard(x > 0, x, 1.0)), -inf)`` has a finite gradient for every x.
    """
    return where(condition, x, safe)


def expand_dims(x: Any, axis: int) -> Node:
    """`x` with an axis of length 1 put in at `axis`."""
    node = as_node(x)
    place = normal_axis(axis, node.ndim + 1)
    return make(Op.RESHAPE, (node,), (*node.shape[:place], 1, *node.shape[place:]))


def length(dim: Dim) -> Node:
    """Length of an axis as a number of the graph; `dim` is a number or an axis symbol."""
    if isinstance(dim, int):
        return const(float(dim))
    return reduce(Op.SUM, _broadcast_to(const(1.0), (dim,)))


def _axes(node: Node, axis: Axis) -> tuple[int, ...]:
    chosen = range(node.ndim) if axis is None else (axis if isinstance(axis, tuple) else (axis,))
    return tuple(sorted(normal_axis(a, node.ndim) for a in chosen))


def _kept(reduced: Node, like: Node, axes: tuple[int, ...]) -> Node:
    """Put the axes that a reduction took away back with length 1."""
    shape = tuple(1 if axis in axes else dim for axis, dim in enumerate(like.shape))
    return make(Op.RESHAPE, (reduced,), shape) if axes else reduced


def _reduction(op: Op, x: Any, axis: Axis, keepdims: bool) -> Node:
    node = as_node(x)
    axes = _axes(node, axis)
    result = reduce(op, node, axes)
    return _kept(result, node, axes) if keepdims else result


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Sum over `axis`."""
    return _reduction(Op.SUM, x, axis, keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Arithmetic mean over `axis`."""
    node = as_float(x)
    dims = [node.shape[a] for a in _axes(node, axis)]
    count = const(1.0)
    if is_static(tuple(dims)):
        count = const(float(static_size(tuple(dims))))
    else:
        for dim in dims:
            count = count * length(dim)
    return sum(node, axis, keepdims) / count


def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Variance over `axis`: mean squared distance from the mean."""
    node = as_float(x)
    return mean(square(node - mean(node, axis, keepdims=True)), axis, keepdims)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Largest value over `axis`."""
    return _reduction(Op.MAX, x, axis, keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Smallest value over `axis`."""
    return -_reduction(Op.MAX, -as_node(x), axis, keepdims)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """``log(sum(exp(x)))`` without overflow; all -inf give -inf with a gradient of 0."""
    return _reduction(Op.LOGSUMEXP, as_float(x), axis, keepdims)


def log_softmax(x: Any, axis: int = -1) -> Node:
    """Logarithm of `softmax`."""
    node = as_float(x)
    return node - logsumexp(node, axis, keepdims=True)


def softmax(x: Any, axis: int = -1) -> Node:
    """Positive numbers in proportion to ``exp(x)`` that sum to 1 along `axis`."""
    return exp(log_softmax(x, axis))


def cumsum(x: Any, axis: int = -1) -> Node:
    """Sum up along `axis`, keeping every step."""
    node = as_node(x)
    return make(Op.CUMSUM, (node,), (normal_axis(axis, node.ndim), False))


def diff(x: Any, axis: int = -1) -> Node:
    """Differences of neighbours along `axis`, which becomes one shorter."""
    node = as_node(x)
    before = (slice(None),) * normal_axis(axis, node.ndim)
    return node[(*before, slice(1, None))] - node[(*before, slice(None, -1))]


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


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Node:
    """Join expressions along an axis they have."""
    nodes = [as_node(array) for array in arrays]
    if not nodes or not nodes[0].ndim:
        raise ShapeError("concatenate takes vectors and matrices; use stack for scalars")
    if any(node.dtype == FLOAT for node in nodes):
        nodes = [as_float(node) for node in nodes]
    return make(Op.CONCAT, tuple(nodes), normal_axis(axis, nodes[0].ndim))


def stack(arrays: Sequence[Any], axis: int = 0) -> Node:
    """Join expressions along a new axis."""
    nodes = [as_node(array) for array in arrays]
    shape = broadcast(*(node.shape for node in nodes)) if nodes else ()
    return concatenate([expand_dims(_broadcast_to(node, shape), axis) for node in nodes], axis)


def reshape(x: Any, shape: Shape) -> Node:
    """Arrange the same elements, row-major, in another shape."""
    return make(Op.RESHAPE, (as_node(x),), tuple(shape))


def transpose(x: Any, axes: Sequence[int] | None = None) -> Node:
    """Permute the axes; reverse them by default."""
    node = as_node(x)
    order = range(node.ndim)[::-1] if axes is None else [normal_axis(a, node.ndim) for a in axes]
    if sorted(order) != list(range(node.ndim)):
        raise ShapeError(f"axes {tuple(order)} are not an order of {node.ndim} axes")
    return make(Op.TRANSPOSE, (node,), tuple(order))


def broadcast_to(x: Any, shape: Shape) -> Node:
    """Repeat `x` to `shape`."""
    return _broadcast_to(as_node(x), tuple(shape))


def take(x: Any, index: Any, axis: int = 0) -> Node:
    """Elements of `x` at the places `index` along `axis`."""
    node, places = as_node(x), as_node(index)
    if places.dtype != INT:
        raise ShapeError(f"an index must be of whole numbers, not {places.dtype}")
    moved = normal_axis(axis, node.ndim)
    order = (moved, *(a for a in range(node.ndim) if a != moved))
    taken = make(Op.GATHER, (transpose(node, order), places))
    rank = places.ndim
    return transpose(
        taken,
        (*range(rank, rank + moved), *range(rank), *range(rank + moved, taken.ndim)),
    )


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


# NumPy's functions that mean the same here.
FUNCTIONS.update(
    {
        np.sum: sum,
        np.mean: mean,
        np.var: var,
        np.max: max,
        np.min: min,
        np.clip: clip,
        np.where: where,
        np.dot: dot,
        np.outer: outer,
        np.concatenate: concatenate,
        np.stack: stack,
        np.reshape: reshape,
        np.transpose: transpose,
    }
)
