"""Variables and terms that are alike become vectors, so that a kernel does not grow with them.

A model of hundreds of scalars, as a loop over ``rv`` makes it, has few forms (forms.py). Terms of
one form are calculated side by side (lanes.py): their parameters lie side by side in the
unconstrained vector, their data are joined when they are bound, one loop does what hundreds of
lines did. What the user sees stays as declared: each variable has its name, its place in the
unconstrained vector and its part of a draw.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from exmc_dask.expressions.axes import is_static, static_size
from exmc_dask.expressions.graph import is_data, rebuild, substitute, topological
from exmc_dask.expressions.ir import Node, make, param
from exmc_dask.expressions.ops import Op
from exmc_dask.rewrite.forms import Forms, roles, row
from exmc_dask.rewrite.lanes import Apart, Loom, Ragged
from exmc_dask.rewrite.series import series

MANY = 8
"""Expressions of one form that are worth a loop; fewer are faster one by one."""

type Named = tuple[str, Node]
type Group = tuple[Node, list[int]]  # one expression with the values of many, and which these are
type Part = tuple[Node, int | None]  # a row, or all of an expression


@dataclass(frozen=True)
class Rolled:
    """A model as expressions, with one vector for what is alike.

    Attributes
    ----------
    params : tuple of Node
        PARAM leaves: vectors, and variables that stayed alone.
    order : tuple of Node
        PARAM leaf of each variable, in the order in which they lie in those.
    summands : tuple of Node
        Scalars whose sum is the log-density.
    terms : tuple of Part
        Log-density of each variable and observation, as before.
    values : tuple of Part
        Each of those that a draw stores, as before.
    stored : tuple of (str, Node)
        The same numbers in the same order, in fewer pieces; a piece is called after what is in it.
    slots : tuple of (Node, Node)
        DATA leaves that are made of the user's data, and how.
    ragged : tuple of Ragged
        Axes that join lanes of different lengths.
    groups : tuple of tuple of str
        Names of the terms that became one.
    scanned : tuple of tuple of str
        Names of the values that follow from each other.
    """

    params: tuple[Node, ...]
    order: tuple[Node, ...]
    summands: tuple[Node, ...]
    terms: tuple[Part, ...]
    values: tuple[Part, ...]
    stored: tuple[Named, ...]
    slots: tuple[tuple[Node, Node], ...]
    ragged: tuple[Ragged, ...]
    groups: tuple[tuple[str, ...], ...]
    scanned: tuple[tuple[str, ...], ...]


def roll(
    params: Sequence[Node],
    terms: Sequence[Named],
    values: Sequence[Named],
    shown: Collection[str],
) -> Rolled:
    """Lay what is alike side by side.

    Parameters
    ----------
    params : sequence of Node
        PARAM leaf of each free variable.
    terms : sequence of (str, Node)
        Scalars whose sum is the log-density.
    values : sequence of (str, Node)
        Variables and deterministics on the user's scale.
    shown : collection of str
        Which of them a draw stores.
    """
    loom, n = Loom(), len(terms)
    declared = [node for _, node in (*terms, *values)]
    nodes, scanned = series(loom, declared, slice(n, None), MANY)
    names = [name for name, _ in values if name in shown]
    kept = [node for (name, _), node in zip(values, nodes[n:], strict=True) if name in shown]
    nodes = _joined(loom, [*nodes[:n], *kept])
    parts = _in_groups(nodes[:n], _alike(loom, nodes[:n], _term_forms(nodes[:n])))
    roots = wholes([*parts, *((node, None) for node in nodes[n:])])
    vectors, meaning = _vectors(loom, params, roots)
    new = dict(zip(roots, substitute(roots, meaning), strict=True))
    parts = [(new[whole], k) for whole, k in parts]
    kept = [new[node] for node in nodes[n:]]
    ways = Forms(constants=False, arrays=True), Forms(arrays=True)
    seen = _in_groups(kept, _alike(loom, kept, ways))
    stored = list(_stored(loom, names, seen))
    used = set(topological([*new.values(), *(node for _, node in stored)]))
    ragged = [axis for axis in loom.ragged.values() if axis.lane in used]
    used |= {axis.first for axis in ragged}
    return Rolled(
        params=tuple(dict.fromkeys(vectors.values())),
        order=tuple(vectors),
        summands=tuple(whole if k is None else whole.sum() for whole, k in parts if not k),
        terms=tuple(parts),
        values=tuple(seen),
        stored=tuple(stored),
        slots=tuple((leaf, held) for leaf, held in loom.slots.items() if leaf in used),
        ragged=tuple(ragged),
        groups=_names_of(parts, [name for name, _ in terms]),
        scanned=tuple(tuple(values[i][0] for i in chain) for chain in scanned),
    )


def wholes(parts: Iterable[Part]) -> list[Node]:
    """Return the expressions of which parts are rows, each once."""
    return list(dict.fromkeys(whole for whole, _ in parts))


def elements(parts: Iterable[Part], new: Mapping[Node, Node]) -> list[Node]:
    """Return each part as an expression, with `new` ones in the place of what it is a row of."""
    return [new[whole] if k is None else row(new[whole], k) for whole, k in parts]


def _joined(loom: Loom, nodes: list[Node]) -> list[Node]:
    """Calculate side by side what the user joined and is alike."""
    forms = Forms(arrays=True, params=lambda leaf: None)

    def replaced(node: Node, src: tuple[Node, ...]) -> Node | None:
        if node.op is not Op.CONCAT or node.arg != 0 or len(src) < MANY or is_data(node):
            return None
        if any(piece.shape[0] != 1 for piece in src):
            return None
        lanes = tuple(_only_row(piece) for piece in src)
        return _together(loom, lanes) if len(set(map(forms, lanes))) == 1 else None

    return rebuild(nodes, replaced)


def _only_row(piece: Node) -> Node:
    inner = piece.src[0] if piece.op is Op.RESHAPE else piece
    return inner if inner.shape == piece.shape[1:] else make(Op.RESHAPE, (piece,), piece.shape[1:])


def _together(loom: Loom, lanes: tuple[Node, ...]) -> Node | None:
    try:
        return loom.join(lanes)
    except Apart:
        return None


def _term_forms(terms: Sequence[Node]) -> list[Forms]:
    """Ways to compare terms, the strictest first."""
    parts = roles(terms)
    return [
        Forms(constants=False, arrays=True, params=parts.get),
        Forms(arrays=True, params=parts.get),
        Forms(arrays=True, params=lambda leaf: None),
    ]


def _alike(loom: Loom, nodes: Sequence[Node], ways: Iterable[Forms]) -> list[Group]:
    """Find groups of expressions that are alike, and calculate each side by side."""
    groups: list[Group] = []
    left = [i for i, node in enumerate(nodes) if not is_data(node)]
    for form in ways:
        same: dict[int, list[int]] = {}
        for i in left:
            same.setdefault(form(nodes[i]), []).append(i)
        for places in same.values():
            lanes = tuple(nodes[i] for i in places)
            whole = _together(loom, lanes) if len(places) >= MANY else None
            if whole is not None and whole.shape == (len(lanes), *lanes[0].shape):
                groups.append((whole, places))
        taken = {i for _, places in groups for i in places}
        left = [i for i in left if i not in taken]
    return groups


def _in_groups(nodes: Sequence[Node], groups: Sequence[Group]) -> list[Part]:
    """Say of each expression where it is calculated."""
    parts: list[Part] = [(node, None) for node in nodes]
    for whole, places in groups:
        for k, i in enumerate(places):
            parts[i] = whole, k
    return parts


def _names_of(parts: Sequence[Part], names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Names of the parts that are in one expression."""
    found: dict[Node, tuple[str, ...]] = {}
    for (whole, k), name in zip(parts, names, strict=True):
        if k is not None:
            found[whole] = (*found.get(whole, ()), name)
    return tuple(found.values())


