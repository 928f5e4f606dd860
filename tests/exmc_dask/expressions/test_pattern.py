"""Patterns and the engine that applies rules."""

import pytest

from exmc_dask.expressions.ir import Node, broadcast_to, const, elementwise, make, param
from exmc_dask.expressions.ops import FLOAT, INT, Op
from exmc_dask.expressions.pattern import Pat, Rule, Rules, rewrite

x, y = param("x", (3,)), param("y", (3,))
s = param("s", ())
X, Y = Pat(name="x"), Pat(name="y")


def minus(node: Node) -> Node:
    return elementwise(Op.NEG, node)


@pytest.mark.parametrize(
    ("pattern", "node", "bound"),
    [
        (Pat(Op.ADD, (X, Y)), x + y, {"x": x, "y": y}),
        (Pat(Op.ADD, (X, X)), x + x, {"x": x}),
        (Pat(Op.ADD, (X, X)), x + y, None),
        (Pat(Op.SUB, (X, Pat(number=2.0))), x - 2.0, {"x": x}),
        (Pat(Op.SUB, (X, Pat(number=2.0))), x - 3.0, None),
        (Pat(Op.SUB, (Pat(number=2.0), X)), x - 2.0, None),
        (Pat(Op.MUL, (Pat(number=2.0), X)), x * 2.0, {"x": x}),
        (Pat(Op.MUL, (X, Pat(name="s", scalar=True))), x * s, {"x": x, "s": s}),
        (Pat(Op.MUL, (X, Pat(name="s", scalar=True))), x * y, None),
        (Pat(Op.MUL, (X, Pat(name="s", scalar=True))), s * s, None),
        (Pat(Op.NEG, None, "n"), -x, {"n": -x}),
        (Pat(Op.NEG, (Pat(Op.NEG, (X,)),)), minus(minus(x)), {"x": x}),
        (Pat(Op.NEG, (Pat(Op.NEG, (X,)),)), -x, None),
        (Pat(Op.CONCAT, (X, Y)), make(Op.CONCAT, (x, y, x), 0), None),
    ],
)
def test_a_pattern_binds_what_it_fits(
    pattern: Pat, node: Node, bound: dict[str, Node] | None
) -> None:
    assert pattern.match(node, {}) == bound


def test_a_rule_applies_below_and_above_its_own_results() -> None:
    twice = Rules([Rule(Pat(Op.NEG, (Pat(Op.NEG, (X,)),)), lambda x: x)])
    (found,) = rewrite([elementwise(Op.EXP, minus(minus(minus(minus(x))))) + -x], twice)
    assert found is elementwise(Op.EXP, x) + -x


def test_what_is_put_keeps_shape_and_type() -> None:
    zero = Rules([Rule(Pat(Op.SUB, (X, X)), lambda x: const(0))])
    n = make(Op.DATA, (), "n", ("n.0",), INT)
    assert rewrite([x - x], zero) == [broadcast_to(const(0.0), (3,))]
    assert rewrite([n - n], zero)[0].dtype == INT
    assert rewrite([x - x], zero)[0].dtype == FLOAT


def test_rules_without_rest_are_stopped() -> None:
    grow = Rules([Rule(Pat(Op.EXP, None, "n"), lambda n: elementwise(Op.EXP, n))])
    (found,) = rewrite([elementwise(Op.EXP, s)], grow, rounds=5)
    assert found.op is Op.EXP
