"""The frozen record of a model, which hashes, prints and travels as bytes.

A `ModelSpec` holds expressions and names, never the user's numbers: data are slots by name, with
symbols for the lengths of their axes. Two ways of declaring the same model in the same order give
equal records. Everything else, from the reparametrisation to the kernel, starts from here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from exmc_dask import math
from exmc_dask.dist.base import Dist
from exmc_dask.dist.law import default_transform
from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.ir import Node, as_float, broadcast_to, make
from exmc_dask.expressions.ops import FLOAT, SINGLE, Op
from exmc_dask.transforms import Transform

REDUCTIONS = ("sum", "mean", "logsumexp")
SEEN, LEFT_OUT = -1, -2  # no place among imputed entries: not missing; missing where mask is False


@dataclass(frozen=True)
class Slot:
    """A place for an array that comes with the data.

    Attributes
    ----------
    name : str
        The user's, or ``variable.parameter`` for an array written into a declaration.
    shape : Shape
        Symbols ``name.axis``; an axis that had length 1 keeps it.
    dtype : "float64", "float32", "int64" or "bool"
        How the array is kept; one of float32 is calculated with as float64.
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
        dtype = FLOAT if self.dtype == SINGLE else self.dtype
        return make(Op.DATA, (), self.name, self.shape, dtype)


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
    missing : Node, optional
        int64, in the shape of the data: the place of a missing entry among those that are imputed,
        ``SEEN`` or ``LEFT_OUT``. None where no entry is missing.
    n_missing : int
        Entries that are imputed.
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
    missing: Node | None = None
    n_missing: int = 0

    @property
    def node(self) -> Node:
        """What expressions of other variables refer to."""
        dtype = FLOAT if self.observed is None else self.observed.dtype
        return make(Op.VAR, (), self.name, self.shape, dtype)

    @property
    def value(self) -> Node:
        """What the variable is once its data are given: they, with imputed entries put in."""
        if self.observed is None or not self.n_missing:
            return self.node if self.observed is None else self.observed
        imputed = self.unobserved.node[math.maximum(self.places, 0)]
        return math.where(self.places >= 0, imputed, self.observed)

    @property
    def shares(self) -> tuple[str, ...]:
        """Names of the imputed and of the other entries in results, which are PyMC's."""
        return (f"{self.name}_unobserved", f"{self.name}_observed") if self.n_missing else ()

    @property
    def places(self) -> Node:
        """`missing` under the names that the axes of the data have."""
        assert self.missing is not None
        return broadcast_to(self.missing, self.shape)

    @property
    def unobserved(self) -> "Variable":
        """Missing entries as a free variable, whose density is part of that of the whole."""
        moved = default_transform(self.dist)
        if moved is not None:
            moved = replace(moved, args=tuple(map(self._among_missing, moved.args)))
        size = self.n_missing
        return Variable(self.shares[0], Dist("Flat", ()), (size,), (None,), moved)

    def _among_missing(self, node: Node) -> Node:
        """Elements of an expression at the missing entries."""
        if all(dim == 1 for dim in node.shape):
            return node.reshape(())
        spread = broadcast_to(as_float(node), self.shape)
        places = math.where(self.places >= 0, self.places, self.n_missing)
        return make(Op.SCATTER_ADD, (spread, places), self.n_missing + 1)[: self.n_missing]

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


@dataclass(frozen=True, eq=False)
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

    @cached_property
    def free(self) -> tuple[Variable, ...]:
        """Variables that are sampled."""
        declared = (v.unobserved if v.n_missing else v for v in self.variables)
        return tuple(v for v in declared if v.observed is None and v.likelihood)

    @property
    def predicted(self) -> tuple[Variable, ...]:
        """Variables that are drawn in prediction only; nothing that is sampled depends on them."""
        return tuple(v for v in self.variables if v.observed is None and not v.likelihood)

    @property
    def observed(self) -> tuple[Variable, ...]:
        """Variables with data."""
        return tuple(v for v in self.variables if v.observed is not None)

    @property
    def stored(self) -> tuple[Deterministic, ...]:
        """Expressions whose values are kept: those that were named, and data with imputed entries.

        The latter are called as their variable, which PyMC does too.
        """
        imputed = (Deterministic(v.name, v.value, v.dims) for v in self.variables if v.n_missing)
        return (*imputed, *self.deterministics)

    @property
    def known(self) -> dict[Node, Node]:
        """What stands for the observed variables once their data are given."""
        found = {v.node: v.value for v in self.variables if v.observed is not None}
        return found | {o.leaf: o.observed for o in self.observations}

    def __getitem__(self, name: str) -> Variable:
        return next(v for v in self.variables if v.name == name)

    @cached_property
    def named(self) -> dict[str, Node]:
        """Variables, expressions and data slots by the names that the user gave them."""
        found = {v.name: v.node for v in self.variables}
        found |= {d.name: d.node for d in self.deterministics}
        found |= {p.name: p.node for p in self.potentials}
        found |= {o.name: o.leaf for o in self.observations}
        return found | {slot.name: slot.node for slot in self.slots if slot.is_declared}

    @cached_property
    def key(self) -> str:
        """Content hash: structure, sizes of parameters and constants; no data, no lengths."""
        from exmc_dask.language.envelope import hash_of

        return hash_of(self._bytes)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ModelSpec) and self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def to_bytes(self) -> bytes:
        """Return the model in the form in which it travels: msgpack, versioned, no code."""
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        from exmc_dask.language.codec import encode

        return encode(self)

    @staticmethod
    def from_bytes(data: bytes) -> "ModelSpec":
        """Read what `to_bytes` wrote; raises FormatError where the bytes are no such model."""
        from exmc_dask.language.codec import decode

        return decode(bytes(data))

    def __repr__(self) -> str:
        from exmc_dask.language.outline import outline

        lines = outline(self)
        width = max((len(line.name) for line in lines), default=0)
        return "\n".join(f"{line.name:{width}} {line.sign} {line}" for line in lines)


def roots_of(spec: ModelSpec) -> Iterator[Node]:
    """Every expression of a model."""
    for v in spec.variables:
        yield from v.parts()
        yield from (node for node in (v.observed, v.missing) if node is not None)
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
