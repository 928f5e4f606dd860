"""Differential equations against their solutions: orders, estimates, derivatives, mistakes."""

from typing import Any

import numpy as np
import pytest

from exmc_dask import math
from exmc_dask.errors import OptionError, ShapeError, TraceError
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import FLOAT, Op
from tests.exmc_dask.slopes import differences, leaf, numbers, slopes

TIMES = np.array([0.0, 0.3, 1.0, 1.1, 2.0])
BEGIN = np.array([0.4, -0.7])
rate, start = leaf("rate", 0.0), leaf("start", BEGIN)
NUMBERS = {rate: 1.3, start: BEGIN}


def turn(y: Node, t: Any, rate: Node) -> list[Node]:
    """Rotate with a speed that grows: an angle of ``rate * t**2 / 2``."""
    return [-rate * t * y[1], rate * t * y[0]]


def turned(times: np.ndarray) -> np.ndarray:
    angle, (a, b) = 1.3 * times**2 / 2, BEGIN
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([a * cosine - b * sine, a * sine + b * cosine], axis=1)


def error(times: np.ndarray, **options: Any) -> float:
    solution = math.odeint(turn, start, times, rate, **options)
    return float(np.abs(numbers(solution, NUMBERS) - turned(times)).max())


@pytest.mark.parametrize(("method", "order"), [("rk4", 4), ("dopri5", 5)])
def test_twice_as_many_steps_show_the_order(method: str, order: int) -> None:
    ratio = error(TIMES, method=method, substeps=8) / error(TIMES, method=method, substeps=16)

    assert np.log2(ratio) == pytest.approx(order, abs=0.35)


def test_times_may_fall() -> None:
    back = math.odeint(turn, turned(TIMES)[-1], TIMES[::-1], rate, method="dopri5", substeps=20)

    np.testing.assert_allclose(numbers(back, NUMBERS), turned(TIMES)[::-1], atol=1e-7)


def test_the_estimate_is_as_large_as_the_error_of_a_step() -> None:
    for substeps in (1, 4):
        _, lost = math.odeint(
            turn, start, TIMES, rate, method="dopri5", substeps=substeps, error=True
        )
        found = float(numbers(lost, NUMBERS))

        assert 0.1 < found / error(TIMES, method="dopri5", substeps=substeps) < 100.0


@pytest.mark.parametrize("substeps", [1, 3])
def test_derivatives_are_those_of_differences(substeps: int) -> None:
    solution = math.odeint(turn, start, TIMES, rate, substeps=substeps)
    node = (solution * solution[:, ::-1]).sum() + solution[3, 0] * rate
    for found, expected in zip(slopes(node, NUMBERS), differences(node, NUMBERS), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_the_solution_is_as_long_as_the_times() -> None:
    times = make(Op.DATA, (), "times", ("times.0",), FLOAT)
    solution = math.odeint(lambda y, t: -y, [1.0, rate, 2.0], times)

    assert solution.shape == ("times.0", 3)


MISTAKES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "method": ({"method": "euler"}, OptionError, "one of rk4, dopri5, not 'euler'"),
    "substeps": ({"substeps": 0}, OptionError, "whole number from 1 on, not 0"),
    "estimate": ({"error": True}, OptionError, "'rk4' estimates no error; dopri5 does"),
    "times": ({"ts": 3.0}, ShapeError, "ts is a vector of times"),
    "start": ({"y0": np.eye(2)}, ShapeError, "y0 is a vector of fixed length"),
    "slopes": ({"rhs": lambda y, t, k: [y[0]]}, TraceError, r"returns shape \(1,\) for a y"),
    "function": ({"rhs": lambda y, t, k: np.cross(y, y)}, TraceError, "numpy.cross"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained(name: str) -> None:
    wrong, kind, message = MISTAKES[name]
    right: dict[str, Any] = {"rhs": turn, "y0": start, "ts": TIMES, "theta": rate}
    with pytest.raises(kind, match=message):
        math.odeint(**(right | wrong))
