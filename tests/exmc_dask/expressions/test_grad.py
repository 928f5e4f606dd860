"""Every rule of the gradient table against central differences of the interpreter."""

import numpy as np
import pytest

from exmc_dask import math
from exmc_dask.errors import ModelError
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.grad import FLAT, RULES, gradient
from exmc_dask.expressions.graph import check
from exmc_dask.expressions.ir import Node, const, elementwise, make, param, reduce
from exmc_dask.expressions.ops import FLOAT, INT, LEAF, UNARY, Op

RNG = np.random.default_rng(7)
A = RNG.uniform(0.3, 0.9, (3, 4))
B = RNG.uniform(1.1, 1.9, (3, 4))
PLACES = np.array([[2, 0, 2], [1, 1, 2]])

a, b = param("a", (3, 4)), param("b", (3, 4))
square = param("square", (3, 3))
places = make(Op.DATA, (), "places", ("places.0", "places.1"), INT)
column = make(Op.DATA, (), "column", ("column.0",), FLOAT)
LEAVES = {
    a: A,
    b: B,
    square: RNG.normal(size=(3, 3)) + 3 * np.eye(3),
    places: PLACES,
    column: np.array([0.5, -1.0]),
}


def whole_scan(reverse: bool) -> Node:
    """Rows of a SCAN: carry and what is kept, without what lies beside the carry it began from."""

    def step(carry: Node, row: Node) -> tuple[Node, Node]:
        mixed = elementwise(Op.SIN, square @ carry) + row[:3] * b[0, 1]
        return mixed, mixed[0] * row

    last, kept = math.scan(step, a[:, 0], a, reverse=reverse)
    return make(Op.CONCAT, (kept, last.reshape(3, 1)), 1)


DIFFERENTIABLE = sorted((UNARY & set(RULES)) - {Op.TRIGAMMA}, key=lambda op: op.value)
POSITIVE = square @ square.T
CASES: dict[str, Node] = {
    **{op.value: elementwise(op, a) for op in DIFFERENTIABLE},
    **{
        op.value: elementwise(op, a, b)
        for op in (Op.ADD, Op.SUB, Op.MUL, Op.DIV, Op.POW, Op.MAXIMUM, Op.MINIMUM)
    },
    "log_gammainc": elementwise(Op.LOG_GAMMAINC, a, b),
    "log_gammainc_below": elementwise(Op.LOG_GAMMAINC, 4.0 * b, a),
    "log_gammaincc": elementwise(Op.LOG_GAMMAINCC, a, b),
    "log_gammaincc_below": elementwise(Op.LOG_GAMMAINCC, 2.0 * b, a),
    "log_betainc_odds": elementwise(Op.LOG_BETAINC_ODDS, a, b, a * b),
    "log_betainc_odds_above": elementwise(Op.LOG_BETAINC_ODDS, b, a + 2.0, a * b),
    "maximum_second": elementwise(Op.MAXIMUM, b, a),
    **{f"pow_{n}": a**n for n in (0, 1, 2, 3, -1, 0.5)},
    "where": elementwise(Op.WHERE, a < 0.6, a * b, a / b),
    "sum": (a * b).sum(0),
    "max": reduce(Op.MAX, a * b, 1),
    "logsumexp": reduce(Op.LOGSUMEXP, a * b, 0),
    "reshape": a.reshape(2, 6)[0],
    "transpose": a.T @ b,
    "transpose_3d": make(Op.TRANSPOSE, (a.reshape(3, 2, 2),), (2, 0, 1)) * b.reshape(2, 3, 2),
    "broadcast": make(Op.BROADCAST, (a.reshape(3, 1, 4),), (2, 3, 5, 4)),
    "broadcast_symbol": a[0] * column.reshape("column.0", 1),
    "slice": a[::-2, 1:3],
    "embed": make(Op.EMBED, (a,), ((5, 4), ((1, 4, 1), (None, None, 1)))),
    "concat": make(Op.CONCAT, (a, b, a), 1),
    "concat_symbol": make(Op.CONCAT, (a[0], b[0, 0] * column, b[0]), 0),
    "gather": a[places],
    "scatter_add": make(Op.SCATTER_ADD, (a[places], places), 5),
    "matmul_11": a[0] @ b[0],
    "matmul_12": a[0] @ b.T,
    "matmul_21": a @ b[0],
    "matmul_22": a @ b.T,
    "cholesky": make(Op.CHOLESKY, (POSITIVE,)),
    "trisolve": make(Op.TRISOLVE, (make(Op.CHOLESKY, (POSITIVE,)), a), False),
    "trisolve_t": make(Op.TRISOLVE, (square, a), True),
    "trisolve_vector": make(Op.TRISOLVE, (square, a[:, 0]), False),
    "cumsum": make(Op.CUMSUM, (a,), (1, False)),
    "cumsum_reverse": make(Op.CUMSUM, (a,), (0, True)),
    "scan": whole_scan(reverse=False),
    "scan_reverse": whole_scan(reverse=True) * 1.0,
}
COVERED = {node.op for node in CASES.values()} | {
    Op.TRANSPOSE, Op.TRIGAMMA, Op.GAMMAINC_SHAPE, Op.BETAINC_SHAPE, Op.SCAN, Op.TRIANGLE
}  # fmt: skip


