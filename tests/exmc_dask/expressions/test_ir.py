"""Nodes: one object a meaning, operators that build them, values that are refused."""

import pickle

import numpy as np
import pandas as pd
import pytest

from exmc_dask import math
from exmc_dask.errors import DataError, ModelError, ShapeError
from exmc_dask.expressions.ir import UFUNCS, as_node, const, elementwise, make
from exmc_dask.expressions.ops import (
    BINARY,
    BOOL,
    DECLARED,
    ELEMENTWISE,
    FLOAT,
    INFER,
    INT,
    UNARY,
    Op,
)


def var(name="x", shape=(), dtype=FLOAT):
    return make(Op.VAR, (), name, shape, dtype)


def test_every_operation_has_a_shape_rule():
    assert set(INFER) == set(Op) - DECLARED


def test_the_same_meaning_is_the_same_object():
    assert var() * 2 + 1 is var() * 2 + 1
    assert const(1) is not const(1.0)
    assert const(True) is not const(1)
    assert const(0.0) is not const(-0.0)


def test_a_node_survives_pickling_as_itself():
    node = (var("x", (3,))[1:] * 2.0).sum()

    assert pickle.loads(pickle.dumps(node)) is node


@pytest.mark.parametrize("op", sorted(ELEMENTWISE, key=str), ids=lambda op: op.value)
def test_elementwise_operations_broadcast(op):
    flags = op in (Op.AND, Op.OR, Op.NOT)
    wide, narrow = (var(n, s, BOOL if flags else FLOAT) for n, s in (("a", (2, 3)), ("b", (3,))))
    operands = {1: (wide,), 2: (wide, narrow), 3: (wide < 0, narrow, wide)}
    count = 1 if op in UNARY else 2 if op in BINARY else 3

    assert elementwise(op, *operands[count]).shape == (2, 3)


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda u: u.__name__)
def test_numpy_functions_build_nodes(ufunc):
    operands = [np.ones((2, 2)), var("x", (2, 2))][-ufunc.nin :]

    assert ufunc(*operands).shape[-1] == 2


def test_numpy_functions_of_arrays_are_those_of_ed_math():
    x = var("x", (3,))

    assert np.sum(x) is math.sum(x)
    joined: object = np.concatenate([x, x])
    assert joined is math.concatenate([x, x])


def test_equality_with_numbers_is_an_expression_and_between_nodes_identity():
    x = var("x", (3,))

    assert (x == 1) is x.eq(1)
    assert (x != 1) is ~x.eq(1)
    assert x == var("x", (3,))
    assert x != var("y", (3,))


def test_columns_of_a_table_stand_on_either_side():
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    x = var()

    assert (table["a"] * x + x * table["b"]).ndim == 1
    assert (table * x).ndim == (var() == table).ndim == 2
    assert var("x", (2,))[pd.Series([0, 1, 1])].ndim == 1


def test_a_numpy_function_without_a_row_is_refused_by_name():
    with pytest.raises(ModelError, match=r"numpy\.cbrt.*ed\.math"):
        np.cbrt(var())


@pytest.mark.parametrize("ask", [bool, float, int])
def test_asking_for_a_value_names_the_variable(ask):
    with pytest.raises(ModelError, match="'tau' has no value"):
        ask(var("tau"))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(True, BOOL), (2, INT), (2.5, FLOAT), (np.float32(1.5), FLOAT), (np.arange(3), INT)],
)
def test_numbers_and_arrays_become_nodes(value, dtype):
    assert as_node(value).dtype == dtype


@pytest.mark.parametrize("value", ["text", None, [[1, 2], [3]], object(), float("nan"), 1j])
def test_what_is_not_a_number_is_refused(value):
    with pytest.raises(DataError):
        as_node(value)


def test_an_inline_array_is_copied_and_its_axes_are_symbols():
    array = np.ones((4, 1))
    node = as_node(array)
    array[:] = 7

    assert node.arg.array.max() == 1
    assert node.shape == (f"{node.arg.label}.0", 1)


@pytest.mark.parametrize(
    "build",
    [
        lambda: var("a", (2,)) + var("b", (3,)),
        lambda: var("a", (2, 3)) @ var("b", (2,)),
        lambda: var("a") @ var("b"),
        lambda: var("a", (6,)).reshape(4, 2),
        lambda: var("a", (3,)).sum(axis=1),
        lambda: make(Op.CHOLESKY, (var("a", (2, 3)),)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_at_once(build):
    with pytest.raises(ShapeError):
        build()
