"""Random numbers of the twin: Philox4x32-10 in Python integers, from the kernel's counters.

J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw (2011). Parallel random numbers: as easy as
1, 2, 3. SC11, section 3.3.
"""

import math

import numpy as np
import numpy.typing as npt

F8 = npt.NDArray[np.float64]

#: What a number is for; the place in the list is the counter's word for it.
PURPOSES = ("init", "search", "momentum", "direction", "leaf", "merge", "jitter")


def philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return the four 32-bit words of Philox4x32-10."""
    (k0, k1), (c0, c1, c2, c3) = key, counter
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & 0xFFFFFFFF, (a >> 32) ^ c3 ^ k1, a & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


class Random:
    """The random numbers of one transition: each a function of (seed; chain, draw, purpose, index).

    The kernel takes its numbers from the same counters; that is what makes the two comparable.
    """

    def __init__(self, seed: int, chain: int, draw: int) -> None:
        self.key = seed & 0xFFFFFFFF, seed >> 32
        self.chain, self.draw = chain, draw

    def uniform_pair(self, purpose: str, index: int) -> tuple[float, float]:
        """Return two numbers (x + 1/2) 2^-52, x of 52 random bits."""
        counter = (self.chain, self.draw, PURPOSES.index(purpose), index)
        a, b, c, d = philox(self.key, counter)
        return ((a << 32 | b) // 2**12 + 0.5) / 2**52, ((c << 32 | d) // 2**12 + 0.5) / 2**52

    def uniform(self, purpose: str, index: int) -> float:
        """Return the first number of a pair."""
        return self.uniform_pair(purpose, index)[0]

    def log_u(self, purpose: str, index: int) -> float:
        """Return the log of `uniform`."""
        return math.log(self.uniform(purpose, index))

    def normals(self, purpose: str, n: int) -> F8:
        """Return standard normal numbers by Box and Muller's transform."""
        pairs = [self.uniform_pair(purpose, index) for index in range((n + 1) // 2)]
        radius = [math.sqrt(-2.0 * math.log(u)) for u, _ in pairs]
        angle = [2.0 * math.pi * u for _, u in pairs]
        both = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
        return np.asarray(both.ravel()[:n])
