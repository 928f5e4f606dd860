"""Write a model out: formulas in the place of distributions, transforms in that of variables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from exmc_dask import dist, math
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.axes import broadcast, is_static
from exmc_dask.expressions.ir import Node, as_float, broadcast_to, const, make, param
from exmc_dask.rewrite.draft import Draft, Free, Term
from exmc_dask.transforms import Transform


@dataclass(frozen=True)
class Start:
    """How a variable finds its place in the unconstrained vector.

    Attributes
    ----------
    variable : Node
        VAR leaf.
    point : Node
        Value in the support, of data and of variables before it.
    unconstrained : Node
        Unconstrained value for a value of the variable.
    inside : Node
        Whether a value of the variable lies in the support.
    support : str
        Says it in a message.
    """

    variable: Node
    point: Node
    unconstrained: Node
    inside: Node
    support: str


@dataclass(frozen=True)
class Written:
    """A model as expressions of PARAM and DATA leaves.

    Attributes
    ----------
    params : tuple of Node
        PARAM leaf of each free variable.
    terms : tuple of (str, Node)
        Scalars whose sum is the log-density, each with the name of its variable.
    values : Mapping[str, Node]
        Free variables and deterministics on the user's scale.
    starts : tuple of Start
    """

    params: tuple[Node, ...]
    terms: tuple[tuple[str, Node], ...]
    values: Mapping[str, Node]
    starts: tuple[Start, ...]


def write(draft: Draft, jacobian: bool = True) -> Written:
    """Replace every distribution and every variable by its formula.

    Without `jacobian` the terms are densities on the variables' own scales.
    """
    params = tuple(map(_param, draft.free))
    inner = tuple(_constrained(f, z) for f, z in zip(draft.free, params, strict=True))
    free = list(zip(draft.free, params, inner, strict=True))
    terms = [(f.name, _prior(f, z, x, jacobian)) for f, z, x in free]
    terms += [(term.name, likelihood(term)) for term in draft.terms]
    terms += [(potential.name, as_float(potential.node).sum()) for potential in draft.potentials]
    meanings = dict(draft.fixed)
    meanings |= {f.node: _scaled(f, x) for f, x in zip(draft.free, inner, strict=True)}
    shown = {f.name: f.node for f in draft.free}
    shown |= {d.name: as_float(d.node) for d in draft.deterministics}
    resolved = resolve([node for _, node in terms] + list(shown.values()), meanings)
    starts = [_start(f) for f in draft.free]
    fixed = iter(resolve([node for s in starts for node in s], dict(draft.fixed)))
    return Written(
        params,
        tuple((name, node) for (name, _), node in zip(terms, resolved, strict=False)),
        dict(zip(shown, resolved[len(terms) :], strict=True)),
        tuple(
            Start(f.node, next(fixed), next(fixed), next(fixed), str(dist.support(f.dist)))
            for f in draft.free
        ),
    )


def _param(free: Free) -> Node:
    shape = free.unconstrained
    if not is_static(shape):
        raise ShapeError(
            f"'{free.name}' is a free variable of shape {free.shape}, whose size only the data "
            "know; give it a shape of numbers"
        )
    return param(free.name, shape)


def _constrained(free: Free, z: Node) -> Node:
    return free.transform.backward(z) if isinstance(free.transform, Transform) else z


def _scaled(free: Free, x: Node) -> Node:
    if free.affine is not None:
        loc, scale = free.affine
        x = loc + scale * x
    return broadcast_to(x, free.shape)


def _prior(free: Free, z: Node, x: Node, jacobian: bool) -> Node:
    logp = dist.logp(free.dist, broadcast_to(x, free.shape), free.inside).sum()
    if jacobian and isinstance(free.transform, Transform):
        return logp + free.transform.log_det(z)
    return logp


def _start(free: Free) -> tuple[Node, Node, Node]:
    """Value in the support; of a value, its unconstrained one, and whether it is in the support."""
    point = _scaled(free, dist.support_point(free.dist, free.shape))
    if free.start is not None:
        point = broadcast_to(free.start, free.shape)
    x = free.node
    if free.affine is not None:
        loc, scale = free.affine
        x = (x - loc) / scale
    inside = dist.support(free.dist).inside(free.node)
    moved = free.transform.forward(x) if isinstance(free.transform, Transform) else x
    return point, moved, const(True) if inside is None else inside


def likelihood(term: Term) -> Node:
    """Log-density of an observation: elements, times weight, those that count, reduced."""
    logp = elements(term)
    if term.mask is not None:
        shape = broadcast(term.mask.shape, logp.shape)
        counted, logp = broadcast_to(term.mask, shape), broadcast_to(logp, shape)
        n = math.maximum(as_float(counted).sum(), 1.0)
        logp = math.where(counted, logp, -inf if term.reduce == "logsumexp" else 0.0)
    match term.reduce:
        case "logsumexp":
            total = math.logsumexp(logp)
        case "mean":
            total = math.mean(logp) if term.mask is None else logp.sum() / n
        case _:
            total = logp.sum()
    return total if term.log_det is None else total + term.log_det


def elements(term: Term) -> Node:
    """Weighted log-density of every element, as the user's observations lie."""
    logp = dist.logp(term.dist, term.value, term.inside)
    if term.log_scale is not None:
        logp = logp + term.log_scale
    return logp if term.weight is None else logp * as_float(term.weight)


def resolve(roots: Sequence[Node], meanings: Mapping[Node, Node]) -> list[Node]:
    """Put meanings in the place of leaves, inside other meanings too.

    Linear in the number of nodes, however deep the meanings are nested.
    """
    new: dict[Node, Node] = {}
    stack: list[Node] = list(roots)
    while stack:
        node = stack[-1]
        needed: Iterable[Node] = (meanings[node],) if node in meanings else node.src
        waiting = [operand for operand in needed if operand not in new]
        if waiting:
            stack += waiting
            continue
        stack.pop()
        if node in meanings:
            new[node] = broadcast_to(new[meanings[node]], node.shape)
        elif node not in new:
            src = tuple(new[operand] for operand in node.src)
            same = src == node.src
            new[node] = node if same else make(node.op, src, node.arg, node.shape, node.dtype)
    return [new[root] for root in roots]
