"""Emitted text for a group of lanes gives what NumPy gives, in whatever order the lanes run."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, reject, settings
from numpy.typing import NDArray

from exmc_dask.errors import ShapeError
from exmc_dask.kernels.codegen import dialect_cpu, dialect_cuda
from exmc_dask.kernels.codegen.program import Program, write
from exmc_dask.lowering.density import LogDensity
from tests.kernels.codegen.test_kernel import every_op, everything
from tests.kernels.densities import Array, Data, expected, graphs, scratch
from tests.kernels.devices import Emulator

LANES_AND_ROWS = [(1, 12), (4, 7), (8, 12), (32, 7)]
Edit = Callable[[str, str], str]


@cache
def written(of: LogDensity) -> Program:
    return write(of, "cuda")


def run(
    of: LogDensity, data: Data, q: Array, lanes: int, seed: int = 0, edit: Edit | None = None
) -> NDArray[np.float64]:
    """Log density, gradient and outputs by the lanes of one group; every lane has the first."""
    program = written(of)
    shapes = [output.shape for output in of.outputs]
    bound = program.storage.bind(data, of.axis_lengths(data), shapes)
    grad, out, work = scratch(bound, q.size)
    rest = (bound.data, bound.data32, bound.index)
    device, logps = Emulator(program.source, lanes, seed, edit), []

    def gradient() -> None:
        logps.append(float(device.module.logp_grad(q, grad, *rest, work)))

    device.call(gradient, 1)
    work[:] = np.nan
    device.call(device.module.expand, 1, q, out, *rest, work)
    assert len({np.float64(logp).tobytes() for logp in logps}) == 1
    return np.hstack([logps[0], grad, out])


def test_both_dialects_have_the_same_rows_in_the_same_order() -> None:
    assert list(dialect_cuda.RULES) == list(dialect_cpu.RULES)


@pytest.mark.parametrize(("lanes", "n"), LANES_AND_ROWS)
def test_every_operation_is_that_of_numpy(lanes: int, n: int) -> None:
    data = everything(n)
    q = np.random.default_rng(3).normal(size=every_op().layout.dim) * 0.7

    found = run(every_op(), data, q, lanes)

    np.testing.assert_allclose(found, np.hstack(expected(every_op(), q, data)), rtol=2e-9)


@given(graphs())
@settings(max_examples=15, deadline=None, derandomize=True)
def test_random_graphs_are_those_of_numpy(made: tuple[LogDensity, Data]) -> None:
    of, data = made
    q = np.random.default_rng(1).normal(size=of.layout.dim) * 0.5
    try:
        found = run(of, data, q, 4)
    except ShapeError:  # a random graph took two lengths for equal
        reject()
    np.testing.assert_allclose(found, np.hstack(expected(of, q, data)), rtol=1e-9, atol=1e-9)


def test_the_order_of_lanes_changes_no_bit() -> None:
    data, q = everything(7), np.linspace(-1.0, 1.0, every_op().layout.dim)
    one, other = (run(every_op(), data, q, 8, seed) for seed in (1, 2))

    np.testing.assert_array_equal(one, other)


def test_the_order_shows_when_lanes_do_not_wait() -> None:
    def hurry(name: str, text: str) -> str:
        return text.replace("    group_sync()\n", "    pass\n") if name == "kernel.py" else text

    data, q = everything(7), np.linspace(-1.0, 1.0, every_op().layout.dim)
    calm, hasty = run(every_op(), data, q, 8), run(every_op(), data, q, 8, edit=hurry)

    assert not np.array_equal(calm, hasty)


@pytest.mark.parametrize("distance", [1, 2])
def test_lanes_that_miss_each_other_are_noticed(distance: int) -> None:
    def leave(name: str, text: str) -> str:
        return text.replace("    distance = LANES // 2\n", f"    distance = lane() // {distance}\n")

    with pytest.raises(RuntimeError, match="wait for"):
        run(every_op(), everything(7), np.ones(every_op().layout.dim), 4, edit=leave)
