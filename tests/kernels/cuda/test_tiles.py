"""Chains of a block that read large data together, tile by tile, have the gradients they had."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from hypothesis import given, reject, settings

import exmc_dask as ed
from exmc_dask.errors import ShapeError
from exmc_dask.kernels import compile
from exmc_dask.kernels.codegen import parts
from exmc_dask.kernels.codegen.program import Program, write
from exmc_dask.kernels.cuda import on_gpu, run_cuda
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.sampler import block as block_of_draws
from exmc_dask.sampler.settings import Settings
from tests.kernels.codegen.test_kernel import every_op, everything
from tests.kernels.cuda.test_run_cuda import Model, Ran, run
from tests.kernels.densities import Array, Data, expected, graphs
from tests.kernels.devices import Emulator

Edit = Callable[[str, str], str]
ROWS = 75  # two tiles of 32 rows and one of 11


def regression(rows: int = ROWS, columns: int = 5, dtype: str = "float64") -> ed.Model:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((rows, columns), dtype=np.dtype(dtype))
    with ed.Model() as model:
        alpha, beta = ed.Normal("alpha", 0, 3), ed.Normal("beta", 0, 1, shape=columns)
        x = ed.Data("X", X, dtype=dtype)
        ed.Bernoulli("y", logit_p=alpha + x @ beta, observed=rng.integers(0, 2, rows))
    return model


def two_matrices() -> ed.Model:
    """Of different kinds, in loops of different lengths; the gradient of one needs two loops."""
    rng = np.random.default_rng(8)
    with ed.Model() as model:
        beta, gamma = ed.Normal("beta", 0, 1, shape=3), ed.Normal("gamma", 0, 1, shape=7)
        x = ed.Data("X", rng.standard_normal((ROWS, 3)).astype(np.float32), dtype="float32")
        z = ed.Data("Z", rng.standard_normal((40, 7)))
        u = ed.Data("U", rng.standard_normal((ROWS, 7)))
        eta = x @ beta + u @ gamma
        ed.Bernoulli("y", logit_p=eta - ed.math.logsumexp(eta), observed=np.ones(ROWS, int))
        ed.Poisson("n", ed.math.exp(0.1 * (z @ gamma)), observed=rng.integers(0, 3, 40))
    return model


@dataclass(frozen=True)
class Subject:
    density: LogDensity
    data: Data
    program: Program

    @classmethod
    def of(cls, density: LogDensity, data: Data, tile: int = 32) -> "Subject":
        return cls(density, data, write(density, "cuda", tile))


MODELS = {
    "float64": regression,
    "float32": lambda: regression(columns=8, dtype="float32"),
    "two matrices": two_matrices,
}


@cache
def subject(name: str) -> Subject:
    model = MODELS[name]()
    density = lower(model.spec, ncp=False)
    return Subject.of(density, density.fold(model.data))


def gradients(
    of: Subject,
    lanes: int,
    block: int,
    seed: int = 0,
    edit: Edit | None = None,
) -> tuple[Array, Array]:
    """Return positions, and log density and gradient there, for each group of a block."""
    program = of.program
    shapes = [output.shape for output in of.density.outputs]
    bound = program.storage.bind(of.data, of.density.axis_lengths(of.data), shapes)
    groups, dim = block // lanes, of.density.layout.dim
    q = np.random.default_rng(5).normal(size=(groups, dim)) * 0.5
    grads, works = np.full((groups, dim), np.nan), np.full((groups, bound.work_size), np.nan)
    device = Emulator(program.source, lanes, seed, edit, block)
    logps = np.full((groups, lanes), np.nan)

    def gradient() -> None:
        me = device.current
        rest = (bound.data, bound.data32, bound.index, works[me // lanes])
        logps.flat[me] = device.module.logp_grad(q[me // lanes], grads[me // lanes], *rest)

    device.call(gradient, groups)
    assert np.array_equal(logps, np.repeat(logps[:, :1], lanes, 1), equal_nan=True)
    return q, np.hstack([logps[:, :1], grads])


def wanted(of: Subject, q: Array) -> Array:
    """Return what NumPy gives."""
    rows = [expected(of.density, row, of.data) for row in q]
    return np.array([[logp, *grad] for logp, grad, _ in rows])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("lanes", "block"), [(1, 32), (4, 32), (8, 64), (32, 64)])
def test_gradients_of_a_block_are_those_of_numpy(name: str, lanes: int, block: int) -> None:
    of = subject(name)

    q, found = gradients(of, lanes, block)

    np.testing.assert_allclose(found, wanted(of, q), rtol=1e-11, atol=1e-12)


def unshared(name: str, text: str) -> str:
    """Let every chain read the same rows of the same tiles from the whole matrix by itself."""
    if name != "kernel.py":
        return text
    for whole, near in re.findall(r"fetch\((\w+, \w+, \d+, start, rows), (\w+, 32)\)", text):
        matrix, n, width, _, _ = whole.split(", ")
        text = text.replace(f"({near}, {width}, 0, ", f"({matrix}, {n}, {width}, start, ")
    assert text.count("fetch(") == len(re.findall(r"times\(\w+, n_\w+, \d+, start", text)) / 2
    return re.sub(r"^ *fetch\(.*\n", "", text, flags=re.M)


@pytest.mark.parametrize("name", ["float64", "float32"])
@pytest.mark.parametrize(("lanes", "block"), [(1, 32), (8, 64)])
def test_sharing_changes_no_bit(name: str, lanes: int, block: int) -> None:
    of = subject(name)

    np.testing.assert_array_equal(
        gradients(of, lanes, block)[1], gradients(of, lanes, block, edit=unshared)[1]
    )


def test_neither_order_nor_block_changes_a_bit() -> None:
    of = subject("float64")

    found = [gradients(of, 8, block, seed)[1] for block, seed in ((32, 1), (32, 2), (128, 3))]

    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2][:4])


BARRIERS = {
    "before a tile is written": "    block_sync()  # until nobody reads any more what is there\n",
    "before it is read": "    block_sync()  # until all of it is there\n",
}


@pytest.mark.parametrize("lanes", [1, 8, 32])
@pytest.mark.parametrize("which", BARRIERS)
def test_a_block_that_does_not_wait_has_other_gradients(which: str, lanes: int) -> None:
    def hurry(name: str, text: str) -> str:
        assert name != "tiles.py" or text.count(BARRIERS[which]) == 1
        return text.replace(BARRIERS[which], "") if name == "tiles.py" else text

    of = subject("float64")
    calm = gradients(of, lanes, 64)[1]

    assert any(
        not np.array_equal(gradients(of, lanes, 64, seed, hurry)[1], calm) for seed in range(24)
    )


def test_every_operation_beside_a_shared_matrix_is_that_of_numpy() -> None:
    of = Subject.of(every_op(), everything(7))
    assert "fetch(" in of.program.source

    q, found = gradients(of, 16, 32)

    np.testing.assert_allclose(found, wanted(of, q), rtol=2e-9, atol=1e-12)


@given(graphs())
@settings(max_examples=10, deadline=None, derandomize=True)
def test_random_graphs_are_those_of_numpy(made: tuple[LogDensity, Data]) -> None:
    of = Subject.of(*made)
    try:
        q, found = gradients(of, 8, 32)
    except ShapeError:  # a random graph took two lengths for equal
        reject()
    np.testing.assert_allclose(found, wanted(of, q), rtol=1e-9, atol=1e-9)


def test_parts_of_a_long_function_share_one_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LONG", 10)
    monkeypatch.setattr(parts, "LENGTH", 4)
    whole = subject("two matrices")
    of = Subject.of(whole.density, whole.data)
    assert of.program.source.count("shared.array(") == 3
    assert "def logp_grad_2(" in of.program.source

    np.testing.assert_array_equal(gradients(of, 8, 32)[1], gradients(whole, 8, 32)[1])


# -- draws ---------------------------------------------------------------------------------------

N = 4
QUICK = Settings(seed=11, tune=3, draws=1)


@cache
def sampled() -> Model:
    model = regression(rows=40, columns=2)
    density = lower(model.spec, ncp=False)
    data, kernel = density.fold(model.data), on_gpu.compile(density, 8, 32)
    host = compile(density)
    point = density.support_point(model.data)
    return Model(host, host.bind(data), kernel.program.source, kernel.bind(data), point)


def draw(chains: int, lanes: int, seed: int = 1, edit: Edit | None = None, block: int = 32) -> Ran:
    of = sampled()
    device = Emulator(of.text, lanes, seed, edit, block)
    return run(of, device, QUICK, of.starts(QUICK, chains), N, in_step=True)


@pytest.mark.parametrize("lanes", [1, 4, 32])
def test_draws_in_step_are_those_of_the_cpu(lanes: int) -> None:
    """Also where a block has groups without a chain."""
    ran = draw(3, lanes)

    of = sampled()
    for chain, state in enumerate(of.starts(QUICK, 3)):
        _, draws = block_of_draws.run(of.kernel, of.bound, QUICK, state, N)
        np.testing.assert_allclose(ran.kept["values"][chain], draws.values, rtol=1e-8)
        np.testing.assert_array_equal(ran.kept["stats_i"][chain], draws.stats_i)


def test_who_shares_a_block_changes_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do other blocks, nor a ring so small that chains that are ahead wait in every launch."""
    many = draw(3, 16)
    monkeypatch.setattr(run_cuda, "_RING_BYTES", 1)
    monkeypatch.setattr(run_cuda, "_LEAST_ROWS", 1)
    alone = draw(1, 16, seed=2)
    others = draw(3, 16, seed=3, block=64)

    assert others.launches > many.launches
    for name, rows in many.kept.items():
        np.testing.assert_array_equal(others.kept[name], rows)
        np.testing.assert_array_equal(alone.kept[name], rows[:1])


def test_whoever_has_no_point_of_its_own_is_given_one() -> None:
    """What is in memory that nobody wrote to may be an index, or take forever."""
    call = "        logp = logp_grad(walk[point],"

    def look(name: str, text: str) -> str:
        assert name != "trips.py" or text.count(call) == 1
        return text.replace(call, f"        assert math.isfinite(walk[point].sum())\n{call}")

    assert draw(3, 8, edit=look).launches > 0


ALONE = {
    "leaves": ("if not block_any(moves):", "if not moves:"),
    "takes no part": (
        "        logp = logp_grad(",
        "        logp = 0.0 if not moves else logp_grad(",
    ),
}


@pytest.mark.parametrize("how", ALONE)
def test_a_chain_that_goes_its_own_way_is_noticed(how: str) -> None:
    def hurry(name: str, text: str) -> str:
        assert name != "trips.py" or text.count(ALONE[how][0]) >= 1
        return text.replace(*ALONE[how]) if name == "trips.py" else text

    with pytest.raises(RuntimeError, match="wait for"):
        draw(3, 8, edit=hurry)
