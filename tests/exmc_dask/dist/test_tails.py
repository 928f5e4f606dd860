"""Probabilities of tails against scipy.stats, wherever both have them."""

import numpy as np
import pytest

from exmc_dask.dist import (
    FAMILIES,
    Bernoulli,
    Binomial,
    Exponential,
    Geometric,
    NegativeBinomial,
    Normal,
    Poisson,
    is_movable,
    logcdf,
    logsf,
)
from exmc_dask.dist.tails import log_at_least, log_between, without_tails
from tests.exmc_dask.slopes import differences, leaf, numbers, slopes
from tests.exmc_dask.references.case import WHOLE, params_of, posed
from tests.exmc_dask.references.table import CASES

SIDES = {"logcdf": logcdf, "logsf": logsf}
REFERENCES = {  # `tails` where scipy loses digits, else the law for draws
    name: case.tails or case.law
    for name, case in CASES.items()
    if hasattr(case.tails or case.law, "logsf")
    and without_tails(posed(case, case.values)[0]) is None
}
UNDERFLOW = -36.0  # logarithm of what scipy may take for 0, where one tail is 1 minus the other

each = pytest.mark.parametrize("name", REFERENCES)
each_side = pytest.mark.parametrize("side", SIDES)


def test_every_distribution_function_has_a_reference() -> None:
    able = {family.name for family in FAMILIES.values() if family.logcdf is not None}

    assert able == {CASES[name].dist(**CASES[name].params).family for name in REFERENCES}


@each
@each_side
def test_tails_are_those_of_scipy(name: str, side: str) -> None:
    case = CASES[name]
    x = case.values
    if case.tails is None:
        near = x[np.abs(x) < 1e3]
        x = np.concatenate([x, near + 0.3, near - 0.3, [-np.inf, np.inf]])
    dist, leaves = posed(case, x)
    node = SIDES[side](dist, leaf("x", x))
    found = numbers(node, leaves)
    with np.errstate(divide="ignore", over="ignore"):
        expected = getattr(REFERENCES[name], side)(x)
    none = np.isneginf(expected)

    np.testing.assert_allclose(found[~none], expected[~none], rtol=1e-10, atol=1e-13)
    assert (found[none] < UNDERFLOW).all()
    assert all(np.isfinite(slope).all() for slope in slopes(node, leaves))


@each
@each_side
def test_slopes_of_tails_are_those_of_differences(name: str, side: str) -> None:
    case = CASES[name]
    if case.slope is not None:
        return  # the parameters are too extreme for differences
    dist = case.dist(**case.params)
    middle = np.sort(case.values)[[(len(case.values) - 1) // 2]]
    inner = middle if not is_movable(dist) else np.array([0.35, 0.8])
    x = inner if case.inner is None else case.inner
    dist, leaves = posed(case, x)
    still = {leaf(p.name, 0.0) for p in params_of(dist) if p.domain in WHOLE}
    still |= {leaf("x", x)} if not is_movable(dist) else set()
    fixed = {one: value for one, value in leaves.items() if one in still}
    moved = {one: value for one, value in leaves.items() if one not in still}
    node = SIDES[side](dist, leaf("x", x))

    for found, expected in zip(
        slopes(node, moved, fixed), differences(node, moved, fixed), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=2e-7, atol=1e-7)


# interval, and its log-probability under the standard normal law by expansion in the tail
INTERVALS = {
    "left tail": (-41.0, -40.0, -804.6084420137538),
    "right tail": (40.0, 41.0, -804.6084420137538),
    "middle": (-0.1, 0.2, -2.12789636966522250),
    "everything": (-np.inf, np.inf, 0.0),
    "nothing": (2.0, 2.0, -np.inf),
    "bounds that fall": (2.0, 1.0, -np.inf),
}


@pytest.mark.parametrize("name", INTERVALS)
def test_an_interval_keeps_its_digits_in_either_tail(name: str) -> None:
    lower, upper, expected = INTERVALS[name]
    mu = leaf("mu", 0.0)
    node = log_between(Normal.dist(mu, 1), lower, upper)

    assert numbers(node, {mu: 0.0}) == pytest.approx(expected, rel=1e-10, abs=1e-10)
    assert np.isfinite(slopes(node, {mu: 0.0})).all()


def test_an_interval_may_be_open() -> None:
    dist = Exponential.dist(0.5)

    assert numbers(log_between(dist), {}) == 0.0
    assert numbers(log_between(dist, 3.0), {}) == pytest.approx(-1.5)
    assert numbers(log_between(dist, None, 3.0), {}) == pytest.approx(np.log1p(-np.exp(-1.5)))


@pytest.mark.parametrize(("value", "n_before"), [(3.0, 2), (2.5, 2), (1.0, 0), (-4.0, 0)])
def test_a_bound_of_counts_belongs_to_what_is_above(value: float, n_before: int) -> None:
    node = log_at_least(Geometric.dist(0.3), value)

    assert numbers(node, {}) == pytest.approx(n_before * np.log(0.7))


CERTAIN = {  # law with one possible value, its parameter, and that value
    "Poisson": (Poisson.dist, 0.0, 0),
    "Binomial, never": (lambda p: Binomial.dist(3, p), 0.0, 0),
    "Binomial, always": (lambda p: Binomial.dist(3, p), 1.0, 3),
    "NegativeBinomial": (lambda mu: NegativeBinomial.dist(mu, 2), 0.0, 0),
    "NegativeBinomial, trials": (lambda p: NegativeBinomial.dist(p=p, n=2), 1.0, 0),
    "Geometric": (Geometric.dist, 1.0, 1),
    "Bernoulli": (Bernoulli.dist, 1.0, 1),
}


@pytest.mark.parametrize("name", CERTAIN)
def test_tails_of_certain_outcomes(name: str) -> None:
    make, number, value = CERTAIN[name]
    p, x = leaf("p", 0.0), np.arange(4.0)
    for side, expected in ((logcdf, x >= value), (logsf, x < value)):
        node = side(make(p), leaf("x", x))
        leaves = {p: number, leaf("x", x): x}

        np.testing.assert_array_equal(np.exp(numbers(node, leaves)), expected)
        assert np.isfinite(slopes(node, {p: number}, {leaf("x", x): x})).all()
