"""Emitted text as Python runs it: nothing is compiled, and every index is looked at.

The text is Python; only what it imports is replaced, by NumPy and SciPy. Compiled code does not
notice an index outside of an array, `Window` does.
"""

import ast
from typing import Any

import numpy as np
import scipy.special as sp
from hypothesis import reject
from numpy.typing import NDArray

from exmc_dask.errors import ShapeError
from exmc_dask.expressions import incomplete
from exmc_dask.kernels import Bound
from exmc_dask.kernels.codegen.program import write
from exmc_dask.lowering.density import LogDensity
from tests.kernels.densities import Array, Data, expected, scratch


class Window:
    """An array from some place on; raises IndexError outside of it."""

    def __init__(self, array: NDArray[Any], start: int = 0) -> None:
        self.array, self.start = array, start

    def _place(self, i: int) -> int:
        if not 0 <= self.start + i < self.array.size:
            raise IndexError(f"{self.start} + {i} is outside of {self.array.size}")
        return self.start + i

    def __getitem__(self, i: int) -> Any:
        return self.array[self._place(i)]

    def __setitem__(self, i: int, value: float) -> None:
        self.array[self._place(i)] = value

    def matrix(self, rows: int, columns: int, steps: tuple[int, int] | None = None) -> Array:
        row, column = steps or (columns, 1)
        places = [[i * row + j * column for j in range(columns)] for i in range(rows)]
        return np.array([[self[place] for place in line] for line in places])

    def fill(self, values: Array) -> None:
        for i, value in enumerate(values.ravel()):
            self[i] = value


def view(window: Window, start: int) -> Window:
    return Window(window.array, window.start + start)


def at(window: Window, place: int) -> Any:
    return window[place]


def times(X: Window, n: int, k: int, start: int, m: int, b: Window, out: Window) -> None:
    out.fill(view(X, start).matrix(m, k, (1, n)) @ b.matrix(k, 1))


def transposed_times(X: Window, n: int, k: int, start: int, m: int, r: Window, out: Window) -> None:
    rows = view(X, start).matrix(m, k, (1, n))
    out.fill(out.matrix(k, 1) + rows.T @ r.matrix(m, 1))


def add_at(values: Window, places: Window, n: int, out: Window) -> None:
    for i in range(n):
        out[places[i]] += values[i]


def matmul(a: Window, *rest: Any) -> None:
    a_row, a_column, b, b_row, b_column, out, n, k, m = rest
    out.fill(a.matrix(n, k, (a_row, a_column)) @ b.matrix(k, m, (b_row, b_column)))


def cholesky(a: Window, out: Window, n: int) -> None:
    try:
        out.fill(np.linalg.cholesky(a.matrix(n, n)))
    except np.linalg.LinAlgError:
        out.fill(np.full((n, n), np.nan))


def trisolve(lower: Window, b: Window, out: Window, n: int, m: int, transposed: bool) -> None:
    factor = np.tril(lower.matrix(n, n))
    out.fill(np.linalg.solve(factor.T if transposed else factor, b.matrix(n, m)))


NUMPY = ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "floor", "sign", "sqrt", "maximum")
SCIPY = ("erf", "erfc", "erfcx", "log_ndtr", "digamma", "i0e", "i1e")
INCOMPLETE = (
    *("log_gammainc", "log_gammaincc", "gammainc_shape"),
    *("log_betainc_odds", "betainc_shape"),
)
NAMES: dict[str, Any] = {
    **{name: getattr(np, name) for name in NUMPY},
    **{name: getattr(sp, name) for name in SCIPY},
    **{
        f.__name__: f
        for f in (add_at, at, view, times, transposed_times, matmul, cholesky, trisolve)
    },
    "arctan": np.arctan,
    **{name: getattr(incomplete, name) for name in INCOMPLETE},
    "accumulate": lambda total, x: total + x,
    "inf": np.inf,
    "lgamma": sp.gammaln,
    "minimum": np.minimum,
    "probit": sp.ndtri,
    "pow": lambda x, y: np.float64(x) ** y,
    "sigmoid": sp.expit,
    "softplus": lambda x: np.logaddexp(0.0, x),
    "trigamma": lambda x: sp.polygamma(1, x),
}


def run(source: str, bound: Bound, q: Array) -> tuple[float, Array, Array]:
    """Run both functions of an emitted text: log density, gradient, outputs."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in tree.body:
        assert isinstance(node, ast.FunctionDef)
        node.decorator_list = []
    names = dict(NAMES)
    exec(compile(tree, "emitted", "exec"), names)
    grad, out, work = scratch(bound, q.size)
    rest = [Window(bound.data), Window(bound.data32.astype(np.float64)), Window(bound.index)]
    with np.errstate(all="ignore"):
        logp = names["logp_grad"](Window(q), Window(grad), *rest, Window(work))
        work[:] = np.nan
        names["expand"](Window(q), Window(out), *rest, Window(work))
    return float(logp), grad, out


def assert_agrees(of: LogDensity, data: Data) -> None:
    """Compare the emitted text, run by Python, with NumPy at one point."""
    program = write(of)
    shapes = [output.shape for output in of.outputs]
    try:
        bound = program.storage.bind(data, of.axis_lengths(data), shapes)
    except ShapeError:  # a random graph took two lengths for equal
        reject()
    q = np.random.default_rng(1).normal(size=of.layout.dim) * 0.5
    found = run(program.source, bound, q)
    wanted = expected(of, q, data)
    np.testing.assert_allclose(np.hstack(found), np.hstack(wanted), rtol=1e-9, atol=1e-9)
