"""NumPy interpreter of the graph: the slow twin of the kernels and the engine of predictive draws.

``RULES`` holds one row per operation. A leaf may carry extra axes in front of its own, the draws of
a posterior for instance; since a node knows its own rank, every rule counts its axes from the
end and whatever stands before them is carried along.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from exmc_dask.errors import ShapeError, UnknownName
from exmc_dask.expressions import incomplete, matrices
from exmc_dask.expressions.axes import Dim, extent, extents
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import FLOAT, SINGLE, Op

type Array = np.ndarray
type Lengths = Mapping[str, int]
type Rule = Callable[..., Array]  # (node, lengths, *operands) -> value


def evaluate(
    roots: Sequence[Node],
    leaves: Mapping[Any, Any],
    lengths: Lengths | None = None,
) -> list[Array]:
    """Values of `roots`.

    Parameters
    ----------
    roots : sequence of Node
    leaves : mapping
        Values of DATA, VAR and PARAM leaves; keys are nodes or pairs ``(Op, name)``. A value may
        have axes in front of those of its node; all leaves that do must have the same ones.
    lengths : mapping, optional
        Lengths of axes that no DATA leaf in the graph shows.

    Returns
    -------
    list of ndarray
        One a root; roots that depend on a leaf with extra axes in front have them too.

    Raises
    ------
    UnknownName
        A leaf has no value.
    ShapeError
        A value does not have the rank of its leaf.
    """
    return Evaluation(roots)(leaves, lengths)


class Evaluation:
    """The order in which the values of a graph are calculated, found once for many calls.

    Parameters
    ----------
    roots : sequence of Node

    Attributes
    ----------
    leaves : list of Node
        DATA, VAR and PARAM leaves, whose values a call needs.
    """

    def __init__(self, roots: Sequence[Node]) -> None:
        self.roots = tuple(roots)
        self._order = topological(roots)
        self.leaves = [node for node in self._order if node.op in (Op.DATA, Op.VAR, Op.PARAM)]
        uses = (operand for node in self._order for operand in node.src)
        self._uses = Counter(chain(uses, roots))

    def __call__(self, leaves: Mapping[Any, Any], lengths: Lengths | None = None) -> list[Array]:
        """Return the values of the roots; see `evaluate`."""
        if not self.roots:
            return []
        given = {node: _leaf(node, leaves) for node in self.leaves}
        known = bind_lengths(given) | dict(lengths or {})
        with np.errstate(all="ignore"):
            return [np.asarray(value) for value in self.values(given, known)]

    def values(self, given: Mapping[Node, Array], lengths: Lengths) -> list[Array]:
        """Return the values of the roots, each forgotten when nothing waits for it any more."""
        waiting = self._uses.copy()
        values: dict[Node, Array] = {}
        for node in self._order:
            if node in given:
                values[node] = given[node]
                continue
            operands = [values[operand] for operand in node.src]
            operands = operands if node.op in AS_KEPT else list(map(_wide, operands))
            values[node] = RULES[node.op](node, lengths, *operands)
            for operand in node.src:
                waiting[operand] -= 1
                if not waiting[operand]:
                    del values[operand]
        return [_wide(values[root]) for root in self.roots]


def _wide(x: Array) -> Array:
    """`x` as it is calculated with: an array that is kept in float32 as float64."""
    return x.astype(np.float64) if x.dtype == SINGLE else x


def bind_lengths(values: Mapping[Node, Array]) -> dict[str, int]:
    """Lengths of the axes that DATA leaves show; the first to show one decides."""
    lengths: dict[str, int] = {}
    for node, array in values.items():
        if node.op is Op.DATA:
            for dim, length in zip(node.shape, array.shape, strict=True):
                if isinstance(dim, str):
                    lengths.setdefault(dim, length)
    return lengths


def _leaf(node: Node, leaves: Mapping[Any, Any]) -> Array:
    key = node if node in leaves else (node.op, node.arg)
    if key not in leaves:
        raise UnknownName(f"{node.op.value} '{node.arg}' has no value")
    array = np.asarray(leaves[key])
    array = array if array.dtype == SINGLE else array.astype(node.dtype, copy=False)
    if array.ndim < node.ndim or (node.op is Op.DATA and array.ndim > node.ndim):
        raise ShapeError(
            f"{node.op.value} '{node.arg}' has {node.ndim} axes, its value has {array.ndim}"
        )
    return array


def _front(node: Node, array: Array) -> tuple[int, ...]:
    """Extra axes that `array`, the value of `node`, carries in front."""
    return array.shape[: array.ndim - node.ndim]


def _flat(rule: Callable[..., Array]) -> Rule:
    """Rule of an elementwise operation: shapes are equal, so NumPy aligns what stands in front."""
    return lambda node, lengths, *operands: rule(*operands)


def _special(name: str) -> Rule:
    """Rule that is a function of scipy.special, which is slow to import and seldom needed."""

    def rule(node: Node, lengths: Lengths, *operands: Array) -> Array:
        import scipy.special

        return np.asarray(getattr(scipy.special, name)(*operands))

    return rule


def _sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(np.isnan(x) | (x >= 0), 1.0, small) / (1.0 + small)


def _pow(x: Array, y: Array) -> Array:
    floats: Array = np.power(x, y, dtype=np.float64)
    return floats if FLOAT in (x.dtype, y.dtype) else floats.astype(np.int64)


def _trigamma(node: Node, lengths: Lengths, x: Array) -> Array:
    import scipy.special

    return np.asarray(scipy.special.polygamma(1, x))


def _axes(node: Node) -> tuple[int, ...]:
    return tuple(axis - node.src[0].ndim for axis in node.arg)


def _sum(node: Node, lengths: Lengths, x: Array) -> Array:
    return np.asarray(np.sum(x, axis=_axes(node), dtype=node.dtype))


def _max(node: Node, lengths: Lengths, x: Array) -> Array:
    least = -np.inf if node.dtype == FLOAT else np.iinfo(np.int64).min
    return np.asarray(np.max(x.astype(node.dtype), axis=_axes(node), initial=least))


def _logsumexp(node: Node, lengths: Lengths, x: Array) -> Array:
    top = np.max(x, axis=_axes(node), keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.log(np.sum(np.exp(x - top), axis=_axes(node)))
    return np.asarray(total + np.squeeze(top, axis=_axes(node)))


def _reshape(node: Node, lengths: Lengths, x: Array) -> Array:
    return x.reshape(_front(node.src[0], x) + extents(node.arg, lengths))


def _transpose(node: Node, lengths: Lengths, x: Array) -> Array:
    extra = len(_front(node, x))
    return x.transpose(*range(extra), *(extra + axis for axis in node.arg))


def _broadcast(node: Node, lengths: Lengths, x: Array) -> Array:
    front, own = _front(node.src[0], x), x.shape[x.ndim - node.src[0].ndim :]
    padded = x.reshape(front + (1,) * (node.ndim - len(own)) + own)
    return np.broadcast_to(padded, front + extents(node.arg, lengths))


def _cuts(cuts: Iterable[Any]) -> tuple[Any, ...]:
    return (Ellipsis, *(slice(*cut) for cut in cuts))


def _embed(node: Node, lengths: Lengths, x: Array) -> Array:
    shape, cuts = node.arg
    whole = np.zeros(_front(node, x) + extents(shape, lengths), dtype=node.dtype)
    whole[_cuts(cuts)] = x
    return whole


def _together(node: Node, operands: Sequence[Array]) -> list[Array]:
    """Operands of `node`, all with the same axes in front."""
    fronts = [_front(operand, array) for operand, array in zip(node.src, operands, strict=True)]
    front = np.broadcast_shapes(*fronts)
    return [
        np.broadcast_to(array, front + array.shape[len(own) :])
        for own, array in zip(fronts, operands, strict=True)
    ]


def _concat(node: Node, lengths: Lengths, *operands: Array) -> Array:
    return np.concatenate(_together(node, operands), axis=node.arg - node.ndim, dtype=node.dtype)


def _gather(node: Node, lengths: Lengths, x: Array, index: Array) -> Array:
    if not _front(node.src[1], index):
        return np.take(x, index, axis=-node.src[0].ndim)
    pairs = zip(*_together(node, (x, index)), strict=True)
    return np.stack([np.take(values, places, axis=0) for values, places in pairs])


def _scatter_add(node: Node, lengths: Lengths, x: Array, index: Array) -> Array:
    front = np.broadcast_shapes(_front(node.src[0], x), _front(node.src[1], index))
    whole: Array = np.zeros(front + extents(node.shape, lengths), dtype=node.dtype)
    if front:
        for out, updates, places in zip(whole, *_together(node, (x, index)), strict=True):
            np.add.at(out, places, updates)
    else:
        np.add.at(whole, index, x)
    return whole


def _matmul(node: Node, lengths: Lengths, x: Array, y: Array) -> Array:
    row, column = node.src[0].ndim == 1, node.src[1].ndim == 1
    left, right = x[..., None, :] if row else x, y[..., None] if column else y
    product = matrices.product(left, right)
    product = product[..., 0] if column else product
    return product[..., 0] if row and column else product[..., 0, :] if row else product


def _trisolve(node: Node, lengths: Lengths, matrix: Array, right: Array) -> Array:
    lower, b = (operand.astype(float) for operand in _together(node, (matrix, right)))
    if node.src[1].ndim == 1:
        return matrices.solve_lower(lower, b[..., None], transposed=node.arg)[..., 0]
    return matrices.solve_lower(lower, b, transposed=node.arg)


def _cumsum(node: Node, lengths: Lengths, x: Array) -> Array:
    axis, reverse = node.arg
    axis -= node.ndim
    return np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)


def _scan(node: Node, lengths: Lengths, *operands: Array) -> Array:
    """Interpret the body once a step."""
    body = node.arg
    n_steps = extent(body.length, lengths)
    front = np.broadcast_shapes(*map(_front, node.src, operands))
    whole = np.zeros((*front, n_steps + 1, body.width))
    whole[..., body.first, : body.n_carry] = operands[0]
    steps = Evaluation([body.root])
    given = {leaf: operands[place] for place, leaf in enumerate(body.leaves)}
    for step in reversed(range(n_steps)) if body.reverse else range(n_steps):
        row, before = (step, step + 1) if body.reverse else (step + 1, step)
        given[body.leaves[0]] = whole[..., before, : body.n_carry]
        for place in body.sequences:
            given[body.leaves[place]] = np.take(operands[place], step, -node.src[place].ndim)
        (whole[..., row, :],) = steps.values(given, lengths)
    return whole


def _range(node: Node, lengths: Lengths) -> Array:
    dim: Dim = node.arg
    return np.arange(extent(dim, lengths))


AS_KEPT = frozenset(
    {Op.RESHAPE, Op.TRANSPOSE, Op.BROADCAST, Op.SLICE, Op.GATHER, Op.MATMUL, Op.TRIANGLE}
)
"""Operations that take an array as it is kept, float32 or not: views and what goes in stretches."""

RULES: Mapping[Op, Rule] = {
    Op.CONST: lambda node, lengths: np.asarray(node.arg),
    Op.RANGE: _range,
    Op.NEG: _flat(np.negative),
    Op.EXP: _flat(np.exp),
    Op.LOG: _flat(np.log),
    Op.LOG1P: _flat(np.log1p),
    Op.EXPM1: _flat(np.expm1),
    Op.SQRT: _flat(np.sqrt),
    Op.ABS: _flat(np.abs),
    Op.SIGN: _flat(np.sign),
    Op.FLOOR: _flat(np.floor),
    Op.SIN: _flat(np.sin),
    Op.COS: _flat(np.cos),
    Op.ARCTAN: _flat(np.arctan),
    Op.TANH: _flat(np.tanh),
    Op.SIGMOID: _flat(_sigmoid),
    Op.SOFTPLUS: _flat(lambda x: np.logaddexp(0.0, x)),
    Op.ERF: _special("erf"),
    Op.ERFC: _special("erfc"),
    Op.ERFCX: _special("erfcx"),
    Op.LOG_NDTR: _special("log_ndtr"),
    Op.LGAMMA: _special("gammaln"),
    Op.DIGAMMA: _special("digamma"),
    Op.TRIGAMMA: _trigamma,
    Op.PROBIT: _special("ndtri"),
    Op.I0E: _special("i0e"),
    Op.I1E: _special("i1e"),
    Op.NOT: _flat(np.logical_not),
    Op.FLOAT: _flat(lambda x: x.astype(np.float64)),
    Op.ADD: _flat(np.add),
    Op.SUB: _flat(np.subtract),
    Op.MUL: _flat(np.multiply),
    Op.DIV: _flat(np.true_divide),
    Op.POW: _flat(_pow),
    Op.MAXIMUM: _flat(np.maximum),
    Op.MINIMUM: _flat(np.minimum),
    Op.LT: _flat(np.less),
    Op.LE: _flat(np.less_equal),
    Op.EQ: _flat(np.equal),
    Op.AND: _flat(np.logical_and),
    Op.OR: _flat(np.logical_or),
    Op.LOG_GAMMAINC: _flat(incomplete.log_gammainc),
    Op.LOG_GAMMAINCC: _flat(incomplete.log_gammaincc),
    Op.GAMMAINC_SHAPE: _flat(incomplete.gammainc_shape),
    Op.LOG_BETAINC_ODDS: _flat(incomplete.log_betainc_odds),
    Op.BETAINC_SHAPE: _flat(incomplete.betainc_shape),
    Op.WHERE: _flat(np.where),
    Op.SUM: _sum,
    Op.MAX: _max,
    Op.LOGSUMEXP: _logsumexp,
    Op.RESHAPE: _reshape,
    Op.TRANSPOSE: _transpose,
    Op.BROADCAST: _broadcast,
    Op.SLICE: lambda node, lengths, x: x[_cuts(node.arg)],
    Op.EMBED: _embed,
    Op.CONCAT: _concat,
    Op.GATHER: _gather,
    Op.SCATTER_ADD: _scatter_add,
    Op.MATMUL: _matmul,
    Op.CHOLESKY: _flat(matrices.cholesky),
    Op.TRISOLVE: _trisolve,
    Op.TRIANGLE: _flat(matrices.triangle),
    Op.CUMSUM: _cumsum,
    Op.SCAN: _scan,
}
