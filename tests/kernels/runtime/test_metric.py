"""Whitened motion is motion under the mass matrix; running moments are moments."""

import math

import numpy as np
import pytest

from exmc_dask.kernels.runtime import chain, metric
from exmc_dask.kernels.runtime.walk import END_FORCE, END_Q, END_V, NEXT_GRAD, RIGHT
from exmc_dask.sampler.state import ChainState
from tests.kernels.targets import compiled

DIM = 5
RNG = np.random.default_rng(5)


def spread_of(factor: np.ndarray) -> np.ndarray:
    spread = np.zeros((5, *factor.shape))
    spread[0] = factor
    return spread


FACTORS = [
    np.exp(RNG.normal(size=DIM)),
    np.tril(RNG.normal(size=(DIM, DIM))) + 2 * np.eye(DIM),
]
every_full_metric = pytest.mark.parametrize("factor", FACTORS, ids=["diag", "dense"])


def low_rank() -> tuple[np.ndarray, np.ndarray]:
    """Return spread and root of a metric with two of five directions in use."""
    state = ChainState.blank(
        *(DIM, "fisher", "low_rank", 0),
        factor=FACTORS[0],
        stretch=[1.5, -0.7, 0.0, 0.0, 0.0],
        directions=np.linalg.qr(RNG.normal(size=(DIM, DIM)))[0],
    )
    shape = chain.spread_shape(DIM, int(chain.FISHER), int(chain.LOW_RANK))
    return state.f[chain.N_SCALARS :][: math.prod(shape)].reshape(shape).copy(), state.root


METRICS = {
    "diag": (spread_of(FACTORS[0]), np.diag(FACTORS[0])),
    "dense": (spread_of(FACTORS[1]), FACTORS[1]),
    "low_rank": low_rank(),
}


@pytest.mark.parametrize(("spread", "F"), METRICS.values(), ids=METRICS)
def test_a_leapfrog_step_is_that_of_the_mass_matrix(spread: np.ndarray, F: np.ndarray) -> None:
    walk = RNG.normal(size=(9, DIM))
    q, v, grad = walk[RIGHT + END_Q].copy(), walk[RIGHT + END_V].copy(), walk[NEXT_GRAD].copy()
    p, mass_inverse = np.linalg.solve(F.T, v), F @ F.T

    compiled(metric.whiten)(walk, NEXT_GRAD, walk, RIGHT + END_FORCE, spread)
    compiled(metric.depart)(walk, RIGHT, 0.7, spread)
    half, q = p + 0.35 * grad, q + 0.7 * mass_inverse @ (p + 0.35 * grad)
    assert walk[RIGHT + END_Q] == pytest.approx(q)
    assert F.T @ half == pytest.approx(walk[RIGHT + END_V])

    grad = walk[NEXT_GRAD] = RNG.normal(size=DIM)
    energy = compiled(metric.arrive)(walk, RIGHT, 0.7, spread)
    p = half + 0.35 * grad
    assert F.T @ p == pytest.approx(walk[RIGHT + END_V])
    assert F.T @ grad == pytest.approx(walk[RIGHT + END_FORCE])
    assert energy == pytest.approx(0.5 * p @ mass_inverse @ p)
    assert energy == pytest.approx(compiled(metric.kinetic)(walk, RIGHT + END_V))


@every_full_metric
def test_running_moments_are_moments(factor: np.ndarray) -> None:
    draws = RNG.normal(3.0, 2.0, size=(40, DIM))
    vector, spread = np.zeros((6, DIM)), np.zeros((5, *factor.shape))
    observe = compiled(metric.observe)
    for n, draw in enumerate(draws, start=1):
        vector[0] = draw
        observe(vector, 0, 2, spread, 1, n)

    m2 = (len(draws) - 1) * np.cov(draws.T)
    assert vector[2] == pytest.approx(draws.mean(0))
    assert spread[1] == pytest.approx(np.diag(m2) if factor.ndim == 1 else np.tril(m2))


@every_full_metric
def test_a_window_is_taken_over_and_forgotten(factor: np.ndarray) -> None:
    vector = np.arange(6.0 * DIM).reshape(6, DIM)
    spread = np.arange(5.0 * factor.size).reshape(5, *factor.shape)
    old_vector, old_spread = vector.copy(), spread.copy()

    compiled(metric.succeed)(vector, 2, spread, 1, 2)

    assert np.array_equal(vector[2], old_vector[4])
    assert np.array_equal(spread[1], old_spread[3])
    assert not vector[4].any()
    assert not spread[3].any()
    for kept in (0, 1, 3, 5):
        assert np.array_equal(vector[kept], old_vector[kept])
    for kept in (0, 2, 4):
        assert np.array_equal(spread[kept], old_spread[kept])
