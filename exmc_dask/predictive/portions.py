"""Draws in chunks with random numbers of their own, and in portions that are made in one go.

Random numbers are keyed by seed, chain, chunk of 100 draws and variable, so that a draw depends
neither on how much is calculated at once, nor where, nor on what else is asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exmc_dask.predictive.forward import Forward

CHUNK = 100  # draws that share a stream of random numbers and are calculated together
PORTION = 2**20  # numbers of a portion: 8 MB, a twentieth of a second


@dataclass(frozen=True)
class Chunk:
    """Consecutive draws of one row of a trace.

    Attributes
    ----------
    row : int
        All sample dimensions but the last, flattened.
    key : tuple of int
        What names the row, and the chunk in it, wherever else they stand: the chain's own number.
    draws : slice
        Along the last sample dimension.
    """

    row: int
    key: tuple[int, ...]
    draws: slice

    @property
    def n(self) -> int:
        """How many draws."""
        return int(self.draws.stop - self.draws.start)


def cut(row: int, key: tuple[int, ...], draws: range, size: int = CHUNK) -> Iterator[Chunk]:
    """Cut consecutive draws of a row, the first of them a multiple of `size`, into chunks."""
    for start in range(draws.start, draws.stop, size):
        stop = min(start + size, draws.stop)
        yield Chunk(row, (*key, start // size), slice(start, stop))


@dataclass(frozen=True)
class Portions:
    """All draws of a trace, cut into portions of whole chunks.

    Attributes
    ----------
    keys : sequence of sequence of int
        What names each row.
    draws : int
        Of a row.
    size : int
        Draws of a portion, at most: a multiple of CHUNK.
    """

    keys: Sequence[Sequence[int]]
    draws: int
    size: int

    @classmethod
    def of(cls, keys: Sequence[Sequence[int]], draws: int, width: int) -> "Portions":
        """Cut draws of so many numbers each."""
        return cls(keys, draws, CHUNK * max(1, PORTION // (CHUNK * max(width, 1))))

    @property
    def per_row(self) -> int:
        """How many portions a row has."""
        return -(-self.draws // self.size)

    def __len__(self) -> int:
        """Return the number of portions."""
        return len(self.keys) * self.per_row

    def place(self, number: int) -> tuple[int, range]:
        """Return the row and the draws of a portion."""
        row, start = number // self.per_row, number % self.per_row * self.size
        return row, range(start, min(start + self.size, self.draws))

    def chunks(self, number: int) -> Iterator[Chunk]:
        """Go over the chunks of a portion."""
        row, draws = self.place(number)
        return cut(row, tuple(self.keys[row]), draws)


@dataclass(frozen=True)
class Making:
    """Predictive draws to be made: by which plan, on which data, from which random numbers.

    Attributes
    ----------
    forward : Forward
    seed : int
    purpose : int
        Lets one seed give different calls numbers of their own.
    """

    forward: Forward
    seed: int
    purpose: int

    def chunk(self, chunk: Chunk, kept: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return ``(n, *shape)`` of each wanted name, given that of each name that is kept."""
        return self.forward.run(kept, chunk.n, self._streams(chunk.key))

    def _streams(self, place: tuple[int, ...]) -> Callable[[str], np.random.Generator]:
        """Random numbers of each variable in a chunk."""

        def stream(name: str) -> np.random.Generator:
            key = (self.purpose, *place, *name.encode())
            sequence = np.random.SeedSequence(self.seed, spawn_key=key)
            return np.random.Generator(np.random.Philox(sequence))

        return stream
