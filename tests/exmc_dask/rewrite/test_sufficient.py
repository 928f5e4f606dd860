"""Gaussian likelihoods by way of a triangle: the same density, at a cost without n."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import Op
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.rewrite.sufficient import MOST

N = 40
RNG = np.random.default_rng(12)
X = RNG.normal(size=(N, 3))
Y = X @ [1.0, -2.0, 0.5] + RNG.normal(size=N)
GROUP = RNG.integers(0, 4, N)
MODELS: dict[str, Callable[[], ed.Model]] = {}


def _row(declare: Callable[[Node, Node], Any]) -> Callable[[Node, Node], Any]:
    def build() -> ed.Model:
        with ed.Model() as model:
            b = ed.Normal("b", 0, 2, shape=3)
            s = ed.HalfNormal("s", 1)
            declare(b, s)
        return model

    MODELS[declare.__name__] = build
    return declare


@_row
def mean_only(b: Node, s: Node) -> None:
    ed.Normal("y", b[0], s, observed=Y)


@_row
def regression(b: Node, s: Node) -> None:
    ed.Normal("y", ed.Normal("a", 0, 5) + X @ b, s, observed=Y)


@_row
def sums_of_rows(b: Node, s: Node) -> None:
    ed.Normal("y", (X * b).sum(1), s, observed=Y)


@_row
def columns(b: Node, s: Node) -> None:
    ed.Normal("y", b[0] + b[1] * X[:, 0] - X[:, 1] / 2.0 * b[2], s, observed=Y)


@_row
def known_errors(b: Node, s: Node) -> None:
    ed.Normal("y", X @ b, RNG.uniform(0.5, 2, N), observed=Y)


@_row
def offset(b: Node, s: Node) -> None:
    ed.Normal("y", ed.Data("exposure", np.log1p(np.abs(Y))) + X @ b, s, observed=Y)


@_row
def scaled(b: Node, s: Node) -> None:
    ed.Normal("y", math.exp(b[0]) * (X @ math.tanh(b) + X[:, 0]), s, observed=Y)


@_row
def few_groups(b: Node, s: Node) -> None:
    ed.Normal("y", ed.Normal("g", 0, 1, shape=4)[GROUP] + X @ b, s, observed=Y)


@_row
def low_rank(b: Node, s: Node) -> None:
    ed.Normal("y", np.column_stack([X[:, 0], X[:, 0], X[:, 1]]) @ b + b[0], s, observed=Y)


@_row
def more_columns_than_rows(b: Node, s: Node) -> None:
    ed.Normal("y", RNG.normal(size=(4, 9)) @ ed.Normal("c", 0, 1, shape=9), s, observed=Y[:4])


def triangles(density: LogDensity) -> list[Node]:
    roots = [node for _, node in density.binding.folded]
    return [node for node in topological(roots) if node.op is Op.TRIANGLE]


def numbers(density: LogDensity, model: ed.Model, q: np.ndarray) -> np.ndarray:
    """Log density and gradient."""
    slots = density.fold(model.data)
    leaves: dict[Any, Any] = {(Op.DATA, name): array for name, array in slots.items()}
    leaves |= {(Op.PARAM, name): value for name, value in density.layout.unpack(q).items()}
    found = evaluate([density.logp, *density.grads], leaves, density.axis_lengths(slots))
    return np.concatenate([np.ravel(part) for part in found])


@pytest.mark.parametrize("name", MODELS)
def test_density_and_gradient_stay(name: str) -> None:
    model = MODELS[name]()
    plain, short = lower(model.spec, sufficient=False), lower(model.spec)
    assert triangles(short)
    assert not triangles(plain)
    for q in np.random.default_rng(1).normal(size=(5, short.layout.dim)):
        expected = numbers(plain, model, q)
        scale = max(1.0, np.abs(expected).max())

        np.testing.assert_allclose(numbers(short, model, q), expected, atol=1e-10 * scale)


@pytest.mark.parametrize("name", ["mean_only", "regression", "known_errors", "offset"])
def test_the_kernel_reads_nothing_that_is_as_long_as_the_data(name: str) -> None:
    density = lower(MODELS[name]().spec)
    long = [slot for slot in density.slots if not all(isinstance(d, int) for d in slot.shape)]

    assert long == []


def test_new_data_of_another_length_make_another_triangle() -> None:
    model = MODELS["mean_only"]()
    model.set_data({"y.observed": Y[:7]})
    plain, short = lower(model.spec, sufficient=False), lower(model.spec)
    q = np.array([0.3, -0.2, 0.1, 0.4])

    np.testing.assert_allclose(numbers(short, model, q), numbers(plain, model, q), rtol=1e-12)


def test_an_ill_conditioned_design_keeps_the_digits_of_its_residuals() -> None:
    t = np.linspace(0.0, 1.0, 60)
    design = t[:, None] ** np.arange(9)
    truth = np.random.default_rng(3).normal(size=9) * 30
    y = design @ truth + 1e-3 * np.sin(40 * t)
    with ed.Model() as model:
        b = ed.Flat("b", shape=9)
        ed.Normal("y", design @ b, 1e-3, observed=y)
    assert np.linalg.cond(design) > 1e5
    with mpmath.workdps(50):
        rest = mpmath.matrix(y) - mpmath.matrix(design) * mpmath.matrix(truth)
        squares = mpmath.fsum(r * r for r in rest) / mpmath.mpf(1e-3) ** 2
        exact = float(-squares / 2 - 60 * mpmath.log(1e-3) - 30 * mpmath.log(2 * mpmath.pi))
    by_triangle = numbers(lower(model.spec), model, truth)[0]
    by_residuals = numbers(lower(model.spec, sufficient=False), model, truth)[0]

    assert abs(by_triangle - exact) < 20 * max(abs(by_residuals - exact), 1e-10 * abs(exact))


NOT_FOR = {
    "a heavy tail": lambda b, s: ed.StudentT("y", 4, X @ b, s, observed=Y),
    "errors of parameters": lambda b, s: ed.Normal("y", X @ b, math.exp(b)[GROUP % 3], observed=Y),
    "many groups": lambda b, s: ed.Normal("y", ed.Normal("g", 0, 1, shape=9)[GROUP], s, observed=Y),
    "an element each": lambda b, s: ed.Normal("y", ed.Normal("m", 0, 1, shape=N), s, observed=Y),
    "curves": lambda b, s: ed.Normal("y", math.exp(X @ b), s, observed=Y),
    "many columns": lambda b, s: ed.Normal(
        "y", RNG.normal(size=(N, MOST)) @ ed.Normal("c", 0, 1, shape=MOST), s, observed=Y
    ),
    "a mask": lambda b, s: ed.Normal("y", X @ b, s, observed=Y, mask=Y > 0),
}


@pytest.mark.parametrize("name", NOT_FOR)
def test_what_is_no_sum_of_squares_of_few_columns_stays(name: str) -> None:
    with ed.Model() as model:
        NOT_FOR[name](ed.Normal("b", 0, 2, shape=3), ed.HalfNormal("s", 1))

    assert not triangles(lower(model.spec))


def test_the_switch_does_not_move_the_posterior() -> None:
    model = MODELS["regression"]()
    options: dict[str, Any] = {
        "draws": 2000,
        "tune": 300,
        "chains": 2,
        "random_seed": 4,
        "progressbar": False,
    }
    by, without = (ed.sample(model, **options, sufficient=on) for on in (True, False))

    first, second = (trace.posterior["b"].to_numpy() for trace in (by, without))
    assert not np.array_equal(first, second)  # two kernels, whose last digits differ
    np.testing.assert_allclose(first.mean((0, 1)), second.mean((0, 1)), atol=0.03)
