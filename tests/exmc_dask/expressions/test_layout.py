"""Where variables lie in the unconstrained vector."""

import numpy as np
import pytest

from exmc_dask.errors import ShapeError, UnknownName
from exmc_dask.expressions.layout import Layout

LAYOUT = Layout.of([("mu", ()), ("L", (2, 2)), ("x", (3,))])


def test_variables_lie_side_by_side_in_order() -> None:
    assert LAYOUT.dim == 8
    assert [(e.name, e.offset, e.size) for e in LAYOUT.entries] == [
        ("mu", 0, 1), ("L", 1, 4), ("x", 5, 3),
    ]  # fmt: skip
    assert Layout.of([]).dim == 0


def test_pack_and_unpack_are_inverse() -> None:
    rows = np.arange(16.0).reshape(2, 8)
    values = LAYOUT.unpack(rows)
    assert values["L"].shape == (2, 2, 2)
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(LAYOUT.pack({n: v[i] for n, v in values.items()}), row)


def test_a_value_that_does_not_belong_is_named() -> None:
    values = {"mu": 0.0, "L": np.eye(2), "x": np.ones(3)}
    with pytest.raises(UnknownName, match="'x' has no value"):
        LAYOUT.pack({"mu": 0.0, "L": np.eye(2)})
    with pytest.raises(UnknownName, match="'y' is not one of mu, L, x"):
        LAYOUT.pack(values | {"y": 1.0})
    with pytest.raises(ShapeError, match=r"'L' has shape \(2, 2\), not \(2,\)"):
        LAYOUT.pack(values | {"L": np.ones(2)})
