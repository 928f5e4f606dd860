"""The frozen record of a model, which hashes, prints and travels as bytes.

A `ModelSpec` holds expressions and names, never the user's numbers: data are slots by name, with
symbols for the lengths of their axes. Two ways of declaring the same model in the same order give
equal records. Everything else, from the reparametrisation to the kernel, starts from here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from exmc_dask.axes import Shape
from exmc_dask.dist.base import Dist
from exmc_dask.ir import Node, make
from exmc_dask.ops import FLOAT, Op
from exmc_dask.transforms import Transform

VERSION = 1
MAGIC = "exmc-model"
REDUCTIONS = ("sum", "mean", "logsumexp")


@dataclass(frozen=True)
class Slot:
    """A place for an array that comes with the data.

    Attributes
    ----------
    name : str
        The user's, or ``variable.parameter`` for an array written into a declaration.
    shape : Shape
        Symbols ``name.axis``; an axis that had length 1 keeps it.
    dtype : "float64", "int64" or "bool"
    dims : tuple of str or None
    """

    name: str
    shape: Shape
    dtype: str
    dims: tuple[str | None, ...]

    @property
    def is_declared(self) -> bool:
        """Whether the user named it; an array written into a declaration is called for that."""
        return "." not in self.name

    @property
    def node(self) -> Node:
        """The leaf that stands for the array in expressions."""
        return make(Op.DATA, (), self.name, self.shape, self.dtype)


@dataclass(frozen=True)
class Variable:
    """A random variable: free, observed, or drawn in prediction only.

    Attributes
    ----------
    name : str
    dist : Dist
    shape : Shape
        Numbers for a free variable; the shape of the data for an observed one; what the parameters
        ask for, where it is drawn in prediction only.
    dims : tuple of str or None
        One an axis.
    transform : Transform, "default" or None
        How a free variable is moved; "default" goes by the support, None leaves it as it is.
    observed : Node, optional
        DATA leaf; None for a variable without data.
    weight : Node, optional
        Factor of every elementwise log-density.
    mask : Node, optional
        bool; elements where it is False do not count.
    reduce : "sum", "mean" or "logsumexp"
        How elements become one number, after weighting and masking.
    likelihood : bool
        False leaves the term out; a variable without data is then drawn in prediction only.
    """

    name: str
    dist: Dist
    shape: Shape
    dims: tuple[str | None, ...]
    transform: Transform | Literal["default"] | None = "default"
    observed: Node | None = None
    weight: Node | None = None
    mask: Node | None = None
    reduce: str = "sum"
    likelihood: bool = True

    @property
    def node(self) -> Node:
        """What expressions of other variables refer to."""
        dtype = FLOAT if self.observed is None else self.observed.dtype
        return make(Op.VAR, (), self.name, self.shape, dtype)

    def parts(self) -> Iterator[Node]:
        """Every expression that the declaration refers to."""
        yield from self.dist.nodes()
        yield from self.transform.args if isinstance(self.transform, Transform) else ()
        yield from (node for node in (self.weight, self.mask) if node is not None)


@dataclass(frozen=True)
class Observation:
    """An observed expression of one free variable: ``y = a * x + b``, ``y = A @ x``.

    `node` is the expression, `leaf` what other expressions refer to; the other fields are as in
    `Variable`.
    """

    name: str
    node: Node
    observed: Node
    dims: tuple[str | None, ...] = ()
    weight: Node | None = None
    mask: Node | None = None
    reduce: str = "sum"
    likelihood: bool = True

    @property
    def leaf(self) -> Node:
        """What expressions of variables refer to."""
        return make(Op.VAR, (), self.name, self.observed.shape, self.observed.dtype)


@dataclass(frozen=True)
class Deterministic:
    """A named expression whose values are kept beside the draws."""

    name: str
    node: Node
    dims: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Potential:
    """An expression added to the log-density, summed over its elements."""

    name: str
    node: Node


@dataclass(frozen=True)
class ModelSpec:
    """All that a model says, apart from its data.

    Attributes
    ----------
    variables : tuple of Variable
        Parents before children.
    slots : tuple of Slot
        In order of name.
    """

    variables: tuple[Variable, ...] = ()
    slots: tuple[Slot, ...] = ()
    deterministics: tuple[Deterministic, ...] = ()
    potentials: tuple[Potential, ...] = ()
    observations: tuple[Observation, ...] = ()

    @property
    def free(self) -> tuple[Variable, ...]:
        """Variables that are sampled."""
        return tuple(v for v in self.variables if v.observed is None and v.likelihood)

    @property
    def predicted(self) -> tuple[Variable, ...]:
        """Variables that are drawn in prediction only; nothing that is sampled depends on them."""
        return tuple(v for v in self.variables if v.observed is None and not v.likelihood)

    @property
    def observed(self) -> tuple[Variable, ...]:
        """Variables with data."""
        return tuple(v for v in self.variables if v.observed is not None)

    @property
    def known(self) -> dict[Node, Node]:
        """What stands for the observed variables once their data are given."""
        found = {v.node: v.observed for v in self.variables if v.observed is not None}
        return found | {o.leaf: o.observed for o in self.observations}

    def __getitem__(self, name: str) -> Variable:
        return next(v for v in self.variables if v.name == name)

    @cached_property
    def key(self) -> str:
        """Content hash: structure, sizes of parameters and constants; no data, no lengths."""
        from exmc_dask.codec import key

        return key(self)

    def __hash__(self) -> int:
        return hash(self.key)

    def to_bytes(self) -> bytes:
        """Return the model in the form in which it travels: msgpack, versioned, no code."""
        from exmc_dask.codec import encode

        return encode(self)

    @staticmethod
    def from_bytes(data: bytes) -> "ModelSpec":
        """Read what `to_bytes` wrote; raises FormatError where the bytes are no such model."""
        from exmc_dask.codec import decode

        return decode(data)

    def __repr__(self) -> str:
        from exmc_dask.outline import outline

        lines = outline(self)
        width = max((len(line.name) for line in lines), default=0)
        return "\n".join(f"{line.name:{width}} {line.sign} {line}" for line in lines)


def roots_of(spec: ModelSpec) -> Iterator[Node]:
    """Every expression of a model."""
    for v in spec.variables:
        yield from v.parts()
        yield from () if v.observed is None else (v.observed,)
    for o in spec.observations:
        given = (o.node, o.observed, o.weight, o.mask)
        yield from (node for node in given if node is not None)
    yield from (d.node for d in spec.deterministics)
    yield from (p.node for p in spec.potentials)


def is_name(name: object) -> bool:
    """Whether `name` can be that of a variable, a slot or a dimension."""
    return isinstance(name, str) and name.isidentifier() and not name.startswith("__")


def is_slot_name(name: object) -> bool:
    """Whether `name` is a name, or ``variable.parameter`` with a number for repeats."""
    if not isinstance(name, str):
        return False
    first, *rest = name.split(".")
    numbered = len(rest) == 2 and rest[1].isdecimal()
    return is_name(first) and (not rest or (is_name(rest[0]) and (len(rest) == 1 or numbered)))
