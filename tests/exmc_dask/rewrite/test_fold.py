"""What depends on data only becomes data; what is cheaper to calculate than to read does not."""

import numpy as np
import pytest

from exmc_dask import math
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import is_data, topological
from exmc_dask.expressions.ir import Node, as_float, broadcast_to, const, make, param
from exmc_dask.expressions.ops import FLOAT, INT, Op
from exmc_dask.rewrite.fold import fold, separate
from exmc_dask.rewrite.sums import count

v = param("v", (4,))
s = param("s", ())
table = param("table", (3,))
x = make(Op.DATA, (), "x", (4,), FLOAT)
w = make(Op.DATA, (), "w", (4,), FLOAT)
n = make(Op.DATA, (), "n", (4,), INT)
X = make(Op.DATA, (), "X", (4, 3), FLOAT)
KNOWN = {
    v: np.array([0.3, 1.2, -0.4, 2.0]),
    s: np.array(0.7),
    table: np.array([1.0, 2.0, 4.0]),
    x: np.array([1.5, 0.5, 0.25, 2.0]),
    w: np.array([1.0, 2.0, 3.0, 4.0]),
    n: np.array([0, 2, 1, 1]),
    X: np.arange(1.0, 13.0).reshape(4, 3),
}

CASES: dict[str, tuple[Node, list[Node]]] = {
    "a function of data": ((v * math.log(x)).sum(), [math.log(x)]),
    "the largest part": ((v * (math.log(x) * w + 1.0)).sum(), [math.log(x) * w + 1.0]),
    "two arrays into one": ((v * (x * w)).sum(), [x * w]),
    "a sum": (s * x.sum(), [x.sum()]),
    "a length": (s * count("x.0"), [count("x.0")]),
    "an index": (
        make(Op.GATHER, (table, n * 1), None).sum(),
        [n * 1],
    ),
    "data selected by data": ((v * x[n]).sum(), [x[n]]),
    "constants of a range": (
        (v * math.log(1.0 + as_float(make(Op.RANGE, (), 4)))).sum(),
        [math.log(1.0 + as_float(make(Op.RANGE, (), 4)))],
    ),
    "not a leaf": ((v * x).sum(), []),
    "not a type": ((v * as_float(n)).sum(), []),
    "not a cheap step": ((v * (1.0 - x)).sum(), []),
    "not a comparison": (math.where(x > 1.0, v, 0.0).sum(), []),
    "not a view": ((broadcast_to(v, (3, 4)) * X.T).sum(), []),
    "not a mask": (
        math.where(
            make(Op.RANGE, (), 4).reshape(4, 1) < make(Op.RANGE, (), 4).reshape(1, 4),
            broadcast_to(v, (4, 4)),
            0.0,
        ).sum(),
        [],
    ),
    "behind a view": (
        (broadcast_to(v, (5, 4)) * broadcast_to(math.log(x), (5, 4))).sum(),
        [math.log(x)],
    ),
    "not larger than data": (
        (math.exp(math.outer(math.log(x), w)) * s).sum(1).sum(),
        [math.log(x)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_parts_that_pay_are_folded(name: str) -> None:
    root, expected = CASES[name]
    if name == "not larger than data":
        root = (math.exp(s + math.outer(math.log(x), w))).sum()
    (made,), folded = fold([root])
    assert [node for _, node in folded] == expected
    assert [slot for slot, _ in folded] == [f"fold.{i}" for i in range(len(expected))]
    lengths = {"x.0": 4}
    values = evaluate([node for _, node in folded], KNOWN, lengths)
    slots = {(Op.DATA, slot): value for (slot, _), value in zip(folded, values, strict=True)}
    before, after = evaluate([root], KNOWN, lengths)[0], evaluate([made], {**KNOWN, **slots})[0]
    np.testing.assert_allclose(after, before, rtol=1e-14)


def test_what_depends_on_no_parameter_is_data() -> None:
    assert is_data(math.log(x).sum())
    assert not is_data(x * s)
    deep = x
    for _ in range(5000):
        deep = deep + 1.0
    assert is_data(deep)


def test_terms_of_data_leave_a_sum() -> None:
    (made,) = separate([(v * x - math.log(x)).sum()])
    assert made is (v * x).sum() + (-math.log(x)).sum()


def test_a_sum_of_the_selected_is_weighted_by_how_often() -> None:
    (made,) = separate([(v * x - math.exp(table)[n] - w * table[n]).sum()])
    ones = make(Op.SCATTER_ADD, (broadcast_to(const(1.0), (4,)), n), 3)
    heavy = make(Op.SCATTER_ADD, (w, n), 3)
    assert made is (v * x).sum() - (math.exp(table) * ones).sum() - (table * heavy).sum()
    before, after = evaluate(
        [(math.exp(table)[n] * w).sum(), *separate([(math.exp(table)[n] * w).sum()])], KNOWN
    )
    np.testing.assert_allclose(after, before)


def test_a_sum_without_terms_of_data_stays() -> None:
    for root in ((v * x).sum(), (v * x - 1.0).sum(), (math.log(x) - w).sum()):
        assert separate([root]) == [root]


def test_division_by_data_becomes_a_product() -> None:
    assert separate([(v / x).sum()]) == [(v * (1.0 / x)).sum()]
    assert separate([(x / v).sum()]) == [(x / v).sum()]


def test_a_folded_graph_reads_nothing_twice() -> None:
    (made,), folded = fold([(v * math.log(x)).sum() + (math.exp(v) * math.log(x)).sum()])
    assert len(folded) == 1
    assert [leaf.arg for leaf in topological([made]) if leaf.op is Op.DATA] == ["fold.0"]
