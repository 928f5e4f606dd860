"""The yardstick of the gates: effective sizes known in closed form, z-scores of a right sampler."""

import numpy as np
import pytest

from tests.kernels.targets import BANANA, F8
from tests.statistics.moments import LIMIT, effective_size, worst, z_score


def autoregression(rho: float, n: int, seed: int) -> F8:
    noise = np.random.default_rng(seed).normal(size=(4, n))
    x = noise.copy()
    for t in range(1, n):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1.0 - rho**2) * noise[:, t]
    return x


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5, 0.9])
def test_size_of_an_autoregression_is_its_closed_form(rho: float) -> None:
    x = autoregression(rho, 40_000, 3)
    assert effective_size(x) == pytest.approx(x.size * (1.0 - rho) / (1.0 + rho), rel=0.06)


def test_z_scores_are_standard_normal() -> None:
    z = [z_score(autoregression(0.7, 1000, seed), 0.0) for seed in range(300)]
    assert np.std(z) == pytest.approx(1.0, abs=0.12)


def test_independent_draws_pass_and_a_spread_two_percent_too_large_does_not() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4, 50_000))
    draws = np.stack([x, x * x + x + rng.normal(size=x.shape)], axis=-1)
    assert abs(worst(draws, BANANA)[1]) < LIMIT
    assert abs(worst(draws * 1.02, BANANA)[1]) > LIMIT
