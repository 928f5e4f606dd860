"""Maps between a constrained variable x and the unconstrained z that NUTS moves, with log |dx/dz|.

``TRANSFORMS`` has one row a kind: forward ``x -> z``, backward ``z -> x`` and the logarithm of the
Jacobian determinant of `backward`, all as expressions. Vectors lie along the last axis; everything
before it is a batch. Formulas: Stan Reference Manual, chapter "Constraint Transforms".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exmc_dask import math
from exmc_dask.axes import Shape
from exmc_dask.errors import OptionError, ShapeError
from exmc_dask.ir import Node, as_float, make
from exmc_dask.ops import Op


@dataclass(frozen=True)
class Transform:
    """A kind of transform with its arguments (the bounds of an interval).

    Attributes
    ----------
    kind : str
        Row of ``TRANSFORMS``.
    args : tuple of Node
        May be expressions of other variables.
    """

    kind: str
    args: tuple[Node, ...] = ()

    def forward(self, x: Node) -> Node:
        """Unconstrained value of the constrained `x`."""
        return TRANSFORMS[self.kind].forward(x, *self.args)

    def backward(self, z: Node) -> Node:
        """Constrained value of the unconstrained `z`."""
        return TRANSFORMS[self.kind].backward(z, *self.args)

    def log_det(self, z: Node) -> Node:
        """Scalar ``log |det dx/dz|`` at `z`, summed over the batch."""
        return math.sum(TRANSFORMS[self.kind].log_det(z, *self.args))

    def unconstrained_shape(self, shape: Shape) -> Shape:
        """Shape of z for an x of `shape`."""
        if not TRANSFORMS[self.kind].vector:
            return shape
        if not shape or not isinstance(shape[-1], int):
            raise ShapeError(f"transform '{self.kind}' needs a last axis of fixed length")
        return (*shape[:-1], shape[-1] - TRANSFORMS[self.kind].lost)


@dataclass(frozen=True)
class Row:
    """One kind of transform."""

    forward: Callable[..., Node]
    backward: Callable[..., Node]
    log_det: Callable[..., Node]
    n_args: int = 0
    vector: bool = False  # works along the last axis
    lost: int = 0  # elements by which z is shorter


def transform(kind: str) -> Transform:
    """Return the transform called `kind`, for kinds without arguments."""
    row = TRANSFORMS.get(kind)
    if row is None or row.n_args:
        known = ", ".join(sorted(name for name, row in TRANSFORMS.items() if not row.n_args))
        raise OptionError(f"there is no transform '{kind}' without arguments; known are {known}")
    return Transform(kind)


def interval(lower: Any = None, upper: Any = None) -> Transform:
    """Return the transform to between two bounds; ``None`` leaves a side open."""
    if lower is None and upper is None:
        raise OptionError("an interval needs a lower bound, an upper bound or both")
    if upper is None:
        return Transform("lower", (as_float(lower),))
    if lower is None:
        return Transform("upper", (as_float(upper),))
    return Transform("interval", (as_float(lower), as_float(upper)))


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


def _ordered_backward(z: Node) -> Node:
    return math.cumsum(math.concatenate([z[..., :1], math.exp(z[..., 1:])], axis=-1))


def _ordered_forward(x: Node) -> Node:
    return math.concatenate([x[..., :1], math.log(math.diff(x))], axis=-1)


TRANSFORMS: Mapping[str, Row] = {
    "log": Row(forward=math.log, backward=math.exp, log_det=lambda z: z),
    "softplus": Row(
        forward=lambda x: x + math.log(-math.expm1(-x)),
        backward=math.softplus,
        log_det=lambda z: -math.softplus(-z),
    ),
    "logit": Row(
        forward=math.logit,
        backward=math.sigmoid,
        log_det=lambda z: -math.softplus(-z) - math.softplus(z),
    ),
    "lower": Row(
        forward=lambda x, lower: math.log(x - lower),
        backward=lambda z, lower: lower + math.exp(z),
        log_det=lambda z, lower: z,
        n_args=1,
    ),
    "upper": Row(
        forward=lambda x, upper: math.log(upper - x),
        backward=lambda z, upper: upper - math.exp(z),
        log_det=lambda z, upper: z,
        n_args=1,
    ),
    "interval": Row(
        forward=lambda x, lower, upper: math.log(x - lower) - math.log(upper - x),
        backward=lambda z, lower, upper: lower + (upper - lower) * math.sigmoid(z),
        log_det=lambda z, lower, upper: (
            math.log(upper - lower) - math.softplus(-z) - math.softplus(z)
        ),
        n_args=2,
    ),
    "stick_breaking": Row(
        forward=_stick_forward,
        backward=_stick_backward,
        log_det=_stick_log_det,
        vector=True,
        lost=1,
    ),
    "ordered": Row(
        forward=_ordered_forward,
        backward=_ordered_backward,
        log_det=lambda z: z[..., 1:],
        vector=True,
    ),
}
