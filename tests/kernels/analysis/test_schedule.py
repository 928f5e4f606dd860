"""Loops are the ones a person would write, and give what NumPy gives."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.expressions.ir import Node, as_float, make
from exmc_dask.expressions.ops import INT, Op
from exmc_dask.kernels.codegen.program import write
from exmc_dask.lowering.density import LogDensity, lower
from tests.exmc_dask.alike import ALIKE, model_of
from tests.exmc_dask.models import MODELS
from tests.kernels.cases import CASES, DATA_ROWS, FLAG, flags
from tests.kernels.densities import PARAMS, SLOTS, Data, arrays, density, graphs, slot
from tests.kernels.interpreter import assert_agrees


@given(graphs())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_random_graphs_give_what_numpy_gives(drawn: tuple[LogDensity, Data]) -> None:
    assert_agrees(*drawn)


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_models_give_what_numpy_gives(build: Callable[[], object]) -> None:
    model = build()
    of = lower(model.spec)  # type: ignore[attr-defined]
    assert_agrees(of, of.fold(model.data))  # type: ignore[attr-defined]


@pytest.mark.parametrize("ncp", [False, True])
@pytest.mark.parametrize("name", ALIKE)
def test_alike_parts_give_what_numpy_gives(name: str, ncp: bool) -> None:
    model = model_of(name)
    of = lower(model.spec, ncp=ncp)
    assert_agrees(of, of.fold(model.data))


@pytest.mark.parametrize("n", DATA_ROWS)
@pytest.mark.parametrize("name", CASES)
def test_every_op_stays_inside_of_its_arrays(name: str, n: int) -> None:
    logp = math.tanh(0.1 * CASES[name]).sum()
    of = density(logp, PARAMS, [*SLOTS, FLAG], {"out": CASES[name]})

    assert_agrees(of, {**arrays(n), "flag": flags(n)})


def body(logp: Node, *params: Node, slots: tuple[Node, ...] = ()) -> str:
    """Text of ``logp_grad``."""
    return write(density(logp, params, slots, {})).source.split("@njit")[1]


A, B, M, V, W = PARAMS
Y, X, C = SLOTS
LONG = slot("z")


def heads(text: str) -> list[str]:
    """Outermost loops: what they go over."""
    return re.findall(r"^    for \w+ in range\((.*)\):", text, re.MULTILINE)


def test_reductions_and_stores_over_one_space_share_a_loop() -> None:
    text = body(math.exp(B).sum() + (B * B).sum() * A, A, B)

    assert heads(text) == ["4"]
    assert text.count("exp(") == 1


def test_a_dear_value_that_two_loops_read_is_stored_once() -> None:
    e = math.exp(B)
    text = body((e / e.sum() * e).sum(), B)

    assert len(heads(text)) > 1
    assert text.count("exp(") == 1


def test_a_dear_value_that_is_read_shifted_is_stored_once() -> None:
    e = math.exp(B)

    assert body((e[1:] * e[:-1]).sum(), B).count("exp(") == 1


def test_a_cheap_value_is_calculated_again() -> None:
    twice = 2.0 * B + 1.0
    text = body(((twice[1:] - twice[:-1]) ** 2).sum(), B)

    assert text.count("view(work") == 1  # for the gradient of the slices


def test_a_random_walk_adds_its_steps_in_loops_over_the_steps() -> None:
    text = body(((B[1:] - B[:-1]) ** 2).sum() + B.sum(), B)

    assert heads(text) == ["4", "3", "3"]
    assert "grad_b[1 + i] +=" in text or "grad_b[i] +=" in text


def test_a_matrix_is_read_in_one_tiled_loop() -> None:
    eta = X @ B + A
    text = body((as_float(Y) * eta - math.softplus(eta)).sum(), A, B, slots=(X, Y))

    assert [head for head in heads(text) if head.startswith("0, ")] == ["0, n_X, 512"]
    assert text.count(" times(X") == text.count(" transposed_times(X") == 1
    assert text.count("for start") == 1


def test_a_scatter_rides_on_the_loop_over_observations() -> None:
    text = body((math.exp(V[C]) * Y).sum(), V, slots=(C, Y))

    assert text.count("for start in range(0, n_") == 1
    assert text.count("add_at(p, c_tile, rows, grad_v)") == 1


def test_what_is_the_same_along_an_axis_is_calculated_before_the_loop() -> None:
    text = body((math.exp(A) * Y).sum(), A, slots=(Y,))

    assert text.index("exp(") < text.index("for i")


def test_a_row_reduction_stays_inside_of_its_row() -> None:
    text = body(math.logsumexp(M * 2.0, axis=1).sum(), M)

    assert len(heads(text)) == 1
    assert "work" not in text.split('"""')[2]


def test_size_of_text_does_not_depend_on_the_length() -> None:
    def lines(n: int) -> int:
        x = make(Op.PARAM, (), "x", (n,), "float64")
        return len(body(((x[1:] - x[:-1]) ** 2).sum() + math.exp(x).sum(), x).splitlines())

    assert lines(5) == lines(5000)


def test_equal_lengths_share_a_loop_whatever_their_names() -> None:
    text = body(((Y - A) * (Y - A) / LONG).sum() + (LONG * A).sum(), A, slots=(Y, LONG))

    assert len(heads(text)) == 1


def test_an_index_may_be_calculated() -> None:
    n, rng = 6, np.random.default_rng(0)
    rows, columns = (slot(name, 1, INT) for name in ("rows", "columns"))
    picked = M.reshape(12)[rows * 4 + columns]
    of = density((picked * A).sum(), [A, M], [rows, columns], {"picked": picked})
    data = {"rows": rng.integers(0, 3, n), "columns": rng.integers(0, 4, n)}

    assert_agrees(of, data)


def test_numbers_that_are_also_indices_are_numbers() -> None:
    of = density((V[C] * as_float(C * 2 + 1)).sum(), [V], [C], {"twice": as_float(C) * 2.0})

    assert_agrees(of, {"c": np.array([2, 0, 1, 2])})


def test_deterministic_text() -> None:
    def text() -> str:
        return body((math.exp(V[C]) * Y).sum() + ((B[1:] - B[:-1]) ** 2).sum(), V, B, slots=(C, Y))

    assert text() == text()


def units(n: int) -> str:
    """Text of a model of `n` scalars, each observed a few times, with a scale of its own."""
    builder = ed.Builder().rv("mu", ed.Normal, 0.0, 5.0).rv("tau", ed.HalfNormal, 2.0)
    for i in range(n):
        builder.rv(f"x{i}", ed.Normal, "mu", "tau").rv(f"s{i}", ed.HalfNormal, 1.0)
        builder.rv(f"y{i}", ed.Normal, f"x{i}", f"s{i}")
        builder.obs(f"z{i}", f"y{i}", np.arange(1.0 + i % 3))
    return write(lower(builder.build().spec, ncp=False)).source


def test_lanes_of_different_lengths_are_loops_in_a_loop() -> None:
    text = units(50).split("@njit")[1]

    assert text.count("for lane in range(50):") == 1
    assert "for i in range(rows):" in text.split("for lane")[1]
    assert "work_" not in text
    assert "at(" not in text.split("for lane")[1]
