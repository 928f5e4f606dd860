"""A declared regression has the exact marginals of its posterior, far into the tails.

The exact laws, and what they are exact for, stand in `benchmarks/calibration.py`, which holds the
regressions of posteriordb to them.
"""

from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from benchmarks.calibration import exact_laws
from tests.kernels.targets import F8
from tests.statistics.moments import LIMIT, z_score

LEVELS = (0.005, 0.05, 0.25, 0.75, 0.95, 0.995)
RNG = np.random.default_rng(20261125)
X = np.column_stack([np.ones(14), RNG.normal(3.0, 1.0, 14), RNG.exponential(2.0, 14)])
Y = X @ [1.0, -0.5, 0.8] + RNG.normal(0.0, 0.6, 14)


LAWS = exact_laws(X, Y)


@pytest.fixture(scope="module", params=["diag", "dense", "low_rank"])
def draws(request: pytest.FixtureRequest) -> list[F8]:
    """320 000 draws of every parameter, each (4, 80 000)."""
    with ed.Model() as model:
        beta = ed.Flat("beta", shape=3)
        sigma = ed.HalfFlat("sigma")
        ed.Normal("y", X @ beta, sigma, observed=Y)
    trace = ed.sample(
        model,
        draws=80_000,
        random_seed=1,
        metric=request.param,
        cluster="threads",
        progressbar=False,
        compute_convergence_checks=False,
    )
    return [*np.moveaxis(trace.posterior["beta"].values, -1, 0), trace.posterior["sigma"].values]


def share_below(x: F8, law: Any, level: float, expected: float) -> float:
    """Return how far the share of draws below a quantile is from `expected`, in errors."""
    return z_score((x <= law.ppf(level)).astype(float), expected)


def test_marginals_are_exact(draws: list[F8]) -> None:
    for x, law in zip(draws, LAWS.values(), strict=True):
        shares = [share_below(x, law, level, level) for level in LEVELS]
        assert max(map(abs, [z_score(x, law.mean()), *shares])) < LIMIT


@pytest.mark.parametrize(("level", "expected"), [(0.06, 0.05), (0.94, 0.95)])
def test_one_draw_in_a_hundred_on_the_wrong_side_of_a_tail_is_noticed(
    draws: list[F8], level: float, expected: float
) -> None:
    for x, law in zip(draws, LAWS.values(), strict=True):
        assert abs(share_below(x, law, level, expected)) > 2 * LIMIT
