"""Parts that depend on data only are calculated once, on the coordinator, and travel as data."""

from collections.abc import Iterator, Sequence

from exmc_dask.expressions.graph import is_data, substitute, topological
from exmc_dask.expressions.ir import Node, broadcast_to, const, make
from exmc_dask.expressions.ops import COMPARISON, INDEXED, LEAF, LOGICAL, Op
from exmc_dask.expressions.pattern import Pat, Rule, Rules, rewrite
from exmc_dask.rewrite.sums import additive, join

VIEWS = frozenset({Op.BROADCAST, Op.RESHAPE, Op.TRANSPOSE, Op.SLICE, Op.FLOAT})
CHEAP = (
    VIEWS
    | COMPARISON
    | LOGICAL
    | LEAF
    | {Op.NEG, Op.ABS, Op.NOT, Op.ADD, Op.SUB, Op.MUL, Op.WHERE, Op.MAXIMUM, Op.MINIMUM}
)
"""Operations that cost no more than reading one more number would."""


def separate(roots: Sequence[Node]) -> list[Node]:
    """Prepare a log-density for `fold`, before its derivatives are taken.

    Terms of data and of selected parameters move out of sums, and divisions by data become products
    with a reciprocal. Not for derivatives: there such terms nearly cancel the others, and must do
    so element by element.
    """
    return rewrite(roots, SEPARATE)


def _sum(node: Node) -> Node | None:
    terms = additive(node.src[0])
    data = [(sign, t) for sign, t in terms if is_data(t)]
    selected = [(sign, t) for sign, t in terms if not is_data(t) and _counted(t, node) is not None]
    rest = [term for term in terms if term not in data and term not in selected]
    if not selected and (not rest or all(_is_constant(t) for _, t in data)):
        return None
    sums = [(1, make(Op.SUM, (join(part),), node.arg)) for part in (rest, data) if part]
    counted = [(sign, _counted(t, node)) for sign, t in selected]
    return join(sums + [(sign, t) for sign, t in counted if t is not None])


def _counted(term: Node, node: Node) -> Node | None:
    """Sum of everything in ``weights * values[index]``, without going over the index again."""
    weights, selected = const(1.0), term
    if term.op is Op.MUL:
        a, b = term.src
        weights, selected = (a, b) if is_data(a) else (b, a)
    if selected.op is not Op.GATHER or len(node.arg) < term.ndim or selected.src[0].ndim != 1:
        return None
    values, index = selected.src
    if not is_data(index) or not is_data(weights) or is_data(values):
        return None
    repeated = broadcast_to(weights, index.shape)
    return (values * make(Op.SCATTER_ADD, (repeated, index), values.shape[0])).sum()


def _is_constant(node: Node) -> bool:
    return node.op is Op.CONST or (node.op is Op.BROADCAST and node.src[0].op is Op.CONST)


def _quotient(node: Node) -> Node | None:
    x, y = node.src
    if is_data(y) and not is_data(x) and not _is_constant(y):
        return x * (1.0 / y)
    return None


SEPARATE = Rules(
    [Rule(Pat(Op.SUM, None, "node"), _sum), Rule(Pat(Op.DIV, None, "node"), _quotient)]
)


def fold(roots: Sequence[Node]) -> tuple[list[Node], list[tuple[str, Node]]]:
    """Replace what depends on data only by slots.

    Returns
    -------
    roots : list of Node
    folded : list of (slot name, Node)
        ``fold.0``, ``fold.1``, ... and the expressions of the user's data they hold.
    """
    order = topological(roots)
    read = _read(order, roots)
    indices = [node.src[1] for node in order if node.op in INDEXED and not is_data(node)]
    parts = dict.fromkeys(index for index in indices if is_data(index) and index.op is not Op.DATA)
    for node in read:
        if node not in parts and is_data(node):
            parts.update(dict.fromkeys(_worthwhile(node)))
    slots = {
        part: make(Op.DATA, (), f"fold.{i}", part.shape, part.dtype) for i, part in enumerate(parts)
    }
    return substitute(roots, slots), [(str(slot.arg), part) for part, slot in slots.items()]


def _read(order: Sequence[Node], roots: Sequence[Node]) -> dict[Node, None]:
    """Roots and operands of what depends on parameters, in order."""
    found = dict.fromkeys(roots)
    for node in order:
        if not is_data(node):
            found.update(dict.fromkeys((node, *node.src)))
    return found


def _worthwhile(node: Node) -> Iterator[Node]:
    """Parts of an expression of data whose results are worth being kept as arrays.

    A view is not: what it shows is kept. Neither is what is cheaper to calculate than to read, nor
    what is larger than the data it is made of, unless that is where it is dear, as are distances
    between all pairs of places.
    """
    stack = [node]
    while stack:
        part = stack.pop()
        if part.op in LEAF:
            continue
        inside = topological([part])
        arrays = [leaf for leaf in inside if leaf.op in (Op.DATA, Op.RANGE)]
        large = _rank(part) > max(map(_rank, arrays), default=0)
        if part.op in VIEWS or (large and not _is_dear(part, inside)):
            stack += reversed(part.src)
        elif len(arrays) > 1 or any(n.op not in CHEAP for n in inside):
            yield part


def _is_dear(part: Node, inside: Sequence[Node]) -> bool:
    """Whether a costly operation works on as many elements as `part` has."""
    return any(node.op not in CHEAP and _rank(node) == _rank(part) for node in inside)


def _rank(node: Node) -> int:
    return sum(dim != 1 for dim in node.shape)
