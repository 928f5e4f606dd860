"""Compiled kernels give what NumPy gives, for every operation and for data of any length."""

from functools import cache

import numpy as np
import pytest

from benchmarks.models import seven as models
from exmc_dask import math
from exmc_dask.errors import CompileError, DataError, ShapeError
from exmc_dask.expressions.axes import size
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node, as_float, make
from exmc_dask.expressions.ops import INT, Op
from exmc_dask.kernels import Kernel, compile
from exmc_dask.lowering.density import LogDensity, lower
from tests.exmc_dask.alike import model_of
from tests.exmc_dask.models import MODELS
from tests.kernels.cases import CASES, DATA_ROWS, FLAG, flags
from tests.kernels.densities import (
    PARAMS,
    SLOTS,
    Array,
    Data,
    arrays,
    density,
    expected,
    scratch,
    slot,
)

SEVEN = ["simple", "medium", "stress", "eight_schools", "funnel", "logistic", "sv"]


def run(kernel: Kernel, data: Data, q: Array) -> tuple[float, Array, Array]:
    bound = kernel.bind(data)
    grad, out, work = scratch(bound, kernel.dim)
    rest = (bound.data, bound.data32, bound.index)
    logp = kernel.logp_grad(q, grad, *rest, work)
    kernel.expand(q, out, *rest, work)
    return logp, grad, out


@cache
def every_op() -> LogDensity:
    slots = [*SLOTS, FLAG]
    logp = sum((math.tanh(0.1 * x).sum() for x in CASES.values()), start=as_float(0.0))
    return density(logp, PARAMS, slots, CASES)


def everything(n: int) -> Data:
    return {**arrays(n), "flag": flags(n)}


@cache
def all_values(n: int) -> tuple[tuple[float, Array, Array], tuple[float, Array, Array]]:
    data = everything(n)
    q = np.random.default_rng(3).normal(size=every_op().layout.dim) * 0.7
    return run(compile(every_op()), data, q), expected(every_op(), q, data)


def test_every_op_has_a_case() -> None:
    ops = {node.op for node in topological([every_op().logp])}

    assert ops == set(Op) - {Op.VAR, Op.LOCAL, Op.TRIANGLE}


@pytest.mark.parametrize("n", DATA_ROWS)
@pytest.mark.parametrize("name", CASES)
def test_every_op_gives_what_numpy_gives(name: str, n: int) -> None:
    found, wanted = (values[2] for values in all_values(n))
    ends = np.cumsum(
        [size(node.shape, every_op().axis_lengths(everything(n))) for node in CASES.values()]
    )
    last = list(CASES).index(name)
    part = slice(ends[last - 1] if last else 0, ends[last])

    np.testing.assert_allclose(found[part], wanted[part], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", DATA_ROWS)
def test_the_gradient_of_everything_is_that_of_numpy(n: int) -> None:
    (logp, grad, _), (wanted, slope, _) = all_values(n)

    assert logp == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(grad, slope, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", SEVEN)
def test_the_seven_models_give_what_numpy_gives(name: str) -> None:
    model = getattr(models, name)()
    of = lower(model.spec, ncp=False)
    data, kernel = of.fold(model.data), compile(of)
    rng = np.random.default_rng(5)
    for _ in range(5):
        q = rng.normal(size=kernel.dim) * 0.5
        found, wanted = np.hstack(run(kernel, data, q)), np.hstack(expected(of, q, data))
        scale = max(1.0, float(np.max(np.abs(wanted))))

        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12 * scale)


def test_processes_give_what_numpy_gives() -> None:
    model = MODELS["processes"]()
    of = lower(model.spec)
    data, q = of.fold(model.data), np.random.default_rng(4).normal(size=of.layout.dim) * 0.5
    found, wanted = np.hstack(run(compile(of), data, q)), np.hstack(expected(of, q, data))

    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["groups", "designs", "lines"])
def test_alike_parts_give_what_numpy_gives(name: str) -> None:
    model = model_of(name)
    of = lower(model.spec, ncp=False)
    data, q = of.fold(model.data), np.random.default_rng(4).normal(size=of.layout.dim) * 0.5
    found, wanted = np.hstack(run(compile(of), data, q)), np.hstack(expected(of, q, data))

    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_lanes_may_be_of_any_length() -> None:
    model = model_of("groups")
    of = lower(model.spec, ncp=False)
    q = np.random.default_rng(4).normal(size=of.layout.dim) * 0.5
    model.set_data({f"y{i}.observed": np.linspace(0, 1, n) for i, n in enumerate((0, 700, 1, 9))})
    data = of.fold(model.data)
    found, wanted = np.hstack(run(compile(of), data, q)), np.hstack(expected(of, q, data))

    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_a_kernel_is_made_once() -> None:
    assert compile(every_op()) is compile(every_op())


