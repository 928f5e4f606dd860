"""Pieces of log-densities against fifty digits."""

import numpy as np
import pytest

from exmc_dask.dist.forms import element, log_choose, log_rising
from exmc_dask.expressions.ir import as_node
from tests.exmc_dask.slopes import leaf, numbers, slopes
from tests.exmc_dask.references.exact import Real, exact, exact_slope, mp

A = (1e-300, 1e-8, 0.5, 3.3, 77.0, 1e6, 1e12, 1e40)
D = np.array([0.0, 1.0, 2.5, 40.0, 1e4])


def rising(d: Real, a: Real) -> Real:
    with mp.workdps(120):
        return mp.loggamma(a + d) - mp.loggamma(a) - d * mp.log(a)


@pytest.mark.parametrize("a", A)
def test_a_rising_factorial_keeps_its_digits(a: float) -> None:
    leaves = {leaf("a", a): a}
    node = log_rising(leaf("a", a), leaf("d", D))
    found = numbers(node, {**leaves, leaf("d", D): D})
    (slope,) = slopes(node, leaves, {leaf("d", D): D})

    np.testing.assert_allclose(found, exact(rising, a=a)(D), rtol=1e-14, atol=1e-12)
    np.testing.assert_allclose(slope, exact_slope(rising, a=a)("a", D), rtol=1e-8, atol=1e-15)


@pytest.mark.parametrize(("n", "k"), [(5.0, 2.0), (1e9, 3.0), (3.0, 0.0), (0.0, 0.0), (7.0, 7.0)])
def test_ways_to_choose(n: float, k: float) -> None:
    node = log_choose(as_node(n), as_node(k))

    assert float(numbers(node, {})) == pytest.approx(float(mp.log(mp.binomial(n, k))), abs=1e-12)


def test_elements_by_floats_and_beyond_the_ends() -> None:
    rows = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
    found = numbers(element(as_node(rows), as_node(np.array([0.0, 1.0, 2.0, -1.0]))), {})

    np.testing.assert_array_equal(found, [1.0, 4.0, 0.0, 0.0])
