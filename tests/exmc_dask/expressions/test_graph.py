"""Whole graphs: order, rebuilding, binding lengths, travelling."""

import pytest

from exmc_dask.errors import FormatError, ShapeError
from exmc_dask.expressions import graph
from exmc_dask.expressions.ir import elementwise, make, reduce
from exmc_dask.expressions.ops import FLOAT, INT, Op


def data(name, *axes, dtype=FLOAT):
    return make(Op.DATA, (), name, axes, dtype)


X, Y, G = data("X", "X.0", "X.1"), data("y", "y.0"), data("g", "g.0", dtype=INT)
B = make(Op.VAR, (), "beta", (3,), FLOAT)
ROOTS = [
    (Y - X @ B).sum(),
    (Y[1:] - Y[:-1]).sum(),
    reduce(Op.LOGSUMEXP, B[G] + Y, None),
    make(Op.CONCAT, (Y, B), 0).reshape(1, *make(Op.CONCAT, (Y, B), 0).shape),
    make(Op.CUMSUM, (make(Op.TRANSPOSE, (X,), (1, 0)),), (0, True)),
    make(Op.EMBED, (B,), ((5,), ((1, 4, 1),))),
    elementwise(Op.LT, make(Op.RANGE, (), "y.0"), Y),
    make(Op.SCATTER_ADD, (Y, G), 3),
]


@pytest.mark.parametrize("root", ROOTS, ids=lambda r: r.op.value)
def test_graphs_travel_as_plain_lists(root):
    assert graph.from_data(graph.to_data([root])) == [root]


def test_operands_come_before_their_users():
    order = graph.topological(ROOTS)
    place = {node: i for i, node in enumerate(order)}

    assert len(place) == len(order)
    assert all(place[s] < place[node] for node in order for s in node.src)


def test_substitution_reaches_every_use():
    (changed,) = graph.substitute([ROOTS[0] + B.sum()], {B: Y[:3]})

    assert "beta" not in graph.leaves(changed)


def test_renaming_axes_reaches_derived_dimensions():
    (changed,) = graph.rebuild([ROOTS[1]], lambda node, src: None, {"y.0": "z.0"})

    assert graph.axes_of([changed]) == ["z.0"]


LENGTHS = {"X.0": 6, "X.1": 3, "y.0": 6, "g.0": 6}


def test_lengths_that_fit_pass():
    graph.check(ROOTS, LENGTHS)


@pytest.mark.parametrize(("axis", "length"), [("y.0", 5), ("X.1", 4)])
def test_lengths_that_do_not_fit_name_the_operation_and_the_data(axis, length):
    with pytest.raises(ShapeError, match="beta"):
        graph.check(ROOTS[:1], LENGTHS | {axis: length})


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"nodes": [["nonsense", [], 1]], "roots": [0]},
        {"nodes": [["neg", [5], None]], "roots": [0]},
        {"nodes": [["const", [], 1.0]], "roots": [3]},
        {"nodes": [["data", [], "y", [{}], "float64"]], "roots": [0]},
    ],
)
def test_damaged_lists_are_refused(damaged):
    with pytest.raises(FormatError):
        graph.from_data(damaged)
