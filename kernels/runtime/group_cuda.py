"""The lanes that share one chain on a GPU: neighbouring threads of one warp.

The runtime of the target "cuda" has this file under the name of `group`, whose functions it
replaces; see there for how code is written against them. What differs from it in kind: a launch
has many groups, and `chains` says which chains one of them looks after.

Groups of a warp go their own ways, so everything that lanes do together is done under the mask of
their group, and a group without a chain may simply leave. What the groups of a block do together is
the business of `blocks`.
"""

from typing import Any

import numpy as np
from numba import cuda

LANES = 1
"""Threads that share a chain: 1, 2, 4, 8, 16 or 32; `build.sources` writes the number here."""
WARP = 32


def device(function: Any) -> Any:
    """Make a function one that compiled code calls; Python cannot."""
    return cuda.jit(function, device=True)


inlined = device
summing = device


def _pasted(function: Any) -> Any:
    """Make a function one whose text becomes part of its callers: it may return a view."""
    return cuda.jit(function, device=True, inline="always")


def entry(function: Any) -> Any:
    """Make a function one that is launched from the host."""
    return cuda.jit(function, cache=True)


@device
def chains(n: int) -> range:
    """Return the numbers, below `n`, of the chains that this group looks after."""
    return range(cuda.grid(1) // LANES, n, cuda.gridsize(1) // LANES)


if LANES == 1:

    @device
    def lane() -> int:
        """Return the number of this lane in its group."""
        return 0

    @device
    def group_sum(x: float) -> float:
        """Return the sum of `x` over the lanes, the same bits on each."""
        return x

    @device
    def group_max(x: float) -> float:
        """Return the largest `x` of the lanes, NaN if one is."""
        return x

    @device
    def group_sync() -> None:
        """Wait until what every lane wrote is seen by every lane."""

    @_pasted
    def part(array: np.ndarray, chain: int) -> np.ndarray:
        """Return a chain's vector; chains lie side by side, so that threads read together."""
        return array[:, chain]

    @_pasted
    def parts(array: np.ndarray, chain: int) -> np.ndarray:
        """Return a chain's rows."""
        return array[:, :, chain]

else:

    @device
    def lane() -> int:
        """Return the number of this lane in its group."""
        return np.int64(cuda.threadIdx.x % LANES)  # type: ignore[return-value]

    @device
    def _mask() -> int:
        return ((1 << LANES) - 1) << (cuda.threadIdx.x % WARP // LANES * LANES)

    @device
    def group_sum(x: float) -> float:
        """Return the sum of `x` over the lanes, the same bits on each: each adds equal pairs."""
        distance = LANES // 2
        while distance > 0:
            x += cuda.shfl_xor_sync(_mask(), x, distance)
            distance //= 2
        return x

    @device
    def group_max(x: float) -> float:
        """Return the largest `x` of the lanes, NaN if one is."""
        distance = LANES // 2
        while distance > 0:
            other = cuda.shfl_xor_sync(_mask(), x, distance)
            x = other if other > x or other != other else x
            distance //= 2
        return x

    @device
    def group_sync() -> None:
        """Wait until what every lane wrote is seen by every lane."""
        cuda.syncwarp(_mask())

    @_pasted
    def part(array: np.ndarray, chain: int) -> np.ndarray:
        """Return a chain's vector; its elements lie side by side, so that lanes read together."""
        return array[chain]

    @_pasted
    def parts(array: np.ndarray, chain: int) -> np.ndarray:
        """Return a chain's rows."""
        return array[chain]


@device
def n_lanes() -> int:
    """Return the number of lanes in a group."""
    return LANES