def _vectors(
    loom: Loom, params: Sequence[Node], roots: Sequence[Node]
) -> tuple[dict[Node, Node], dict[Node, Node]]:
    """Return the PARAM each parameter lies in, and what to put in the place of the old ones."""
    together = {leaf: {leaf: None} for leaf in params}
    joined = [node for node in topological(roots) if node in loom.rows]
    for node in joined:
        leaves = loom.rows[node]
        largest = max((together[leaf] for leaf in leaves), key=len)
        for leaf in leaves:
            if together[leaf] is not largest:
                largest |= together[leaf]
                together |= dict.fromkeys(together[leaf], largest)
    order = {leaf: i for i, leaf in enumerate(params)}
    vectors: dict[Node, Node] = {}
    place: dict[Node, int] = {}
    for leaf in params:
        if leaf not in vectors:
            members = sorted(together[leaf], key=order.__getitem__)
            vector = leaf
            if len(members) > 1:
                vector = param(
                    _between(members[0].arg, members[-1].arg), (len(members), *leaf.shape)
                )
            vectors |= dict.fromkeys(members, vector)
            place |= {member: i for i, member in enumerate(members)}
    meaning = {
        leaf: row(vectors[leaf], place[leaf]) for leaf in params if vectors[leaf] is not leaf
    }
    for node in joined:
        leaves = loom.rows[node]
        meaning[node] = loom.pick(vectors[leaves[0]], [place[leaf] for leaf in leaves])
    return vectors, meaning


