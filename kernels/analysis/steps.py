"""Bodies of SCANs as they stand in the loop over the steps.

Every SCAN of a graph gets a loop variable of its own. In its body a LOCAL leaf, now called after
that variable, is a row: of the result for the carry, of an operand for a sequence
(`access.Axes.operands` knows which). Constants are put in the place of the leaves that stood for
them, so what is calculated from them alone is calculated before the loop.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from exmc_dask.expressions.graph import substitute, topological
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import Op

from .access import ZERO, Axes, Index, atom, number, turns
from .normal import normalise


@dataclass(frozen=True, eq=False)
class Steps:
    """One SCAN, opened.

    Attributes
    ----------
    node : Node
        The SCAN.
    variable : str
        Of its loop, which counts steps from 0 whatever their direction.
    pieces : tuple of Node
        Vectors that one step writes side by side, in normal form.
    outside : tuple of Node
        Values that are made before the loop.
    """

    node: Node
    variable: str
    pieces: tuple[Node, ...]
    outside: tuple[Node, ...]

    def row(self, axes: Axes) -> Index:
        """Row of the result that a step writes."""
        return self.step(axes) if self.node.arg.reverse else atom(self.variable) + number(1)

    def step(self, axes: Axes) -> Index:
        """Row of the sequences that a step reads."""
        if not self.node.arg.reverse:
            return atom(self.variable)
        return self.before(axes) + number(-1)

    def before(self, axes: Axes) -> Index:
        """Row of the result from which a step begins."""
        if not self.node.arg.reverse:
            return atom(self.variable)
        return axes.extent(self.node.arg.length) + number(-1) * atom(self.variable)

    def first(self, axes: Axes) -> Index:
        """Row of the result that holds what the scan begins from."""
        return axes.extent(self.node.arg.length) if self.node.arg.reverse else ZERO

    def tell(self, axes: Axes) -> None:
        """Let `axes` know of which value each LOCAL leaf is a row."""
        axes.rows[_leaf(self.variable, self.node, 0)] = self.node, self.before(axes)
        for place in self.node.arg.sequences:
            leaf = _leaf(self.variable, self.node, place)
            axes.rows[leaf] = self.node.src[place], self.step(axes)


def opened(roots: Iterable[Node]) -> dict[Node, Steps]:
    """Open every SCAN of a graph in normal form, those in bodies of others too."""
    found: dict[Node, Steps] = {}
    waiting = _scans(roots)
    while waiting:
        node = waiting.pop(0)
        if node not in found:
            found[node] = _open(node, "t" if not found else f"t{len(found) + 1}")
            waiting += _scans(found[node].pieces)
    return found


def _scans(roots: Iterable[Node]) -> list[Node]:
    return [node for node in topological(roots) if node.op is Op.SCAN]


def _leaf(variable: str, node: Node, place: int) -> Node:
    plain = node.arg.leaves[place]
    return make(Op.LOCAL, (), (variable, place), plain.shape, plain.dtype)


def _open(node: Node, variable: str) -> Steps:
    body = node.arg
    meanings: dict[Node, Node] = {}
    for place, (leaf, operand) in enumerate(zip(body.leaves, node.src, strict=True)):
        meanings[leaf] = operand if place in body.constants else _leaf(variable, node, place)
    (root,) = normalise(substitute([body.root], meanings))
    pieces = root.src if root.op is Op.CONCAT else (root,)
    sequences = [node.src[place] for place in body.sequences]
    outside = dict.fromkeys([*sequences, *_frontier(pieces, variable)])
    return Steps(node, variable, pieces, tuple(outside))


def _frontier(pieces: Sequence[Node], variable: str) -> Iterable[Node]:
    """Values that do not change from step to step, where they meet those that do."""
    order = topological(pieces)
    made_of_data = _made_of_leaves(order)
    for node in order:
        if variable in turns(node):
            yield from (x for x in node.src if variable not in turns(x) and made_of_data[x])
    yield from (x for x in pieces if variable not in turns(x) and made_of_data[x])


def _made_of_leaves(order: Iterable[Node]) -> Mapping[Node, bool]:
    """Whether each value depends on anything but constants."""
    known: dict[Node, bool] = {}
    for node in order:
        own = node.op in (Op.DATA, Op.PARAM, Op.LOCAL, Op.SCAN)
        known[node] = own or any(known[x] for x in node.src)
    return known
