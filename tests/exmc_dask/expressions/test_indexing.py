"""Square brackets on expressions give the shapes NumPy gives."""

import numpy as np
import pytest

from exmc_dask.errors import ShapeError
from exmc_dask.expressions import graph
from exmc_dask.expressions.axes import extents
from exmc_dask.expressions.ir import make
from exmc_dask.expressions.ops import FLOAT, Op

SHAPE = (4, 3, 2)
X = make(Op.VAR, (), "x", SHAPE, FLOAT)
KEYS = [
    0,
    -1,
    slice(1, None),
    (slice(None), 1),
    (..., 0),
    (0, 1, 1),
    None,
    (slice(None), None, 2),
    np.array([0, 0, 3]),
    [1, 2],
    (np.array([0, 1]), np.array([2, 0])),
    (np.array([[0, 1], [2, 3]]), slice(None), 0),
    slice(None, None, 2),
    slice(None, None, -1),
]


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_shapes_are_numpys(key):
    node = X[key]
    lengths = {
        f"{leaf.arg.label}.{axis}": n
        for leaf in graph.topological([node])
        if leaf.op is Op.DATA
        for axis, n in enumerate(leaf.arg.array.shape)
    }

    assert extents(node.shape, lengths) == np.empty(SHAPE)[key].shape


@pytest.mark.parametrize(
    "key", [4, -5, (0, 0, 0, 0), 1.5, "name", np.array([0.5]), slice(0.5, None), True]
)
def test_bad_keys_are_refused(key):
    with pytest.raises(ShapeError):
        X[key]
