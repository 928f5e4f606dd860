"""Recursions traced by ``ed.math.scan``: values, derivatives, structures, mistakes."""

from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.errors import DataError, ModelError, ShapeError, TraceError
from exmc_dask.expressions.graph import from_data, to_data, topological
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import FLOAT, Op
from exmc_dask.lowering.density import lower
from tests.exmc_dask.slopes import differences, leaf, numbers, slopes

Y = np.array([1.0, 2.0, -1.0, 0.5])
PLACES = np.array([0, 1, 1, 0])
phi, scale, v, m = leaf("phi", 0.3), leaf("scale", 1.2), leaf("v", [0, 0]), leaf("m", np.eye(2))
NUMBERS = {phi: 0.3, scale: 1.2, v: np.array([0.4, -0.7]), m: np.array([[0.5, 0.2], [0.1, 0.9]])}


def _scalar() -> Node:
    last, kept = math.scan(
        lambda h, y: (phi * h + math.exp(-y * scale), h * h), 0.5 * scale, Y * phi
    )
    return 2.0 * last + kept.sum() * kept[2]


def _structures() -> Node:
    def step(carry: Any, row: Any) -> Any:
        h = math.tanh(carry["m"] @ carry["h"] + row[0] * v)
        return {"h": h, "m": carry["m"] * 0.9}, (h, [h.sum(), row[1]])

    last, (rows, (sums, _)) = math.scan(step, {"h": v, "m": m}, (Y, Y * phi), reverse=True)
    return last["m"].sum() + (rows * rows).sum() + sums[1] * sums[3]


def _nested() -> Node:
    def step(h: Node, y: Node) -> tuple[Node, Node]:
        return math.scan(lambda z, _: (z + 0.1 * math.sin(z * phi) * y, z * h), h, length=3)

    last, kept = math.scan(step, scale, Y)
    return (kept * kept).sum() + last


def _selected() -> Node:
    last, kept = math.scan(lambda h, k: (h * v[k], h + m[k, 1 - k]), scale, PLACES)
    return last + kept.sum()


