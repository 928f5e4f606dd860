"""What holds for truncated and censored distributions, beside the table of references."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.dist import (
    Censored,
    Exponential,
    Normal,
    Truncated,
    TruncatedNormal,
    default_transform,
    draw,
    logp,
)
from exmc_dask.expressions.ir import as_node
from exmc_dask.transforms import interval, transform
from tests.exmc_dask.slopes import leaf, numbers, slopes


def test_a_truncated_normal_is_the_family_of_that_name() -> None:
    x = np.array([8.1, 9.0, 12.0])
    mu, at = leaf("mu", 0.0), leaf("x", x)
    found = logp(Truncated.dist(Normal.dist(mu, 2), 8, 12), at)
    expected = logp(TruncatedNormal.dist(mu, 2, lower=8, upper=12), at)
    leaves = {mu: 0.5, at: x}

    np.testing.assert_allclose(numbers(found, leaves), numbers(expected, leaves), rtol=1e-12)
    for one, other in zip(slopes(found, leaves), slopes(expected, leaves), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_no_probability_between_the_bounds_is_minus_infinity() -> None:
    lam, x = leaf("lam", 0.0), leaf("x", 0.0)
    node = logp(Truncated.dist(Exponential.dist(lam), -3.0, -1.0), x)

    assert numbers(node, {lam: 0.5, x: -2.0}) == -np.inf
    assert np.isfinite(slopes(node, {lam: 0.5, x: -2.0})).all()


@pytest.mark.parametrize("wrapper", [Truncated, Censored])
def test_bounds_may_be_infinite_one_by_one(wrapper: Any) -> None:
    low, high = np.array([-np.inf, 0.0, 0.0]), np.array([1.0, np.inf, 1.0])
    mu, x = leaf("mu", 0.0), np.array([0.5, 0.5, 0.5])
    node = logp(wrapper.dist(Normal.dist(mu, 1), low, high), leaf("x", x))
    cdf = stats.norm(0.3).cdf
    mass = cdf(high) - cdf(low) if wrapper is Truncated else 1.0
    leaves = {mu: 0.3, leaf("x", x): x}

    expected = stats.norm(0.3).logpdf(x) - np.log(mass)
    np.testing.assert_allclose(numbers(node, leaves), expected, rtol=1e-13)
    assert all(np.isfinite(slope).all() for slope in slopes(node, leaves))


BOUNDS = {
    "both sides": (Truncated.dist(Normal.dist(0, 1), -1, 2), interval(-1.0, 2.0)),
    "a bound of its own": (Truncated.dist(Exponential.dist(1), upper=2), interval(0.0, 2.0)),
    "a bound beyond the support": (Truncated.dist(Exponential.dist(1), -1), transform("log")),
    "a bound at infinity": (Truncated.dist(Normal.dist(0, 1), -np.inf, 2), interval(None, 2.0)),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_truncated_variable_moves_between_its_bounds(name: str) -> None:
    dist, expected = BOUNDS[name]

    assert default_transform(dist) == expected


def test_bounds_of_data_meet_the_support() -> None:
    entry = leaf("entry", np.ones(3))
    moved = default_transform(Truncated.dist(Exponential.dist(1), entry))

    assert moved is not None
    assert moved.kind == "lower"
    np.testing.assert_equal(numbers(moved.args[0], {entry: [-1.0, 0.0, 2.0]}), [0.0, 0.0, 2.0])


def test_bounds_are_data_that_can_change() -> None:
    entry, time = np.array([1.0, 2.0]), np.array([3.0, 2.0])
    with ed.Model() as model:
        rate = ed.Exponential("rate", 1)
        start, end = ed.Data("entry", entry), ed.Data("time", time)
        ed.Truncated("t", ed.Exponential.dist(rate), lower=start, observed=end)
        ed.Censored("u", ed.Exponential.dist(rate), upper=end, observed=start)

    def expected(entry: np.ndarray, time: np.ndarray) -> float:
        law = stats.expon(0, 2)
        given = law.logpdf(time) - law.logsf(entry)
        seen = np.where(entry < time, law.logpdf(entry), law.logsf(time))
        return float(stats.expon.logpdf(0.5) + given.sum() + seen.sum())

    assert model.logp({"rate": 0.5}) == pytest.approx(expected(entry, time))
    entry, time = np.array([0.0, 1.5, 1.0]), np.array([3.0, 2.5, 1.0])
    model.set_data({"entry": entry, "time": time})
    assert model.logp({"rate": 0.5}) == pytest.approx(expected(entry, time))


def test_censored_draws_stay_between_the_bounds() -> None:
    dist = Censored.dist(Normal.dist(0, 1), lower=-1, upper=0.5)
    drawn = draw(dist, np.random.default_rng(1), (1000,), lambda node: numbers(node, {}))

    assert np.mean(drawn == -1) == pytest.approx(stats.norm.cdf(-1), abs=0.04)
    assert np.mean(drawn == 0.5) == pytest.approx(stats.norm.sf(0.5), abs=0.04)


def test_draws_far_out_are_found_for_many_parameters_at_once() -> None:
    mu, lower = leaf("mu", 0.0), as_node(np.array([6.0, 60.0]))
    dist = Truncated.dist(Normal.dist(mu, 1), lower)
    means = np.repeat([0.0, 50.0], 2000)
    drawn = draw(
        dist, np.random.default_rng(2), (4000, 2),
        lambda node: means if node is mu else numbers(node, {}),
    )  # fmt: skip
    laws = [stats.truncnorm(6, np.inf), stats.truncnorm(10, np.inf, 50)]

    assert stats.kstest(drawn[:2000, 0], laws[0].cdf).pvalue > 1e-3
    assert stats.kstest(drawn[2000:, 1], laws[1].cdf).pvalue > 1e-3
    assert (drawn[:, 1] >= 60.0).all()
