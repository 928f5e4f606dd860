"""Drawing a model forwards: what is kept, what is drawn anew, in which order.

The rule is that of PyMC 6.4's ``sample_posterior_predictive``. A free variable that the trace holds
is kept, unless the caller asks for a new one. Every other random variable is drawn: observed ones
always, free ones that the trace lacks from their law given their parents. A deterministic is taken
from the trace where nothing that it is made of has changed: where no variable in it is drawn and
no data in it are others than they were. Else it is calculated.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from exmc_dask.axes import extents, show
from exmc_dask.dist import Functions, draw, without_draw
from exmc_dask.dist.base import VALUE, Dist
from exmc_dask.errors import ModelError, ShapeError, UnknownName
from exmc_dask.evaluate import evaluate
from exmc_dask.graph import topological
from exmc_dask.ir import Node, as_float, make
from exmc_dask.model import Deterministic, ModelSpec, Observation, Variable
from exmc_dask.ops import LEAF, Op
from exmc_dask.rewrite.condition import substituted

type Part = Variable | Observation | Deterministic
type Array = np.ndarray


@dataclass(frozen=True)
class Plan:
    """What becomes of every name on which the wanted ones depend.

    Attributes
    ----------
    spec : ModelSpec
        With the deterministics that are kept come what may as variables of their own.
    wanted : tuple of str
    kept : tuple of str
        Taken from the trace.
    drawn : tuple of str
        Random variables that are drawn, parents first; observed expressions among them, which are
        calculated from one that is.
    made : tuple of str
        Deterministics that are calculated from all of these.
    outrun : dict of str to tuple of str
        Kept variables that would be drawn otherwise now, and why.
    """

    spec: ModelSpec
    wanted: tuple[str, ...]
    kept: tuple[str, ...]
    drawn: tuple[str, ...]
    made: tuple[str, ...]
    outrun: Mapping[str, tuple[str, ...]]


def plan(
    declared: ModelSpec,
    wanted: Collection[str],
    *,
    held: Collection[str] = (),
    changed: Collection[str] = (),
    unknown: Collection[str] = (),
    renew: Collection[str] = (),
    freeze: Collection[str] = (),
) -> Plan:
    """Decide what is kept, drawn and calculated.

    Parameters
    ----------
    declared : ModelSpec
    wanted : collection of str
    held : collection of str
        Names in the trace.
    changed, unknown : collection of str
        Data slots that hold other arrays than when the model was sampled, or of which that is not
        known.
    renew : collection of str
        Held names to draw or to calculate all the same.
    freeze : collection of str
        Held names to keep whatever changed.

    Raises
    ------
    UnknownName
        A wanted name is in no declaration.
    """
    spec = _with_frozen(declared, freeze)
    parts = parts_of(spec)
    for name in (*wanted, *renew, *freeze):
        if name not in parts:
            raise UnknownName(
                f"'{name}' is neither a variable nor a deterministic; there are "
                f"{', '.join(parts) or 'none'}"
            )
    above = {name: _above(part) for name, part in parts.items()}
    kept: set[str] = set()
    causes: dict[str, list[str]] = {}  # what changed in or above a name, however far
    order = list(_ordered(wanted, lambda name: above[name][0]))
    for name in order:
        parents, slots = above[name]
        found = [cause for parent in parents for cause in causes[parent]]
        found += [f"'{slot}' has other data" for slot in slots if slot in changed]
        fixed = kept.issuperset(parents) and not set(slots) & {*changed, *unknown}
        if _is_kept(parts[name], name, held, renew) and (
            fixed or name in freeze or isinstance(parts[name], Variable)
        ):
            kept.add(name)
        elif not isinstance(parts[name], Deterministic):
            found.append(f"'{name}' is drawn")
        causes[name] = [] if name in freeze else found
    needed = list(_ordered(wanted, lambda name: () if name in kept else above[name][0]))
    fresh = [name for name in needed if name not in kept]
    return Plan(
        spec=spec,
        wanted=tuple(wanted),
        kept=tuple(name for name in needed if name in kept),
        drawn=tuple(name for name in fresh if not isinstance(parts[name], Deterministic)),
        made=tuple(name for name in fresh if isinstance(parts[name], Deterministic)),
        outrun={
            name: tuple(dict.fromkeys(causes[name]))
            for name in needed
            if name in kept and causes[name]
        },
    )


def parts_of(spec: ModelSpec) -> dict[str, Part]:
    """Everything that has values, by name."""
    found: dict[str, Part] = {v.name: v for v in spec.variables}
    found |= {o.name: o for o in spec.observations}
    return found | {d.name: d for d in spec.deterministics}


def _with_frozen(spec: ModelSpec, freeze: Collection[str]) -> ModelSpec:
    """Let expressions refer by name to the deterministics that are kept."""
    frozen = [d for d in spec.deterministics if d.name in freeze and d.node.op not in LEAF]
    names = {d.node: make(Op.VAR, (), d.name, d.node.shape, d.node.dtype) for d in frozen}
    changed = substituted(spec, names)
    pairs = zip(spec.deterministics, changed.deterministics, strict=True)
    return replace(changed, deterministics=tuple(a if a in frozen else b for a, b in pairs))


def _is_kept(part: Part, name: str, held: Collection[str], renew: Collection[str]) -> bool:
    match part:
        case Variable(observed=None) | Deterministic():
            return name in held and name not in renew
        case _:
            return False


def _above(part: Part) -> tuple[list[str], list[str]]:
    """Variables and data slots of which a value is made."""
    roots = list(_operands(part.dist)) if isinstance(part, Variable) else [part.node]
    found = topological(roots)
    variables = [str(leaf.arg) for leaf in found if leaf.op is Op.VAR and leaf.arg != VALUE]
    return variables, [str(leaf.arg) for leaf in found if leaf.op is Op.DATA]


def _operands(dist: Dist) -> Iterator[Node]:
    """Expressions that are read to draw; a density is not."""
    for name, argument in dist.params:
        if isinstance(argument, Node) and name != "logp":
            yield argument
    for _, part in dist.inner():
        yield from _operands(part)


def _ordered(names: Iterable[str], parents: Callable[[str], Iterable[str]]) -> Iterator[str]:
    """Names and all of their ancestors, parents first."""
    done: set[str] = set()
    stack = [(name, False) for name in reversed(list(names))]
    while stack:
        name, ready = stack.pop()
        if name in done:
            continue
        if ready:
            done.add(name)
            yield name
        else:
            stack.append((name, True))
            stack += [(parent, False) for parent in reversed(list(parents(name)))]


@dataclass(frozen=True)
class Forward:
    """A plan with the data it is carried out on.

    Attributes
    ----------
    plan : Plan
    data : mapping
        Arrays by slot.
    lengths : mapping
        Of their axes, as predictions have them.
    by : mapping
        Functions of the user that draw `Custom` distributions, by the name of the variable and
        their places in it.
    """

    plan: Plan
    data: Mapping[str, Array]
    lengths: Mapping[str, int]
    by: Mapping[str, Functions]

    def check(self) -> None:
        """Raise ModelError where a variable that has to be drawn cannot be."""
        for name in self.plan.drawn:
            part = parts_of(self.plan.spec)[name]
            if isinstance(part, Variable):
                unable = without_draw(part.dist, self.by.get(name, {}))
                if unable is not None:
                    raise ModelError(f"'{name}' cannot be drawn: {_why(unable)}")

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of one value."""
        part = parts_of(self.plan.spec)[name]
        node = part.observed if isinstance(part, Observation) else part.node
        return extents(node.shape, self.lengths)

    def run(
        self, kept: Mapping[str, Array], n: int, rng: Callable[[str], np.random.Generator]
    ) -> dict[str, Array]:
        """Carry the plan out for some draws at once.

        Parameters
        ----------
        kept : mapping
            ``(n, *shape)`` of each name that is kept.
        n : int
        rng : function (name) -> numpy.random.Generator
            One stream a variable.

        Returns
        -------
        dict
            ``(n, *shape)`` of each wanted name.
        """
        leaves: dict[Any, Array] = {(Op.DATA, slot): array for slot, array in self.data.items()}
        parts = parts_of(self.plan.spec)
        values = dict(kept)
        leaves |= {(Op.VAR, name): array for name, array in kept.items()}
        for name in self.plan.drawn:
            shape = (n, *self.shape_of(name))
            match parts[name]:
                case Variable() as variable:
                    values[name] = self._draw(variable, rng(name), shape, leaves)
                case Observation() as observation:
                    values[name] = self._value(observation.node, shape, leaves)
            leaves[Op.VAR, name] = values[name]
        nodes = [as_float(parts[name].node) for name in self.plan.made]  # as in a trace
        found = evaluate(nodes, leaves, self.lengths)
        for name, array in zip(self.plan.made, found, strict=True):
            values[name] = np.broadcast_to(array, (n, *self.shape_of(name)))
        return {name: values[name] for name in self.plan.wanted}

    def _value(self, node: Node, shape: tuple[int, ...], leaves: Mapping[Any, Array]) -> Array:
        return np.broadcast_to(evaluate([node], leaves, self.lengths)[0], shape)

    def _draw(
        self,
        variable: Variable,
        rng: np.random.Generator,
        shape: tuple[int, ...],
        leaves: Mapping[Any, Array],
    ) -> Array:
        def numbers(node: Node) -> Array:
            return evaluate([node], leaves, self.lengths)[0]

        try:
            drawn = draw(variable.dist, rng, shape, numbers, self.by.get(variable.name, {}))
        except ModelError as error:
            raise type(error)(f"'{variable.name}': {error}") from None
        except ValueError as error:
            raise ModelError(
                f"'{variable.name}' could not be drawn from {variable.dist.family}: {error}. Some "
                "parameter lies where there is no distribution; narrow the priors above it"
            ) from error
        if drawn.shape != shape:
            raise ShapeError(
                f"'{variable.name}': its draw= gave shape {show(drawn.shape)} where {show(shape)} "
                "was asked for"
            )
        return drawn


def _why(dist: Dist) -> str:
    if dist.family == "Custom":
        return (
            "Custom needs draw=, a function (rng, shape, *params) that stays in the process which "
            "declared the model, or logcdf=, which travels"
        )
    return (
        f"{dist.family} is no distribution to draw from; give the variable a proper one, or leave "
        "out what depends on it with var_names="
    )