CASES = {"scalar": _scalar, "structures": _structures, "nested": _nested, "selected": _selected}


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_those_of_differences(name: str) -> None:
    node = CASES[name]()
    for found, expected in zip(slopes(node, NUMBERS), differences(node, NUMBERS), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_is_a_loop(reverse: bool) -> None:
    last, kept = math.scan(lambda h, y: (phi * h + y, h - y), scale, Y, reverse=reverse)
    h, expected = 1.2, np.empty(4)
    for t in reversed(range(4)) if reverse else range(4):
        expected[t] = h - Y[t]
        h = 0.3 * h + Y[t]

    assert numbers(last, NUMBERS) == pytest.approx(h)
    np.testing.assert_allclose(numbers(kept, NUMBERS), expected)


def test_results_have_the_axis_of_the_sequence() -> None:
    y = make(Op.DATA, (), "y", ("y.0", "y.1"), FLOAT)
    last, kept = math.scan(lambda h, row: (h + row.sum(), (h, v)), 0.0, y)

    assert last.shape == ()
    assert [part.shape for part in kept] == [("y.0",), ("y.0", 2)]


def test_nothing_is_kept_for_none() -> None:
    last, kept = math.scan(lambda h, _: (h * phi, None), 1.0, length=4)

    assert kept is None
    assert numbers(last, NUMBERS) == pytest.approx(0.3**4)


def test_an_array_may_be_what_is_carried() -> None:
    last, _ = math.scan(lambda h, y: (h * phi + y, None), np.array([1.0, 2.0]), Y)

    assert last.shape == (2,)


def test_equal_scans_are_one_node() -> None:
    assert _nested_of_data() is _nested_of_data()


def test_what_does_not_change_is_handed_over_once() -> None:
    node = math.scan(lambda h, y: (h * math.exp(phi) + y, None), 0.0, Y)[0]
    (scan,) = [n for n in topological([node]) if n.op is Op.SCAN]

    assert [n.op for n in scan.src[2:]] == [Op.EXP]
    assert not [n for n in topological([scan.arg.root]) if n.op in (Op.EXP, Op.VAR)]


def test_a_scan_travels_as_data() -> None:
    assert from_data(to_data([_nested_of_data()])) == [_nested_of_data()]


def _nested_of_data() -> Node:
    y = make(Op.DATA, (), "y", ("y.0",), FLOAT)
    return math.scan(
        lambda h, x: (math.scan(lambda z, _: (z * x + phi, None), h, length=2)[0], None), 0.0, y
    )[0]


def _model(y: np.ndarray, places: np.ndarray) -> ed.Model:
    with ed.Model() as model:
        rate = ed.Normal("rate", 0, 1, shape=2)
        where = ed.Data("where", places)
        path = math.scan(lambda h, k: (0.5 * h + rate[k], h), 0.0, where)[1]
        ed.Normal("y", path, 1.0, observed=y)
    return model


def test_new_data_of_another_length_fit_a_model_with_a_scan() -> None:
    model = _model(Y, PLACES)
    before = model.logp({"rate": [0.1, 0.2]})
    model.set_data({"where": np.tile(PLACES, 2), "y.observed": np.tile(Y, 2)})

    assert model.logp({"rate": [0.1, 0.2]}) < before


def test_a_model_with_a_scan_travels() -> None:
    spec = _model(Y, PLACES).spec

    assert type(spec).from_bytes(spec.to_bytes()) == spec


def test_an_index_outside_is_found_before_the_run() -> None:
    model = _model(Y, PLACES + 1)

    with pytest.raises(DataError, match="'where' holds 2, which is outside an axis of length 2"):
        lower(model.spec).fold(model.data)


def test_the_rule_of_centring_sees_into_scans() -> None:
    def model(as_rows: bool) -> ed.Model:
        with ed.Model() as made:
            tau = ed.HalfNormal("tau", 1)
            x = ed.Normal("x", 0, tau, shape=4)
            if as_rows:
                path = math.scan(lambda h, e: (h + e, h), 0.0, x)[1]
            else:
                path = math.scan(lambda h, y: (h + x.sum() * y, h), 0.0, Y)[1]
            ed.Normal("y", path, 1, observed=Y)
        return made

    assert "tau * Normal(0, 1)" in model(True).explain()
    assert "tau * Normal(0, 1)" not in model(False).explain()


MISTAKES = {
    "no step": (lambda: math.scan(lambda h, y: (h, y), 0.0), ShapeError, "give xs or length="),
    "no carry": (lambda: math.scan(lambda h, y: (h, y), None, Y), ShapeError, "give init"),
    "a number": (lambda: math.scan(lambda h, y: (h, y), 0.0, 1.0), ShapeError, "a number has none"),
    "lengths": (
        lambda: math.scan(lambda h, y: (h, y), 0.0, (v, m[0], np.eye(3)[:, :1] @ v[:1]), length=4),
        ShapeError,
        "rows; give all of",
    ),
    "no pair": (lambda: math.scan(lambda h, y: h + y, 0.0, Y), TraceError, r"return \(carry, y\)"),
    "shape of the carry": (
        lambda: math.scan(lambda h, y: (h + v, y), 0.0, Y),
        ShapeError,
        r"makes a carry of \(2,\) from one of \(\)",
    ),
    "numpy": (
        lambda: math.scan(lambda h, y: (np.linalg.norm(h), y), 0.0, Y),
        TraceError,
        "numpy.linalg.norm|numpy.norm",
    ),
    "if": (
        lambda: math.scan(lambda h, y: (h if h > 0 else y, y), 0.0, Y),
        TraceError,
        "ed.math.where instead of `if`",
    ),
    "index of the carry": (
        lambda: math.scan(lambda h, y: (v[h], y), 0, Y),
        TraceError,
        "index must be of whole numbers",
    ),
    "calculated index": (
        lambda: math.scan(lambda h, k: (v[math.cumsum(k)[0]], h), 0.0, PLACES.reshape(2, 2)),
        ModelError,
        "made with",
    ),
    "size of what is kept": (
        lambda: math.scan(lambda h, y: (h, Y * y), 0.0, Y),
        ShapeError,
        "values of fixed size",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained(name: str) -> None:
    build, error, message = MISTAKES[name]
    with pytest.raises(error, match=message):
        build()
