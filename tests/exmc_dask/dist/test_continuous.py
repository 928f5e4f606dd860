"""What holds for continuous distributions of one number, beside the table of references."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.dist import Interpolated, Triangular, Uniform, Wald, draw, logcdf, logp, logsf
from exmc_dask.errors import OptionError, SupportError
from tests.exmc_dask.slopes import leaf, numbers, slopes

X = np.array([-1.0, 0.0, 2.9, 3.0])


def test_the_inverse_gaussian_is_the_wald() -> None:
    assert ed.InverseGaussian is ed.Wald


@pytest.mark.parametrize("c", [-1.0, 3.0])
def test_a_triangle_may_lean_against_a_bound(c: float) -> None:
    law = stats.triang((c + 1) / 4, -1, 4)
    leaves = {leaf("c", c): c, leaf("x", X): X}
    dist = Triangular.dist(-1, 3, leaf("c", c))

    with np.errstate(divide="ignore"):
        for side in (logp, logcdf, logsf):
            name = "logpdf" if side is logp else side.__name__
            found = numbers(side(dist, leaf("x", X)), leaves)
            np.testing.assert_allclose(found, getattr(law, name)(X), atol=1e-14)
    assert all(np.isfinite(slope).all() for slope in slopes(logp(dist, leaf("x", X)), leaves))


@pytest.mark.parametrize("c", [-1.1, 3.5])
def test_a_triangle_whose_peak_is_outside_is_minus_infinity(c: float) -> None:
    leaves = {leaf("c", c): c, leaf("x", 0.5): 0.5}
    node = logp(Triangular.dist(-1, 3, leaf("c", c)), leaf("x", 0.5))

    assert numbers(node, leaves) == -np.inf
    assert all(np.isfinite(slope).all() for slope in slopes(node, leaves))


def test_points_need_no_density_everywhere() -> None:
    x = np.array([0.0, 0.5, 1.0, 2.5, 3.0])
    dist = Interpolated.dist([0, 1, 2, 3], [1, 0, 0, 0])
    leaves = {leaf("x", x): x}
    node = logp(dist, leaf("x", x))
    drawn = draw(dist, np.random.default_rng(3), (2000,), lambda node: numbers(node, {}))

    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(numbers(node, leaves), np.log(2 * np.maximum(1 - x, 0)))
    assert np.isfinite(slopes(node, leaves)).all()
    assert stats.kstest(drawn, stats.triang(0).cdf).pvalue > 1e-3


def test_points_without_any_density_are_minus_infinity() -> None:
    heights = np.zeros(3)
    leaves = {leaf("f", heights): heights, leaf("x", 0.5): 0.5}
    node = logp(Interpolated.dist([0, 1, 2], leaf("f", heights)), leaf("x", 0.5))

    assert numbers(node, leaves) == -np.inf
    assert all(np.isfinite(slope).all() for slope in slopes(node, leaves))


@pytest.mark.parametrize(
    ("dist", "value", "below", "above"),
    [
        (Uniform.dist(0, 1), -0.5, -np.inf, 0.0),
        (Uniform.dist(0, 1), 1.5, 0.0, -np.inf),
        (Wald.dist(1, 1), -2.0, -np.inf, 0.0),
        (Wald.dist(1, 1), 0.0, -np.inf, 0.0),
    ],
)
def test_tails_beyond_the_support(dist: Any, value: float, below: float, above: float) -> None:
    leaves = {leaf("x", value): value}
    for side, expected in ((logcdf, below), (logsf, above)):
        node = side(dist, leaf("x", value))

        assert numbers(node, leaves) == expected
        assert np.isfinite(slopes(node, leaves)).all()


@pytest.mark.parametrize(
    ("declare", "error", "words"),
    [
        (lambda: ed.Triangular("y", 0, 1, 2), SupportError, "c of Triangular must lie between"),
        (lambda: ed.Interpolated("y", [0, 2, 1], [1, 1, 1]), SupportError, "x_points .* rising"),
        (lambda: ed.Interpolated("y", [0, 1], [1, -1]), SupportError, "pdf_points .* negative"),
        (
            lambda: ed.Interpolated("y", ed.math.stack([0, ed.Exponential("s", 1)]), [1, 1]),
            OptionError,
            "'y': x_points of Interpolated depend on a variable",
        ),
    ],
)
def test_a_mistake_is_named(declare: Any, error: type[Exception], words: str) -> None:
    with ed.Model(), pytest.raises(error, match=words):
        declare()
