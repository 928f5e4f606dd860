"""Covariance functions against the textbook's formulas, written in plain NumPy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from exmc_dask.errors import ModelError, OptionError, ShapeError
from exmc_dask.expressions.ir import Node
from exmc_dask.gp import cov
from exmc_dask.gp.covariance import Covariance
from tests.exmc_dask.slopes import Array, differences, leaf, numbers, slopes

RNG = np.random.default_rng(11)
X = np.vstack([RNG.normal(size=(4, 2)), np.zeros((1, 2)), np.zeros((1, 2))])  # two are the same
XS = RNG.normal(size=(3, 2))
AT, TO = leaf("X", X), leaf("XS", XS)
PLACES: dict[Node, Any] = {AT: X, TO: XS}
LS, LS2, PERIOD = 0.7, np.array([0.7, 1.9]), 1.3


def distance(x: Array, z: Array, ls: Any = LS) -> Array:
    return np.sqrt((((x[:, None] - z[None]) / ls) ** 2).sum(-1))


def matern(a: Array, *powers: float) -> Array:
    return sum((p * a**i for i, p in enumerate(powers)), start=np.zeros(a.shape)) * np.exp(-a)


@dataclass(frozen=True)
class Case:
    """A covariance made of hyperparameters, their numbers, and the formula."""

    make: Callable[..., Covariance]
    given: dict[str, Any]
    formula: Callable[[Array, Array], Array]


CASES = {
    "ExpQuad": Case(
        lambda ls: cov.ExpQuad(2, ls), {"ls": LS}, lambda x, z: np.exp(-distance(x, z) ** 2 / 2)
    ),
    "ExpQuad, ls a column": Case(
        lambda ls: cov.ExpQuad(2, ls=ls),
        {"ls": LS2},
        lambda x, z: np.exp(-distance(x, z, LS2) ** 2 / 2),
    ),
    "ExpQuad, second column": Case(
        lambda ls: cov.ExpQuad(2, ls=ls, active_dims=[1]),
        {"ls": LS},
        lambda x, z: np.exp(-distance(x[:, 1:], z[:, 1:]) ** 2 / 2),
    ),
    "RatQuad": Case(
        lambda ls, alpha: cov.RatQuad(2, alpha, ls),
        {"ls": LS, "alpha": 1.4},
        lambda x, z: (1 + distance(x, z) ** 2 / 2.8) ** -1.4,
    ),
    "Matern12": Case(
        lambda ls: cov.Matern12(2, ls), {"ls": LS}, lambda x, z: matern(distance(x, z), 1)
    ),
    "Matern32": Case(
        lambda ls: cov.Matern32(2, ls),
        {"ls": LS},
        lambda x, z: matern(np.sqrt(3) * distance(x, z), 1, 1),
    ),
    "Matern52, ls a column": Case(
        lambda ls: cov.Matern52(2, ls),
        {"ls": LS2},
        lambda x, z: matern(np.sqrt(5) * distance(x, z, LS2), 1, 1, 1 / 3),
    ),
    "Exponential": Case(
        lambda ls: cov.Exponential(2, ls), {"ls": LS}, lambda x, z: np.exp(-distance(x, z) / 2)
    ),
    "Cosine": Case(
        lambda ls: cov.Cosine(2, ls), {"ls": LS}, lambda x, z: np.cos(2 * np.pi * distance(x, z))
    ),
    "Periodic": Case(
        lambda ls, period: cov.Periodic(2, period=period, ls=ls),
        {"ls": LS, "period": PERIOD},
        lambda x, z: np.exp(
            -(np.sin(np.pi * (x[:, None] - z[None]) / PERIOD) ** 2).sum(-1) / LS**2 / 2
        ),
    ),
    "Linear": Case(
        lambda c: cov.Linear(2, c), {"c": 0.4}, lambda x, z: (x - 0.4) @ (z - 0.4).T
    ),
    "Polynomial": Case(
        lambda c, offset: cov.Polynomial(2, c, 3, offset),
        {"c": 0.4, "offset": 1.5},
        lambda x, z: ((x - 0.4) @ (z - 0.4).T + 1.5) ** 3,
    ),
    "Constant": Case(
        lambda c: cov.Constant(c), {"c": 2.5}, lambda x, z: np.full((len(x), len(z)), 2.5)
    ),
    "WhiteNoise": Case(
        lambda sigma: cov.WhiteNoise(sigma),
        {"sigma": 0.3},
        lambda x, z: 0.09 * np.eye(len(x)) if x is z else np.zeros((len(x), len(z))),
    ),
    "sums, products, scales": Case(
        lambda eta, ls: (
            eta**2 * cov.ExpQuad(2, ls) + 0.5 + cov.Linear(2, 0.0) * cov.Matern32(2, ls)
        ),
        {"eta": 1.7, "ls": LS},
        lambda x, z: (
            1.7**2 * np.exp(-distance(x, z) ** 2 / 2)
            + 0.5
            + x @ z.T * matern(np.sqrt(3) * distance(x, z), 1, 1)
        ),
    ),
    "power": Case(
        lambda ls: cov.ExpQuad(2, ls) ** 2, {"ls": LS}, lambda x, z: np.exp(-distance(x, z) ** 2)
    ),
}  # fmt: skip

every_case = pytest.mark.parametrize("name", CASES)


def posed(name: str) -> tuple[Covariance, dict[Node, Any]]:
    leaves = {key: leaf(key, value) for key, value in CASES[name].given.items()}
    return CASES[name].make(**leaves), {leaves[k]: v for k, v in CASES[name].given.items()}


@every_case
def test_matrices_are_those_of_the_formula(name: str) -> None:
    k, given = posed(name)
    formula, given = CASES[name].formula, given | PLACES
    whole = formula(X, X)

    np.testing.assert_allclose(numbers(k(AT), given), whole, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(numbers(k(AT, TO), given), formula(X, XS), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(numbers(k(AT, diag=True), given), np.diag(whole), rtol=1e-12)


@every_case
def test_gradients_are_those_of_differences(name: str) -> None:
    k, given = posed(name)
    weighted = k(AT) * RNG.normal(size=(6, 6))

    found, expected = (of(weighted, given, PLACES) for of in (slopes, differences))
    for one, other in zip(found, expected, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


def test_a_vector_is_one_column() -> None:
    k = cov.ExpQuad(1, ls=1.0)

    np.testing.assert_array_equal(numbers(k([0.0, 1.0]), {}), numbers(k([[0.0], [1.0]]), {}))


@pytest.mark.parametrize(
    "scaled",
    [
        lambda k, two: two * k,
        lambda k, two: k * two,
        lambda k, two: k + k,
        lambda k, two: np.float64(2.0) * k,
        lambda k, two: 2 * k,
    ],
)
def test_a_scale_may_stand_on_either_side(scaled: Callable[[Covariance, Node], Covariance]) -> None:
    k, two = cov.Matern52(2, ls=LS), leaf("two", 0.0)

    np.testing.assert_allclose(
        numbers(scaled(k, two)(X), {two: 2.0}), 2 * numbers(k(X), {}), rtol=1e-14
    )


# The transform of the covariance, by summing over a fine grid, is the spectral density.
@pytest.mark.parametrize("name", ["ExpQuad", "Matern12", "Matern32", "Matern52"])
def test_the_spectral_density_is_the_transform_of_the_covariance(name: str) -> None:
    ls, step = 0.8, 2e-3
    x = np.arange(-30, 30, step)
    k = (1.5**2 * getattr(cov, name)(1, ls=ls)) + 0.5 * getattr(cov, name)(1, ls=ls)
    omega = np.array([[0.0], [0.7], [2.5]])
    at = leaf("omega", omega)
    values = numbers(k(x, np.zeros(1)), {})[:, 0]
    expected = (np.cos(omega * x) * values).sum(axis=1) * step

    found = numbers(k.power_spectral_density(at), {at: omega})

    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["ExpQuad", "Matern52"])
def test_the_spectral_density_of_two_columns_is_the_variance_in_all(name: str) -> None:
    k = getattr(cov, name)(2, ls=LS2)
    step = 0.05
    grid = np.arange(-60, 60, step)
    omega = np.stack([axis.ravel() for axis in np.meshgrid(grid, grid)], axis=1)
    at = leaf("omega", omega)
    total = numbers(k.power_spectral_density(at), {at: omega}).sum()

    assert total * (step / (2 * np.pi)) ** 2 == pytest.approx(1.0, rel=2e-4)


def test_mistakes_are_named() -> None:
    with pytest.raises(ShapeError, match="input_dim=1, but X has 2 columns"):
        cov.ExpQuad(1, ls=1.0)(X)
    with pytest.raises(
        ShapeError, match=r"active_dims=\[2\] has to name some of the columns 0 to 1"
    ):
        cov.ExpQuad(2, ls=1.0, active_dims=[2])
    with pytest.raises(ShapeError, match="input_dim=0 has to be"):
        cov.ExpQuad(0, ls=1.0)
    with pytest.raises(ShapeError, match="ls is a scalar or a vector"):
        cov.ExpQuad(2, ls=np.ones((2, 2)))
    with pytest.raises(ShapeError, match="places are a matrix"):
        cov.ExpQuad(2, ls=1.0)(np.ones((2, 2, 2)))
    with pytest.raises(OptionError, match="has to be a scalar"):
        np.ones(3) * cov.ExpQuad(2, ls=1.0)
    omega, k = leaf("omega", np.ones((3, 1))), cov.ExpQuad(1, ls=1.0)
    with pytest.raises(ModelError, match="Linear has no power spectral density"):
        (cov.Linear(1, 0.0) + 1.0).power_spectral_density(omega)
    with pytest.raises(ModelError, match="Product has no power spectral density"):
        (k * k).power_spectral_density(omega)
