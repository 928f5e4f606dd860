"""R-hat, ESS, MCSE and BFMI are those of arviz-stats, on draws of every kind."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from exmc_dask import convergence
from exmc_dask.convergence import (
    MIN_LOOK,
    N_KEPT,
    N_LEAST,
    N_LOOK,
    TAILS,
    Running,
    bfmi,
    ess_bulk,
    ess_mean,
    ess_tail,
    mcse_mean,
    rhat,
)

AXES = {"chain_axis": 0, "draw_axis": 1}
OURS_AND_ARVIZ = {
    "rhat": (rhat, lambda x: array_stats.rhat(x, **AXES)),
    "ess_bulk": (ess_bulk, lambda x: array_stats.ess(x, method="bulk", **AXES)),
    "ess_tail": (ess_tail, lambda x: array_stats.ess(x, method="tail", prob=TAILS, **AXES)),
    "ess_mean": (ess_mean, lambda x: array_stats.ess(x, method="mean", **AXES)),
    "mcse_mean": (mcse_mean, lambda x: array_stats.mcse(x, method="mean", **AXES)),
}


def autoregressive(rho: float, shape: tuple[int, ...]) -> np.ndarray:
    x = np.random.default_rng(3).normal(size=shape)
    for t in range(1, shape[1]):
        x[:, t] += rho * x[:, t - 1]
    return x


def draws_of(kind: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    shape = (4, 301, 3)
    match kind:
        case "independent":
            return rng.normal(size=shape)
        case "slow":
            return autoregressive(0.98, shape)
        case "alternating":
            return autoregressive(-0.9, shape)
        case "heavy tails":
            return rng.standard_cauchy(size=shape)
        case "ties":
            return np.round(autoregressive(0.5, shape))
        case "apart":
            return rng.normal(size=shape) + np.arange(4)[:, None, None]
        case "other scale":
            return rng.normal(size=shape) * (1 + np.arange(4)[:, None, None])
        case "few":
            return rng.normal(size=(2, 5, 3))
        case "two chains":
            return autoregressive(0.7, (2, 1000, 3))
        case _:
            raise ValueError(kind)


KINDS = (
    "independent",
    "slow",
    "alternating",
    "heavy tails",
    "ties",
    "apart",
    "other scale",
    "few",
    "two chains",
)


@pytest.mark.parametrize("statistic", OURS_AND_ARVIZ)
@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_arviz(kind: str, statistic: str) -> None:
    ours, theirs = OURS_AND_ARVIZ[statistic]
    draws = draws_of(kind)

    np.testing.assert_allclose(ours(draws), theirs(draws), rtol=1e-9)


def test_bfmi_is_that_of_arviz() -> None:
    energy = autoregressive(0.9, (4, 300))

    np.testing.assert_allclose(bfmi(energy), array_stats.bfmi(energy, **AXES), rtol=1e-12)


@pytest.mark.parametrize("ess", [ess_bulk, ess_tail, ess_mean])
def test_one_chain_has_an_effective_size(ess) -> None:
    draws = autoregressive(0.5, (1, 400, 2))
    method = ess.__name__.removeprefix("ess_")
    prob = TAILS if method == "tail" else None

    theirs = array_stats.ess(draws, method=method, prob=prob, **AXES)

    np.testing.assert_allclose(ess(draws), theirs, rtol=1e-9)
    assert np.isnan(rhat(draws)).all()


@pytest.mark.parametrize("statistic", OURS_AND_ARVIZ)
def test_a_nan_spoils_its_own_variable_only(statistic: str) -> None:
    ours, _ = OURS_AND_ARVIZ[statistic]
    draws = draws_of("independent")
    clean = ours(draws)
    draws[1, 7, 1] = np.nan

    spoilt = ours(draws)

    assert np.isnan(spoilt[1])
    np.testing.assert_array_equal(spoilt[[0, 2]], clean[[0, 2]])


def test_what_never_changes_counts_in_full_and_has_no_rhat() -> None:
    still = np.ones((4, 100, 1))

    assert ess_bulk(still) == ess_tail(still) == 400
    assert np.isnan(rhat(still)).all()


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 0, 2), (4, 1, 2)])
@pytest.mark.parametrize("statistic", OURS_AND_ARVIZ)
def test_too_few_draws_say_nothing(statistic: str, shape: tuple[int, ...]) -> None:
    assert np.isnan(OURS_AND_ARVIZ[statistic][0](np.zeros(shape))).all()


def test_the_size_of_a_chunk_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = autoregressive(0.5, (4, 100, 7))
    whole = ess_bulk(draws)

    monkeypatch.setattr(convergence, "_CHUNK", 3 * 400)

    np.testing.assert_array_equal(ess_bulk(draws), whole)


def test_a_running_look_is_at_the_draws_that_all_chains_have() -> None:
    draws = autoregressive(0.5, (3, 400, 2))
    running = Running(n_chains=3, tune=100)
    for chain, sizes in enumerate([(400,), (150, 100), (50, 350)]):
        first = 0
        for n in sizes:
            rows = np.arange(first, first + n)
            running.add(chain, rows, draws[chain, rows])
            first += n

    common = draws[:, 100:250]

    look = running.look()
    assert look is not None
    assert look.n_draws == 150
    assert look.worst == (rhat(common).max(), ess_bulk(common).min())
    np.testing.assert_allclose(look.mean, common.mean(axis=(0, 1)))


@pytest.mark.parametrize(("n_draws", "k"), [(100, N_LOOK), (N_KEPT // 60, 20), (N_KEPT, N_LEAST)])
def test_a_running_look_keeps_few_numbers_of_large_models(n_draws: int, k: int) -> None:
    running = Running(n_chains=3, tune=0, n_draws=n_draws)
    for chain in range(3):
        running.add(chain, np.arange(60), np.zeros((60, 5000)))

    look = running.look()
    assert look is not None
    assert look.columns.tolist() == np.linspace(0, 4999, k).astype(int).tolist()


@pytest.mark.parametrize(("chains", "n"), [((0, 1, 2), MIN_LOOK - 1), ((0, 1), MIN_LOOK)])
def test_a_running_look_waits_for_enough_draws(chains: tuple[int, ...], n: int) -> None:
    running = Running(n_chains=3, tune=0)

    for chain in chains:
        running.add(chain, np.arange(n), np.zeros((n, 1)))

    assert running.look() is None
