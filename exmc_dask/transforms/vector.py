"""Transforms of vectors, which lie along the last axis; everything before it is a batch."""

from collections.abc import Callable
from math import lgamma, sqrt
from math import log as log_of

from exmc_dask import math
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.ir import Node, as_float, const, make
from exmc_dask.expressions.ops import Op
from exmc_dask.transforms.base import Row, Transform, kind


def of_vectors(name: str, least: int = 1, lost: int = 0) -> Callable[..., Shape]:
    """Rule of shapes: the last axis has at least `least` elements, of which z has `lost` fewer."""

    def free(shape: Shape) -> Shape:
        if not shape or not isinstance(shape[-1], int):
            raise ShapeError(f"transform '{name}' needs a last axis of fixed length")
        if shape[-1] < least:
            raise ShapeError(f"transform '{name}' needs {least} elements or more, not {shape[-1]}")
        return (*shape[:-1], shape[-1] - lost)

    return free


def length_of(x: Node, axis: int = -1) -> int:
    """Length of an axis of a free variable, which is a number."""
    dim = x.shape[axis]
    assert isinstance(dim, int)
    return dim


def _remaining(z: Node) -> Node:
    """1 / (K - k) for k = 0, ..., K - 2: the share of the stick that makes equal pieces."""
    counted = make(Op.RANGE, (), z.shape[-1])
    return 1.0 / (math.length(z.shape[-1]) + 1.0 - as_float(counted))


def _pieces(z: Node) -> tuple[Node, Node, Node]:
    """Logarithms of share taken, share left, and stick before each cut; z = 0 cuts evenly."""
    share = _remaining(z)
    y = z + math.logit(share)
    taken, left = -math.softplus(-y), -math.softplus(y)
    return taken, left, math.cumsum(left) - left


def _stick_backward(z: Node) -> Node:
    taken, left, stick = _pieces(z)
    rest = math.sum(left, axis=-1, keepdims=True)
    return math.exp(math.concatenate([taken + stick, rest], axis=-1))


def _stick_forward(x: Node) -> Node:
    head = x[..., :-1]
    left = make(Op.CUMSUM, (x,), (x.ndim - 1, True))[..., 1:]
    return math.log(head) - math.log(left) - math.logit(_remaining(head))


def _stick_log_det(z: Node) -> Node:
    taken, left, stick = _pieces(z)
    return taken + left + stick


stick_breaking = kind(
    "stick_breaking",
    Row(
        forward=_stick_forward,
        backward=_stick_backward,
        log_det=_stick_log_det,
        free=of_vectors("stick_breaking", least=2, lost=1),
        aliases=("simplex",),
    ),
)

ordered = kind(
    "ordered",
    Row(
        forward=lambda x: math.concatenate([x[..., :1], math.log(math.diff(x))], axis=-1),
        backward=lambda z: math.cumsum(
            math.concatenate([z[..., :1], math.exp(z[..., 1:])], axis=-1)
        ),
        log_det=lambda z: z[..., 1:],
        free=of_vectors("ordered"),
    ),
)

positive_ordered = kind(
    "positive_ordered",
    Row(
        forward=lambda x: math.log(math.concatenate([x[..., :1], math.diff(x)], axis=-1)),
        backward=lambda z: math.cumsum(math.exp(z)),
        log_det=lambda z: z,
        free=of_vectors("positive_ordered"),
    ),
)


def _spread(z: Node, axis: int) -> Node:
    """Map n - 1 coordinates along `axis` to n numbers that sum to 0, isometrically.

    The reflection that exchanges the last unit vector and ``-(1, ..., 1) / sqrt(n)``, without its
    last column: the others are orthonormal and orthogonal to (1, ..., 1).
    """
    n = length_of(z, axis) + 1
    total = math.sum(z, axis=axis, keepdims=True)
    return math.concatenate([z - total / (n + sqrt(n)), -total / sqrt(n)], axis=axis)


def _gather(x: Node, axis: int) -> Node:
    """Coordinates of numbers that sum to 0 along `axis`; undoes `_spread`."""
    before = (slice(None),) * axis
    last = x[(*before, slice(-1, None))]
    return x[(*before, slice(None, -1))] - last / (1.0 + sqrt(length_of(x, axis)))


def _count(n_axes: Node | None) -> int:
    return 1 if n_axes is None else int(n_axes.arg)


def _sum_to_zero_forward(x: Node, n_axes: Node | None = None) -> Node:
    for axis in range(x.ndim - _count(n_axes), x.ndim):
        x = _gather(x, axis)
    return x


def _sum_to_zero_backward(z: Node, n_axes: Node | None = None) -> Node:
    for axis in range(z.ndim - _count(n_axes), z.ndim):
        z = _spread(z, axis)
    return z


def _sum_to_zero_free(shape: Shape, n_axes: Node | None = None) -> Shape:
    n = _count(n_axes)
    core = shape[len(shape) - n :] if n <= len(shape) else (0,)
    if not all(isinstance(dim, int) and dim > 1 for dim in core):
        axes = "a last axis" if n == 1 else f"{n} last axes"
        raise ShapeError(f"transform 'sum_to_zero' needs {axes} of fixed length, 2 or more")
    return (*shape[: len(shape) - n], *(dim - 1 for dim in core if isinstance(dim, int)))


sum_to_zero = kind(
    "sum_to_zero",
    Row(
        forward=_sum_to_zero_forward,
        backward=_sum_to_zero_backward,
        log_det=lambda z, n_axes=None: const(0.0),
        free=_sum_to_zero_free,
    ),
)


def sum_to_zero_along(n_axes: int) -> Transform:
    """Return the transform to numbers that sum to 0 along each of the last `n_axes` axes."""
    return Transform("sum_to_zero", () if n_axes == 1 else (const(n_axes),))


# The sum gets a coordinate of its own, the last, so that it may be held much more tightly than
# anything else without making the steps of the others small.
sum_apart = kind(
    "sum_apart",
    Row(
        forward=lambda x: math.concatenate(
            [
                _gather(x - math.mean(x, axis=-1, keepdims=True), x.ndim - 1),
                math.sum(x, axis=-1, keepdims=True) / sqrt(length_of(x)),
            ],
            axis=-1,
        ),
        backward=lambda z: _spread(z[..., :-1], z.ndim - 1) + z[..., -1:] / sqrt(length_of(z)),
        log_det=lambda z: const(0.0),
        free=of_vectors("sum_apart", least=2),
    ),
)


def _direction(z: Node) -> Node:
    """`z` at length 1; 0 stays 0, with a finite derivative."""
    square = math.sum(math.square(z), axis=-1, keepdims=True)
    return z / math.sqrt(math.guard(square > 0.0, square, 1.0))


def _unit_vector_log_det(z: Node) -> Node:
    """Density of the length of z, which is chi distributed, over the area of its sphere.

    Stan leaves the constant out.
    """
    n = length_of(z)
    constant = (0.5 * n - 1.0) * log_of(2.0) + lgamma(0.5 * n)
    return -0.5 * math.sum(math.square(z), axis=-1) - constant


unit_vector = kind(
    "unit_vector",
    Row(
        forward=lambda x: x,
        backward=_direction,
        log_det=_unit_vector_log_det,
        free=of_vectors("unit_vector", least=2),
    ),
)
