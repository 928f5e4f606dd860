"""Rules on expressions, written as data: a pattern and what to put in the place of a match."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakSet

from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node, as_float, broadcast_to, make
from exmc_dask.expressions.ops import FLOAT, Op

COMMUTATIVE = frozenset({Op.ADD, Op.MUL, Op.MAXIMUM, Op.MINIMUM, Op.EQ, Op.AND, Op.OR})

type Found = dict[str, Node]


@dataclass(frozen=True)
class Pat:
    """What an expression must look like.

    Attributes
    ----------
    op : Op, optional
        None fits every operation.
    src : tuple of Pat, optional
        Patterns of the operands, in either order where the operation does not mind; None fits
        all operands.
    name : str, optional
        Under which the match is handed over; the same name twice must be the same node.
    number : float, optional
        A constant of this value, be it repeated to a shape or not.
    scalar : bool
        A scalar that is repeated to a shape, in which case the match is the scalar, or a constant.
    """

    op: Op | None = None
    src: tuple["Pat", ...] | None = None
    name: str | None = None
    number: float | None = None
    scalar: bool = False

    def match(self, node: Node, found: Found) -> Found | None:
        """Names bound by fitting the pattern to `node`, added to `found`; None if it does not."""
        whole = node
        if self.number is not None:
            source = node.src[0] if node.op is Op.BROADCAST else node
            return found if source.op is Op.CONST and source.arg == self.number else None
        if self.scalar:
            node = node.src[0] if node.op is Op.BROADCAST else node
            if node.shape or (node is whole and node.op is not Op.CONST):
                return None
        if self.op is not None and self.op is not node.op:
            return None
        if self.name is not None:
            if found.get(self.name, node) is not node:
                return None
            found = {**found, self.name: node}
        if self.src is None:
            return found
        if len(self.src) != len(node.src):
            return None
        both = node.op in COMMUTATIVE
        for operands in (node.src, node.src[::-1]) if both else (node.src,):
            bound: Found | None = found
            for pattern, operand in zip(self.src, operands, strict=True):
                bound = None if bound is None else pattern.match(operand, bound)
            if bound is not None:
                return bound
        return None


@dataclass(frozen=True)
class Rule:
    """What to put in the place of a match.

    Attributes
    ----------
    pattern : Pat
        With an operation.
    put : function (**found) -> Node or None
        None leaves the match as it is. Shape and type may be narrower than those of the match.
    """

    pattern: Pat
    put: Callable[..., Node | None]


class Rules:
    """A set of rules, and the expressions that were seen to be in their final form under it."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.table: dict[Op, list[tuple[Rule, frozenset[Op], bool]]] = {}
        self.at_rest: WeakSet[Node] = WeakSet()
        for rule in rules:
            assert rule.pattern.op is not None
            operands = rule.pattern.src or ()
            ops = frozenset(p.op for p in operands if p.op is not None)
            fixed = any(p.scalar or p.number is not None for p in operands)
            self.table.setdefault(rule.pattern.op, []).append((rule, ops, fixed))

    def __call__(self, node: Node) -> Node:
        """Apply the first rule that fits `node` itself."""
        present = {operand.op for operand in node.src}
        has_fixed = Op.CONST in present or Op.BROADCAST in present
        for rule, ops, fixed in self.table.get(node.op, ()):
            if fixed > has_fixed or not ops <= present:
                continue  # a quick look at the operations spares most of the matching
            found = rule.pattern.match(node, {})
            if found is not None:
                put = rule.put(**found)
                if put is not None and put is not node:
                    return fit(put, node)
        return node


def rewrite(roots: Sequence[Node], rules: Rules, rounds: int = 64) -> list[Node]:
    """Apply rules everywhere until none fits any more.

    Operands come before their users, and what is in its final form is not looked at again. Rules
    that never come to rest are stopped after `rounds`.
    """
    current = list(roots)
    for _ in range(rounds):
        new: dict[Node, Node] = {}
        for node in topological(current):
            if node in rules.at_rest:
                new[node] = node
                continue
            src = tuple(new[operand] for operand in node.src)
            same = src == node.src
            new[node] = rules(
                node if same else make(node.op, src, node.arg, node.shape, node.dtype)
            )
            if new[node] is node and all(operand in rules.at_rest for operand in src):
                rules.at_rest.add(node)
        before, current = current, [new[root] for root in current]
        if current == before:
            break
    return current


def fit(put: Node, node: Node) -> Node:
    """`put` with the shape and type of the `node` in whose place it is put."""
    wide = as_float(put) if node.dtype == FLOAT else put
    return broadcast_to(wide, node.shape)
