"""What is kept of a trace, what is drawn anew, and in which order.

The rule is that of PyMC 6.4's ``sample_posterior_predictive``. A free variable that the trace holds
is kept, unless the caller asks for a new one. Every other random variable is drawn: observed ones
always, free ones that the trace lacks from their law given their parents. A deterministic is taken
from the trace where nothing that it is made of has changed: where no variable in it is drawn and
no data in it are others than they were. Else it is calculated.

Of a variable with missing entries, those that were imputed are kept and the others drawn. Vectors
are drawn as a whole: their elements belong together.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from exmc_dask.dist.base import VALUE, Dist
from exmc_dask.dist.law import event_ndim
from exmc_dask.errors import UnknownName
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import LEAF, Op
from exmc_dask.language.model import Deterministic, ModelSpec, Observation, Variable
from exmc_dask.rewrite.condition import substituted


@dataclass(frozen=True)
class Share:
    """The entries of a variable that are imputed, or all others, in a row."""

    name: str
    whole: Variable
    imputed: bool

    @property
    def dims(self) -> tuple[None]:
        """One axis without a name."""
        return (None,)


type Part = Variable | Observation | Deterministic | Share


@dataclass(frozen=True)
class Plan:
    """What becomes of every name on which the wanted ones depend.

    Attributes
    ----------
    declared : ModelSpec
    frozen : tuple of str
        Kept come what may.
    wanted : tuple of str
    kept : tuple of str
        Taken from the trace.
    drawn : tuple of str
        Random variables that are drawn, parents first; among them observed expressions and shares,
        which follow from one that is.
    made : tuple of str
        Deterministics that are calculated from all of these.
    overlaid : frozenset of str
        Drawn variables into which imputed entries of the trace are put.
    outrun : dict of str to tuple of str
        Kept variables that would be drawn otherwise now, and why.
    """

    declared: ModelSpec
    frozen: tuple[str, ...]
    wanted: tuple[str, ...]
    kept: tuple[str, ...]
    drawn: tuple[str, ...]
    made: tuple[str, ...]
    overlaid: frozenset[str]
    outrun: Mapping[str, tuple[str, ...]]

    @cached_property
    def spec(self) -> ModelSpec:
        """The model with the deterministics that are frozen as variables of their own."""
        return _with_frozen(self.declared, self.frozen)


def plan(
    declared: ModelSpec,
    wanted: Collection[str],
    *,
    held: Collection[str] = (),
    changed: Collection[str] = (),
    unknown: Collection[str] = (),
    renew: Collection[str] = (),
    freeze: Collection[str] = (),
    behind: Collection[str] = (),
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
    behind : collection of str
        Observed variables whose values have another shape than is asked for.

    Raises
    ------
    UnknownName
        A wanted name is in no declaration.
    """
    spec = _with_frozen(declared, freeze)
    parts = parts_of(spec, behind)
    for name in (*wanted, *renew, *freeze):
        if name not in parts:
            raise UnknownName(
                f"'{name}' is neither a variable nor a deterministic; there are "
                f"{', '.join(parts) or 'none'}"
            )
    fixed = {name for name in held if name not in renew}
    overlaid = frozenset(
        v.name for v in spec.variables if v.name not in behind and _is_overlaid(v, fixed)
    )
    above = {name: _above(part, fixed, overlaid) for name, part in parts.items()}
    kept: set[str] = set()
    causes: dict[str, list[str]] = {}  # what changed in or above a name, however far
    order = list(_ordered(wanted, lambda name: above[name][0]))
    for name in order:
        parents, slots = above[name]
        found = [cause for parent in parents for cause in causes[parent]]
        found += [f"'{slot}' has other data" for slot in slots if slot in changed]
        still = kept.issuperset(parents) and not set(slots) & {*changed, *unknown}
        match parts[name]:
            case Variable(observed=None) | Share(imputed=True) if name in fixed:
                kept.add(name)
            case Deterministic() if name in fixed and (still or name in freeze):
                kept.add(name)
            case Variable() | Observation():
                found.append(f"'{name}' is drawn")
        causes[name] = [] if name in freeze else found
    needed = list(_ordered(wanted, lambda name: () if name in kept else above[name][0]))
    fresh = [name for name in needed if name not in kept]
    return Plan(
        declared=declared,
        frozen=tuple(freeze),
        wanted=tuple(wanted),
        kept=tuple(name for name in needed if name in kept),
        drawn=tuple(name for name in fresh if not isinstance(parts[name], Deterministic)),
        made=tuple(name for name in fresh if isinstance(parts[name], Deterministic)),
        overlaid=overlaid & set(fresh),
        outrun={
            name: tuple(dict.fromkeys(causes[name]))
            for name in needed
            if name in kept and causes[name]
        },
    )


def parts_of(spec: ModelSpec, behind: Collection[str] = ()) -> dict[str, Part]:
    """Everything that has values, by name."""
    found: dict[str, Part] = {}
    for v in spec.variables:
        found[v.name] = v
        if v.name not in behind:
            pairs = zip(v.shares, (True, False), strict=False)
            found |= {name: Share(name, v, imputed) for name, imputed in pairs}
    found |= {o.name: o for o in spec.observations}
    return found | {d.name: d for d in spec.deterministics}


def _is_overlaid(v: Variable, fixed: Collection[str]) -> bool:
    """Whether imputed entries of the trace are put into what is drawn."""
    return bool(v.n_missing) and v.shares[0] in fixed and not event_ndim(v.dist)


def _with_frozen(spec: ModelSpec, freeze: Collection[str]) -> ModelSpec:
    """Let expressions refer by name to the deterministics that are kept."""
    frozen = [d for d in spec.deterministics if d.name in freeze and d.node.op not in LEAF]
    names = {d.node: make(Op.VAR, (), d.name, d.node.shape, d.node.dtype) for d in frozen}
    changed = substituted(spec, names)
    pairs = zip(spec.deterministics, changed.deterministics, strict=True)
    return replace(changed, deterministics=tuple(a if a in frozen else b for a, b in pairs))


def _above(
    part: Part, fixed: Collection[str], overlaid: Collection[str]
) -> tuple[list[str], list[str]]:
    """Names and data slots of which a value is made."""
    match part:
        case Share(name=name, imputed=imputed) if not imputed or name not in fixed:
            return [part.whole.name], []
        case Share():
            roots = list(_operands(part.whole.dist))
        case Variable():
            roots = list(_operands(part.dist))
        case _:
            roots = [part.node]
    found = topological(roots)
    names = [str(leaf.arg) for leaf in found if leaf.op is Op.VAR and leaf.arg != VALUE]
    if isinstance(part, Variable) and part.name in overlaid:
        names.append(part.shares[0])
    return names, [str(leaf.arg) for leaf in found if leaf.op is Op.DATA]


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