def test_the_key_names_the_text() -> None:
    one = density(PARAMS[1].sum(), PARAMS, [], {})
    two = density(PARAMS[1].sum() * 2.0, PARAMS, [], {})

    assert len({compile(one).key, compile(two).key}) == 2


def test_an_operation_without_a_row_is_named() -> None:
    free = make(Op.VAR, (), "beta", (), "float64")

    with pytest.raises(CompileError, match="var"):
        compile(density(free * PARAMS[0], PARAMS, [], {}))


def test_a_target_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CompileError, match="abacus"):
        compile(every_op(), "abacus")


A, B, _, V, _ = PARAMS
Y, X, C = SLOTS


@cache
def gathered() -> Kernel:
    other = slot("z")
    return compile(density((V[C] * Y / other).sum(), [V], [C, Y, other], {"picked": V[C]}))


GOOD: Data = {"c": np.array([0, 2, 1]), "y": np.ones(3), "z": np.ones(3)}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"c": np.array([0, 3, 1])}, DataError),
        ({"c": np.array([0, -1, 1])}, DataError),
        ({"y": np.array([1, 2**53 + 2, 1])}, DataError),
        ({"y": np.ones(1)}, ShapeError),
        ({"z": np.ones(4)}, ShapeError),
        ({"y": np.ones((3, 1))}, (DataError, ShapeError, ValueError)),
    ],
)
def test_data_that_a_kernel_cannot_read_are_refused(
    change: Data, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    gathered().bind(GOOD)

    with pytest.raises(error):
        gathered().bind({**GOOD, **change})


def test_outputs_may_be_as_long_as_the_data() -> None:
    assert [gathered().bind({k: np.tile(v, m) for k, v in GOOD.items()}).n_out for m in (1, 3)] == [
        3,
        9,
    ]


def test_no_data_give_the_empty_sum() -> None:
    empty = {name: array[:0] for name, array in GOOD.items()}
    logp, grad, _ = run(gathered(), empty, np.ones(3))

    assert logp == 0.0
    assert not grad.any()


def test_whole_numbers_stay_exact() -> None:
    n = slot("n", 1, INT)
    kernel = compile(density((as_float(n) * A).sum(), [A], [n], {}))

    assert run(kernel, {"n": np.array([2**53 - 1])}, np.ones(1))[0] == 2.0**53 - 1


def test_float32_data_are_kept_but_not_calculated_in_float32() -> None:
    h = slot("h", 1, "float32")
    kernel = compile(density((math.exp(h) * A).sum(), [A], [h], {}))
    data = {"h": np.array([0.1, 0.2], np.float32)}
    bound = kernel.bind(data)

    assert (bound.data.size, bound.data32.size) == (0, 2)
    assert run(kernel, data, np.ones(1))[0] == pytest.approx(
        np.exp(data["h"].astype(float)).sum(), rel=1e-12
    )


def test_one_gradient_of_a_regression_is_counted() -> None:
    eta = X @ B
    kernel = compile(density((as_float(Y) * eta - math.softplus(eta)).sum(), [B], [X, Y], {}))
    one, ten = (kernel.cost(arrays(n)) for n in (10, 100))

    assert one.transcendentals == 2 * 10  # softplus and its derivative
    assert 2 * 2 * 40 <= one.flops <= 2 * 2 * 40 + 10 * 10
    assert one.bytes >= 8 * (40 + 10)
    assert ten.transcendentals == 10 * one.transcendentals


def test_every_run_gives_the_same_bits() -> None:
    (logp, grad, out), _ = all_values(DATA_ROWS[0])
    data = everything(DATA_ROWS[0])
    q = np.random.default_rng(3).normal(size=every_op().layout.dim) * 0.7
    again = run(compile(every_op()), data, q)

    assert logp == again[0]
    np.testing.assert_array_equal(np.hstack([grad, out]), np.hstack(again[1:]))


def test_a_choice_that_was_not_taken_does_not_leak() -> None:
    safe: Node = math.where(B > 0.0, math.log(B), 0.0)
    logp, grad, _ = run(compile(density(safe.sum(), [B], [], {})), {}, np.array([-1.0, 0, 1, 2]))

    assert logp == pytest.approx(np.log(2.0))
    np.testing.assert_allclose(grad, [0.0, 0.0, 1.0, 0.5])
