"""Log densities written as graphs, what they should give, and random ones."""

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from numpy.typing import NDArray

from exmc_dask import math
from exmc_dask.errors import ModelError, ShapeError
from exmc_dask.expressions.axes import extents
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.grad import gradient
from exmc_dask.expressions.graph import check
from exmc_dask.expressions.ir import Node, as_float, elementwise, make, param, reduce
from exmc_dask.expressions.layout import Layout
from exmc_dask.expressions.ops import FLOAT, INT, Op
from exmc_dask.kernels import Bound
from exmc_dask.lowering.binding import Binding, Input
from exmc_dask.lowering.density import LogDensity, Output

type Array = NDArray[np.float64]
type Data = Mapping[str, NDArray[np.generic]]

PARAMS = [param("a", ()), param("b", (4,)), param("M", (3, 4)), param("v", (3,)), param("w", (6,))]


def slot(name: str, rank: int = 1, dtype: str = FLOAT) -> Node:
    """Return a data leaf with axes that only the data know."""
    return make(Op.DATA, (), name, tuple(f"{name}.{axis}" for axis in range(rank)), dtype)


SLOTS = [slot("y"), slot("X", 2), slot("c", 1, INT)]


def arrays(n: int) -> Data:
    """Return data of `n` rows for `SLOTS`."""
    rng = np.random.default_rng(n)
    return {"y": rng.normal(size=n), "X": rng.normal(size=(n, 4)), "c": rng.integers(0, 3, n)}


def density(
    logp: Node, params: Sequence[Node], slots: Sequence[Node], outputs: Mapping[str, Node]
) -> LogDensity:
    """Return the log density of a graph as it stands, without the rewrites of a model."""
    return LogDensity(
        logp=logp,
        grads=tuple(gradient(logp, params)),
        outputs=tuple(Output(k, x, x.shape, (None,) * x.ndim) for k, x in outputs.items()),
        stored=tuple(outputs.items()),
        layout=(layout := Layout.of((leaf.arg, extents(leaf.shape, {})) for leaf in params)),
        variables=layout,
        slots=tuple(Input(leaf.arg, leaf.shape, leaf.dtype) for leaf in slots),
        axes=(),
        ragged=(),
        terms=(),
        rolled=(),
        scanned=(),
        binding=Binding((), (), (), (), (), ()),
    )


def expected(of: LogDensity, q: Array, data: Data) -> tuple[float, Array, Array]:
    """Log density, gradient and outputs as NumPy evaluates them."""
    leaves: dict[tuple[Op, str], NDArray[np.generic]] = {
        (Op.DATA, name): array for name, array in data.items()
    }
    leaves |= {(Op.PARAM, name): value for name, value in of.layout.unpack(q).items()}
    roots = [of.logp, *of.grads, *(output.node for output in of.outputs)]
    logp, *rest = evaluate(roots, leaves, of.axis_lengths(data))
    flat = [np.ravel(value).astype(float) for value in rest]
    n = len(of.grads)
    return float(logp), np.concatenate(flat[:n]), np.concatenate([np.zeros(0), *flat[n:]])


def scratch(bound: Bound, dim: int) -> tuple[Array, Array, Array]:
    """Return gradient, outputs and work space, full of NaN."""
    return np.full(dim, np.nan), np.full(bound.n_out, np.nan), np.full(bound.work_size, np.nan)


SMOOTH = [Op.NEG, Op.TANH, Op.SIGMOID, Op.ABS, Op.SOFTPLUS, Op.SIN]
PAIRS = [Op.ADD, Op.SUB, Op.MUL, Op.MAXIMUM]
CUTS = [(1, None, 1), (None, -1, 1), (None, None, -1), (None, None, 2), (0, 1, 1), (-2, None, 1)]
ROWS = [2, 3, 5, 9]


@st.composite
def graphs(draw: DrawFn, steps: int = 20) -> tuple[LogDensity, Data]:
    """Draw a random log density and data that fit it."""
    data = arrays(draw(st.sampled_from(ROWS)))
    pool = [*PARAMS, *map(as_float, SLOTS)]
    for _ in range(draw(st.integers(2, steps))):
        x, y = draw(st.sampled_from(pool[-9:])), draw(st.sampled_from(pool))
        try:
            made = _step(draw, x, y)
        except ShapeError:
            continue
        if made.ndim <= 3:
            pool.append(made)
    outputs = {f"out{i}": node for i, node in enumerate(pool[-3:])}
    logp = sum((math.tanh(0.3 * node).sum() for node in pool[-6:]), start=as_float(0.0))
    try:
        found = density(logp, PARAMS, SLOTS, outputs)
        check([found.logp, *found.grads, *outputs.values()], found.axis_lengths(data))
    except ModelError:  # lengths do not fit, or a CONCAT that has no derivative
        assume(False)
    return found, data


def _step(draw: DrawFn, x: Node, y: Node) -> Node:
    """Make one more value of two others."""
    axis = draw(st.integers(0, max(0, x.ndim - 1)))
    match draw(st.integers(0, 15)):
        case 0 | 1:
            return elementwise(draw(st.sampled_from(SMOOTH)), x)
        case 2 | 3 | 4:
            return elementwise(draw(st.sampled_from(PAIRS)), x, y)
        case 5:
            return math.where(x < y, math.exp(math.tanh(x)), x / (math.softplus(y) + 0.5))
        case 6 | 7 if x.ndim:
            return reduce(draw(st.sampled_from([Op.SUM, Op.MAX, Op.LOGSUMEXP])), x, axis)
        case 8 if x.ndim == 2:
            return x.T
        case 9 | 10 if x.ndim:
            cut = draw(st.sampled_from(CUTS))
            cuts = tuple(cut if a == axis else (None, None, 1) for a in range(x.ndim))
            return make(Op.SLICE, (x,), cuts)
        case 11 if x.shape[:1] == (3,):
            return x[SLOTS[2]]
        case 12 if x.ndim:
            return make(Op.CUMSUM, (x,), (axis, draw(st.booleans())))
        case 13 if x.shape[:1] == ("c.0",):
            return make(Op.SCATTER_ADD, (x, SLOTS[2]), 3)
        case 14:
            return make(Op.MATMUL, (x, y))
        case 15 if x.ndim:
            return make(Op.CONCAT, (x, y), axis)
        case _:
            raise ShapeError("this step does not fit")
