"""The compiled kernel makes the transitions of the textbook, from the same random numbers.

Before every transition the twin is given the kernel's own state: whole chains would part from a
last digit within a hundred draws. Compared are all statistics of the draw and all fields of the
state after it. A wrong direction would show in them: in the place of the chosen leaf, or, where
the subtree was discarded, in the acceptance statistic.
"""

from typing import Any

import numpy as np
import pytest

from exmc_dask.kernels.runtime.chain import INTS, METRICS
from exmc_dask.sampler.block import run
from exmc_dask.sampler.reference import Transition, transition
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS, ChainState, Draws
from tests.kernels.targets import AR_90, BANANA, DIRICHLET, NAN_WALL, NORMAL, SLANTED, Target

TIE, CLOSE = 1e-9, 1e-8
SCHEMES = [
    {"adapt": adapt, "metric": metric, "tune": 160, "draws": 40}
    for adapt in ("fisher", "stan")
    for metric in METRICS
]
CASES = [
    *((target, options) for target in (AR_90, BANANA, NAN_WALL) for options in SCHEMES),
    (DIRICHLET, {"tune": 400, "draws": 1}),  # long enough for a window of the main phase
    (DIRICHLET, {"tune": 430, "draws": 1, "adapt": "stan"}),  # for three windows
    (AR_90, {"tune": 60, "draws": 140, "max_treedepth": 3, "target_accept": 0.95}),
    (AR_90, {"tune": 1, "draws": 100, "max_treedepth": 9, "step_size_jitter": 0.5}),
    (NORMAL, {"tune": 0, "draws": 200}),
    *((AR_90, {"adapt": "step_size", "metric": m, "tune": 60, "draws": 20}) for m in METRICS),
    (SLANTED, {"tune": 160, "draws": 40, "metric": "low_rank"}),  # too large for all directions
    *((AR_90, {"pool": 2, "metric": m, "tune": 160, "draws": 20}) for m in METRICS),
    (BANANA, {"pool": 2, "tune": 40, "draws": 20}),
]


def _id(value: Target | dict[str, Any]) -> str:
    return str(value) if isinstance(value, Target) else "-".join(map(str, value.values()))


@pytest.mark.parametrize(("target", "options"), CASES, ids=_id)
def test_every_transition_is_that_of_the_textbook(target: Target, options: dict[str, Any]) -> None:
    ties, different = compare(target, Settings(seed=2**40 + 5, **options))
    assert not different, different[:10]
    assert ties <= 2


def compare(target: Target, settings: Settings) -> tuple[int, list[str]]:
    """Return how many transitions were too close to call, and what differs in the others."""
    logp_grad, bound = target.python(), target.bound
    state = start(target, bound, settings, 3, np.zeros(target.dim))
    ties, different = 0, []
    for draw in range(settings.total):
        expected, reckoned = transition(state, settings, logp_grad)
        state, drawn = run(target, bound, settings, state, 1)
        if expected.margin < TIE:
            ties += 1
        else:
            found = [*unequal_stats(drawn, expected, reckoned), *unequal_fields(state, reckoned)]
            different += [f"draw {draw}: {name}" for name in found]
    return ties, different


def unequal_stats(drawn: Draws, expected: Transition, after: ChainState) -> list[str]:
    """Return the names of the statistics of one draw that are not the twin's."""
    stats = {
        "lp": expected.chosen.logp,
        "acceptance_rate": expected.acceptance_rate,
        "step_size": expected.step_size,
        "step_size_bar": after.step_size,
        "energy": expected.chosen.energy,
        "energy_error": expected.chosen.energy - expected.start.energy,
        "max_energy_error": expected.max_energy_error,
        "tree_depth": expected.depth,
        "n_steps": expected.n_steps,
        "diverging": expected.diverging,
        "reached_max_treedepth": expected.capped,
        "index_in_trajectory": expected.chosen.index,
    }
    return [
        name
        for name in (*FLOAT_STATS, *INT_STATS)
        if not np.isclose(drawn.stat(name)[0], stats[name], rtol=CLOSE, atol=CLOSE)
    ]


def unequal_fields(state: ChainState, expected: ChainState) -> list[str]:
    """Return the names of the fields that are not equal, numbers to 1e-8 of the field's size.

    Directions have no sign and may have no order; the metric that they make has both.
    """
    names = [name for name in state.shapes() if name not in ("stretch", "directions")]
    pairs = {name: (state[name], expected[name]) for name in names}
    if state.metric == "low_rank":
        pairs["root"] = state.root, expected.root
    return [name for name in INTS if state[name] != expected[name]] + [
        name
        for name, (x, y) in pairs.items()
        if x.shape != y.shape
        or not np.abs(x - y).max(initial=0) <= CLOSE * np.abs(y).max(initial=0)
    ]
