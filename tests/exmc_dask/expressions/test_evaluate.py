"""The NumPy interpreter: a row for every operation, and draws carried in front."""

import numpy as np
import pytest

from exmc_dask import math
from exmc_dask.errors import ShapeError, UnknownName
from exmc_dask.expressions.evaluate import RULES, evaluate
from exmc_dask.expressions.ir import Node, const, make, param, reduce
from exmc_dask.expressions.ops import DECLARED, FLOAT, INT, Op

RNG = np.random.default_rng(11)
X = RNG.uniform(0.2, 0.9, (3, 4))
Y = RNG.uniform(0.2, 0.9, (3, 4))
SPD = np.cov(RNG.normal(size=(4, 9))) + np.eye(4)
LOWER = np.linalg.cholesky(SPD)
PLACES = np.array([2, 0, 2, 1])

x, y = param("x", (3, 4)), param("y", (3, 4))
spd, lower, wide = param("spd", (4, 4)), param("lower", (4, 4)), param("wide", (4, 3))
places = make(Op.DATA, (), "places", ("places.0",), INT)
tall = make(Op.DATA, (), "tall", ("tall.0", 3), FLOAT)
LEAVES = {x: X, y: Y, spd: SPD, lower: LOWER, wide: X.T, places: PLACES, tall: X.T}

CASES: dict[str, tuple[Node, np.ndarray]] = {
    "pow": (x**y, X**Y),
    "softplus": (make(Op.SOFTPLUS, (x,)), np.log1p(np.exp(X))),
    "sigmoid": (make(Op.SIGMOID, (x,)), 1 / (1 + np.exp(-X))),
    "where": (make(Op.WHERE, (x < y, x, y)), np.minimum(X, Y)),
    "sum": (x.sum(0), X.sum(0)),
    "max": (reduce(Op.MAX, x, 1), X.max(1)),
    "logsumexp": (reduce(Op.LOGSUMEXP, x), np.log(np.exp(X).sum())),
    "reshape": (x.reshape(2, 6), X.reshape(2, 6)),
    "transpose": (x.T, X.T),
    "broadcast": (x[0] + y, X[0] + Y),
    "slice": (x[::-2, 1:], X[::-2, 1:]),
    "embed": (
        make(Op.EMBED, (x,), ((5, 4), ((1, 4, 1), (None, None, 1)))),
        np.pad(X, ((1, 1), (0, 0))),
    ),
    "concat": (make(Op.CONCAT, (x, y), 1), np.concatenate([X, Y], 1)),
    "gather": (x[places], X[PLACES]),
    "scatter_add": (make(Op.SCATTER_ADD, (wide, places), 3), np.eye(3)[:, PLACES] @ X.T),
    "matmul": (x @ wide, X @ X.T),
    "matvec": (x @ y[0], X @ Y[0]),
    "vecmat": (wide[:, 0] @ wide, X[0] @ X.T),
    "dot": (x[0] @ y[0], X[0] @ Y[0]),
    "cholesky": (make(Op.CHOLESKY, (spd,)), LOWER),
    "trisolve": (make(Op.TRISOLVE, (lower, wide), False), np.linalg.solve(LOWER, X.T)),
    "trisolve_t": (make(Op.TRISOLVE, (lower, x[0]), True), np.linalg.solve(LOWER.T, X[0])),
    "triangle": (make(Op.TRIANGLE, (tall,)), np.linalg.cholesky(X @ X.T).T),
    "cumsum": (make(Op.CUMSUM, (x,), (1, False)), np.cumsum(X, 1)),
    "cumsum_reverse": (make(Op.CUMSUM, (x,), (0, True)), np.cumsum(X[::-1], 0)[::-1]),
    "scan": (
        math.scan(lambda h, row: (0.5 * h + row, None), y[0], x)[0],
        0.5 * (0.5 * (0.5 * Y[0] + X[0]) + X[1]) + X[2],
    ),
    "range": (make(Op.RANGE, (), "places.0") + places, np.arange(4) + PLACES),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operation_does_what_numpy_does(name: str) -> None:
    node, expected = CASES[name]
    (value,) = evaluate([node], LEAVES)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    assert value.dtype == node.dtype


@pytest.mark.parametrize("name", CASES)
def test_draws_in_front_are_carried_along(name: str) -> None:
    scales = np.array([1.0, 1.1, 1.3])
    node, _ = CASES[name]
    draws = {
        leaf: value if leaf.op is Op.DATA else np.multiply.outer(scales, value)
        for leaf, value in LEAVES.items()
    }
    (batched,) = evaluate([node], draws)
    for i in range(len(scales)):
        single = {n: v if n.op is Op.DATA else v[i] for n, v in draws.items()}
        (one,) = evaluate([node], single)
        got = batched[i] if batched.ndim > node.ndim else batched
        np.testing.assert_allclose(got, one, rtol=1e-13)


def test_every_operation_has_a_rule() -> None:
    assert set(RULES) | DECLARED == set(Op)


def test_an_index_may_differ_from_draw_to_draw() -> None:
    z = make(Op.VAR, (), "z", (2,), INT)
    (value,) = evaluate([x[z]], {x: np.stack([X, Y]), z: np.array([[0, 1], [2, 2]])})
    np.testing.assert_array_equal(value, np.stack([X[[0, 1]], Y[[2, 2]]]))


def test_logsumexp_of_only_minus_infinity_is_minus_infinity() -> None:
    node = reduce(Op.LOGSUMEXP, x)
    assert evaluate([node], {x: np.full((3, 4), -np.inf)})[0] == -np.inf
    assert evaluate([node], {x: np.full((3, 4), np.inf)})[0] == np.inf


def test_a_matrix_that_is_not_positive_definite_has_no_factor() -> None:
    assert np.isnan(evaluate([make(Op.CHOLESKY, (spd,))], {spd: -SPD})[0]).all()


def test_the_value_not_chosen_is_not_looked_at() -> None:
    v = make(Op.DATA, (), "v", ("v.0",), FLOAT)
    guarded = make(Op.WHERE, (const(0.0) < v, make(Op.LOG, (v,)), v))
    np.testing.assert_array_equal(evaluate([guarded], {v: np.array([-1.0, 1.0])})[0], [-1.0, 0.0])


def test_leaves_are_found_by_name_too() -> None:
    assert evaluate([x.sum()], {(Op.PARAM, "x"): X})[0] == pytest.approx(X.sum())


def test_a_missing_leaf_is_named() -> None:
    with pytest.raises(UnknownName, match="param 'y' has no value"):
        evaluate([x + y], {x: X})


def test_a_value_of_lower_rank_is_refused() -> None:
    with pytest.raises(ShapeError, match="'x' has 2 axes, its value has 1"):
        evaluate([x], {x: X[0]})