def _between(first: str, last: str) -> str:
    return f"{first}..{last}"


def _stored(loom: Loom, names: Sequence[str], parts: Sequence[Part]) -> Iterator[Named]:
    """Write values one after the other, with one expression for many where they are alike."""
    for is_row, stretch in groupby(range(len(parts)), lambda i: parts[i][1] is not None):
        if not is_row:
            yield from ((names[i], parts[i][0]) for i in stretch)
            continue
        short: list[int] = []
        for run in _runs(parts, stretch):
            if len(run) < MANY:
                short += run
                continue
            yield from _run(loom, names, parts, short)
            yield from _run(loom, names, parts, run)
            short = []
        yield from _run(loom, names, parts, short)


def _runs(parts: Sequence[Part], places: Iterable[int]) -> Iterator[list[int]]:
    """Cut places where the next is not the next row of the same array."""
    run: list[int] = []
    for i in places:
        if run and parts[i] != (parts[run[-1]][0], (parts[run[-1]][1] or 0) + 1):
            yield run
            run = []
        run.append(i)
    yield run


def _run(
    loom: Loom, names: Sequence[str], parts: Sequence[Part], run: Sequence[int]
) -> Iterator[Named]:
    """Write rows as one expression, or one by one where they are few."""
    rows = [(array, k) for array, k in (parts[i] for i in run) if k is not None]
    whole = _whole(loom, rows) if len(run) >= MANY else None
    if whole is None:
        yield from ((names[i], row(array, k)) for i, (array, k) in zip(run, rows, strict=True))
    else:
        yield _between(names[run[0]], names[run[-1]]), whole


def _whole(loom: Loom, rows: Sequence[tuple[Node, int]]) -> Node | None:
    """Rows of arrays, one after the other; None where only the data know how long they are."""
    arrays = dict.fromkeys(array for array, _ in rows)
    if len(arrays) == 1:
        return loom.pick(rows[0][0], [k for _, k in rows])
    if not all(is_static(array.shape) for array in arrays):
        return None
    flat: list[Node] = []
    first: dict[Node, int] = {}
    for array in arrays:
        first[array] = sum(static_size(each.shape) for each in flat)
        flat.append(make(Op.RESHAPE, (array,), (static_size(array.shape),)))
    places: list[int] = []
    for array, k in rows:
        size = static_size(array.shape[1:])
        places += range(first[array] + k * size, first[array] + (k + 1) * size)
    return loom.pick(make(Op.CONCAT, tuple(flat), 0), places)
