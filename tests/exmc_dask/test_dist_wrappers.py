"""What holds for mixtures, censoring and formulas of the user, beside the table of references."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from exmc_dask import math
from exmc_dask.dist import Censored, Custom, Normal, NormalMixture, draw, logp
from exmc_dask.slots import Slots
from exmc_dask.verify import with_formulas
from tests.exmc_dask.expressions import leaf, numbers, slopes
from tests.exmc_dask.references.case import posed
from tests.exmc_dask.references.wrappers import CASES, CENTRES, SPREADS, WEIGHTS


@pytest.mark.parametrize("name", ["NormalMixture", "Mixture, batched", "Mixture, list"])
def test_draws_of_a_mixture_have_its_law(name: str) -> None:
    dist, leaves = posed(CASES[name], CASES[name].values)
    drawn = draw(dist, np.random.default_rng(9), (4000,), lambda node: numbers(node, leaves))

    def cdf(x: Any) -> Any:
        return stats.norm.cdf(np.asarray(x)[:, None], CENTRES, SPREADS) @ WEIGHTS

    assert stats.kstest(drawn, cdf).pvalue > 1e-3


def test_censored_draws_stay_between_the_bounds() -> None:
    dist = Censored.dist(Normal.dist(0, 1), lower=-1, upper=0.5)
    drawn = draw(dist, np.random.default_rng(1), (1000,), lambda node: numbers(node, {}))

    assert np.mean(drawn == -1) == pytest.approx(stats.norm.cdf(-1), abs=0.04)
    assert np.mean(drawn == 0.5) == pytest.approx(stats.norm.sf(0.5), abs=0.04)


def test_weights_of_zero_do_not_count() -> None:
    w = np.array([1.0, 0.0])
    leaves = {leaf("w", w): w, leaf("x", 0.3): 0.3}
    node = logp(NormalMixture.dist(leaf("w", w), [0, 50], [1, 1]), leaf("x", 0.3))

    assert numbers(node, leaves) == pytest.approx(stats.norm.logpdf(0.3), abs=1e-15)
    assert all(np.isfinite(slope).all() for slope in slopes(node, leaves))


def test_a_formula_may_give_one_number_for_a_vector() -> None:
    x = np.array([0.5, 2.0, 1.0])
    dist = Custom.dist(logp=lambda v: math.dot(math.log(v), v), support="positive")
    node = logp(with_formulas(Slots(), "x", dist, (3,)), leaf("x", x))
    outside = {leaf("x", x): np.array([0.0, 2.0, 1.0])}

    assert numbers(node, {leaf("x", x): x}) == pytest.approx(1.5 * np.log(2.0))
    assert numbers(node, outside) == -np.inf
    assert all(np.isfinite(slope).all() for slope in slopes(node, outside))
