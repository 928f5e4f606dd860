"""From a declared model to one scalar graph of the unconstrained vector, with its gradient."""

from dataclasses import dataclass

from exmc_dask.axes import Shape
from exmc_dask.ir import Node
from exmc_dask.layout import Layout


@dataclass(frozen=True)
class Output:
    """One thing that each draw stores: a variable on its own scale, or a deterministic."""

    name: str
    node: Node  # of PARAM and DATA leaves
    shape: Shape  # may have axes that only the data know
    dims: tuple[str | None, ...]


@dataclass(frozen=True)
class Input:
    """One array that the kernel reads."""

    name: str
    shape: Shape  # may have axes that only the data know
    dtype: str


@dataclass(frozen=True)
class LogDensity:
    """Log density of a model over its unconstrained vector, ready to be compiled.

    Attributes
    ----------
    logp : Node
        Scalar; includes the log Jacobian of every transform.
    grads : tuple of Node
        Derivative with respect to each PARAM, in the order of `layout` and of the PARAM's shape.
    outputs : tuple of Output
        What a draw stores, flat and row-major one after the other.
    layout : Layout
        Place of each PARAM in the unconstrained vector.
    slots : tuple of Input
        Arrays the kernel reads, in order: data of the user and what was calculated from them.
    axes : tuple of str
        Names of the axes whose lengths are bound with the data.
    terms : tuple of (str, Node)
        The parts of which `logp` is the sum, each a scalar with the name of its variable.
    """

    logp: Node
    grads: tuple[Node, ...]
    outputs: tuple[Output, ...]
    layout: Layout
    slots: tuple[Input, ...]
    axes: tuple[str, ...]
    terms: tuple[tuple[str, Node], ...]
