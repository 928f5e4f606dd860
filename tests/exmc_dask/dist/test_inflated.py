"""What holds for distributions with zeros of their own, beside the table of references."""

import numpy as np
import pytest
from scipy import stats

from exmc_dask.dist import Hurdle, Poisson, ZeroInflated, logp
from exmc_dask.dist.base import FAMILIES, SHORTHANDS
from tests.exmc_dask.slopes import leaf, numbers, slopes
from tests.exmc_dask.references.inflated import CASES


@pytest.mark.parametrize("name", SHORTHANDS)
def test_a_shorthand_is_the_two_families_it_names(name: str) -> None:
    case = CASES[name]
    given = {param: leaf(param, value) for param, value in case.params.items()}
    psi = given.pop("psi")
    short = SHORTHANDS[name]
    outer, inner = short.outer, short.inner  # type: ignore[attr-defined]

    assert name == outer.name + inner.name
    assert short.dist(psi, **given) == outer.dist(psi, inner.dist(**given))
    assert name not in FAMILIES


@pytest.mark.parametrize(("psi", "x"), [(0.0, 0.0), (1.0, 0.0), (0.0, 2.0), (1.0, 2.0)])
@pytest.mark.parametrize("outer", [ZeroInflated, Hurdle])
def test_a_share_may_be_nothing_or_everything(outer, psi: float, x: float) -> None:
    share, mu = leaf("psi", 0.0), leaf("mu", 0.0)
    leaves = {share: psi, mu: 3.5}
    node = logp(outer.dist(share, Poisson.dist(mu)), leaf("x", 0.0))
    alone = stats.poisson(3.5).pmf(x)
    if outer is Hurdle:
        alone = (x != 0) * alone / stats.poisson(3.5).sf(0)
    expected = psi * alone + (1 - psi) * (x == 0)

    found = numbers(node, {**leaves, leaf("x", 0.0): x})
    assert np.exp(found) == pytest.approx(expected, rel=1e-14)
    assert all(np.isfinite(slope) for slope in slopes(node, leaves, {leaf("x", 0.0): x}))


def test_a_hurdle_that_nothing_gets_over_is_minus_infinity() -> None:
    mu, x = leaf("mu", 0.0), leaf("x", 0.0)
    node = logp(Hurdle.dist(0.5, Poisson.dist(mu)), x)

    assert numbers(node, {mu: 0.0, x: 1.0}) == -np.inf
    assert np.isfinite(slopes(node, {mu: 0.0}, {x: 1.0})).all()
