"""What holds for mixtures, beside the table of references."""

import numpy as np
import pytest
from scipy import stats

from exmc_dask.dist import Mixture, Normal, NormalMixture, Poisson, event_ndim, logp, shape_of
from exmc_dask.dist.law import support
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import as_node
from exmc_dask.expressions.ops import Op
from tests.exmc_dask.slopes import leaf, numbers, slopes
from tests.exmc_dask.references.case import posed
from tests.exmc_dask.references.mixture import CASES


def test_weights_of_zero_do_not_count() -> None:
    w = np.array([1.0, 0.0])
    leaves = {leaf("w", w): w, leaf("x", 0.3): 0.3}
    node = logp(NormalMixture.dist(leaf("w", w), [0, 50], [1, 1]), leaf("x", 0.3))

    assert numbers(node, leaves) == pytest.approx(stats.norm.logpdf(0.3), abs=1e-15)
    assert all(np.isfinite(slope).all() for slope in slopes(node, leaves))


def test_events_are_those_of_the_components() -> None:
    case = CASES["Mixture of shares"]
    dist, _ = posed(case, case.values)

    assert event_ndim(dist) == 1
    assert shape_of(dist) == (3,)


def test_a_batch_of_mixtures_has_weights_of_its_own() -> None:
    w = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    dist = Mixture.dist(as_node(w), [Normal.dist(0, 1), Normal.dist(9, 2)])
    parts = np.stack([stats.norm.logpdf(1.0), stats.norm.logpdf(1.0, 9, 2)])
    mixed = np.log(0.5 * np.exp(parts).sum())

    found = numbers(logp(dist, leaf("x", np.ones(3))), {leaf("x", np.ones(3)): np.ones(3)})
    np.testing.assert_allclose(found, [*parts, mixed], rtol=1e-14)


def test_components_that_share_a_support_are_guarded_once() -> None:
    mixed = logp(Mixture.dist([0.5, 0.5], Poisson.dist([1.0, 2.0])), leaf("x", 1.0))
    alone = logp(Poisson.dist(1.0), leaf("x", 1.0))

    def floors(node):
        return sum(n.op is Op.FLOOR for n in topological([node]))

    assert floors(mixed) == floors(alone) == 1


def test_bounds_of_all_components_are_those_of_the_mixture() -> None:
    counts = support(posed(CASES["Mixture of different counts"], 1.0)[0])
    real = support(posed(CASES["Mixture of different supports"], 1.0)[0])

    assert str(counts) == "whole numbers in [0, inf)"
    assert str(real) == "(-inf, inf)"
