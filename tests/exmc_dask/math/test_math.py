"""Every function of ed.math against NumPy and SciPy, with its gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

from exmc_dask import math
from exmc_dask.errors import DataError, ShapeError
from exmc_dask.expressions.ir import Node, as_node
from tests.exmc_dask.slopes import differences, leaf, numbers, slopes

RNG = np.random.default_rng(4)
X = RNG.uniform(0.15, 0.85, (3, 4))
Y = RNG.uniform(0.15, 0.85, (3, 4))
SQUARE = X[:, :3] @ X[:, :3].T + np.eye(3)
PLACES = np.array([2, 0, 2])
x, y, square = leaf("x", X), leaf("y", Y), leaf("square", SQUARE)
LEAVES = {x: X, y: Y, square: SQUARE}


def _softmax(x: Any) -> Any:
    return special.softmax(x, axis=-1)


CASES: dict[str, tuple[Callable[..., Node], Callable[..., Any], tuple[Node, ...]]] = {
    **{
        name: (getattr(math, name), reference, (x,))
        for name, reference in {
            "exp": np.exp,
            "log": np.log,
            "log1p": np.log1p,
            "expm1": np.expm1,
            "sqrt": np.sqrt,
            "square": np.square,
            "abs": np.abs,
            "sign": np.sign,
            "floor": np.floor,
            "sin": np.sin,
            "cos": np.cos,
            "tan": np.tan,
            "arcsin": np.arcsin,
            "arccos": np.arccos,
            "arctan": np.arctan,
            "tanh": np.tanh,
            "sinh": np.sinh,
            "cosh": np.cosh,
            "arcsinh": np.arcsinh,
            "arctanh": np.arctanh,
            "log2": np.log2,
            "log10": np.log10,
            "log1mexp": lambda x: np.log(-np.expm1(-x)),
            "invlogit": special.expit,
            "probit": special.ndtri,
            "invprobit": special.ndtr,
            "i0e": special.i0e,
            "i1e": special.i1e,
            "sigmoid": special.expit,
            "logit": special.logit,
            "softplus": lambda x: np.log1p(np.exp(x)),
            "erf": special.erf,
            "erfc": special.erfc,
            "erfcx": special.erfcx,
            "log_ndtr": special.log_ndtr,
            "gammaln": special.gammaln,
            "digamma": special.digamma,
            "sum": np.sum,
            "mean": np.mean,
            "var": np.var,
            "max": np.max,
            "min": np.min,
            "logsumexp": special.logsumexp,
            "softmax": _softmax,
            "log_softmax": lambda x: special.log_softmax(x, axis=-1),
            "cumsum": lambda x: np.cumsum(x, axis=-1),
            "diff": np.diff,
            "transpose": np.transpose,
        }.items()
    },
    "mean, one axis": (lambda x: math.mean(x, 0), lambda x: x.mean(0), (x,)),
    "sum, one axis kept": (
        lambda x: x.sum(-1, keepdims=True) + math.sum(x, 0, keepdims=True),
        lambda x: x.sum(-1, keepdims=True) + x.sum(0, keepdims=True),
        (x,),
    ),
    "sum, all axes kept": (
        lambda x: x.sum(keepdims=True),
        lambda x: x.sum(keepdims=True),
        (x,),
    ),
    "var, one axis kept": (
        lambda x: math.var(x, -1, keepdims=True),
        lambda x: x.var(-1, keepdims=True),
        (x,),
    ),
    "cumsum, first axis": (lambda x: math.cumsum(x, 0), lambda x: np.cumsum(x, 0), (x,)),
    "diff, first axis": (lambda x: math.diff(x, 0), lambda x: np.diff(x, axis=0), (x,)),
    "arccosh": (lambda x: math.arccosh(x + 1), lambda x: np.arccosh(x + 1), (x,)),
    "log1mexp, far": (lambda x: math.log1mexp(-5 * x), lambda x: np.log1p(-np.exp(-5 * x)), (x,)),
    "logaddexp": (math.logaddexp, np.logaddexp, (x, y)),
    "logdiffexp": (
        lambda x, y: math.logdiffexp(x + 1, y),
        lambda x, y: np.log(np.exp(x + 1) - np.exp(y)),
        (x, y),
    ),
    "betaln": (math.betaln, special.betaln, (x, y)),
    "gammainc": (math.gammainc, special.gammainc, (x, y)),
    "gammaincc": (math.gammaincc, special.gammaincc, (x, y)),
    "betainc": (
        lambda x, y: math.betainc(x, y, x * y),
        lambda x, y: special.betainc(x, y, x * y),
        (x, y),
    ),
    "log_gammainc": (math.log_gammainc, lambda a, x: np.log(special.gammainc(a, x)), (x, y)),
    "log_gammaincc": (math.log_gammaincc, lambda a, x: np.log(special.gammaincc(a, x)), (x, y)),
    "log_betainc_odds": (
        lambda x, y: math.log_betainc_odds(x, 2.0, y),
        lambda x, y: np.log(special.betainc(x, 2.0, y / (1 + y))),
        (x, y),
    ),
    "maximum": (math.maximum, np.maximum, (x, y)),
    "minimum": (math.minimum, np.minimum, (x, y)),
    "clip": (lambda x: math.clip(x, 0.3, 0.6), lambda x: np.clip(x, 0.3, 0.6), (x,)),
    "where": (
        lambda x, y: math.where(x < y, x * y, y),
        lambda x, y: np.where(x < y, x * y, y),
        (x, y),
    ),
    "guard": (
        lambda x: math.log(math.guard(x > 0.5, x, 1.0)),
        lambda x: np.log(np.where(x > 0.5, x, 1.0)),
        (x,),
    ),
    "dot": (lambda x, y: math.dot(x[0], y[0]), lambda x, y: x[0] @ y[0], (x, y)),
    "dot of scalars": (lambda x: math.dot(x[0, 0], 2.0), lambda x: 2 * x[0, 0], (x,)),
    "matmul": (lambda x, y: math.matmul(x, y.T), lambda x, y: x @ y.T, (x, y)),
    "outer": (lambda x, y: math.outer(x[0], y[1]), lambda x, y: np.outer(x[0], y[1]), (x, y)),
    "stack": (lambda x, y: math.stack([x, y], 1), lambda x, y: np.stack([x, y], 1), (x, y)),
    "stack, last axis": (
        lambda x, y: math.stack([x, y], -1),
        lambda x, y: np.stack([x, y], -1),
        (x, y),
    ),
    "concatenate": (
        lambda x, y: math.concatenate([x, y[:1]]),
        lambda x, y: np.concatenate([x, y[:1]]),
        (x, y),
    ),
    "reshape": (lambda x: math.reshape(x, (2, 6)), lambda x: x.reshape(2, 6), (x,)),
    "transpose, one way round": (
        lambda x: math.transpose(math.expand_dims(x, 0), (1, 2, 0)),
        lambda x: x[:, :, None],
        (x,),
    ),
    "broadcast_to": (
        lambda x: math.broadcast_to(x[0], (3, 4)),
        lambda x: np.broadcast_to(x[0], (3, 4)),
        (x,),
    ),
    "take": (lambda x: math.take(x, PLACES, 1), lambda x: np.take(x, PLACES, 1), (x,)),
    "expand_dims": (lambda x: math.expand_dims(x, -1), lambda x: x[..., None], (x,)),
    "diagonal": (math.diagonal, np.diagonal, (square,)),
    "diagonals of several": (
        lambda x: math.diagonal(math.reshape(x, (3, 2, 2))),
        lambda x: np.diagonal(x.reshape(3, 2, 2), axis1=1, axis2=2),
        (x,),
    ),
    "expand_packed_triangular": (
        lambda x: math.expand_packed_triangular(2, x[:, :3]),
        lambda x: np.stack([[[a, 0], [b, c]] for a, b, c in x[:, :3]]),
        (x,),
    ),
    "expand_packed_triangular, strict": (
        lambda x: math.expand_packed_triangular(3, x[0, :3], strict=True),
        lambda x: np.array([[0, 0, 0], [x[0, 0], 0, 0], [x[0, 1], x[0, 2], 0]]),
        (x,),
    ),
    "cholesky": (
        lambda a: math.cholesky(a + a.T),
        lambda a: np.linalg.cholesky(a + a.T),
        (square,),
    ),
    "solve_triangular": (
        lambda a, x: math.solve_triangular(a, x),
        lambda a, x: np.linalg.solve(np.tril(a), x),
        (square, x),
    ),
    "solve_triangular, transposed": (
        lambda a, x: math.solve_triangular(a, x, transposed=True),
        lambda a, x: np.linalg.solve(np.tril(a).T, x),
        (square, x),
    ),
    "logdet": (
        lambda a: math.logdet(a + a.T),
        lambda a: np.linalg.slogdet(a + a.T).logabsdet,
        (square,),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_function_is_that_of_numpy(name: str) -> None:
    build, reference, operands = CASES[name]
    found = numbers(build(*operands), LEAVES)
    np.testing.assert_allclose(found, reference(*(LEAVES[o] for o in operands)), rtol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_its_gradient_is_that_of_differences(name: str) -> None:
    build, _, operands = CASES[name]
    node = build(*operands)
    weights = np.random.default_rng(1).normal(size=numbers(node, LEAVES).shape)
    weighted = node * leaf("weights", weights)
    fixed = {leaf("weights", weights): weights}
    moved = {operand: LEAVES[operand] for operand in operands}

    for found, expected in zip(
        slopes(weighted, moved, fixed), differences(weighted, moved, fixed), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: math.where(x, x, y), "not a comparison"),
        (lambda: math.take(x, np.array([0.5])), "whole numbers"),
        (lambda: math.sum(x, axis=2), "axis 2"),
        (lambda: math.concatenate([1.0, 2.0]), "stack"),
        (lambda: math.transpose(x, (0, 0)), "order of 2 axes"),
        (lambda: x @ y, "do not fit"),
        (lambda: math.cholesky(x), "do not fit"),
        (lambda: math.broadcast_to(x, (5, 4)), "do not fit"),
        (lambda: math.expand_packed_triangular(3, x), r"6 elements .* not shape \(3, 4\)"),
    ],
)
def test_misuse_is_a_shape_error(build: Callable[[], Node], words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        build()


def test_the_mean_counts_data_when_they_are_bound() -> None:
    data = as_node(np.array([1.0, 2.0, 6.0]))

    assert numbers(math.mean(data), {}) == 3.0


INF = np.inf


@pytest.mark.parametrize(
    ("name", "operands", "expected"),
    [
        ("logaddexp", (-INF, -INF), -INF),
        ("logaddexp", (-INF, 1.0), 1.0),
        ("logaddexp", (INF, 1.0), INF),
        ("logaddexp", (-1e300, -1e300), -1e300),
        ("logaddexp", (-1e15, -1.5), -1.5),
        ("logdiffexp", (1.0, 1.0), -INF),
        ("logdiffexp", (-INF, -INF), -INF),
        ("logdiffexp", (1.0, -INF), 1.0),
        ("log1mexp", (0.0,), -INF),
        ("log1mexp", (1e-300,), -300 * np.log(10)),
        ("log1mexp", (800.0,), 0.0),
        ("arcsin", (1.0,), np.pi / 2),
        ("arccos", (-1.0,), np.pi),
        ("arccos", (1 - 1e-15,), np.arccos(1 - 1e-15)),
        ("arcsinh", (-1e-300,), -1e-300),
        ("sinh", (1e-300,), 1e-300),
    ],
)
def test_a_function_holds_at_its_edges(
    name: str, operands: tuple[float, ...], expected: float
) -> None:
    leaves = {leaf(f"x{i}", value): value for i, value in enumerate(operands)}
    node = getattr(math, name)(*leaves)

    np.testing.assert_allclose(numbers(node, leaves), expected, rtol=1e-13)


@pytest.mark.parametrize("name", ["logaddexp", "logdiffexp"])
@pytest.mark.parametrize("operands", [(-INF, -INF), (0.5, -INF), (0.5, 0.5)])
def test_sums_of_logarithms_have_finite_gradients(name: str, operands: tuple[float, float]) -> None:
    leaves = {leaf(f"x{i}", value): value for i, value in enumerate(operands)}

    assert np.isfinite(slopes(getattr(math, name)(*leaves), leaves)).all()


def test_numpys_functions_are_ours_on_expressions() -> None:
    for name in ("tan", "arcsin", "arctan", "sinh", "cosh", "arcsinh", "arctanh", "log2", "log10"):
        assert getattr(np, name)(x) is getattr(math, name)(x)
    added: Any = np.logaddexp(x, y)  # type: ignore[call-overload]
    assert added is math.logaddexp(x, y)


def test_text_is_no_expression() -> None:
    with pytest.raises(DataError, match="not numeric"):
        math.exp("x")


def test_the_value_not_chosen_leaves_no_trace() -> None:
    z = leaf("z", np.array([-1.0, 4.0]))
    node = math.where(z > 0, math.log(math.guard(z > 0, z, 1.0)), -np.inf)
    (slope,) = slopes(node, {z: np.array([-1.0, 4.0])})

    np.testing.assert_array_equal(slope, [0.0, 0.25])
