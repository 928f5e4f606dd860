"""Batches of vectors that sum to 0, and the ways to give a graph of neighbours."""

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.lowering.density import lower
from exmc_dask.dist import ICAR, ZeroSumNormal, draw, logp, shape_of
from tests.exmc_dask.slopes import leaf, numbers
from tests.exmc_dask.references.zerosum import EFFECTS, FIELDS, LAPLACIAN, SQUARE


def test_a_deviation_each() -> None:
    sigma = np.array([[0.5], [2.0], [10.0]])
    dist = ZeroSumNormal.dist(leaf("sigma", sigma))
    found = numbers(
        logp(dist, leaf("x", EFFECTS)), {leaf("sigma", sigma): sigma, leaf("x", EFFECTS): EFFECTS}
    )
    centred = np.eye(4) - 0.25
    laws = [
        stats.multivariate_normal(None, s**2 * centred, allow_singular=True) for s in sigma[:, 0]
    ]

    assert shape_of(dist) == (3, 1)
    np.testing.assert_allclose(
        found, [law.logpdf(x) for law, x in zip(laws, EFFECTS, strict=True)], rtol=1e-12
    )


def test_a_bad_deviation_spoils_its_own_vector_only() -> None:
    sigma = np.array([[0.5], [-2.0], [10.0]])
    dist = ZeroSumNormal.dist(leaf("sigma", sigma))
    found = numbers(
        logp(dist, leaf("x", EFFECTS)), {leaf("sigma", sigma): sigma, leaf("x", EFFECTS): EFFECTS}
    )

    np.testing.assert_array_equal(np.isneginf(found), [False, True, False])


def test_deviations_of_many_draws_meet_the_first_axes() -> None:
    sigma = leaf("sigma", 1.0)
    many = np.array([1e-9, 1.0])
    drawn = draw(
        ZeroSumNormal.dist(sigma),
        np.random.default_rng(1),
        (2, 5),
        lambda node: many if node is sigma else numbers(node, {}),
    )

    assert np.abs(drawn[0]).max() < 1e-7 < np.abs(drawn[1]).max()


def test_named_axes_sum_to_zero() -> None:
    coords = {"region": list("abc"), "answer": ["yes", "no"]}
    with ed.Model(coords=coords) as model:
        ed.ZeroSumNormal("one", dims=("region", "answer"))
        ed.ZeroSumNormal("two", 2.0, n_zerosum_axes=2, dims=("region", "answer"))
        ed.ZeroSumNormal("late", shape=2)
    layout = lower(model.spec).layout

    assert [entry.shape for entry in layout.entries] == [(3, 1), (2, 1), (1,)]


@pytest.mark.parametrize(
    "graph",
    [
        {"W": SQUARE},
        {"W": SQUARE.astype(bool)},
        {"W": SQUARE.tolist()},
        {"edges": [[0, 1], [1, 2], [2, 3], [3, 0]]},
        {"edges": np.array([[1, 0], [2, 1], [3, 2], [0, 3]])},
    ],
    ids=["matrix", "of bools", "of lists", "edges", "other edges"],
)
def test_a_graph_may_be_given_either_way(graph: dict[str, object]) -> None:
    dist = ICAR.dist(**graph)
    x = leaf("x", FIELDS)

    assert shape_of(dist) == (4,)
    np.testing.assert_array_equal(
        numbers(logp(dist, x), {x: FIELDS}), numbers(logp(ICAR.dist(SQUARE), x), {x: FIELDS})
    )


def test_draws_of_a_field_have_its_covariance() -> None:
    drawn = draw(
        ICAR.dist(SQUARE, 2.0, 0.5), np.random.default_rng(2), (20000, 4), lambda n: numbers(n, {})
    )
    expected = 4.0 * np.linalg.pinv(LAPLACIAN) + 0.25

    np.testing.assert_allclose(np.cov(drawn.T), expected, atol=0.06)


def test_neighbours_can_be_exchanged_for_as_many_others() -> None:
    with ed.Model() as model:
        ed.ICAR("phi", SQUARE)
    model.set_data({"phi.edges": [[0, 1], [1, 2], [2, 3]]})

    path = np.eye(4, k=1) + np.eye(4, k=-1)
    x = leaf("x", FIELDS[0])

    assert model.logp({"phi": FIELDS[0]}) == numbers(logp(ICAR.dist(path), x), {x: FIELDS[0]})
