"""Values that follow from each other by steps that are alike become one scan.

``x[i] ~ Normal(x[i - 1], sigma)`` off centre, declared a scalar at a time, is a chain of values
each of which contains all before it. Its steps are of one form (forms.py) where what the user gave
a name is taken for a leaf.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import ELEMENTWISE
from exmc_dask.math import scan
from exmc_dask.rewrite.forms import Forms, row
from exmc_dask.rewrite.lanes import Apart, Lanes, Loom
from exmc_dask.rewrite.terms import resolve


def series(
    loom: Loom, nodes: list[Node], named: slice, many: int
) -> tuple[list[Node], list[list[int]]]:
    """Put scans in the place of chains of values.

    Parameters
    ----------
    loom : Loom
    nodes : list of Node
        Of a whole model.
    named : slice
        Those of them that the user gave a name.
    many : int
        Number of steps that are worth a scan.

    Returns
    -------
    nodes : list of Node
    scanned : list of list of int
        Which of the named ones each scan gives.
    """
    scanned: list[list[int]] = []
    while True:
        places: dict[Node, Node] = {}
        which = {node: i for i, node in enumerate(nodes[named])}
        for chain in _chains(list(which), many):
            path = _scanned(loom, chain, frozenset(which))
            if path is not None:
                places |= {value: row(path, i) for i, value in enumerate(chain[1:])}
                scanned.append([which[value] for value in chain[1:]])
        if not places:
            return nodes, scanned
        nodes = resolve(nodes, places)  # what was alike but for values in the places of others


def _chains(values: Sequence[Node], many: int) -> Iterator[Lanes]:
    """Values of one form, each of which is made of the one before it."""
    named = frozenset(values)
    forms = Forms(arrays=True, params=lambda leaf: None, named=named)
    alike: dict[int, dict[Node, None]] = {}
    for value in values:
        if not value.shape and value.op in ELEMENTWISE:
            alike.setdefault(forms.of_step(value), {})[value] = None
    for group in alike.values():
        after: dict[Node, list[Node]] = {}
        first = dict(group)
        for value in group:
            for before in _made_of(value, named):
                if before in group:
                    after.setdefault(before, []).append(value)
                    first.pop(value, None)
        for value in first:
            chain = [value]
            while len(after.get(chain[-1], ())) == 1:
                chain += after[chain[-1]]
            if len(chain) > many:
                yield tuple(chain)


def _made_of(value: Node, named: frozenset[Node]) -> dict[Node, None]:
    """Return the named values of which one is made directly."""
    found: dict[Node, None] = {}
    seen: set[Node] = set()
    stack = list(value.src)
    while stack:
        node = stack.pop()
        if node in named:
            found[node] = None
        elif node not in seen:
            seen.add(node)
            stack += node.src
    return found


def _scanned(loom: Loom, chain: Lanes, named: frozenset[Node]) -> Node | None:
    """Return all values of a chain but its first as a vector; None where that cannot be."""
    steps, before = chain[1:], chain[:-1]
    try:
        work, given = _opened(steps, before, named)
        rows = {lanes: loom.join(lanes) for lanes in given if not _is_one(lanes)}
    except Apart:
        return None

    def step(carry: Node, now: Any) -> tuple[Node, Node]:
        made = dict(zip(rows, now or (), strict=True)) | {before: carry}
        made |= {lanes: lanes[0] for lanes in given if _is_one(lanes)}
        for lanes, operands in work:
            made[lanes] = make(lanes[0].op, tuple(made[x] for x in operands), lanes[0].arg)
        return made[steps], made[steps]

    path: Node
    _, path = scan(step, before[0], tuple(rows.values()) or None, length=len(steps))
    return path


def _opened(
    steps: Lanes, before: Lanes, named: frozenset[Node]
) -> tuple[list[tuple[Lanes, list[Lanes]]], list[Lanes]]:
    """Return the operations of a step that depend on the one before, in order, and all others."""
    forms = Forms(arrays=True, params=lambda leaf: None)
    work: dict[Lanes, list[Lanes]] = {}
    given: dict[Lanes, None] = {}
    stack = [(steps, False)]
    while stack:
        lanes, ready = stack.pop()
        if ready:
            work.setdefault(lanes, _operands(lanes))
        elif lanes in work or lanes in given or lanes == before:
            continue
        elif lanes is not steps and not _reaches(lanes[0], before[0], named):
            if len(set(map(forms, lanes))) > 1:
                raise Apart
            given[lanes] = None
        elif lanes is steps or (lanes[0].op in ELEMENTWISE and named.isdisjoint(lanes)):
            stack += [(lanes, True), *((x, False) for x in reversed(_operands(lanes)))]
        else:
            raise Apart
    return list(work.items()), list(given)


def _operands(lanes: Lanes) -> list[Lanes]:
    return [tuple(x.src[i] for x in lanes) for i in range(len(lanes[0].src))]


def _reaches(node: Node, target: Node, named: frozenset[Node]) -> bool:
    """Whether an expression is made of `target` directly."""
    return node is target or (node not in named and target in _made_of(node, named))


def _is_one(lanes: Lanes) -> bool:
    return all(x is lanes[0] for x in lanes)
