"""The lanes that share one chain: on a CPU a single one, so all of this compiles to nothing.

The CUDA dialect has its own functions of these names, for 1 to 32 threads per chain. Code written
against them gives each lane the elements ``range(lane(), dim, n_lanes())`` of a vector, adds up
with `group_sum`, and takes no branch on a number that did not come out of it.
"""

from numba import njit


@njit(forceinline=True)
def lane() -> int:
    """Return the number of this lane in its group."""
    return 0


@njit(forceinline=True)
def n_lanes() -> int:
    """Return the number of lanes in a group."""
    return 1


@njit(forceinline=True)
def group_sum(x: float) -> float:
    """Return the sum of `x` over the lanes, the same bits on each."""
    return x


@njit(forceinline=True)
def group_sync() -> None:
    """Wait until what every lane wrote is seen by every lane."""
