"""Data as a kernel reads them: in float64 or float32, each array copied once."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import exmc_dask as ed
from exmc_dask.expressions.ir import Node
from exmc_dask.kernels import Kernel, compile
from exmc_dask.lowering.density import lower
from tests.kernels.densities import scratch
from tests.kernels.interpreter import run

RNG = np.random.default_rng(7)
X = RNG.normal(size=(700, 6))
Y = RNG.normal(size=700)
GROUP = RNG.integers(0, 700, 300)
KIND = RNG.integers(0, 3, 700)
PAIRS = RNG.normal(size=(3, 6))
LOWER = np.tril(RNG.normal(size=(5, 5))) + 5.0 * np.eye(5)


def product(x: Node) -> None:
    ed.Bernoulli("y", logit_p=x @ ed.Normal("b", 0, 1, shape=6), observed=Y > 0.0)


def transposed(x: Node) -> None:
    ed.Normal("y", x.T @ ed.Normal("b", 0, 1, shape=700), 1.0, observed=Y[:6])


def matrices(x: Node) -> None:
    table = x @ ed.Normal("b", 0, 1, shape=(6, 3))
    ed.Categorical("y", logit_p=table, observed=KIND)


def matrices_the_other_way(x: Node) -> None:
    b = ed.Normal("b", 0, 1, shape=(3, 700))
    ed.Normal("y", b @ x, 1.0, observed=PAIRS)


def columns(x: Node) -> None:
    b = ed.Normal("b", 0, 1, shape=2)
    ed.StudentT("y", 4, b[0] * x[:, 0] * x[:, 1] + b[1] * x[:, 2] ** 2, 1.0, observed=Y)


def rows(x: Node) -> None:
    b = ed.Normal("b", 0, 1, shape=6)
    ed.StudentT("y", 4, (x[GROUP] * b).sum(1), 1.0, observed=Y[:300])


def observed(x: Node) -> None:
    ed.Normal("y", ed.Normal("b", 0, 1), ed.HalfNormal("s", 1), observed=x)


def residuals(x: Node) -> None:
    b = ed.Normal("b", 0, 1, shape=6)
    ed.Normal("y", ed.Normal("a", 0, 1) + x @ b, ed.HalfNormal("s", 1), observed=Y)


def folded(x: Node) -> None:
    z = (x - ed.math.mean(x, 0)) / ed.math.sqrt(ed.math.mean(x * x, 0))
    product(z)


MODELS = (
    product,
    transposed,
    matrices,
    matrices_the_other_way,
    columns,
    rows,
    observed,
    residuals,
    folded,
)


def built(body: Callable[[Node], None], x: NDArray[np.generic], dtype: str | None) -> ed.Model:
    with ed.Model() as model:
        body(ed.Data("X", x, dtype=dtype))
    return model


def gradient(model: ed.Model, q: NDArray[np.float64]) -> NDArray[np.float64]:
    kernel, data = compiled(model)
    bound = kernel.bind(data)
    grad, _, work = scratch(bound, kernel.dim)
    logp = kernel.logp_grad(q, grad, bound.data, bound.data32, bound.index, work)
    return np.array([logp, *grad])


def compiled(model: ed.Model) -> tuple[Kernel, dict[str, NDArray[np.generic]]]:
    density = lower(model.spec)
    return compile(density), density.fold(model.data)


@pytest.mark.parametrize("body", MODELS, ids=lambda body: body.__name__)
def test_float32_differs_by_the_rounding_of_the_data_only(body: Callable[[Node], None]) -> None:
    single = built(body, X, "float32")
    kernel, data = compiled(single)
    q = 0.1 * RNG.normal(size=kernel.dim)
    rounded = built(body, X.astype(np.float32), None)

    np.testing.assert_allclose(gradient(single, q), gradient(rounded, q), rtol=1e-12, atol=1e-10)
    logp, grad, _ = run(kernel.source, kernel.bind(data), q)
    np.testing.assert_allclose(gradient(single, q), [logp, *grad], rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize(
    ("body", "read"),
    [(product, 4), (matrices, 4), (transposed, 4), (columns, 4), (observed, 4), (residuals, 0)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_kernel_reads_four_bytes_a_number(body: Callable[[Node], None], read: int) -> None:
    kernel, data = compiled(built(body, X, "float32"))
    wide, wide_data = compiled(built(body, X, None))
    bound, wide_bound = kernel.bind(data), wide.bind(wide_data)

    assert bound.data32.nbytes == read * X.size
    assert wide_bound.data.size - bound.data.size == bound.data32.size
    if body is product:
        assert wide.cost(wide_data).bytes - kernel.cost(data).bytes == 4 * X.size


def test_what_is_solved_with_is_float64_in_the_kernel() -> None:
    def body(x: Node) -> None:
        z = ed.math.solve_triangular(x, ed.Normal("b", 0, 1, shape=5))
        ed.Potential("p", (z * z).sum())

    single, wide = built(body, LOWER, "float32"), built(body, LOWER.astype(np.float32), None)
    q = RNG.normal(size=5)

    np.testing.assert_allclose(gradient(single, q), gradient(wide, q), rtol=1e-14)


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_binding_copies_each_array_once(dtype: str | None) -> None:
    model = built(product, X, dtype)
    kernel, _ = compiled(model)
    x = RNG.normal(size=(200_000, 6))
    model.set_data({"X": x, "y.observed": RNG.integers(0, 2, len(x)) > 0})
    data = kernel.density.fold(model.data)
    tracemalloc.start()
    bound = kernel.bind(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = sum(array.nbytes for array in (bound.data, bound.data32, bound.index))

    assert peak < 1.05 * kept
    whole = bound.data if dtype is None else bound.data32
    np.testing.assert_array_equal(whole[: x.size].reshape(6, -1).T, x.astype(whole.dtype))


def test_shapes_of_no_rows_and_of_many_axes_find_their_places() -> None:
    cube = RNG.normal(size=(3, 40, 200))
    with ed.Model() as model:
        b = ed.Normal("b", 0, 1)
        ed.Normal("y", b * ed.Data("cube", cube, dtype="float32"), 1.0, observed=cube)
        ed.Normal("z", b, 1.0, observed=ed.Data("none", np.zeros((0, 2))))
    kernel, data = compiled(model)
    bound = kernel.bind(data)

    np.testing.assert_array_equal(np.sort(bound.data32), np.sort(cube.astype(np.float32).ravel()))
    np.testing.assert_allclose(
        gradient(model, np.array([0.3])),
        [
            -0.5 * 0.09
            - 0.5 * ((cube - 0.3 * cube.astype(np.float32)) ** 2).sum()
            - 0.5 * np.log(2 * np.pi) * (1 + cube.size),
            -0.3 + (cube.astype(np.float32) * (cube - 0.3 * cube.astype(np.float32))).sum(),
        ],
        rtol=1e-6,
    )
