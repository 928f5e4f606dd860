"""R-hat, ESS, MCSE and BFMI are those of arviz-stats, on draws of every kind."""

import tracemalloc

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy.special import ndtri

from exmc_dask.results import convergence
from exmc_dask.results.convergence import (
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
    rhat_nested,
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


@pytest.mark.parametrize("shape", [(4, 500, 1000), (4, 10_000, 50)])
@pytest.mark.parametrize("statistic", [rhat, ess_bulk, ess_tail])
def test_a_statistic_takes_hardly_more_memory_than_its_draws(statistic, shape) -> None:
    draws = np.random.default_rng(1).normal(size=shape)
    statistic(draws[:, :, :2])  # loads what it needs
    tracemalloc.start()
    statistic(draws)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 1.5 * draws.nbytes


def test_a_running_look_is_at_the_draws_that_all_chains_have() -> None:
    draws = autoregressive(0.5, (3, 400, 2))
    running = Running(n_chains=3)
    for chain, sizes in enumerate([(400,), (100, 0, 50), (50, 350)]):
        first = 0
        for n in sizes:
            running.add(chain, draws[chain, first : first + n])
            first += n

    common = draws[:, :150]

    look = running.look()
    assert look is not None
    assert look.n_draws == 150
    assert look.worst == (rhat(common).max(), ess_bulk(common).min())
    np.testing.assert_allclose(look.mean, common.mean(axis=(0, 1)))


@pytest.mark.parametrize(("n_draws", "k"), [(100, N_LOOK), (N_KEPT // 60, 20), (N_KEPT, N_LEAST)])
def test_a_running_look_keeps_few_numbers_of_large_models(n_draws: int, k: int) -> None:
    running = Running(n_chains=3, n_draws=n_draws)
    for chain in range(3):
        running.add(chain, np.zeros((60, 5000)))

    look = running.look()
    assert look is not None
    assert look.columns.tolist() == np.linspace(0, 4999, k).astype(int).tolist()


@pytest.mark.parametrize(("chains", "n"), [((0, 1, 2), MIN_LOOK - 1), ((0, 1), MIN_LOOK)])
def test_a_running_look_waits_for_enough_draws(chains: tuple[int, ...], n: int) -> None:
    running = Running(n_chains=3)

    for chain in chains:
        running.add(chain, np.zeros((n, 1)))

    assert running.look() is None


@pytest.mark.parametrize("kind", ["independent", "slow", "ties", "apart", "other scale"])
@pytest.mark.parametrize("superchains", [[0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 2, 3], [7, 7, 3, 3]])
def test_nested_rhat_is_that_of_arviz(kind: str, superchains: list[int]) -> None:
    draws = draws_of(kind)
    numbered = np.unique(superchains, return_inverse=True)[1]
    theirs = array_stats.rhat_nested(draws, superchain_ids=numbered, **AXES)

    np.testing.assert_allclose(rhat_nested(draws, np.array(superchains)), theirs, rtol=1e-9)


@pytest.mark.parametrize(
    ("n_chains", "n_draws", "worth"), [(40, 1, 40), (20, 2, 20 * 3), (10, 8, 20 * 5)]
)
def test_nested_rhat_of_stationary_chains_is_known(n_chains: int, n_draws: int, worth: int) -> None:
    """The variance 1 is 1 / (M n) between superchains; 1 + 1 / n within them, 1 where n is 1."""
    n_superchains = 400
    superchains = np.repeat(np.arange(n_superchains), n_chains)
    draws = np.random.default_rng(3).normal(size=(len(superchains), n_draws, 2))

    excess = rhat_nested(draws, superchains) ** 2 - 1

    np.testing.assert_allclose(excess.mean() * worth, 1.0, atol=0.1)


def test_nested_rhat_of_one_draw_by_hand() -> None:
    """Four chains of one draw: means of superchains against the spread of two draws in each."""
    draws = np.array([1.0, 2.0, 3.0, 4.0])[:, None, None]
    low, high = ndtri((1 - 3 / 8) / 4.25), ndtri((2 - 3 / 8) / 4.25)  # scores of ranks 1 and 2
    between, within = (low + high) ** 2 / 2, (low - high) ** 2 / 2
    expected = np.sqrt(1 + between / within)  # folded draws are all alike in both superchains

    np.testing.assert_allclose(rhat_nested(draws, np.array([0, 0, 1, 1])), [expected])


def test_nested_rhat_sees_superchains_apart_that_a_few_draws_of_each_chain_hide() -> None:
    rng = np.random.default_rng(5)
    superchains = np.repeat(np.arange(8), 64)
    draws = rng.normal(size=(512, 1, 1)) + 0.5 * superchains[:, None, None]

    assert rhat_nested(draws, superchains)[0] > 1.3
    assert np.isnan(rhat(draws)).all()


@pytest.mark.parametrize("superchains", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_nested_rhat_needs_superchains_and_something_within_them(superchains: list[int]) -> None:
    draws = np.random.default_rng(1).normal(size=(4, 3, 2))

    assert np.isnan(rhat_nested(draws, np.array(superchains))).all()


def test_a_superchain_that_lost_a_chain_counts_as_much_as_others() -> None:
    """Two superchains of one draw a chain would weigh 3 to 2 if draws were pooled."""
    draws = np.array([1.0, 2.0, 3.0, 10.0, 20.0])[:, None, None]
    ranks = [np.array([1, 2, 3, 4, 5]), np.array([3, 2, 1, 4, 5])]  # of them, of |draw - 3|
    scores = [ndtri((rank - 3 / 8) / 5.25) for rank in ranks]
    between = [(s[:3].mean() - s[3:].mean()) ** 2 / 2 for s in scores]
    within = [(s[:3].var(ddof=1) + s[3:].var(ddof=1)) / 2 for s in scores]

    found = rhat_nested(draws, np.array([0, 0, 0, 1, 1]))

    np.testing.assert_allclose(found, np.sqrt(1 + np.divide(between, within)).max())
