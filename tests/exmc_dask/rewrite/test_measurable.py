"""Observed expressions of a variable against scipy's densities of what was observed."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.errors import ModelError
from exmc_dask.expressions.ir import Node
from exmc_dask.lowering.density import lower
from tests.exmc_dask.models import at, from_data, numbers, open_model

Y = np.array([0.4, 0.9, 0.2])
A = np.array([[2.0, 0.3, 0.0], [0.1, 1.5, -0.4], [0.0, 0.2, 1.0]])
NORMAL = stats.norm(0.5, 2.0)

CASES: dict[str, tuple[Callable[[Node], Node], float]] = {
    "affine": (lambda x: 3.0 - 2.0 * x, stats.norm(2.0, 4.0).logpdf(Y).sum()),
    "quotient": (lambda x: (x + 1.0) / -4.0, stats.norm(-0.375, 0.5).logpdf(Y).sum()),
    "vector slope": (
        lambda x: np.array([1.0, 2.0, -3.0]) * x,
        stats.norm(0.5 * np.array([1.0, 2.0, -3.0]), 2.0 * np.array([1.0, 2.0, 3.0]))
        .logpdf(Y)
        .sum(),
    ),
    "exp": (math.exp, stats.lognorm(2.0, scale=np.exp(0.5)).logpdf(Y).sum()),
    "log": (math.log, (NORMAL.logpdf(np.exp(Y)) + Y).sum()),
    "sigmoid": (
        lambda x: math.sigmoid(2.0 * x),
        (stats.norm(1.0, 4.0).logpdf(np.log(Y / (1 - Y))) - np.log(Y * (1 - Y))).sum(),
    ),
    "expm1": (math.expm1, (NORMAL.logpdf(np.log1p(Y)) - np.log1p(Y)).sum()),
    "log1p": (math.log1p, (NORMAL.logpdf(np.expm1(Y)) + Y).sum()),
    "softplus": (
        math.softplus,
        (NORMAL.logpdf(np.log(np.expm1(Y))) - np.log1p(-np.exp(-Y))).sum(),
    ),
    "sqrt": (math.sqrt, (NORMAL.logpdf(Y**2) + np.log(2 * Y)).sum()),
    "reciprocal": (lambda x: 2.0 / x, (NORMAL.logpdf(2 / Y) + np.log(2 / Y**2)).sum()),
    "matrix": (
        lambda x: A @ x - 1.0,
        stats.multivariate_normal(0.5 * A.sum(1) - 1, 4 * A @ A.T).logpdf(Y),
    ),
    "two matrices": (
        lambda x: A @ (A @ x),
        stats.multivariate_normal(0.5 * (A @ A).sum(1), 4 * A @ A @ A.T @ A.T).logpdf(Y),
    ),
}


def observed(expression: Callable[[Node], Node], **options: object) -> ed.Model:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        x = ed.Normal("x", mu, 2.0, shape=3)
        model.observe("y", expression(x), Y, **options)  # type: ignore[arg-type]
        ed.Deterministic("x_known", x)
    return model


def logp(model: ed.Model, mu: float) -> float:
    density = lower(model.spec)
    data = density.fold(model.data)
    q = np.full(density.layout.dim, mu)
    (value,) = numbers([density.logp], at(density.layout, q), from_data(data))
    return float(value - stats.norm.logpdf(mu))


@pytest.mark.parametrize("name", CASES)
def test_the_likelihood_is_that_of_what_was_observed(name: str) -> None:
    expression, expected = CASES[name]
    assert logp(observed(expression), 0.5) == pytest.approx(expected, rel=1e-11)


def test_the_variable_is_known_and_no_longer_free() -> None:
    model = observed(lambda x: 3.0 - 2.0 * x)
    density = lower(model.spec)
    assert [entry.name for entry in density.layout.entries] == ["mu"]
    (known,) = [o.node for o in density.outputs if o.name == "x_known"]
    (value,) = numbers([known], from_data(density.fold(model.data)))
    np.testing.assert_allclose(value, (3.0 - Y) / 2.0)


def test_weight_counts_elements_and_likelihood_can_be_left_out() -> None:
    full = stats.norm(2.0, 4.0).logpdf(Y)
    weighted = observed(lambda x: 3.0 - 2.0 * x, weight=np.array([1.0, 0.0, 2.0]))
    assert logp(weighted, 0.5) == pytest.approx(full[0] + 2 * full[2])
    assert logp(observed(lambda x: 3.0 - 2.0 * x, likelihood=False), 0.5) == pytest.approx(0.0)


@pytest.mark.parametrize(
    "expression",
    [lambda x: x * x, lambda x: math.sin(x), lambda x: x[0] + x, lambda x: math.exp(A @ x)],
    ids=["twice", "not monotone", "a part", "matrix inside"],
)
def test_what_cannot_be_undone_is_named(expression: Callable[[Node], Node]) -> None:
    with pytest.raises(ModelError, match="'y' observes"):
        lower(observed(expression).spec)


def test_refinement_keeps_digits_of_an_ill_conditioned_matrix() -> None:
    hilbert = 1.0 / (np.arange(3)[:, None] + np.arange(3) + 1.0) + 1e-4 * np.eye(3)
    model = observed(lambda x: hilbert @ x)
    density = lower(model.spec)
    (known,) = [o.node for o in density.outputs if o.name == "x_known"]
    (value,) = numbers([known], from_data(density.fold(model.data)))
    np.testing.assert_allclose(value, np.linalg.solve(hilbert, Y), rtol=1e-12)


def test_open_model_is_the_one_being_declared() -> None:
    with ed.Model() as model:
        assert open_model() is model
