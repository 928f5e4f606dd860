"""Distributions of paths: batches, draws, mistakes."""

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.dist import AR, GARCH11, Dist, GaussianRandomWalk, MvGaussianRandomWalk, draw, logp
from exmc_dask.errors import OptionError, ShapeError
from tests.exmc_dask.slopes import leaf, numbers

PATHS = np.array([[0.0, 0.5, -0.2, 1.0], [3.0, 3.1, 2.9, -4.0]])
SCALES = np.array([0.5, 2.0])
FAMILIES = {
    "GaussianRandomWalk": lambda scale: GaussianRandomWalk.dist(0.1, scale),
    "AR": lambda scale: AR.dist(math.stack([0.5, 0.2]), scale),
    "GARCH11": lambda scale: GARCH11.dist(scale, 0.3, 0.5, scale),
}


def number(dist: Dist, value: np.ndarray) -> np.ndarray:
    x = leaf("x", value)
    return numbers(logp(dist, x), {x: value})


@pytest.mark.parametrize("name", FAMILIES)
def test_a_batch_of_paths_takes_a_parameter_each(name: str) -> None:
    make = FAMILIES[name]
    apart = [float(number(make(s), x)) for s, x in zip(SCALES, PATHS, strict=True)]

    np.testing.assert_allclose(number(make(SCALES), PATHS), apart, rtol=1e-12)


def test_steps_of_a_drawn_vector_walk_have_their_covariance() -> None:
    cov = np.array([[1.0, 0.6], [0.6, 2.0]])
    dist = MvGaussianRandomWalk.dist([0.5, -1.0], cov=cov)
    drawn = draw(dist, np.random.default_rng(3), (5000, 3, 2), lambda node: numbers(node, {}))
    steps = np.diff(drawn, axis=1).reshape(-1, 2)

    np.testing.assert_allclose(np.cov(steps.T), cov, atol=0.1)
    assert stats.kstest(steps[:, 1], stats.norm(-1.0, np.sqrt(2.0)).cdf).pvalue > 1e-3
    assert stats.kstest(drawn[:, 0, 0], stats.norm(0.0, 1.0).cdf).pvalue > 1e-3


def test_a_long_drawn_path_forgets_where_it_began() -> None:
    dist = AR.dist(math.stack([0.6, 0.2]), 1.0, init_dist=ed.Normal.dist(50, 1))
    drawn = draw(dist, np.random.default_rng(4), (4000, 60), lambda node: numbers(node, {}))
    spread = np.sqrt((1 - 0.2) / ((1 + 0.2) * ((1 - 0.2) ** 2 - 0.6**2)))

    assert stats.kstest(drawn[:, -1], stats.norm(0.0, spread).cdf).pvalue > 1e-3


def test_the_variance_of_drawn_returns_is_that_of_the_model() -> None:
    dist = GARCH11.dist(0.4, 0.3, 0.5, 3.0)
    drawn = draw(dist, np.random.default_rng(5), (20000, 40), lambda node: numbers(node, {}))

    assert drawn[:, 0].var() == pytest.approx(9.0, rel=0.03)
    assert drawn[:, -1].var() == pytest.approx(0.4 / (1 - 0.3 - 0.5), rel=0.05)


def test_a_constant_is_a_flag() -> None:
    with pytest.raises(OptionError, match=r"constant is True or False, not 0\.7"):
        AR.dist([0.5, 0.2], 1.0, constant=0.7)


def test_the_order_of_a_recursion_is_fixed() -> None:
    with (
        ed.Model(),
        pytest.raises(ShapeError, match="rho of a fixed length"),
    ):
        ed.AR("x", np.array([0.5, 0.2]), 1.0, observed=PATHS[0])


@pytest.mark.parametrize("declare", [
    lambda: ed.AR("x", ed.Normal("rho", 0, 1, shape=2), 1.0),
    lambda: ed.GARCH11("x", 1.0, 0.3, 0.5, 1.0),
    lambda: ed.MvGaussianRandomWalk("x", cov=np.eye(2)),
])  # fmt: skip
def test_a_free_path_needs_a_length(declare) -> None:
    with ed.Model(), pytest.raises(ShapeError, match="needs shape= or dims= for its length"):
        declare()
