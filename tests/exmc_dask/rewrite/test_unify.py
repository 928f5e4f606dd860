"""Axes that must agree get one name, and data that do not agree are refused by name."""

import pytest

from exmc_dask import math
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.graph import check, topological
from exmc_dask.expressions.ir import Node, make, param
from exmc_dask.expressions.ops import FLOAT, INT, Op
from exmc_dask.rewrite.unify import unify


def vector(name: str, dtype: str = FLOAT) -> Node:
    return make(Op.DATA, (), name, (f"{name}.0",), dtype)


a, b, c = vector("a"), vector("b"), vector("c")
theta = param("theta", (5,))


def shapes(root: Node) -> dict[str, object]:
    (made,), _ = unify([root])
    check([made])
    return {leaf.arg: leaf.shape[0] for leaf in topological([made]) if leaf.op is Op.DATA}


@pytest.mark.parametrize(
    ("root", "found"),
    [
        ((a * b).sum(), {"a": "a.0", "b": "a.0"}),
        ((a * b + c * b).sum(), {"a": "c.0", "b": "c.0", "c": "c.0"}),
        (((a + b) * theta).sum(), {"a": 5, "b": 5}),
        (a @ b, {"a": "a.0", "b": "a.0"}),
        (math.concatenate([a, b]).sum() + theta @ a, {"a": 5, "b": "b.0"}),
        (
            make(Op.SCATTER_ADD, (a, vector("g", INT)), 5).sum(),
            {"a": "g.0", "g": "g.0"},
        ),
        (a[1:].sum() + (a * theta).sum(), {"a": 5}),
        ((a[1:] * theta).sum(), {"a": "a.0"}),
    ],
)
def test_axes_that_meet_get_one_name(root: Node, found: dict[str, object]) -> None:
    assert shapes(root) == found


def test_renaming_leaves_no_broadcast_behind() -> None:
    (made,), _ = unify([((a + b) * theta).sum()])
    assert not [node for node in topological([made]) if node.op is Op.BROADCAST]


def test_cut_axes_may_agree_too() -> None:
    (made,), agreements = unify([(a[1:] * b).sum() + (b * theta).sum()])
    check([made])
    assert shapes(made) == {"a": "a.0", "b": 5}
    for lengths, fits in (({"a.0": 6, "b.0": 5}, True), ({"a.0": 5, "b.0": 5}, False)):
        try:
            for agreement in agreements:
                agreement.check(lengths)
        except ShapeError:
            assert not fits
        else:
            assert fits


def test_two_numbers_cannot_be_one() -> None:
    with pytest.raises(ShapeError, match=r"lengths 3 and 5.*of theta, a, other|lengths 5 and 3"):
        unify([(theta * a).sum() + (a * param("other", (3,))).sum()])


def test_data_that_do_not_agree_are_named() -> None:
    _, (agreement,) = unify([(a * b).sum()])
    agreement.check({"a.0": 4, "b.0": 4})
    with pytest.raises(ShapeError, match="axis 0 of 'b' has length 1, but axis 0 of 'a' has 4"):
        agreement.check({"a.0": 4, "b.0": 1})
