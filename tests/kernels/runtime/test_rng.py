"""Random numbers depend on the counter alone and have the distribution they claim."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numba import njit

from exmc_dask.kernels.runtime import rng

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.uint64]
Words = tuple[int, ...]
Fill = Callable[[int, int, int, int, Floats], None]

ONES = 0xFFFFFFFF
KNOWN = [  # Random123's kat_vectors: counter, key, answer
    (
        (0, 0, 0, 0),
        (0, 0),
        (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ),
    (
        (ONES, ONES, ONES, ONES),
        (ONES, ONES),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@njit
def philox(counter: Ints, key: Ints) -> Any:
    return rng.philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1])


@njit
def pair(seed: int, chain: int, draw: int, purpose: int, index: int) -> Any:
    return rng.uniform_pair(seed, chain, draw, purpose, index)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_known_answers(counter: Words, key: Words, answer: Words) -> None:
    assert philox(np.array(counter, np.uint64), np.array(key, np.uint64)) == answer


@njit
def unit(high: int, low: int) -> Any:
    return rng._unit(high, low)


@pytest.mark.parametrize(("word", "value"), [(0, 2.0**-53), (ONES, 1 - 2.0**-53)])
def test_uniform_numbers_are_never_zero_or_one(word: int, value: float) -> None:
    assert unit(np.uint64(word), np.uint64(word)) == value


def test_a_uniform_number_is_made_of_52_bits() -> None:
    high, low = 0x12345678, 0x9ABCDEF0
    x = (high << 32 | low) >> 12
    assert unit(np.uint64(high), np.uint64(low)) == (x + 0.5) * 2.0**-52


@pytest.mark.parametrize("word", range(5))
def test_every_word_of_the_counter_counts(word: int) -> None:
    counter = [1, 2, 3, 4, 5]
    other = counter.copy()
    other[word] += 1

    assert not set(pair(*counter)) & set(pair(*other))


def test_the_seed_is_read_whole() -> None:
    assert pair(1, 0, 0, 0, 0) != pair(1 + 2**32, 0, 0, 0, 0)


@njit
def fill_normal(seed: int, chain: int, draw: int, purpose: int, out: Floats) -> None:
    rng.fill_normal(seed, chain, draw, purpose, out.reshape((1, out.size)), 0)


def filled(fill: Fill, dim: int, draw: int = 0) -> Floats:
    out = np.full(dim, np.nan)
    fill(7, 1, draw, rng.TESTS, out)
    return out


@pytest.mark.parametrize("fill", [fill_normal, rng.fill_uniform])
def test_an_element_does_not_depend_on_the_length(fill: Fill) -> None:
    assert np.array_equal(filled(fill, 11), filled(fill, 16)[:11])


MOMENTS = [  # fill, mean, sd, kurtosis
    (rng.fill_uniform, 0.5, 12**-0.5, 1.8),
    (fill_normal, 0.0, 1.0, 3.0),
]


@pytest.mark.parametrize(("fill", "mean", "sd", "kurtosis"), MOMENTS)
def test_moments(fill: Fill, mean: float, sd: float, kurtosis: float) -> None:
    n = 1_000_000
    z = (filled(fill, n) - mean) / sd

    assert abs(z.mean()) < 4 / n**0.5
    assert abs(z.std() - 1) < 4 * ((kurtosis - 1) / (4 * n)) ** 0.5
    assert abs((z**4).mean() - kurtosis) < 4 * (96 / n) ** 0.5
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 4 / n**0.5
    assert abs(np.corrcoef(z, filled(fill, n, draw=1))[0, 1]) < 4 / n**0.5
