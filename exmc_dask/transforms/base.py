"""A transform as a record, and the table of kinds that its rows are written into."""

from collections.abc import Callable
from dataclasses import dataclass

from exmc_dask import math
from exmc_dask.errors import OptionError
from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.ir import Node


@dataclass(frozen=True)
class Transform:
    """A kind of transform with its arguments.

    Attributes
    ----------
    kind : str
        Row of ``TRANSFORMS``.
    args : tuple of Node
        Bounds of an interval, which may be expressions of other variables; numbers.
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
        """Shape of z for an x of `shape`.

        Raises
        ------
        ShapeError
            The transform does not work on values of this shape.
        """
        return TRANSFORMS[self.kind].free(shape, *self.args)


def _same(shape: Shape, *args: Node) -> Shape:
    return shape


@dataclass(frozen=True)
class Row:
    """One kind of transform.

    Attributes
    ----------
    forward, backward, log_det : function (Node, *args) -> Node
        `log_det` has the shape of z, or less: it is summed.
    free : function (Shape, *args) -> Shape
        Shape of z for that of x; raises ShapeError.
    n_args : int
        Arguments that must be given.
    aliases : tuple of str
    """

    forward: Callable[..., Node]
    backward: Callable[..., Node]
    log_det: Callable[..., Node]
    free: Callable[..., Shape] = _same
    n_args: int = 0
    aliases: tuple[str, ...] = ()


TRANSFORMS: dict[str, Row] = {}


def kind(name: str, row: Row) -> Transform:
    """Put a row into the table and return its transform, if it needs no arguments."""
    TRANSFORMS[name] = row
    return Transform(name)


def transform(name: str) -> Transform:
    """Return the transform called `name`, for kinds without arguments.

    Raises
    ------
    OptionError
        There is none of that name.
    """
    found = {
        known: kind
        for kind, row in TRANSFORMS.items()
        if not row.n_args
        for known in (kind, *row.aliases)
    }
    if name not in found:
        raise OptionError(
            f"there is no transform '{name}' without arguments; known are "
            f"{', '.join(sorted(found))}, and ed.transforms.interval(lower, upper)"
        )
    return Transform(found[name])
