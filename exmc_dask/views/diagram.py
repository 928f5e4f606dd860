"""A model as a picture: boxes for what the user named, arrows between them, plates around them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from exmc_dask.errors import OptionError, UnknownName
from exmc_dask.expressions.axes import Shape, extents
from exmc_dask.expressions.ir import Node
from exmc_dask.language.model import ModelSpec
from exmc_dask.language.outline import named
from exmc_dask.language.text import text, text_of_dist

FORMATS = ("plain", "plain_with_params")


class Kind(Enum):
    """What a box stands for."""

    DATA = "data"
    FREE = "free"
    OBSERVED = "observed"
    PREDICTED = "predicted"
    DETERMINISTIC = "deterministic"
    POTENTIAL = "potential"


@dataclass(frozen=True)
class Box:
    """One thing that the user named.

    Attributes
    ----------
    name : str
    kind : Kind
    lines : tuple of str
        The name and what is said of it.
    plate : str
        ``school (8)``: what it is repeated over; empty for a scalar.
    """

    name: str
    kind: Kind
    lines: tuple[str, ...]
    plate: str


@dataclass(frozen=True)
class Diagram:
    """Boxes in order of declaration, data first, and arrows from what is used to what uses it."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[str, str], ...]

    @property
    def plates(self) -> dict[str, list[Box]]:
        """Boxes by plate, in order; scalars under the empty one."""
        found: dict[str, list[Box]] = {"": []}
        for box in self.boxes:
            found.setdefault(box.plate, []).append(box)
        return found

    def ancestry(self, var_names: Sequence[str]) -> "Diagram":
        """Return `var_names` and all they depend on.

        Raises
        ------
        UnknownName
            No box is called so.
        """
        known = {box.name for box in self.boxes}
        for name in var_names:
            if name not in known:
                close = get_close_matches(name, known, 1)
                hint = f"did you mean '{close[0]}'?" if close else f"there are {sorted(known)}"
                raise UnknownName(f"var_names: there is no '{name}' in the model; {hint}")
        above: dict[str, list[str]] = {}
        for source, target in self.arrows:
            above.setdefault(target, []).append(source)
        kept, waiting = set(var_names), list(var_names)
        while waiting:
            new = [name for name in above.get(waiting.pop(), ()) if name not in kept]
            kept.update(new)
            waiting += new
        return Diagram(
            tuple(box for box in self.boxes if box.name in kept),
            tuple(arrow for arrow in self.arrows if kept.issuperset(arrow)),
        )


def diagram(
    spec: ModelSpec,
    lengths: Mapping[str, int],
    var_names: Sequence[str] | None = None,
    formatting: str = "plain",
    include_dim_lengths: bool = True,
) -> Diagram:
    """Draw a model.

    Parameters
    ----------
    spec : ModelSpec
    lengths : mapping
        Of the data axes.
    var_names : sequence of str, optional
        Only these, and all they depend on.
    formatting : "plain" or "plain_with_params"
        Whether a box names the distribution only, or its parameters too.
    include_dim_lengths : bool
        Whether plates say how long their dimensions are.

    Raises
    ------
    OptionError, UnknownName
        Another word for `formatting`; a name that the model does not have.
    """
    if formatting not in FORMATS:
        raise OptionError(f"formatting={formatting!r} is none of {', '.join(FORMATS)}")
    names = named(spec)
    whole = formatting == "plain_with_params"
    boxes: list[Box] = []
    arrows: dict[tuple[str, str], None] = {}
    owners = _owners(spec)

    def plate(shape: Shape, dims: Iterable[str | None]) -> str:
        axes = []
        for dim, length in zip(dims, extents(shape, lengths), strict=True):
            axes.append(str(length) if dim is None else dim)
            if dim is not None and include_dim_lengths:
                axes[-1] += f" ({length})"
        return " × ".join(axes)

    def add(
        name: str, kind: Kind, said: Sequence[str], around: str, uses: Iterable[Node] = ()
    ) -> None:
        boxes.append(Box(name, kind, (name, *said), around))
        arrows.update(((source, name), None) for source in _sources(uses, owners, name))

    for slot in spec.slots:
        if slot.is_declared:
            add(slot.name, Kind.DATA, ["Data"], plate(slot.shape, slot.dims))
    for v in spec.variables:
        law = text_of_dist(v.dist, names) if whole else v.dist.family
        unseen = Kind.FREE if v.likelihood else Kind.PREDICTED
        kind = unseen if v.observed is None else Kind.OBSERVED
        add(v.name, kind, ["~", law], plate(v.shape, v.dims), v.parts())
    for o in spec.observations:
        said = ["=", text(o.node, names)] if whole else ["Observed"]
        add(o.name, Kind.OBSERVED, said, plate(o.observed.shape, o.dims), [o.node])
    for d in spec.deterministics:
        others = {node: name for node, name in names.items() if name != d.name}
        said = ["=", text(d.node, others)] if whole else ["Deterministic"]
        add(d.name, Kind.DETERMINISTIC, said, plate(d.node.shape, d.dims), [d.node])
    for p in spec.potentials:
        said = ["+", text(p.node, names)] if whole else ["Potential"]
        around = plate(p.node.shape, [None] * p.node.ndim)
        add(p.name, Kind.POTENTIAL, said, around, [p.node])
    for leaf, data in spec.known.items():
        if owners[leaf] != owners[data]:
            arrows[owners[leaf], owners[data]] = None
    found = Diagram(tuple(boxes), tuple(arrows))
    return found if var_names is None else found.ancestry(var_names)


def _owners(spec: ModelSpec) -> dict[Node, str]:
    """Box of every expression that has one; data without a name are those of their variable."""
    found = {slot.node: slot.name for slot in spec.slots if slot.is_declared}
    found |= {v.node: v.name for v in spec.variables}
    found |= {o.leaf: o.name for o in spec.observations}
    found = {data: found[leaf] for leaf, data in spec.known.items()} | found
    return found | dict(named(spec))


def _sources(uses: Iterable[Node], owners: Mapping[Node, str], name: str) -> Iterator[str]:
    """Boxes that expressions refer to, without looking behind them, in order of use."""
    stack, seen = list(uses)[::-1], set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if owners.get(node, name) != name:
            yield owners[node]
        else:
            stack += reversed(node.src)
