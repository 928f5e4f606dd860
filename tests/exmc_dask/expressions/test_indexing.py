"""Square brackets on expressions give the shapes NumPy gives."""

import numpy as np
import pytest
from scipy.stats import norm

import exmc_dask as ed
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
    np.array([True, False, True, True]),
    [False, True, False, False],
    (np.array([True, False, True, True]), slice(None), 1),
    np.arange(12).reshape(4, 3) % 2 == 0,
    np.arange(24).reshape(4, 3, 2) % 5 == 0,
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


def test_a_mask_selects_where_it_is_true():
    mask, means = np.array([True, False, True]), np.array([1.0, 2.0, 3.0])
    with ed.Model() as model:
        x = ed.Normal("x", 0, 1, shape=3)
        ed.Normal("y", (x + means)[mask], 1, observed=[0.5, 0.0])

    assert model.logp({"x": np.zeros(3)}) == pytest.approx(
        norm.logpdf(0, 0, 1) * 3 + norm.logpdf(0.5, 1, 1) + norm.logpdf(0.0, 3, 1)
    )


@pytest.mark.parametrize("length", [2, 4])
@pytest.mark.parametrize("of", ["variable", "data", "array"])
def test_a_mask_of_another_length_names_the_variable(length, of):
    with ed.Model():
        x = ed.Normal("x", 0, 1, shape=3)
        given = np.arange(3.0)
        whole = {"variable": x, "data": ed.Data("d", given) * x, "array": given * x[0]}[of]
        with pytest.raises(ShapeError, match=rf"'y'.*mask of length {length}.*length 3"):
            ed.Normal("y", whole[np.ones(length, dtype=bool)], 1, observed=np.ones(length))


def test_a_mask_that_is_not_known_says_what_to_use():
    with ed.Model():
        x = ed.Normal("x", 0, 1, shape=3)
        with pytest.raises(ShapeError, match=r"ed\.math\.where.*flatnonzero"):
            x[x > 0]


@pytest.mark.parametrize("shape", [(3, 4), (4, 3)])
def test_a_mask_of_several_axes_has_to_fit_them(shape):
    with ed.Model():
        table = ed.Normal("x", 0, 1, shape=(3, 3))
        with pytest.raises(ShapeError, match=rf"mask of shape \({shape[0]}, .*axes \(3, 3\)"):
            table[np.ones(shape, dtype=bool)]


def test_a_mask_on_axes_that_follow_the_data_says_what_to_do():
    with ed.Model():
        table = ed.Data("table", np.ones((3, 2))) * ed.Normal("x", 0, 1)
        with pytest.raises(ShapeError, match=r"mask of several axes.*observed values out.*mask="):
            table[np.eye(3, 2, dtype=bool)]
