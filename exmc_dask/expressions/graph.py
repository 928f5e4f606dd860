"""Whole graphs: order, rebuilding, checking against data, and the form in which they travel."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from exmc_dask.errors import FormatError, ShapeError
from exmc_dask.expressions.axes import Dim, dim_from_data, dim_to_data, extents, renamed, symbols
from exmc_dask.expressions.body import Body
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import DECLARED, INFER, LEAF, Op


def topological(roots: Iterable[Node], known: Container[Node] = ()) -> list[Node]:
    """Every node reachable from `roots`, operands before their users, each once.

    The order depends on the structure only, so equal graphs give equal lists. Nodes that are
    `known`, and what is below them, are left out: who looks at one root after the other, and keeps
    what was found, then looks at each node once.
    """
    done: dict[Node, None] = {}
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, ready = stack.pop()
        if node in done or node in known:
            continue
        if ready:
            done[node] = None
        else:
            stack.append((node, True))
            stack.extend((operand, False) for operand in reversed(node.src))
    return list(done)


def rebuild(
    roots: Sequence[Node],
    replace: Callable[[Node, tuple[Node, ...]], Node | None],
    names: Mapping[Dim, Dim] | None = None,
) -> list[Node]:
    """Rebuild a graph from its leaves.

    Parameters
    ----------
    roots : sequence of Node
    replace : function (old node, rebuilt operands) -> Node or None
        None keeps the operation on the rebuilt operands.
    names : mapping, optional
        Dimensions to rename everywhere.
    """
    known = names or {}
    change = (lambda dim: renamed(dim, known)) if known else None
    new: dict[Node, Node] = {}
    for node in topological(roots):
        src = tuple(new[operand] for operand in node.src)
        made = replace(node, src)
        new[node] = _copy(node, src, change) if made is None else made
    return [new[root] for root in roots]


def _copy(node: Node, src: tuple[Node, ...], change: Callable[[Dim], Dim] | None) -> Node:
    if change is None:
        return node if src == node.src else make(node.op, src, node.arg, node.shape, node.dtype)
    shape = tuple(map(change, node.shape))
    return make(node.op, src, map_dims(node.op, node.arg, change), shape, node.dtype)


def substitute(roots: Sequence[Node], values: Mapping[Node, Node]) -> list[Node]:
    """Put other nodes in the place of some."""
    return rebuild(roots, lambda node, src: values.get(node))


def map_dims(op: Op, arg: Any, change: Callable[[Dim], Dim]) -> Any:
    """`arg` of an operation with every dimension in it changed."""
    match op:
        case Op.RESHAPE | Op.BROADCAST:
            return tuple(map(change, arg))
        case Op.EMBED:
            shape, cuts = arg
            return tuple(map(change, shape)), cuts
        case Op.RANGE | Op.SCATTER_ADD:
            return change(arg)
        case Op.SCAN:
            return _changed(arg, change)
        case _:
            return arg


def _changed(body: Body, change: Callable[[Dim], Dim]) -> Body:
    new: dict[Node, Node] = {}
    for node in topological([body.root, *body.leaves]):
        new[node] = _copy(node, tuple(new[operand] for operand in node.src), change)
    leaves = tuple(new[leaf] for leaf in body.leaves)
    return replace(body, root=new[body.root], leaves=leaves, length=change(body.length))


def in_bodies(roots: Sequence[Node], change: Callable[[list[Node]], list[Node]]) -> list[Node]:
    """Apply a change of graphs to the body of every SCAN.

    `change` leaves LOCAL leaves alone, and sees itself to bodies inside of a body.
    """

    def replaced(node: Node, src: tuple[Node, ...]) -> Node | None:
        if node.op is not Op.SCAN:
            return None
        (root,) = change([node.arg.root])
        return make(Op.SCAN, src, replace(node.arg, root=root))

    return rebuild(roots, replaced)


_is_data: WeakKeyDictionary[Node, bool] = WeakKeyDictionary()


def is_data(node: Node) -> bool:
    """Whether an expression depends on no parameter and on no step of a scan."""
    for each in topological([node], _is_data):
        changing = each.op in (Op.PARAM, Op.VAR, Op.LOCAL)
        _is_data[each] = not changing and all(_is_data[operand] for operand in each.src)
    return _is_data[node]


def check(roots: Iterable[Node], lengths: Mapping[str, int] | None = None) -> None:
    """Verify that every node is well formed.

    Parameters
    ----------
    roots : iterable of Node
    lengths : mapping, optional
        Lengths of the data axes. Without them the shapes are verified as symbols; with them as
        numbers, which finds data whose lengths do not fit each other.

    Raises
    ------
    ShapeError
        Names the operation.
    """

    def number(dim: Dim) -> Dim:
        return dim if lengths is None else extents((dim,), lengths)[0]

    for node in topological(roots):
        if node.op in LEAF:
            continue
        shapes = tuple(tuple(map(number, operand.shape)) for operand in node.src)
        dtypes = tuple(operand.dtype for operand in node.src)
        try:
            found = INFER[node.op](shapes, dtypes, map_dims(node.op, node.arg, number))
        except ShapeError as error:
            raise ShapeError(f"{node.op.value}: {error}{_blame(node)}") from None
        if found != (tuple(map(number, node.shape)), node.dtype):
            raise ShapeError(f"{node.op.value} gives {found}, not {node.shape}{_blame(node)}")
        if node.op is Op.SCAN:
            check([node.arg.root], lengths)


def _blame(node: Node) -> str:
    """Name the data and variables an operation is made from, as a clause for a message."""
    names = leaves(node)
    return f" (in an expression of {', '.join(names)})" if names else ""


def leaves(node: Node) -> list[str]:
    """Names of the data slots, variables and parameters in an expression, in order of use."""
    named = (Op.DATA, Op.VAR, Op.PARAM)
    return [str(leaf.arg) for leaf in topological([node]) if leaf.op in named]


def axes_of(roots: Iterable[Node]) -> list[str]:
    """Names of all data axes in a graph, in order of appearance."""
    found: dict[str, None] = {}
    for node in topological(roots):
        for dim in node.shape:
            found.update(dict.fromkeys(symbols(dim)))
    return list(found)


def to_data(roots: Sequence[Node]) -> dict[str, Any]:
    """Graph as plain lists.

    ``{"nodes": [[op, operands, arg, shape, dtype], ...], "roots": [place, ...]}``. Shape and dtype
    are written for leaves only; the rest is derived again when read.
    """
    order = topological(roots)
    place = {node: i for i, node in enumerate(order)}
    nodes = []
    for node in order:
        row: list[Any] = [
            node.op.value,
            [place[operand] for operand in node.src],
            _arg_to_data(node),
        ]
        if node.op in DECLARED:
            row += [[dim_to_data(dim) for dim in node.shape], node.dtype]
        nodes.append(row)
    return {"nodes": nodes, "roots": [place[root] for root in roots]}


def from_data(data: Mapping[str, Any]) -> list[Node]:
    """Inverse of `to_data`; returns the roots.

    Raises
    ------
    FormatError
        The lists are not a graph.
    """
    built: list[Node] = []
    try:
        for name, operands, arg, *leaf in data["nodes"]:
            op = Op(name)
            src = tuple(built[i] for i in operands)
            shape = tuple(map(dim_from_data, leaf[0])) if leaf else None
            built.append(make(op, src, _arg_from_data(op, arg), shape, leaf[1] if leaf else None))
        return [built[i] for i in data["roots"]]
    except (KeyError, IndexError, TypeError, ValueError, ShapeError) as error:
        raise FormatError(f"the bytes do not hold an expression graph: {error!r}") from error


def _arg_to_data(node: Node) -> Any:
    match node.op:
        case Op.RESHAPE | Op.BROADCAST:
            return [dim_to_data(dim) for dim in node.arg]
        case Op.EMBED:
            shape, cuts = node.arg
            return [[dim_to_data(dim) for dim in shape], [list(cut) for cut in cuts]]
        case Op.SLICE:
            return [list(cut) for cut in node.arg]
        case Op.RANGE | Op.SCATTER_ADD:
            return dim_to_data(node.arg)
        case Op.SUM | Op.MAX | Op.LOGSUMEXP | Op.TRANSPOSE | Op.CUMSUM:
            return list(node.arg)
        case Op.SCAN:
            body = node.arg
            graph = to_data([body.root, *body.leaves])
            return [graph, body.n_sequences, dim_to_data(body.length), body.reverse]
        case _:
            return node.arg


def _arg_from_data(op: Op, arg: Any) -> Any:
    match op:
        case Op.RESHAPE | Op.BROADCAST:
            return tuple(map(dim_from_data, arg))
        case Op.EMBED:
            return tuple(map(dim_from_data, arg[0])), tuple(map(tuple, arg[1]))
        case Op.SLICE:
            return tuple(map(tuple, arg))
        case Op.RANGE | Op.SCATTER_ADD:
            return dim_from_data(arg)
        case Op.SUM | Op.MAX | Op.LOGSUMEXP | Op.TRANSPOSE | Op.CUMSUM:
            return tuple(arg)
        case Op.SCAN:
            graph, n_sequences, length, reverse = arg
            root, *leaves = from_data(graph)
            return Body(root, tuple(leaves), n_sequences, dim_from_data(length), bool(reverse))
        case _:
            return arg
