"""The state machine: momenta, phases, trajectories, statistics and bad leaves."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from exmc_dask.kernels.runtime import nuts, tree
from exmc_dask.kernels.runtime.chain import DRAW, GRAD, LOGP, N_SCALARS, N_SPREADS, Q
from exmc_dask.kernels.runtime.walk import (
    DEPTH,
    END_V,
    LEFT,
    LEVEL_ROWS,
    N_INTS,
    N_REALS,
    NEXT_GRAD,
    PHASE,
    RIGHT,
    SIDE,
    STACK,
    START_ENERGY,
    SUM,
    TURN,
)
from exmc_dask.sampler.block import options, run
from exmc_dask.sampler.reference import transition
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import ChainState, Draws
from tests.kernels.targets import AR_90, F8, NORMAL, WALLS, Target, compiled

BEFORE, AFTER = compiled(nuts.before_gradient), compiled(nuts.after_gradient)


class Machine:
    """One chain whose trips are made from Python."""

    def __init__(self, target: Target, state: ChainState, settings: Settings) -> None:
        self.logp_grad = target.python()
        rows = state.f[N_SCALARS:].reshape(-1, target.dim).copy()
        self.spread, self.vector = rows[: N_SPREADS[0]], rows[N_SPREADS[0] :]
        self.walk = np.zeros((STACK + LEVEL_ROWS * settings.max_treedepth, target.dim))
        option_f, option_i = options(settings)
        self.reals = np.concatenate([state.f[:N_SCALARS], option_f, np.zeros(N_REALS)])
        self.ints = np.concatenate([state.i, option_i, np.zeros(N_INTS, np.int64)])
        self.ints[PHASE] = TURN
        self.arguments = self.reals, self.ints, self.vector, self.spread, self.walk

    def trip(self) -> bool:
        """Make one trip; return whether the transition is over."""
        BEFORE(*self.arguments)
        logp, self.walk[NEXT_GRAD] = self.logp_grad(self.walk[self.ints[SIDE]])
        return bool(AFTER(*self.arguments, logp))


def fixed(target: Target, step_size: float, **how: Any) -> tuple[Settings, ChainState]:
    """Return settings and a start with one step size and unit metric."""
    settings = Settings(seed=9, tune=0, step_size_jitter=0.0, **how)
    state = start(target, target.bound, settings, 0, np.zeros(target.dim))
    log_step = math.log(step_size)
    fields = {"factor": 1.0, "log_step": log_step, "log_step_bar": log_step, "search": 0}
    return settings, state.replace(**fields)


def sample(target: Target, step_size: float, draws: int, **how: Any) -> Draws:
    settings, state = fixed(target, step_size, draws=draws, **how)
    return run(target, target.bound, settings, state, draws)[1]


def test_the_driver_makes_the_same_trips() -> None:
    settings, state = fixed(AR_90, 0.3, draws=20)
    state = state.replace(search=1)
    machine = Machine(AR_90, state, settings)
    for _ in range(20):
        while not machine.trip():
            pass
    after, _ = run(AR_90, AR_90.bound, settings, state, 20)
    assert np.array_equal(machine.ints[: after.i.size], after.i)
    assert machine.reals[:N_SCALARS] == pytest.approx(after.f[:N_SCALARS], rel=1e-6)
    assert machine.vector[Q] == pytest.approx(after.q, rel=1e-6)


def test_momenta_are_standard_normal_and_new_each_time() -> None:
    settings, state = fixed(AR_90, 0.3, draws=1000)
    machine = Machine(AR_90, state, settings)
    momenta = []
    for _ in range(1000):
        BEFORE(*machine.arguments)
        momenta.append(machine.walk[SUM].copy())  # of the first point alone
        assert machine.reals[START_ENERGY] == pytest.approx(
            0.5 * momenta[-1] @ momenta[-1] - machine.reals[LOGP]
        )
        machine.ints[PHASE] = TURN
        machine.ints[DRAW] += 1
    z = np.array(momenta)
    assert abs(z.mean(0)).max() < 4.5 / 1000**0.5
    assert abs(np.cov(z.T) - np.eye(10)).max() < 5 / 1000**0.5


def test_the_next_draw_brings_its_own_density_and_gradient() -> None:
    settings, state = fixed(AR_90, 0.3, draws=50)
    machine = Machine(AR_90, state, settings)
    for _ in range(50):
        while not machine.trip():
            pass
        logp, grad = machine.logp_grad(machine.vector[Q])
        assert machine.reals[LOGP] == pytest.approx(logp)
        assert machine.vector[GRAD] == pytest.approx(grad)


def test_a_trajectory_is_one_path_of_the_leapfrog() -> None:
    settings, state = fixed(AR_90, 0.05, draws=1)
    machine = Machine(AR_90, state, settings)
    points = {}
    while not machine.trip():
        side = machine.ints[SIDE]
        points[machine.walk[side].tobytes()] = machine.walk[side + END_V].copy()
    path = [v for q, v in points.items() if q != machine.walk[LEFT].tobytes()]
    ends = machine.walk[LEFT + END_V], machine.walk[RIGHT + END_V]
    first, last = machine.walk[LEFT].copy(), machine.walk[RIGHT].copy()
    q, v, steps = first, ends[0].copy(), 0
    while not np.allclose(q, last, atol=1e-9) and steps <= len(path) + 1:
        v = v + 0.025 * machine.logp_grad(q)[1]
        q = q + 0.05 * v
        v = v + 0.025 * machine.logp_grad(q)[1]
        steps += 1
    assert steps == 2 ** int(machine.ints[DEPTH]) - 1
    assert v == pytest.approx(ends[1], abs=1e-8)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_the_greatest_depth_is_kept_and_reported(depth: int) -> None:
    draws = sample(NORMAL, 0.001, 20, max_treedepth=depth)
    assert set(draws.stat("tree_depth")) == {depth}
    assert set(draws.stat("n_steps")) == {2**depth - 1}
    assert set(draws.stat("reached_max_treedepth")) == {1}


def test_trees_are_shallow_before_the_metric_is_known() -> None:
    settings = Settings(seed=9, tune=100, draws=1)
    state = start(NORMAL, NORMAL.bound, settings, 0, np.zeros(1)).replace(factor=1e-6, search=0)
    state = state.replace(log_step=0.0)
    _, draws = run(NORMAL, NORMAL.bound, settings, state, 1)
    assert draws.stat("tree_depth").tolist() == [8]


def test_statistics_hang_together() -> None:
    draws = sample(AR_90, 0.4, 500)
    stats = {name: draws.stat(name) for name in ("tree_depth", "n_steps", "index_in_trajectory")}
    error, worst = draws.stat("energy_error"), draws.stat("max_energy_error")
    assert (stats["n_steps"] < 2 ** (stats["tree_depth"] + 1)).all()
    assert (stats["n_steps"] >= 2 ** stats["tree_depth"] - 1).all()
    assert (abs(stats["index_in_trajectory"]) < 2 ** stats["tree_depth"]).all()
    assert (abs(error) <= abs(worst)).all()
    assert ((error == 0) == (stats["index_in_trajectory"] == 0)).all()
    assert (draws.stat("acceptance_rate") <= 1).all()
    assert set(draws.stat("step_size")) == {draws.stat("step_size_bar")[0]}
    logp_grad = AR_90.python()
    assert draws.stat("lp") == pytest.approx([logp_grad(q)[0] for q in draws.values])


def test_the_jitter_of_the_step_size_is_uniform() -> None:
    settings, state = fixed(NORMAL, 1.0, draws=4000)
    settings = dataclasses.replace(settings, step_size_jitter=0.25)
    _, draws = run(NORMAL, NORMAL.bound, settings, state, 4000)
    u = (draws.stat("step_size") - 0.75) / 0.5
    assert u.min() > 0.0
    assert u.max() < 1.0
    assert np.histogram(u, 10, (0.0, 1.0))[0] == pytest.approx(400, abs=5 * 19)


@pytest.mark.parametrize("target", WALLS, ids=str)
def test_a_bad_leaf_diverges_and_is_never_taken(target: Target) -> None:
    draws = sample(target, 0.5, 2000)
    diverging = draws.stat("diverging")
    assert 0.05 < diverging.mean() < 0.95
    assert np.isfinite(draws.values).all()
    assert np.isfinite(draws.stat("energy")).all()
    assert draws.values.max() < 0.8


def test_a_step_that_is_far_too_long_diverges_at_once() -> None:
    draws = sample(AR_90, 500.0, 50)
    assert draws.stat("diverging").all()
    assert set(draws.stat("n_steps")) == {1}
    assert set(draws.stat("tree_depth")) == {0}
    assert set(draws.stat("acceptance_rate")) == {0.0}
    assert np.ptp(draws.values, axis=0).max() == 0.0


def test_energy_that_falls_is_no_divergence() -> None:
    settings, state = fixed(NORMAL, 1.5, draws=1)
    state = state.replace(q=100.0, grad=-100.0, logp=-5000.0)
    _, draws = run(NORMAL, NORMAL.bound, settings, state, 1)
    assert draws.stat("max_energy_error")[0] < -tree.MAX_ENERGY_ERROR
    assert draws.stat("diverging").tolist() == [0]


@pytest.mark.parametrize("q", [1e4, 100.0, 50.0])
def test_weights_too_large_for_a_float_are_weighed_as_the_textbook_does(q: float) -> None:
    settings, state = fixed(NORMAL, 1.5, draws=20)
    state = state.replace(q=q, grad=-q, logp=-0.5 * q * q)
    for draw in range(20):
        expected, _ = transition(state, settings, NORMAL.python())
        state, drawn = run(NORMAL, NORMAL.bound, settings, state, 1)
        if draw == 0:
            assert drawn.stat("max_energy_error")[0] < -500.0
        assert drawn.stat("index_in_trajectory")[0] == expected.chosen.index
        assert drawn.stat("acceptance_rate")[0] == pytest.approx(expected.acceptance_rate)


def turns(momenta: list[F8]) -> bool:
    rows = np.array(momenta)
    both = rows[2] + rows[5]
    turning = bool(compiled(tree._turns)(rows, *range(6)))
    assert rows[5] == pytest.approx(both, nan_ok=True)
    return turning


AHEAD, BACK, SIDEWAYS = np.array([1.0, 0.0]), np.array([-1.0, 0.0]), np.array([-1.0, 0.5])


@pytest.mark.parametrize(
    ("momenta", "expected"),  # first, last and total of a; first, last and total of b
    [
        ([AHEAD, AHEAD, 2 * AHEAD, AHEAD, AHEAD, 2 * AHEAD], False),
        ([AHEAD, AHEAD, 2 * AHEAD, BACK, BACK, 2 * BACK], True),
        ([AHEAD, AHEAD, 2 * AHEAD, SIDEWAYS, AHEAD, 3 * AHEAD], True),  # a with b's first
        ([AHEAD, SIDEWAYS, 3 * AHEAD, AHEAD, AHEAD, 2 * AHEAD], True),  # a's last with b
        ([AHEAD, AHEAD, 2 * AHEAD, AHEAD, AHEAD, np.full(2, math.nan)], True),
        ([AHEAD, AHEAD, 0.6 * AHEAD, AHEAD, AHEAD, 0.6 * AHEAD], False),
        ([AHEAD, AHEAD, 0.4 * AHEAD, AHEAD, AHEAD, 0.4 * AHEAD], True),  # ends count half
        ([AHEAD, AHEAD, 0.5 * AHEAD, AHEAD, AHEAD, 0.5 * AHEAD], True),  # a tie turns
    ],
)
def test_all_three_spans_have_to_go_forward(momenta: list[F8], expected: bool) -> None:
    assert turns(momenta) == expected


@pytest.mark.parametrize("cosine", [-0.999, -0.2, 0.3, math.nan])
@pytest.mark.parametrize("length", [0.5, 1.0, 3.0])
def test_two_leaves_turn_when_parts_of_one_leaf_do(cosine: float, length: float) -> None:
    a, b = AHEAD, length * np.array([cosine, math.sqrt(1.0 - cosine**2)])
    rows = np.array([a, b, np.zeros(2)])
    assert bool(compiled(tree._leaves_turn)(rows, 0, 1, 2)) == turns([a, a, a, b, b, b])
    assert rows[2] == pytest.approx(a + b, nan_ok=True)
