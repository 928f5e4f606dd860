"""Observed expressions of one free variable become observations of that variable.

``y = f(x)`` with y observed says that x is ``f^-1(y)``; its log-density there, plus the logarithm
of ``|dx/dy|``, is the likelihood of y. Expressions are undone from the outside inwards, one row of
``INVERSES`` an operation, until the variable is reached.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from exmc_dask import math
from exmc_dask.errors import ModelError
from exmc_dask.expressions.graph import leaves, topological
from exmc_dask.expressions.ir import Node, as_float
from exmc_dask.expressions.ops import Op
from exmc_dask.language.model import Observation
from exmc_dask.language.text import text
from exmc_dask.rewrite.draft import Draft, term
from exmc_dask.rewrite.sums import stretched

type Inverse = Callable[[Node, list[Node], int], tuple[Node, Node | None]]


@dataclass(frozen=True)
class Undone:
    """A variable in terms of what was observed.

    `log_scale` has a value for each element, `log_det` one for all of them.
    """

    value: Node
    log_scale: Node | None = None
    log_det: Node | None = None


def measurable(draft: Draft) -> Draft:
    """Turn every observed expression into a term of the variable it is made of.

    Raises
    ------
    ModelError
        The expression cannot be undone, or does not depend on exactly one free variable.
    """
    for observation in draft.observations:
        draft = _lifted(draft, observation)
    return replace(draft, observations=())


def _lifted(draft: Draft, observation: Observation) -> Draft:
    names = {free.name: free for free in draft.free}
    found = dict.fromkeys(name for name in leaves(observation.node) if name in names)
    shown = text(observation.node)
    base = [names[name] for name in found if _is_path(observation.node, names[name].node)]
    if len(base) != 1:
        raise ModelError(
            f"'{observation.name}' observes {shown}, which is not an expression of exactly one "
            "free variable used once; give the observation a distribution of its own"
        )
    undone = _undo(observation, base[0].node, as_float(observation.observed))
    made = term(observation, base[0].dist, undone.value)
    return replace(
        draft,
        free=tuple(free for free in draft.free if free is not base[0]),
        terms=(
            *draft.terms,
            *(
                [replace(made, log_scale=undone.log_scale, log_det=undone.log_det)]
                if observation.likelihood
                else []
            ),
        ),
        fixed=(*draft.fixed, (base[0].node, undone.value)),
    )


def _is_path(node: Node, leaf: Node) -> bool:
    """Whether exactly one way leads from `node` down to `leaf`, through known operations."""
    while node is not leaf:
        onward = [operand for operand in node.src if leaf in topological([operand])]
        if len(onward) != 1 or not (node.op in INVERSES or node.op is Op.MATMUL) or stretched(node):
            return False
        (node,) = onward
    return True


def _undo(observation: Observation, leaf: Node, value: Node) -> Undone:
    node = observation.node
    log_scale: Node | None = None
    log_det: Node | None = None
    while node is not leaf:
        place = next(i for i, operand in enumerate(node.src) if leaf in topological([operand]))
        others = [*node.src[:place], *node.src[place + 1 :]]
        if node.op is Op.MATMUL:
            if log_scale is not None or node.src[0].ndim != 2 or node.ndim != 1 or place == 0:
                raise ModelError(
                    f"'{observation.name}' observes {text(observation.node)}; of matrix products "
                    "only A @ x can be undone, with nothing but + and - around it"
                )
            value, slope = _solve(others[0], value)
            log_det = _plus(log_det, slope)
        else:
            value, scale = INVERSES[node.op](value, others, place)
            log_scale = _plus(log_scale, scale)
        node = node.src[place]
    return Undone(value, log_scale, log_det)


def _plus(a: Node | None, b: Node | None) -> Node | None:
    return b if a is None else a if b is None else a + b


def _solve(matrix: Node, right: Node) -> tuple[Node, Node]:
    """``A^-1 y`` and ``-log |det A|`` through the Cholesky factor of A'A.

    Squaring the matrix squares its condition number; one step of iterative refinement gives the
    digits back.
    """
    factor = math.cholesky(matrix.T @ matrix)

    def solved(b: Node) -> Node:
        half = math.solve_triangular(factor, matrix.T @ b)
        return math.solve_triangular(factor, half, transposed=True)

    rough = solved(right)
    refined = rough + solved(right - matrix @ rough)
    return refined, -math.sum(math.log(math.diagonal(factor)))


def _add(y: Node, others: list[Node], place: int) -> tuple[Node, None]:
    return y - others[0], None


def _sub(y: Node, others: list[Node], place: int) -> tuple[Node, None]:
    return (y + others[0] if place == 0 else others[0] - y), None


def _mul(y: Node, others: list[Node], place: int) -> tuple[Node, Node]:
    return y / others[0], -math.log(math.abs(others[0]))


def _div(y: Node, others: list[Node], place: int) -> tuple[Node, Node]:
    if place == 0:
        return y * others[0], math.log(math.abs(others[0]))
    return others[0] / y, math.log(math.abs(others[0])) - 2.0 * math.log(math.abs(y))


INVERSES: Mapping[Op, Inverse] = {
    Op.BROADCAST: lambda y, others, place: (y, None),
    Op.ADD: _add,
    Op.SUB: _sub,
    Op.MUL: _mul,
    Op.DIV: _div,
    Op.NEG: lambda y, others, place: (-y, None),
    Op.EXP: lambda y, others, place: (math.log(y), -math.log(y)),
    Op.LOG: lambda y, others, place: (math.exp(y), y),
    Op.EXPM1: lambda y, others, place: (math.log1p(y), -math.log1p(y)),
    Op.LOG1P: lambda y, others, place: (math.expm1(y), y),
    Op.SIGMOID: lambda y, others, place: (math.logit(y), -math.log(y) - math.log1p(-y)),
    Op.SOFTPLUS: lambda y, others, place: (
        y + math.log(-math.expm1(-y)),
        -math.log(-math.expm1(-y)),
    ),
    Op.SQRT: lambda y, others, place: (y * y, math.log(2.0 * y)),
}
"""operation: (observed, other operands, place of the variable) -> (value, log |d value/dy|)"""
