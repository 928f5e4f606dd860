"""Normal form: the same values, each in its smallest index space."""

import numpy as np
import pytest

from exmc_dask import math
from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node, as_float, broadcast_to, elementwise, make, param, reduce
from exmc_dask.expressions.ops import ELEMENTWISE, FLOAT, Op
from exmc_dask.kernels.analysis.normal import loop_order, normalise, squeezed
from tests.kernels.densities import PARAMS, SLOTS, arrays

A, B, M, V, W = PARAMS
Y, X, C = SLOTS
N = 100
ROWS = broadcast_to(V.reshape(3, 1), (3, 4))
CUT = make(Op.EMBED, (V,), ((6,), ((None, None, 2),)))

CASES = {
    "sum of a constant axis": ROWS.sum(1),
    "sum of all of a constant axis": ROWS.sum(),
    "sum of a scalar along data": broadcast_to(A, ("y.0",)).sum(),
    "sum of whole numbers": broadcast_to(C.reshape("c.0", 1), ("c.0", 3)).sum(1),
    "max of a constant axis": reduce(Op.MAX, ROWS, 1),
    "logsumexp of a constant axis": reduce(Op.LOGSUMEXP, ROWS, 1),
    "logsumexp of minus infinity": reduce(Op.LOGSUMEXP, math.log(B * 0.0), 0),
    "logsumexp of infinity": reduce(Op.LOGSUMEXP, 1.0 / (B * 0.0) ** 2, 0),
    "short axis after a long one": (X * B).sum(1),
    "short axis before a long one": (X * B).T.sum(0),
    "long axis": reduce(Op.MAX, X * B, 0),
    "long and short": math.exp(X * B).sum(),
    "axes of length one": math.exp(V.reshape(1, 3, 1) + A).sum((0, 2)),
    "negative slice": -CUT,
    "scaled slice": CUT * W,
    "divided slice": CUT / (W * W + 1.0),
    "sum of a slice": CUT.sum(),
    "difference of slices": W - CUT,
    "slice less": CUT - W * 2.0,
    "vector times matrix": V @ M,
    "tall matrix times matrix": X @ M.T,
    "wide matrix times tall": X.T @ (X * A),
    "calculated matrix times vector": math.exp(M) @ B,
    "twice transposed": (M * A).T.T,
    "cumulative sum of one": make(Op.CUMSUM, (M[:, :1],), (1, True)),
}


@pytest.mark.parametrize("name", CASES)
def test_values_stay(name: str) -> None:
    leaves = {(Op.DATA, key): array for key, array in arrays(N).items()}
    rng = np.random.default_rng(0)
    leaves |= {
        (Op.PARAM, p.arg): rng.normal(size=tuple(map(int, map(str, p.shape)))) for p in PARAMS
    }
    lengths = {"y.0": N, "c.0": N, "X.0": N, "X.1": 4}
    before, after = evaluate([CASES[name], *normalise([CASES[name]])], leaves, lengths)

    assert before.shape == after.shape
    np.testing.assert_allclose(before, after, rtol=1e-13, atol=1e-13)


def _is_constant(x: Node, axis: int) -> bool:
    """Whether `x` was broadcast along an axis."""
    if x.op is not Op.BROADCAST:
        return False
    own = axis - (x.ndim - x.src[0].ndim)
    return own < 0 or x.src[0].shape[own] == 1


@pytest.mark.parametrize("name", CASES)
def test_elementwise_operations_stand_in_their_smallest_space(name: str) -> None:
    for node in topological(normalise([CASES[name]])):
        if node.op in ELEMENTWISE:
            assert 1 not in node.shape
            for axis in range(node.ndim):
                assert not all(_is_constant(operand, axis) for operand in node.src)


@pytest.mark.parametrize("name", CASES)
def test_what_has_no_loop_form_is_gone(name: str) -> None:
    ops = {node.op for node in topological(normalise([CASES[name]]))}

    assert Op.LOGSUMEXP not in ops


def test_equal_values_of_other_shapes_become_one() -> None:
    column = math.exp(V.reshape(3, 1))
    row = math.exp(V.reshape(1, 3))
    roots = normalise([column, row, math.exp(V)])

    assert len({node for node in topological(roots) if node.op is Op.EXP}) == 1


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        (("y.0",), (0,)),
        (("y.0", 3), (1, 0)),
        ((3, "y.0"), (0, 1)),
        (("y.0", 3, 2), (1, 2, 0)),
        (("y.0", 20), (0, 1)),  # neither short nor long: rows stay together
        (("y.0", "y.1"), (0, 1)),
        ((4, 3), (0, 1)),
        ((1000, 1, 4), (1, 2, 0)),
    ],
)
def test_innermost_loops_are_long(shape: Shape, order: tuple[int, ...]) -> None:
    assert loop_order(shape) == order


def test_a_long_chain_is_transposed_without_recursion() -> None:
    x: Node = X
    for _ in range(3000):
        x = elementwise(Op.ADD, x, as_float(1.0))
    (total,) = normalise([x.sum()])

    assert squeezed(total.shape) == ()


@pytest.mark.parametrize(("k", "op"), [(15, Op.SUM), (16, Op.MATMUL)])
def test_a_product_with_a_wide_matrix_of_fixed_size_is_a_call(k: int, op: Op) -> None:
    triangle = make(Op.DATA, (), "R", (k, 20), FLOAT)
    (forth,) = normalise([triangle @ param("b", (20,))])
    (back,) = normalise([triangle.T @ param("r", (k,))])

    assert (forth.op, back.op) == (op, op)
