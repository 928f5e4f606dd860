"""Simplified graphs: the same numbers, and the form that was meant."""

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import LEAVES, expressions

from exmc_dask import math
from exmc_dask.expressions.axes import Shape, extents
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.grad import gradient
from exmc_dask.expressions.graph import check, topological
from exmc_dask.expressions.ir import (
    Node,
    as_float,
    broadcast_to,
    const,
    elementwise,
    make,
    param,
    reduce,
)
from exmc_dask.expressions.ops import FLOAT, INT, Op
from exmc_dask.rewrite.bounds import bounds
from exmc_dask.rewrite.simplify import simplify
from exmc_dask.rewrite.sums import count

x, y = param("x", (3,)), param("y", (3,))
m = param("m", (3, 4))
s, t = param("s", ()), param("t", ())
g = make(Op.DATA, (), "g", ("g.0",), INT)
data = make(Op.DATA, (), "data", ("g.0",), FLOAT)


def minus(node: Node) -> Node:
    return elementwise(Op.NEG, node)


def full(node: Node, shape: Shape = (3,)) -> Node:
    return broadcast_to(node, shape)


CASES: dict[str, tuple[Node, Node]] = {
    "x + 0": (x + 0.0, x),
    "0 + x": (0.0 + x, x),
    "x - 0": (x - 0.0, x),
    "0 - x": (0.0 - x, -x),
    "x * 1": (x * 1.0, x),
    "x * -1": (x * -1.0, -x),
    "x / 1": (x / 1.0, x),
    "--x": (minus(minus(x)), x),
    "x + x": (x + x, x * 2.0),
    "x + y + x": (x + y + x, y + x * 2.0),
    "x + y + y": (x + y + y, x + y * 2.0),
    "x - -y": (x - -y, x + y),
    "-x * -y": (-x * -y, x * y),
    "constants": (x * (const(3.0) * 4.0 - 2.0), x * 10.0),
    "infinity stays": (s * math.log(const(0.0)), s * math.log(const(0.0))),
    "division by a scalar": (x / s, x * (1.0 / s)),
    "division by a constant": (x / 4.0, x * 0.25),
    "division by a row": (
        m / full(x.reshape(3, 1), (3, 4)),
        m * full(1.0 / x.reshape(3, 1), (3, 4)),
    ),
    "division by the selected": (data / x[g], data * (1.0 / x)[g]),
    "x**0": (x**0, full(const(1.0))),
    "x**1": (x**1, x),
    "x**2": (x**2, x * x),
    "x**3": (x**3, x * x * x),
    "x**4": (x**4, (x * x) * (x * x)),
    "x**-2": (x**-2, 1.0 / (x * x)),
    "x**0.5": (x**0.5, math.sqrt(x)),
    "x**2.5": (x**2.5, x**2.5),
    "int power": (as_float(g**2), as_float(g * g)),
    "negative int power stays": (as_float(g**-1),) * 2,
    "scalars together": (x * s * t, x * (s * t)),
    "terms together": (x + s - t, x + (s - t)),
    "log exp": (math.log(math.exp(x)), x),
    "log sigmoid": (math.log(math.sigmoid(x)), -math.softplus(-x)),
    "log of a sigmoid or the other": (
        math.log(math.where(x < y, math.sigmoid(x), 1.0 - math.sigmoid(x))),
        -math.softplus(math.where(x < y, -x, x)),
    ),
    "log 1 - sigmoid": (math.log1p(-math.sigmoid(x)), -math.softplus(x)),
    "log1p exp": (math.log1p(math.exp(x)), math.softplus(x)),
    "sqrt square": (math.sqrt(x**2), math.abs(x)),
    "work before repeating": (math.exp(full(s)) + full(t), full(math.exp(s) + t)),
    "work on a column": (
        math.exp(full(x.reshape(3, 1), (3, 4))),
        full(math.exp(x.reshape(3, 1)), (3, 4)),
    ),
    "work before selecting": (math.exp(x[g]) * s, (math.exp(x) * s)[g]),
    "not on data": (math.exp(data[g]),) * 2,
    "not across two indices": (x[g] * data[g], x[g] * data[g]),
    "choice of true": (math.where(const(0.0) < math.exp(s), s, t), s),
    "choice of false": (math.where(math.sigmoid(s) < -0.5, s, t), t),
    "touching bounds": (math.where(math.maximum(s, 3.0) > 3.0, s, t),) * 2,
    "choice of equals": (math.where(s < t, x, x), x),
    "choice of not": (math.where(~(s < t), s, t), math.where(s < t, t, s)),
    "two halves of a choice": (
        math.where(x < y, x, 0.0) + math.where(x < y, 0.0, y),
        math.where(x < y, x, y),
    ),
    "same choice twice": (
        math.where(s < t, math.where(s < t, s, 1.0), t),
        math.where(s < t, s, t),
    ),
    "reshape twice": (m.reshape(12).reshape(2, 6), m.reshape(2, 6)),
    "reshape back": (m.reshape(12).reshape(3, 4), m),
    "transpose twice": (m.T.T, m),
    "slice of nothing": (x[:] * 1.0, x),
    "reversal stays": (x[::-1], x[::-1]),
    "broadcast through a reshape": (full(x.reshape(1, 3), (4, 3)), full(x, (4, 3))),
    "select from equals": (full(s)[g], full(s, ("g.0",))),
    "joined to data": (s + math.concatenate([full(s, (1,)), data]),) * 2,
    "sum of a scalar": (full(s).sum(), s * 3.0),
    "sum of data's length": (full(s, ("g.0",)).sum(), s * count("g.0")),
    "sum along one axis": (full(x.reshape(3, 1), (3, 4)).sum(1), x * 4.0),
    "factor out": ((x * y * s).sum(), (x * y).sum() * s),
    "reciprocal stays inside": ((x[g] * (1.0 / data)).sum(),) * 2,
    "factors of a square": (((x * s) * (x * s)).sum(), (x * x).sum() * s * s),
    "factor of a row": ((m * full(s, (3, 4))).sum(1), m.sum(1) * s),
    "term out of a product": ((x * y * s - t).sum(), (x * y).sum() * s - t * 3.0),
    "difference stays": ((x - s).sum(), (x - s).sum()),
    "choice out": (
        math.where(full(s < t), x, full(const(-np.inf))).sum(),
        math.where(s < t, x.sum(), -np.inf),
    ),
    "sum of sums": (m.sum(1).sum(), m.sum()),
    "sum of a view": (m.T.reshape(12).sum(), m.sum()),
    "sum of scattered": (make(Op.SCATTER_ADD, (data, g), 3).sum(), data.sum()),
    "sum of one": (x.reshape(1, 3).sum(0), x),
    "sign out of a sum": (minus(x).sum(), minus(x.sum())),
    "sign out of a product": (minus(x) @ m, minus(x @ m)),
    "sign out of scattering": (
        make(Op.SCATTER_ADD, (minus(data), g), 3),
        minus(make(Op.SCATTER_ADD, (data, g), 3)),
    ),
    "factor out of a product": ((x * s) @ m, (x @ m) * s),
    "factor out of scattering": (
        make(Op.SCATTER_ADD, (data * s, g), 3),
        make(Op.SCATTER_ADD, (data, g), 3) * s,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_form_is_reached(name: str) -> None:
    node, expected = CASES[name]
    (found,) = simplify([node])
    assert found is simplify([expected])[0]
    assert (found.shape, found.dtype) == (node.shape, node.dtype)
    assert len(topological([found])) <= len(topological([expected]))
    assert simplify([found]) == [found]


@pytest.mark.parametrize("name", CASES)
def test_a_form_has_the_same_values(name: str) -> None:
    node, _ = CASES[name]
    rng = np.random.default_rng(5)
    leaves = {leaf: rng.uniform(0.4, 0.9, extents(leaf.shape, {})) for leaf in (x, y, m, s, t)}
    known = {**leaves, g: np.array([2, 0, 1, 2]), data: rng.uniform(0.4, 0.9, 4)}
    before, after = (evaluate([root], known, {"g.0": 4})[0] for root in (node, simplify([node])[0]))
    np.testing.assert_allclose(after, before, rtol=1e-13)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(expressions())
def test_random_graphs_keep_values_and_gradients(root: Node) -> None:
    params = [leaf for leaf in LEAVES if leaf.op is Op.PARAM]
    plain = [root, *gradient(root, params)]
    (simple,) = simplify([root])
    rewritten = simplify([simple, *gradient(simple, params)])
    check(rewritten)
    for before, after in zip(evaluate(plain, LEAVES), evaluate(rewritten, LEAVES), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-10)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(expressions())
def test_simplifying_twice_changes_nothing(root: Node) -> None:
    once = simplify([root])
    assert simplify(once) == once


@pytest.mark.parametrize(
    ("node", "low", "high"),
    [
        (math.exp(s), 0.0, np.inf),
        (math.sigmoid(s) * 2.0, 0.0, np.inf),
        (1.0 - math.sigmoid(s), 0.0, 1.0),
        (math.exp(s) + 1.0, 1.0, np.inf),
        (-math.softplus(s), -np.inf, 0.0),
        (s * s, -1e-300, np.inf),
        (1.0 / math.sqrt(math.exp(x)), 0.0, np.inf),
        (math.maximum(s, 3.0), 2.9, np.inf),
        (math.minimum(math.exp(s), 3.0), 0.0, 3.1),
        (math.cumsum(math.exp(x)), 0.0, np.inf),
        (math.concatenate([math.exp(x), math.sigmoid(x)]), 0.0, np.inf),
        (math.where(s < t, math.exp(s), const(2.0)), 0.0, np.inf),
    ],
)
def test_bounds_lie_strictly_inside(node: Node, low: float, high: float) -> None:
    found = bounds(node)
    assert low < found[0] or low == -np.inf
    assert found[1] < high or high == np.inf


def test_bounds_of_anything_are_open() -> None:
    for node in (s, s - math.exp(t), reduce(Op.LOGSUMEXP, x), elementwise(Op.MUL, s, t)):
        assert bounds(node) == (-np.inf, np.inf) or bounds(node)[0] == -np.inf
