"""The twin stands on its own: its random numbers are Philox's and its law is the target's."""

import math

import numpy as np
import pytest

from exmc_dask.sampler.reference import Leaf, Trajectory, leapfrog
from exmc_dask.sampler.reference_random import philox
from tests.kernels.targets import BANANA, F8, NORMAL, RHO_90, Target
from tests.statistics.moments import LIMIT, worst

ONES = 0xFFFFFFFF
KNOWN_ANSWERS = [  # Random123 1.14, tests/kat_vectors: key, counter, words
    ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES, ONES), (ONES, ONES, ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0xA4093822, 0x299F31D0),
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("key", "counter", "words"), KNOWN_ANSWERS)
def test_philox_gives_the_published_words(
    key: tuple[int, int], counter: tuple[int, int, int, int], words: tuple[int, int, int, int]
) -> None:
    assert philox(key, counter) == words


def start_at(target: Target, q: F8, p: F8) -> Leaf:
    logp, grad = target.python()(q)
    return Leaf(q, p, p, grad, logp, 0.5 * float(p @ p) - logp, 0)


def chain(target: Target, step_size: float, n: int) -> F8:
    rng = np.random.default_rng(42)
    q, draws = np.zeros(target.dim), np.empty((1, n, target.dim))
    for i in range(n):
        start = start_at(target, q, rng.standard_normal(target.dim))
        trajectory = Trajectory(
            target.python(),
            np.ones(target.dim),
            step_size,
            start,
            lambda *_: math.log(rng.random()),
        )
        q = trajectory.grow(10).chosen.q
        draws[0, i] = q
    return draws


@pytest.mark.parametrize(
    ("target", "step_size", "n"),
    [(NORMAL, 0.5, 6000), (NORMAL, 1.2, 12000), (RHO_90, 0.4, 3000), (BANANA, 0.15, 3000)],
    ids=str,
)
def test_draws_have_the_law_of_the_target(target: Target, step_size: float, n: int) -> None:
    name, z = worst(chain(target, step_size, n), target)
    assert abs(z) < LIMIT, (name, z)


def test_a_step_back_undoes_a_step() -> None:
    inv_mass = np.array([[2.0, 0.3], [0.3, 0.5]])
    start = start_at(BANANA, np.array([0.3, -1.0]), np.array([1.0, 2.0]))
    there = leapfrog(BANANA.python(), inv_mass, 0.2, start)
    back = leapfrog(BANANA.python(), inv_mass, -0.2, there)
    np.testing.assert_allclose([back.q, back.p], [start.q, start.p], atol=1e-14)
    assert (there.index, back.index) == (1, 0)
