"""What the passes on models work on: free variables and terms, with what was done to them."""

from dataclasses import dataclass, replace
from typing import Literal

from exmc_dask import math
from exmc_dask.dist import Dist
from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.graph import leaves
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import FLOAT, Op
from exmc_dask.language.model import (
    SEEN,
    Deterministic,
    ModelSpec,
    Observation,
    Potential,
    Variable,
)
from exmc_dask.language.text import text, text_of_counting, text_of_dist, text_of_transform
from exmc_dask.rewrite.condition import condition
from exmc_dask.transforms import Transform


@dataclass(frozen=True)
class Free:
    """A free variable: ``value = loc + scale * transform.backward(z)``.

    Attributes
    ----------
    name : str
    dist : Dist
        Of the variable before `loc` and `scale`.
    shape : Shape
    dims : tuple of str or None
    transform : Transform, "default" or None
        "default" until the pass `constrain` has looked it up.
    inside : bool
        Whether the transform keeps the value inside the support.
    affine : (Node, Node), optional
        `loc` and `scale` of a variable that is not centred.
    start : Node, optional
        Where it begins, if not at the support point of `dist`.
    """

    name: str
    dist: Dist
    shape: Shape
    dims: tuple[str | None, ...] = ()
    transform: Transform | Literal["default"] | None = "default"
    inside: bool = False
    affine: tuple[Node, Node] | None = None
    start: Node | None = None

    @property
    def node(self) -> Node:
        """Leaf that stands for the user's variable in expressions, whatever was done to it."""
        return make(Op.VAR, (), self.name, self.shape, FLOAT)

    def __str__(self) -> str:
        return f"{self.name} ~ {self.law}"

    @property
    def law(self) -> str:
        """How values come about: ``mu + tau * Normal(0, 1)``, ``HalfNormal(5) by log``."""
        law = text_of_dist(self.dist)
        if self.affine is not None:
            loc, scale = self.affine
            law = text(loc + scale * self.node, {self.node: law})
        if isinstance(self.transform, Transform):
            return f"{law} by {text_of_transform(self.transform)}"
        return law

    @property
    def unconstrained(self) -> Shape:
        """Shape of what NUTS moves."""
        if isinstance(self.transform, Transform):
            return self.transform.unconstrained_shape(self.shape)
        return self.shape


@dataclass(frozen=True)
class Term:
    """An observation: `dist` at `value`, whose elements may carry a log Jacobian.

    `log_det` is a Jacobian of the whole; the other fields are as in `Variable`.
    """

    name: str
    dist: Dist
    value: Node
    inside: bool = False
    log_scale: Node | None = None
    log_det: Node | None = None
    weight: Node | None = None
    mask: Node | None = None
    reduce: str = "sum"

    def __str__(self) -> str:
        jacobian = [part for part in (self.log_scale, self.log_det) if part is not None]
        notes = [f"log Jacobian {text(part)}" for part in jacobian]
        notes += text_of_counting(self.weight, self.mask, self.reduce)
        return "  ".join([f"{text(self.value)} ~ {text_of_dist(self.dist)}", *notes])


@dataclass(frozen=True)
class Draft:
    """A model between declaration and density.

    Attributes
    ----------
    free, terms : tuple
    observations : tuple of Observation
        Observed expressions that the pass `measurable` has yet to turn into terms.
    fixed : tuple of (Node, Node)
        VAR leaves of variables that an observation determines, with their values.
    deterministics, potentials : tuple
    """

    free: tuple[Free, ...]
    terms: tuple[Term, ...]
    observations: tuple[Observation, ...]
    deterministics: tuple[Deterministic, ...]
    potentials: tuple[Potential, ...]
    fixed: tuple[tuple[Node, Node], ...] = ()

    def lines(self) -> dict[str, str]:
        """Describe every free variable, term and waiting observation, by name."""
        return {
            **{free.name: str(free) for free in self.free},
            **{term.name: str(term) for term in self.terms},
            **{o.name: f"{text(o.node)} is observed" for o in self.observations},
        }


def draft(declared: ModelSpec) -> Draft:
    """Begin with what the user declared.

    Terms with ``likelihood=False`` are left out, as are variables that are drawn in prediction only
    and expressions of them.
    """
    spec = condition(declared)
    later = {v.name for v in spec.predicted}
    starts = {v.unobserved.name: _mean(v) for v in spec.observed if v.n_missing}
    return Draft(
        free=tuple(
            Free(v.name, v.dist, v.shape, v.dims, v.transform, start=starts.get(v.name))
            for v in spec.free
        ),
        terms=tuple(map(_term, (v for v in spec.observed if v.likelihood))),
        observations=spec.observations,
        deterministics=tuple(
            d for d in spec.stored if later.isdisjoint(leaves(d.node) if later else ())
        ),
        potentials=spec.potentials,
    )


def _term(v: Variable) -> Term:
    """Term of an observed variable with its imputed entries, whose density no weight touches."""
    made = term(v, v.dist, v.value)
    if v.weight is None or not v.n_missing:
        return made
    return replace(made, weight=math.where(v.places >= 0, 1.0, v.weight))


def _mean(v: Variable) -> Node:
    """Mean of the values that are not missing, where imputed ones begin."""
    seen = v.places.eq(SEEN)
    total = math.sum(math.where(seen, v.observed, 0.0))
    return total / math.sum(math.where(seen, 1.0, 0.0))


def term(record: Variable | Observation, dist: Dist, value: Node | None) -> Term:
    """Begin the term of an observed variable or expression."""
    assert value is not None
    return Term(
        record.name,
        dist,
        value,
        weight=record.weight,
        mask=record.mask,
        reduce=record.reduce,
    )