def difference(root: Node, leaf: Node, h: float = 1e-3) -> np.ndarray:
    """Central difference of sixth order."""
    x = np.asarray(LEAVES[leaf])
    out = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        for step, weight in ((1, 45), (2, -9), (3, 1)):
            for sign in (1, -1):
                moved = x.copy()
                moved[place] += sign * step * h
                (value,) = evaluate([root], LEAVES | {leaf: moved})
                out[place] += sign * weight * value / (60 * h)
    return out


def value_and_gradient(root: Node, leaf: Node, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    (slope,) = gradient(root, [leaf])
    value, found = evaluate([root, slope], LEAVES | {leaf: at})
    return value, found


@pytest.mark.parametrize("name", CASES)
def test_a_rule_agrees_with_differences(name: str) -> None:
    node = CASES[name]
    weights = np.cos(np.arange(7.0))  # unequal, so that no two operands can be taken for each other
    flat = node
    for _ in range(node.ndim):
        flat = (flat * const(1.0) + elementwise(Op.SIN, flat) * float(weights[flat.ndim])).sum(-1)
    leaves = [leaf for leaf in LEAVES if leaf.op is Op.PARAM]
    slopes = gradient(flat, leaves)
    check([flat, *slopes])
    for leaf, slope in zip(leaves, evaluate(slopes, LEAVES), strict=True):
        assert slope.shape == leaf.shape
        np.testing.assert_allclose(slope, difference(flat, leaf), rtol=1e-8, atol=1e-9)


def test_every_operation_has_a_rule_or_is_flat() -> None:
    assert set(RULES) | FLAT | LEAF == set(Op)
    assert set(RULES) <= COVERED


def test_flat_operations_pass_nothing_on() -> None:
    steps = elementwise(Op.FLOOR, a) + elementwise(Op.SIGN, a) + elementwise(Op.FLOAT, a < b)
    _, found = value_and_gradient(steps.sum(), a, A)
    assert not found.any()


def test_a_parameter_that_is_not_used_has_gradient_zero() -> None:
    _, found = value_and_gradient(b.sum(), a, A)
    np.testing.assert_array_equal(found, np.zeros((3, 4)))


def test_a_node_used_twice_receives_both_parts() -> None:
    _, found = value_and_gradient((a * a * elementwise(Op.EXP, a)).sum(), a, A)
    np.testing.assert_allclose(found, (2 * A + A * A) * np.exp(A))


@pytest.mark.parametrize("bad", [-np.inf, np.inf, np.nan, 0.0, -1.0])
@pytest.mark.parametrize("op", DIFFERENTIABLE)
def test_a_branch_not_chosen_sends_exactly_zero(op: Op, bad: float) -> None:
    behind = elementwise(op, a) * elementwise(op, a * b) / a
    root = elementwise(Op.WHERE, b < 2.0, a, behind * behind).sum()
    for leaf in (a, b):
        (found,) = evaluate(gradient(root, [leaf]), LEAVES | {a: np.full((3, 4), bad)})
        np.testing.assert_array_equal(found, np.full((3, 4), 1.0 if leaf is a else 0.0))


@pytest.mark.parametrize("bad", [-np.inf, np.inf, np.nan])
@pytest.mark.parametrize("op", [Op.ADD, Op.SUB, Op.MUL, Op.DIV, Op.POW, Op.MAXIMUM, Op.MINIMUM])
def test_a_pair_not_chosen_sends_exactly_zero(op: Op, bad: float) -> None:
    root = elementwise(Op.WHERE, const(0.0) < b, a, elementwise(op, a, a * b)).sum()
    for leaf in (a, b):
        (found,) = evaluate(gradient(root, [leaf]), LEAVES | {a: np.full((3, 4), bad)})
        np.testing.assert_array_equal(found, np.full((3, 4), 1.0 if leaf is a else 0.0))


def test_logsumexp_sends_exactly_zero_to_terms_without_weight() -> None:
    at = A.copy()
    at[:, 1] = 0.0  # log(0) has weight 0 and an infinite slope
    root = reduce(Op.LOGSUMEXP, elementwise(Op.LOG, a), 1).sum()
    _, found = value_and_gradient(root, a, at)
    expected = np.repeat(1 / at.sum(1, keepdims=True), 4, 1)
    expected[:, 1] = 0.0
    np.testing.assert_allclose(found, expected)


def test_logsumexp_of_only_minus_infinity_has_gradient_zero() -> None:
    value, found = value_and_gradient(
        reduce(Op.LOGSUMEXP, elementwise(Op.LOG, a)), a, np.zeros((3, 4))
    )
    assert value == -np.inf
    np.testing.assert_array_equal(found, np.zeros((3, 4)))


def test_ties_of_max_share_and_ties_of_maximum_go_to_the_first() -> None:
    ones = np.ones((3, 4))
    _, shared = value_and_gradient(reduce(Op.MAX, a, 1).sum(), a, ones)
    np.testing.assert_array_equal(shared, ones / 4)
    for op in (Op.MAXIMUM, Op.MINIMUM):
        _, first = value_and_gradient(elementwise(op, a, const(1.0)).sum(), a, ones)
        _, second = value_and_gradient(elementwise(op, const(1.0), a).sum(), a, ones)
        assert first.all()
        assert not second.any()


def test_what_has_no_derivative_is_refused() -> None:
    with pytest.raises(ModelError, match="trigamma has no derivative"):
        gradient(elementwise(Op.TRIGAMMA, a).sum(), [a])
    symbolic = make(Op.BROADCAST, (a[0, 0],), ("column.0",))
    with pytest.raises(ModelError, match="cannot be cut out"):
        gradient(make(Op.CONCAT, (symbolic, symbolic, symbolic), 0).sum(), [a])
