"""A model line by line, as it was declared: what its record prints, and what notebooks show."""

from collections.abc import Iterator
from dataclasses import dataclass

from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import LEAF
from exmc_dask.language.model import Deterministic, ModelSpec, Observation, Variable
from exmc_dask.language.text import Names, text, text_of_counting, text_of_dist, text_of_transform
from exmc_dask.transforms import Transform


@dataclass(frozen=True)
class Line:
    """One declaration.

    Attributes
    ----------
    name : str
    sign : ":", "~", "=" or "+"
        Data, random variable, named expression (observed or not), potential.
    law : str
        What stands behind the sign.
    axes : str
        ``[school]``: dimensions, lengths where they have no name; empty for a scalar and for what
        is observed.
    notes : str
        ``observed, weight y.weight``, ``by ordered``; empty where nothing was asked for.
    """

    name: str
    sign: str
    law: str
    axes: str = ""
    notes: str = ""

    def __str__(self) -> str:
        return "  ".join(filter(None, (self.law, self.axes, self.notes)))


def outline(spec: ModelSpec) -> list[Line]:
    """Lines of a model: data first, then in order of declaration, every name before its use."""
    names = named(spec)
    written: set[str] = set()

    def expressions(*nodes: Node) -> Iterator[Line]:
        """Lines of the named expressions that `nodes` are the first to use."""
        for node in topological(nodes):
            if node in names and names[node] not in written:
                yield _deterministic(by_name[names[node]])

    def _deterministic(d: Deterministic) -> Line:
        written.add(d.name)
        others = {node: name for node, name in names.items() if name != d.name}
        return Line(d.name, "=", text(d.node, others), _axes(d.node.shape, d.dims))

    by_name = {d.name: d for d in spec.deterministics}
    lines = [
        Line(slot.name, ":", slot.dtype, _axes(slot.shape, slot.dims), "data")
        for slot in spec.slots
        if slot.is_declared
    ]
    for v in spec.variables:
        lines += expressions(*v.parts())
        law = text_of_dist(v.dist, names)
        if v.observed is None:
            lines.append(Line(v.name, "~", law, _axes(v.shape, v.dims), _moved(v, names)))
        else:
            lines.append(Line(v.name, "~", law, "", _observed(v)))
    for o in spec.observations:
        lines += expressions(o.node)
        lines.append(Line(o.name, "=", text(o.node, names), "", _observed(o)))
    for p in spec.potentials:
        lines += expressions(p.node)
        lines.append(Line(p.name, "+", text(p.node, names)))
    for d in spec.deterministics:
        lines += expressions(d.node)
        if d.name not in written:
            lines.append(_deterministic(d))
    return lines


def named(spec: ModelSpec) -> Names:
    """Expressions that the user named; another use of one is a use of its name."""
    found: dict[Node, str] = {}
    for d in spec.deterministics:
        if d.node.op not in LEAF:
            found.setdefault(d.node, d.name)
    return found


def _moved(variable: Variable, names: Names) -> str:
    if not variable.likelihood:
        return "drawn in prediction only"
    match variable.transform:
        case Transform() as chosen:
            return f"by {text_of_transform(chosen, names)}"
        case None:
            return "not transformed"
        case _:
            return ""


def _observed(record: Variable | Observation) -> str:
    """Say what is observed where it has a name of its own, and how it counts."""
    assert record.observed is not None
    slot = str(record.observed.arg)
    notes = ["observed" if "." in slot else f"observed: {slot}"]
    if isinstance(record, Variable) and record.n_missing:
        notes.append(f"{record.n_missing} imputed")
    notes += text_of_counting(record.weight, record.mask, record.reduce)
    notes += [] if record.likelihood else ["not in the density"]
    return ", ".join(notes)


def _axes(shape: Shape, dims: tuple[str | None, ...]) -> str:
    names = [str(length) if dim is None else dim for dim, length in zip(dims, shape, strict=True)]
    return f"[{', '.join(names)}]" if names else ""
