"""Every transform: round trip, range, Jacobian and shapes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import OptionError, ShapeError
from exmc_dask.expressions.ir import Node, const
from exmc_dask.transforms import TRANSFORMS, Transform, interval, sum_to_zero_along, transform
from tests.exmc_dask.slopes import Array, leaf, numbers, slopes

type Coordinates = Callable[[Array], Array]

LOWER, UPPER = leaf("lower", 0.0), leaf("upper", 0.0)
BOUNDS = {LOWER: -1.5, UPPER: 2.0}
Z = np.array([[-3.0, 0.2, 1.1, 0.0, -0.4, 0.7], [0.5, -0.7, 2.0, -1.0, 0.9, -0.1]])


def everything(x: Array) -> Array:
    return x.ravel()


def triangle(k: int) -> Coordinates:
    return lambda x: x[np.tril_indices(len(x), k)]


@dataclass(frozen=True)
class Case:
    """A transform, what its values are like, and the coordinates in which they are measured.

    `coordinates` are those of one event in which its density is declared; None where values lie in
    a flat space without such coordinates, whose volume is the root of the Gram determinant.
    """

    moved: Transform
    inside: Callable[[Array], bool]
    coordinates: Coordinates | None = everything
    z: Array = field(default_factory=lambda: Z)
    ndim: int = 1  # of an event of z


def _rising(x: Array) -> bool:
    return bool((np.diff(x) > 0).all())


def _lower(x: Array) -> bool:
    return bool((np.triu(x, 1) == 0).all() and (np.diagonal(x, 0, -2, -1) > 0).all())


CASES: dict[str, Case] = {
    "log": Case(transform("log"), lambda x: bool((x > 0).all())),
    "log_exp_m1": Case(transform("log_exp_m1"), lambda x: bool((x > 0).all())),
    "logit": Case(transform("logit"), lambda x: bool(((x > 0) & (x < 1)).all())),
    "lower": Case(interval(LOWER), lambda x: bool((x > -1.5).all())),
    "upper": Case(interval(None, UPPER), lambda x: bool((x < 2).all())),
    "interval": Case(interval(LOWER, UPPER), lambda x: bool(((x > -1.5) & (x < 2)).all())),
    "circular": Case(transform("circular"), lambda x: bool((np.abs(x) <= np.pi).all())),
    "ordered": Case(transform("ordered"), _rising),
    "positive_ordered": Case(
        transform("positive_ordered"), lambda x: _rising(x) and bool((x > 0).all())
    ),
    "stick_breaking": Case(
        transform("stick_breaking"),
        lambda x: bool((x > 0).all() and np.allclose(x.sum(-1), 1, atol=1e-15)),
        lambda x: x[:-1],  # the last follows from the others
    ),
    "sum_to_zero": Case(
        transform("sum_to_zero"), lambda x: np.allclose(x.sum(-1), 0, atol=1e-14), None
    ),
    "sum_to_zero, two axes": Case(
        sum_to_zero_along(2),
        lambda x: np.allclose(x.sum(-1), 0, atol=1e-14) and np.allclose(x.sum(-2), 0, atol=1e-14),
        None,
        Z.reshape(2, 2, 3),
        ndim=2,
    ),
    "sum_apart": Case(
        transform("sum_apart"), lambda x: np.allclose(x.sum(-1), Z[:, -1] * np.sqrt(6), atol=1e-14)
    ),
    "unit_vector": Case(
        transform("unit_vector"), lambda x: np.allclose((x**2).sum(-1), 1, atol=1e-15)
    ),
    "cholesky_cov": Case(transform("cholesky_cov"), _lower, triangle(0)),
    "cholesky_cov_packed": Case(
        transform("cholesky_cov_packed"), lambda x: bool((x[:, [0, 2, 5]] > 0).all())
    ),
    "cholesky_corr": Case(
        transform("cholesky_corr"),
        lambda x: _lower(x) and np.allclose((x**2).sum(-1), 1, atol=1e-14),
        triangle(-1),
    ),
}

every_case = pytest.mark.parametrize("name", CASES)
one_to_one = pytest.mark.parametrize("name", [name for name in CASES if name != "unit_vector"])


def backward(moved: Transform, z: Array) -> Array:
    one = leaf("one", z)
    return numbers(moved.backward(one), {one: z, **BOUNDS})


def forward(moved: Transform, x: Array) -> Array:
    one = leaf("x", x)
    return numbers(moved.forward(one), {one: x, **BOUNDS})


def log_det(moved: Transform, z: Array) -> float:
    one = leaf("one", z)
    return float(numbers(moved.log_det(one), {one: z, **BOUNDS}))


def test_every_kind_has_a_case() -> None:
    assert {case.moved.kind for case in CASES.values()} == TRANSFORMS.keys()


@every_case
def test_values_are_inside_and_come_back(name: str) -> None:
    case = CASES[name]
    x = backward(case.moved, case.z)

    assert case.inside(x)
    np.testing.assert_allclose(
        backward(case.moved, forward(case.moved, x)), x, rtol=1e-12, atol=1e-13
    )


@one_to_one
def test_one_value_has_one_place(name: str) -> None:
    case = CASES[name]

    np.testing.assert_allclose(
        forward(case.moved, backward(case.moved, case.z)), case.z, rtol=1e-11, atol=1e-12
    )


def volume(case: Case, z: Array) -> float:
    """Logarithm of what an element of the volume of z becomes, by differences of order h^4."""
    measure, step, columns = case.coordinates or everything, 1e-3, []
    for unit in np.eye(z.size).reshape(-1, *z.shape):
        x = [measure(backward(case.moved, z + k * step * unit)) for k in (1, -1, 2, -2)]
        columns.append((8 * (x[0] - x[1]) - (x[2] - x[3])) / (12 * step))
    jacobian = np.array(columns).T
    if case.coordinates is None:
        return float(np.linalg.slogdet(jacobian.T @ jacobian).logabsdet / 2)
    return float(np.linalg.slogdet(jacobian).logabsdet)


@one_to_one
def test_log_det_is_that_of_differences(name: str) -> None:
    case = CASES[name]

    assert log_det(case.moved, case.z) == pytest.approx(
        sum(volume(case, z) for z in case.z), abs=1e-8
    )


@pytest.mark.parametrize("n", [2, 3, 6])
def test_the_length_of_a_direction_has_a_law_of_its_own(n: int) -> None:
    z = Z[0, :n]
    length = np.linalg.norm(z)
    law = stats.chi(n).logpdf(length) - (n - 1) * np.log(length)  # dz = length^(n - 1) dlength dS

    assert log_det(transform("unit_vector"), z) == pytest.approx(law, abs=1e-13)


@every_case
def test_shapes(name: str) -> None:
    case = CASES[name]
    z = leaf("z", case.z)
    x = case.moved.backward(z)

    assert case.moved.unconstrained_shape(x.shape) == z.shape
    assert case.moved.forward(x).shape == z.shape
    assert case.moved.log_det(z).shape == ()


@pytest.mark.parametrize("name", ["sum_to_zero", "sum_apart"])
def test_lengths_stay(name: str) -> None:
    np.testing.assert_allclose(
        (backward(transform(name), Z) ** 2).sum(-1), (Z**2).sum(-1), rtol=1e-14
    )


def test_zero_cuts_the_stick_evenly() -> None:
    np.testing.assert_allclose(backward(transform("stick_breaking"), np.zeros(4)), 0.2, rtol=1e-15)


def test_zero_is_no_correlation() -> None:
    np.testing.assert_allclose(
        backward(transform("cholesky_corr"), np.zeros(6)), np.eye(4), atol=1e-15
    )


@pytest.mark.parametrize("name", ["stick_breaking", "cholesky_corr", "unit_vector", "circular"])
@pytest.mark.parametrize("far", [0.0, 100.0])
def test_everywhere_is_finite(name: str, far: float) -> None:
    moved = CASES[name].moved
    leaves = {leaf("z", Z): far * Z}
    for node in (moved.backward(leaf("z", Z)), moved.log_det(leaf("z", Z))):
        assert np.isfinite(numbers(node, leaves)).all()
        assert np.isfinite(slopes(node, leaves)).all()


def test_other_names() -> None:
    assert transform("softplus") == ed.transforms.log_exp_m1
    assert transform("simplex") == ed.transforms.simplex == ed.transforms.stick_breaking
    assert transform("logodds") == ed.transforms.logodds == ed.transforms.logit
    assert sum_to_zero_along(1) == ed.transforms.sum_to_zero


MISSHAPEN: dict[str, tuple[Transform, tuple[int, ...], str]] = {
    "a scalar": (transform("ordered"), (), "last axis of fixed length"),
    "a simplex of one": (transform("stick_breaking"), (1,), "2 elements or more, not 1"),
    "a direction of one": (transform("unit_vector"), (3, 1), "2 elements or more"),
    "zero of one": (transform("sum_to_zero"), (1,), "a last axis of fixed length, 2 or more"),
    "zeros of too few axes": (sum_to_zero_along(2), (3,), "2 last axes"),
    "a vector": (transform("cholesky_cov"), (3,), "square matrices"),
    "a wide matrix": (transform("cholesky_corr"), (2, 3), "square matrices of 2 rows or more"),
    "a correlation of one": (transform("cholesky_corr"), (1, 1), "square matrices of 2 rows"),
    "no triangle": (transform("cholesky_cov_packed"), (5,), "n * (n + 1) / 2 elements"),
}


@pytest.mark.parametrize("mistake", MISSHAPEN)
def test_a_wrong_shape_is_named(mistake: str) -> None:
    moved, shape, words = MISSHAPEN[mistake]
    with pytest.raises(ShapeError) as caught:
        moved.unconstrained_shape(shape)

    assert moved.kind in str(caught.value)
    assert words in str(caught.value)


def test_misuse() -> None:
    with pytest.raises(OptionError, match=r"known are .*ordered.*interval\(lower, upper\)"):
        transform("interval")
    with pytest.raises(OptionError, match="lower bound"):
        interval()


def test_bounds_may_be_expressions_of_other_variables() -> None:
    z: Node = leaf("z", Z)
    x = numbers(interval(LOWER * 2, const(1.0)).backward(z), {z: Z, **BOUNDS})

    assert ((x > -3) & (x < 1)).all()
