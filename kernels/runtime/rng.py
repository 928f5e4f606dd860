"""Random numbers from a counter: Philox4x32-10 keyed by the seed, one series for each purpose.

A number is a function of (seed; chain, draw, purpose, index) and of nothing else, so it is the
same on every machine, in every order, however often it is asked for. J. K. Salmon et al., Parallel
random numbers: as easy as 1, 2, 3 (SC11), section 3.3; the known answers of Random123 are tested.

Counter
-------
word 0 chain
    Number of the chain; of the path or the particle in other methods.
word 1 draw
    Number of the draw, warmup included; of the attempt for a start.
word 2 purpose
    One of the constants below. A range of sixteen belongs to each method.
word 3 index
    Element of a vector (pair of elements), leaf of a trajectory, or doubling.
"""

import math

import numpy as np
from numba import njit

from .group import device, group_sync, inlined, lane, n_lanes
from .vecmath import cos, log, sin

# NUTS; NumPy's numbers, because numba would compile a function anew for every Python literal
(
    INIT,  # jitter of the start; draw = attempt, index = pair of coordinates
    SEARCH,  # momentum of the step size search; index = pair of coordinates
    MOMENTUM,  # index = pair of coordinates
    DIRECTION,  # index = doubling
    LEAF,  # index = leaf of the transition, discarded ones included
    MERGE,  # index = doubling
    JITTER,  # of the step size; index = 0
) = np.arange(7)

# First numbers of the ranges of other methods
APPROXIMATE = 8
ADVI = 16
PATHFINDER = 32
SMC = 48
PREDICTIVE = 64
TESTS = 240

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLY_0 = np.uint64(0xD2511F53)
_MULTIPLY_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_FRACTION = np.uint64(12)  # 64 - 52: with 53 bits, x + 0.5 could round up to 1


@inlined
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Return the four 32-bit words of one counter, each in a uint64.

    Parameters
    ----------
    c0, c1, c2, c3 : uint64
        Counter, 32 bits each.
    k0, k1 : uint64
        Key, 32 bits each.
    """
    for _ in range(10):
        high_low_0 = c0 * _MULTIPLY_0
        high_low_1 = c2 * _MULTIPLY_1
        c0 = (high_low_1 >> _SHIFT) ^ c1 ^ k0
        c1 = high_low_1 & _LOW
        c2 = (high_low_0 >> _SHIFT) ^ c3 ^ k1
        c3 = high_low_0 & _LOW
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@device
def uniform_pair(seed: int, chain: int, draw: int, purpose: int, index: int) -> tuple[float, float]:
    """Return two independent uniform numbers, each strictly between 0 and 1.

    Parameters
    ----------
    seed : int64
        Read as 64 bits.
    chain, draw, purpose, index : int64
        The counter, 32 bits each.
    """
    key = np.uint64(seed)
    a, b, c, d = philox(
        np.uint64(chain) & _LOW,
        np.uint64(draw) & _LOW,
        np.uint64(purpose),
        np.uint64(index) & _LOW,
        key & _LOW,
        key >> _SHIFT,
    )
    return _unit(a, b), _unit(c, d)


@inlined
def uniform(seed: int, chain: int, draw: int, purpose: int, index: int) -> float:
    """Return the first number of `uniform_pair`."""
    return uniform_pair(seed, chain, draw, purpose, index)[0]


@inlined
def _unit(high, low):  # type: ignore[no-untyped-def]
    """Return (x + 1/2) 2^-52 for the upper 52 of 64 bits: 2^-53 to 1 - 2^-53, mean exactly 1/2."""
    return (np.float64(((high << _SHIFT) | low) >> _FRACTION) + 0.5) * 2.0**-52


@device
def fill_normal(seed: int, chain: int, draw: int, purpose: int, rows: np.ndarray, row: int) -> None:
    """Fill a row with standard normal numbers; element k belongs to index k // 2.

    Box and Muller's transform, pairs in whole, so that elements do not depend on the length.
    """
    for pair in range(lane(), (rows.shape[1] + 1) // 2, n_lanes()):
        u, turn = uniform_pair(seed, chain, draw, purpose, pair)
        radius = math.sqrt(-2.0 * log(u))
        angle = 2.0 * math.pi * turn
        rows[row, 2 * pair] = radius * cos(angle)
        if 2 * pair + 1 < rows.shape[1]:
            rows[row, 2 * pair + 1] = radius * sin(angle)
    group_sync()


@njit(error_model="numpy", cache=True)
def fill_uniform(seed: int, chain: int, draw: int, purpose: int, out: np.ndarray) -> None:
    """Fill a vector with uniform numbers between 0 and 1; element k belongs to index k // 2."""
    for pair in range(lane(), (out.size + 1) // 2, n_lanes()):
        first, second = uniform_pair(seed, chain, draw, purpose, pair)
        out[2 * pair] = first
        if 2 * pair + 1 < out.size:
            out[2 * pair + 1] = second
    group_sync()
