"""The calendars of both warmups, what draws teach, and how the step size is found."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from exmc_dask.kernels.runtime import adapt, stepsize
from exmc_dask.kernels.runtime.chain import (
    ADAPT,
    DIVERGENCES,
    DRAW,
    LOG_STEP,
    LOG_STEP_BAR,
    N_FRONT,
    N_SCALARS,
    N_SPREADS,
    N_STEP,
    STEP_ERROR,
    TARGET_ACCEPT,
    UPDATES,
    WINDOW,
)
from exmc_dask.kernels.runtime.walk import (
    ACCEPT,
    ACCEPT_BOTH_WAYS,
    DIVERGING,
    N_INTS,
    N_REALS,
    N_STEPS,
    NEW_INDEX,
)
from exmc_dask.sampler.block import options, run
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import ChainState
from exmc_dask.sampler.windows import pooled_windows
from tests.kernels.targets import AR_90, NORMAL, REGRESSION, RHO_90, Target, compiled

LEARN, TURN = compiled(adapt.learn), compiled(adapt.turn)
RNG = np.random.default_rng(3)
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def warmup(
    settings: Settings, walked: Callable[[int], dict[Any, int]], scheme: str = ""
) -> Iterator[Arrays]:
    """Make a warmup of draws that a test makes up; yield the chain at every start of a transition.

    ``walked(draw)`` is what the transition left behind, as slots of ints.
    """
    state = ChainState.blank(1, scheme or settings.adapt, "diag", 0, n_front=1, n_back=1)
    option_f, option_i = options(settings)
    reals = np.concatenate([state.f[:N_SCALARS], option_f, np.zeros(N_REALS)])
    ints = np.concatenate([state.i, option_i, np.zeros(N_INTS, np.int64)])
    ints[N_STEP] = 1
    if settings.adapt == "stan" or scheme:
        ints[N_FRONT] = 0
    rows = state.f[N_SCALARS:].reshape(-1, 1).copy()
    spread, vector = np.split(rows, [N_SPREADS[ints[ADAPT]]])
    for draw in range(settings.tune):
        TURN(ints, vector, spread)
        yield reals, ints, vector, spread
        for slot, value in {N_STEPS: 1, DIVERGING: 0, **walked(draw)}.items():
            ints[slot] = value
        reals[ACCEPT], reals[ACCEPT_BOTH_WAYS] = 0.8, 0.3
        vector[0], vector[1] = RNG.normal(size=2)
        LEARN(reals, ints, vector, spread)
        ints[DRAW] += 1


def moved(draw: int) -> dict[Any, int]:
    return {NEW_INDEX: 1}


def changes(values: list[int]) -> list[int]:
    return [draw for draw in range(1, len(values)) if values[draw] != values[draw - 1]]


@pytest.mark.parametrize(
    ("tune", "ends"),
    [
        (1000, [100, 150, 250, 450, 950]),
        (500, [100, 150, 250, 450]),
        (280, [100, 230]),
        (200, [100, 150]),
        (150, [100]),
        (149, [135]),
        (20, [18]),
        (19, []),
        (0, []),
    ],
)
def test_stan_changes_the_metric_when_stan_does(tune: int, ends: list[int]) -> None:
    updates = [int(i[UPDATES]) for _, i, *_ in warmup(stan(tune), moved)]
    assert changes(updates) == ends


@pytest.mark.parametrize("tune", [19, 20, 21, 30, 47, 50, 100, 188, 189, 400, 1000])
def test_chains_that_share_change_the_metric_at_the_ends_of_their_windows(tune: int) -> None:
    settings = Settings(seed=1, tune=max(tune, 20), pool=2)
    settings = replace(settings, tune=tune, pool=0) if tune < 20 else settings
    chain = [(int(i[UPDATES]), int(i[N_FRONT])) for _, i, *_ in warmup(settings, moved, "pooled")]
    ends = [end for _, end in pooled_windows(tune)]
    assert changes([updates for updates, _ in chain]) == ends
    assert [held for _, held in chain][:6] == ([0, 1, 2, 3, 4, 0] if ends else [0] * 6)
    assert [chain[end][1] for end in ends] == [0] * len(ends)
    assert chain[-1][1] == 0


def test_chains_that_share_look_both_ways_in_their_last_window() -> None:
    settings = Settings(seed=1, tune=100, pool=2)
    errors = [f[STEP_ERROR] for f, *_ in warmup(settings, moved, "pooled")]
    falls = [errors[draw + 1] > errors[draw] for draw in range(99)]
    assert changes([int(fall) for fall in falls]) == [40]


def stan(tune: int) -> Settings:
    return Settings(seed=1, tune=tune, adapt="stan")


@pytest.mark.parametrize(
    ("tune", "switches", "frozen", "held"),  # nuts-rs's, when every draw is good
    [(200, [], 170, 121), (400, [199], 340, 221), (1000, [379, 499], 850, 471)],
)
def test_fisher_changes_windows_when_nuts_rs_does(
    tune: int, switches: list[int], frozen: int, held: int
) -> None:
    states = [(i.copy(), s.copy()) for _, i, _, s in warmup(Settings(seed=1, tune=tune), moved)]
    windows = [int(i[WINDOW]) for i, _ in states if i[WINDOW]]
    start_of_main = len(states) - len(windows)
    updates = [int(i[UPDATES]) for i, _ in states]
    factors = [float(s[0, 0]) for _, s in states]

    assert [start_of_main + draw for draw in changes(windows)] == switches
    assert changes(updates) == list(range(2, frozen + 1))
    assert factors[frozen] != factors[frozen - 1]
    assert set(factors[frozen:]) == {factors[-1]}
    assert states[-1][0][N_FRONT] == held


def chain_of(metric: str, **how: Any) -> Iterator[ChainState]:
    """Yield the state of a chain after every draw."""
    settings = Settings(seed=6, draws=1, metric=metric, **how)
    state = start(AR_90, AR_90.bound, settings, 0, np.zeros(AR_90.dim))
    for _ in range(settings.total):
        state, _ = run(AR_90, AR_90.bound, settings, state, 1)
        yield state


def test_low_rank_keeps_the_draws_of_two_windows_and_drops_them_when_it_has_learned() -> None:
    states = list(chain_of("low_rank", tune=400))
    held = [len(state["history"]) for state in states]
    updates = [state["updates"] for state in states]
    assert held == [state["n_front"] for state in states]
    assert max(held[:119]) == 20
    assert 180 < max(held) <= 221
    assert held[340:] == [0] * 61
    at = changes(updates)
    assert 10 <= sum(draw <= 120 for draw in at) <= 12  # early windows
    assert [draw for draw in at if draw > 120 and held[draw - 1] < 100][:3] == [121, 141, 161]
    assert at[-1] == 340
    for state in states[:340]:
        n = state["n_front"]
        assert np.array_equal(state["history"][n - 1, 0], state.q)
        assert np.array_equal(state["history"][n - 1, 1], state["grad"])


def test_low_rank_learns_at_the_ends_of_stans_windows() -> None:
    states = list(chain_of("low_rank", tune=200, adapt="stan"))
    held = [len(state["history"]) for state in states]
    assert changes([state["updates"] for state in states]) == [100, 150]
    assert held[74:77] == [0, 1, 2]
    assert held[100] == 1
    assert held[150:] == [0] * 51


def test_the_acceptance_looks_both_ways_once_the_last_window_is_open() -> None:
    errors = [f[STEP_ERROR] for f, *_ in warmup(Settings(seed=1, tune=400), moved)]
    falls = [errors[draw + 1] > errors[draw] for draw in range(399)]
    assert changes([int(fall) for fall in falls]) == [199]


@pytest.mark.parametrize("scheme", ["fisher", "stan"])
@pytest.mark.parametrize(
    ("diverging", "index", "fisher_learns", "stan_learns"),
    [
        (0, 1, True, True),
        (0, 0, False, True),
        (1, 4, False, False),
        (1, -4, False, False),
        (1, 5, True, True),
        (1, -5, True, True),
    ],
)
def test_what_teaches_the_metric(
    scheme: str, diverging: int, index: int, fisher_learns: bool, stan_learns: bool
) -> None:
    settings = Settings(seed=1, tune=150, adapt=scheme)
    states = warmup(settings, lambda draw: {DIVERGING: diverging, NEW_INDEX: index})
    counts = [int(i[N_FRONT]) for _, i, *_ in states]
    learns = fisher_learns if scheme == "fisher" else stan_learns
    assert (max(counts) > 1) == learns


def test_every_draw_teaches_the_step_size() -> None:
    states = warmup(Settings(seed=1, tune=20), lambda draw: {DIVERGING: 1})
    assert [int(i[N_STEP]) for _, i, *_ in states] == list(range(1, 21))


def test_dual_averaging_finds_the_target() -> None:
    reals, ints = np.zeros(N_REALS), np.zeros(N_INTS, np.int64)
    reals[TARGET_ACCEPT] = 0.8
    compiled(stepsize.restart)(reals, ints, 1e-3)
    average = compiled(stepsize.average)
    for _ in range(2000):
        average(reals, ints, math.exp(-math.exp(reals[LOG_STEP])))
    assert math.exp(-math.exp(reals[LOG_STEP_BAR])) == pytest.approx(0.8, abs=0.005)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_search_ends_within_a_factor_of_two_of_the_target(scale: float) -> None:
    settings = Settings(seed=2, draws=1, tune=0, step_size_jitter=0.0)
    found = []
    for chain in range(20):
        state = start(NORMAL, NORMAL.bound, settings, chain, np.zeros(1))
        state = state.replace(factor=scale)
        found.append(run(NORMAL, NORMAL.bound, settings, state, 1)[0].step_size * scale)
    assert min(found) > 0.4
    assert max(found) < 10.0


WARMUPS: list[tuple[Target, dict[str, Any]]] = [
    (target, {"adapt": scheme, "metric": metric})
    for target in (AR_90, RHO_90, REGRESSION)
    for scheme in ("fisher", "stan")
    for metric in ("diag", "dense", "low_rank")
]


@pytest.mark.parametrize(("target", "how"), WARMUPS)
def test_sampling_accepts_as_asked(target: Target, how: dict[str, Any]) -> None:
    settings = Settings(seed=4, draws=1000, tune=600, target_accept=0.8, **how)
    state = start(target, target.bound, settings, 0, np.zeros(target.dim))
    control = np.zeros(8, np.int64)
    state, draws = run(target, target.bound, settings, state, 1600, control)
    accepted = draws.stat("acceptance_rate")[600:].mean()
    assert 0.7 < accepted < (0.9 if how["adapt"] == "fisher" else 0.96)
    assert control[DIVERGENCES] == draws.stat("diverging")[600:].sum()
    assert len(set(draws.stat("step_size_bar")[600:])) == 1
