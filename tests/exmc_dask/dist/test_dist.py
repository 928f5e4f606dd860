"""Every distribution against scipy.stats: densities, gradients, edges, draws."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import OptionError, ShapeError
from exmc_dask.expressions.axes import extents
from exmc_dask.dist import (
    FAMILIES,
    Normal,
    default_transform,
    draw,
    event_ndim,
    in_support,
    is_discrete,
    is_movable,
    logp,
    shape_of,
    support_point,
)
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import as_node
from exmc_dask.expressions.ops import Op
from tests.exmc_dask.slopes import differences, leaf, numbers, slopes
from tests.exmc_dask.references.case import WHOLE, params_of, posed
from tests.exmc_dask.references.table import CASES

every_case = pytest.mark.parametrize("name", CASES)


def test_every_family_has_a_reference() -> None:
    assert {case.dist(**case.params).family for case in CASES.values()} == FAMILIES.keys()


@every_case
def test_log_density_is_that_of_scipy(name: str) -> None:
    case = CASES[name]
    dist, leaves = posed(case, case.values)
    found = numbers(logp(dist, leaf("x", case.values)), leaves)
    expected = np.asarray(case.logp(case.values))

    assert logp(dist, leaf("x", case.values), inside=True).shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@every_case
def test_gradients_are_those_of_differences(name: str) -> None:
    case = CASES[name]
    whole = is_discrete(case.dist(**case.params))
    inner = case.inner
    if inner is None:
        inner = case.values if whole or case.values.ndim > 1 else np.array([0.35, 0.8])
    dist, leaves = posed(case, inner)
    node = logp(dist, leaf("x", inner), inside=True)
    still = {leaf(p.name, case.params.get(p.name)) for p in params_of(dist) if p.domain in WHOLE}
    still |= {leaf("x", inner)} if whole else set()
    fixed = {one: value for one, value in leaves.items() if one in still}
    moved = {one: value for one, value in leaves.items() if one not in still}
    if case.slope is None:
        expected = differences(node, moved, fixed)
    else:
        expected = [case.slope(one.arg, inner) for one in moved]

    for found, slope in zip(slopes(node, moved, fixed), expected, strict=True):
        np.testing.assert_allclose(found, slope, rtol=2e-7, atol=1e-7)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.outside is not None])
def test_outside_the_support_is_minus_infinity(name: str) -> None:
    case = CASES[name]
    dist, leaves = posed(case, case.outside)
    node = logp(dist, leaf("x", case.outside))

    assert numbers(node, leaves) == -np.inf
    assert all(np.isfinite(slope).all() for slope in slopes(node, leaves))


BAD = {
    "positive": (0.0, -1.0),
    "nonnegative": (-1.0,),
    "unit": (-0.1, 1.1),
    "count": (-1.0, 2.5),
    "whole": (0.5,),
    "weights": (-0.1,),
    "ordered": (1e9,),
    "inner": (0.0, 1.0),
}


@every_case
def test_invalid_parameters_are_minus_infinity(name: str) -> None:
    case = CASES[name]
    dist, leaves = posed(case, case.values)
    node = logp(dist, leaf("x", case.values))
    for param in params_of(dist):
        for bad in BAD.get(param.domain, ()) if param.name in case.params else ():
            number = np.array(case.params[param.name])
            number.flat[0] = bad
            spoiled = {**leaves, leaf(param.name, number): number}

            assert np.isneginf(numbers(node, spoiled)).all(), (param.name, bad)
            assert all(np.isfinite(slope).all() for slope in slopes(node, spoiled))


def test_bounds_that_fall_are_minus_infinity() -> None:
    dist, leaves = posed(CASES["Uniform"], 0.5)
    node = logp(dist, leaf("x", 0.5))
    spoiled = {**leaves, leaf("lower", 0.0): 4.0}

    assert numbers(node, spoiled) == -np.inf
    assert all(np.isfinite(slope).all() for slope in slopes(node, spoiled))


def test_a_deviation_that_no_mean_allows_is_minus_infinity() -> None:
    dist, leaves = posed(CASES["Beta, mean and deviation"], 0.5)
    node = logp(dist, leaf("x", 0.5))
    spoiled = {**leaves, leaf("sigma", 0.0): 0.41}

    assert numbers(node, spoiled) == -np.inf
    assert all(np.isfinite(slope).all() for slope in slopes(node, spoiled))


def test_constants_and_data_are_not_guarded() -> None:
    dist = Normal.dist(0, as_node(np.array([1.0, 2.0])))

    assert not [n for n in topological([logp(dist, leaf("x", np.zeros(2)))]) if n.op is Op.WHERE]


def test_parameters_broadcast() -> None:
    mu, sigma, x = np.zeros((3, 1)), np.array([1.0, 2.0]), np.array([[0.5, -0.5]])
    leaves = {leaf("mu", mu): mu, leaf("sigma", sigma): sigma, leaf("x", x): x}
    dist = Normal.dist(leaf("mu", mu), leaf("sigma", sigma))

    assert shape_of(dist) == (3, 2)
    np.testing.assert_allclose(
        numbers(logp(dist, leaf("x", x)), leaves), np.tile(stats.norm.logpdf(x, 0, sigma), (3, 1))
    )


@every_case
def test_every_parameter_broadcasts(name: str) -> None:
    case = CASES[name]
    if event_ndim(case.dist(**case.params)):
        return
    fixed = {p.name for p in params_of(case.dist(**case.params)) if p.domain in WHOLE}
    for param, value in case.params.items():
        number = np.asarray(value)
        two = [number, number if param in fixed else number * 1.001]
        several = np.stack(two).reshape(2, *(1,) * case.values.ndim, *number.shape)
        dist, leaves = posed(replace(case, params={**case.params, param: several}), case.values)
        found = numbers(logp(dist, leaf("x", case.values)), leaves)

        for row, one in zip(found, two, strict=True):
            dist, leaves = posed(replace(case, params={**case.params, param: one}), case.values)
            alone = numbers(logp(dist, leaf("x", case.values)), leaves)
            np.testing.assert_allclose(row, alone, rtol=1e-13, atol=1e-13)


@every_case
def test_the_support_point_is_inside(name: str) -> None:
    case = CASES[name]
    dist, leaves = posed(case, case.values[0])
    x = leaf("x", case.values[0])
    point = numbers(support_point(dist, x.shape), leaves)
    if is_movable(dist):
        assert np.isfinite(numbers(logp(dist, x), {**leaves, x: point})).all()
    assert point.shape == np.shape(case.values[0])


def follows(drawn: np.ndarray, law: Any, atoms: bool) -> bool:
    """Whether draws are from `law`, by Kolmogorov and Smirnov."""
    if not atoms:
        return bool(stats.kstest(drawn, law.cdf).pvalue > 1e-3)
    at = np.unique([drawn - 1, drawn])  # between two values seen it is farthest at the end
    far = np.abs(law.cdf(at) - (drawn[:, None] <= at).mean(axis=0)).max(initial=0.0)
    return bool(far < 1.95 / np.sqrt(len(drawn)))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.law is not None])
def test_draws_have_the_law(name: str) -> None:
    case = CASES[name]
    dist, leaves = posed(case, np.zeros(4000))
    drawn = draw(dist, np.random.default_rng(7), (4000,), lambda node: numbers(node, leaves))

    assert follows(drawn, case.law, not is_movable(dist))
    assert is_discrete(dist) or np.isfinite(case.law.logpdf(drawn)).all()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.element is not None])
def test_elements_of_drawn_vectors_have_their_law(name: str) -> None:
    case = CASES[name]
    place, law = case.element
    dist, leaves = posed(case, case.values)
    shape = (4000, *case.values.shape[1:])
    drawn = draw(dist, np.random.default_rng(8), shape, lambda node: numbers(node, leaves))
    element = drawn[:, *np.atleast_1d(place)]

    assert follows(element, law, is_discrete(dist))
    assert in_support(dist, drawn, {}).all()


def test_parameters_of_many_draws_meet_the_first_axes() -> None:
    mu = leaf("mu", 0.0)
    dist = Normal.dist(mu, np.array([1e-6, 1e-6]))
    means = np.array([10.0, 20.0, 30.0])
    drawn = draw(
        dist, np.random.default_rng(1), (3, 2), lambda n: means if n is mu else n.arg.array
    )

    np.testing.assert_allclose(drawn, np.tile(means[:, None], 2), atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_the_default_transform_leads_into_the_support(name: str) -> None:
    case = CASES[name]
    dist, leaves = posed(case, case.values[:1])
    moved = default_transform(dist)
    if moved is None or not is_movable(dist):
        return
    start = np.zeros(extents(moved.unconstrained_shape(np.shape(case.values[0])), {}))
    z = leaf("z", start)

    assert np.isfinite(numbers(logp(dist, moved.backward(z)), {**leaves, z: start})).all()


def test_a_distribution_without_a_variable_takes_a_shape() -> None:
    with ed.Model() as model:
        ed.LKJCholeskyCov("chol", eta=2, n=2, sd_dist=ed.Exponential.dist(0.5, shape=2))
    with ed.Model() as plain:
        ed.LKJCholeskyCov("chol", eta=2, n=2, sd_dist=ed.Exponential.dist(0.5))
    point = {"chol": [0.7, 0.2, 1.1]}

    assert model.logp(point) == plain.logp(point)
    assert shape_of(ed.Normal.dist([0.0, 1.0], 2, shape=(3, 2))) == (3, 2)


@pytest.mark.parametrize(
    ("declare", "error", "words"),
    [
        (lambda: ed.Normal.dist([0.0, 1.0], shape=3), ShapeError, r"Normal\.dist: mu of shape"),
        (lambda: ed.Normal.dist(0, 1, shape="few"), OptionError, r"shape='few' is no length"),
        (lambda: ed.Dirichlet.dist(np.ones(3), shape=3), OptionError, "'shape'.*leave it out"),
        (lambda: ed.Flat.dist(shape=3), OptionError, "'shape'.*leave it out"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(declare, error, words) -> None:
    with pytest.raises(error, match=words):
        declare()
