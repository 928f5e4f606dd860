"""The twin's warmup agrees with what others publish about theirs, and with closed forms."""

import math
from typing import Any

import numpy as np
import pytest

from exmc_dask.kernels.runtime.chain import INTS
from exmc_dask.sampler import reference_warmup as warmup
from exmc_dask.sampler.reference_warmup import acceptance, search, welford
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState
from exmc_dask.sampler.windows import stan_windows


def chain_of(settings: Settings, dim: int = 1) -> dict[str, Any]:
    blank = ChainState.blank(dim, settings.adapt, settings.metric, 0)
    return {name: blank[name] for name in (*INTS, *blank.shapes())}


# nuts-rs's own windows when every draw is good: main switches, and what the estimate holds at last
@pytest.mark.parametrize(
    ("tune", "early", "main", "frozen", "held"),
    [
        (200, 6, [], 170, 121),
        (400, 12, [198], 340, 221),
        (800, 24, [318, 438], 680, 361),
        (1000, 30, [378, 498], 850, 471),
    ],
)
def test_fisher_windows_are_those_of_nuts_rs(
    tune: int, early: int, main: list[int], frozen: int, held: int
) -> None:
    settings, rng, switches, updates = Settings(seed=0, tune=tune), np.random.default_rng(1), [], 0
    chain = chain_of(settings) | {
        "n_front": 1,
        "n_back": 1,
        "n_step": 1,
    }  # the start counts as a draw
    for draw in range(tune):
        before = chain["n_back"]
        warmup.change_metric(chain, settings)
        if chain["n_back"] < before:
            switches.append(draw - 1)
        if chain["updates"] > updates:
            updates, last = chain["updates"], draw - 1
        chain.update(q=rng.normal(size=1), grad=rng.normal(size=1))
        warmup.learn(chain, settings, [0.1], diverging=False, index=1)
        chain["draw"] += 1
    assert (len(switches) - len(main), switches[early:]) == (early, main)
    assert (last, chain["n_front"]) == (frozen - 1, held)


@pytest.mark.parametrize(
    ("tune", "ends"),
    [
        (1000, [100, 150, 250, 450, 950]),
        (500, [100, 150, 250, 450]),
        (150, [100]),
        (100, [90]),
        (19, []),
    ],
)
def test_stan_windows_are_those_of_stan(tune: int, ends: list[int]) -> None:
    assert [end for _, end in stan_windows(tune)] == ends


def test_running_moments_are_the_batch_moments() -> None:
    x = np.random.default_rng(2).normal(size=(7, 3))
    mean, m2, square = np.zeros(3), np.zeros(3), np.zeros((3, 3))
    for n, row in enumerate(x, 1):
        square = welford(row, mean, square, n)[1]
        mean, m2 = welford(row, mean, m2, n)
    np.testing.assert_allclose(mean, x.mean(axis=0))
    np.testing.assert_allclose(m2 / 6, x.var(axis=0, ddof=1))
    np.testing.assert_allclose(square / 6, np.tril(np.cov(x.T)), atol=1e-15)


def test_dense_fisher_metric_of_a_normal_is_its_covariance() -> None:
    rng = np.random.default_rng(3)
    root = np.tril(rng.normal(size=(3, 3))) + 2.0 * np.eye(3)
    precision = np.linalg.inv(root @ root.T)
    settings = Settings(seed=0, tune=5000, metric="dense")
    chain = chain_of(settings, 3) | {"window": 1, "draw": 4001, "n_front": 4000, "n_back": 4000}
    q = rng.normal(size=(4000, 3)) @ root.T
    for name, x in (("q", q), ("grad", -q @ precision)):
        chain[f"m2_{name}"] = chain[f"back_m2_{name}"] = np.tril(4000 * np.cov(x.T, ddof=0))
    warmup.change_metric(chain, settings)
    np.testing.assert_allclose(chain["factor"], np.linalg.cholesky(root @ root.T), rtol=0.01)


def test_dual_averaging_finds_the_step_of_the_target_acceptance() -> None:
    settings = Settings(seed=0, tune=4000, adapt="stan", target_accept=0.7)
    chain = chain_of(settings)
    warmup.restart(chain, 0.1)
    for _ in range(3000):
        warmup.average(chain, settings, math.exp(-math.exp(chain["log_step"])))
    assert math.exp(-math.exp(chain["log_step_bar"])) == pytest.approx(0.7, abs=0.005)


@pytest.mark.parametrize(("scale", "found"), [(1.0, 0.4), (0.01, 0.1 / 64), (1e9, 0.1 * 2**20)])
def test_search_ends_on_the_far_side_of_the_target(scale: float, found: float) -> None:
    assert search(lambda step: math.exp(-abs(step) / scale), 0.8) == pytest.approx(found)


def test_acceptance_looks_at_one_direction_or_both() -> None:
    errors = [math.log(4.0), -math.log(4.0), math.inf]
    assert acceptance(errors, True) == pytest.approx((0.25 + 1.0 + 0.0) / 3)
    assert acceptance(errors, True, symmetric=True) == pytest.approx((0.4 + 0.4 + 0.0) / 3)
