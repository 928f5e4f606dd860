"""Every transform: round trip, range and Jacobian."""

import numpy as np
import pytest

from exmc_dask.errors import OptionError, ShapeError
from exmc_dask.ir import const
from exmc_dask.transform import TRANSFORMS, Transform, interval, transform
from tests.exmc_dask.expressions import leaf, numbers

LOWER, UPPER = leaf("lower", 0.0), leaf("upper", 0.0)
BOUNDS = {LOWER: -1.5, UPPER: 2.0}
CASES = {
    **{kind: transform(kind) for kind, row in TRANSFORMS.items() if not row.n_args},
    "lower": interval(LOWER),
    "upper": interval(None, UPPER),
    "interval": interval(LOWER, UPPER),
}
Z = np.array([[-3.0, 0.2, 1.1, 0.0], [0.5, -0.7, 2.0, -1.0]])
z = leaf("z", Z)

every_kind = pytest.mark.parametrize("kind", TRANSFORMS)


def inside(kind: str, x: np.ndarray) -> bool:
    match kind:
        case "log" | "softplus":
            return bool((x > 0).all())
        case "logit":
            return bool(((x > 0) & (x < 1)).all())
        case "lower":
            return bool((x > -1.5).all())
        case "upper":
            return bool((x < 2).all())
        case "interval":
            return bool(((x > -1.5) & (x < 2)).all())
        case "stick_breaking":
            return bool((x > 0).all() and np.allclose(x.sum(-1), 1, atol=1e-15))
        case _:
            return bool((np.diff(x) > 0).all())


@every_kind
def test_a_value_goes_there_and_back(kind: str) -> None:
    x = numbers(CASES[kind].backward(z), {z: Z, **BOUNDS})
    back = numbers(CASES[kind].forward(leaf("x", x)), {leaf("x", x): x, **BOUNDS})

    assert inside(kind, x)
    np.testing.assert_allclose(back, Z, rtol=1e-12, atol=1e-13)


@every_kind
def test_log_det_is_that_of_differences(kind: str) -> None:
    moved, total = CASES[kind], 0.0
    for row in Z:
        step, one = 1e-3, leaf("one", row)
        columns = []
        for unit in np.eye(len(row)):
            x = [
                numbers(moved.backward(one), {one: row + k * step * unit, **BOUNDS})
                for k in (1, -1, 2, -2)
            ]
            columns.append((8 * (x[0] - x[1]) - (x[2] - x[3])) / (12 * step))
        jacobian = np.array(columns).T[: len(row)]  # the last of a simplex follows from the others
        total += np.linalg.slogdet(jacobian).logabsdet

    assert numbers(moved.log_det(z), {z: Z, **BOUNDS}) == pytest.approx(total, abs=1e-8)


@every_kind
def test_shapes(kind: str) -> None:
    moved = CASES[kind]
    x = moved.backward(z)

    assert moved.unconstrained_shape(x.shape) == z.shape
    assert moved.forward(x).shape == z.shape
    assert moved.log_det(z).shape == ()


def test_zero_cuts_the_stick_evenly() -> None:
    zero = leaf("z", np.zeros(4))

    np.testing.assert_allclose(
        numbers(transform("stick_breaking").backward(zero), {zero: np.zeros(4)}), 0.2, rtol=1e-15
    )


def test_far_out_a_simplex_stays_one() -> None:
    x = numbers(transform("stick_breaking").backward(z), {z: 200 * Z})

    assert np.isfinite(x).all()
    np.testing.assert_allclose(x.sum(-1), 1.0, rtol=1e-14)


def test_misuse() -> None:
    with pytest.raises(OptionError, match="known are log, logit"):
        transform("interval")
    with pytest.raises(OptionError, match="lower bound"):
        interval()
    with pytest.raises(ShapeError, match="last axis of fixed length"):
        Transform("ordered").unconstrained_shape(())


def test_bounds_may_be_expressions_of_other_variables() -> None:
    moved = interval(LOWER * 2, const(1.0))
    x = numbers(moved.backward(z), {z: Z, **BOUNDS})

    assert ((x > -3) & (x < 1)).all()
