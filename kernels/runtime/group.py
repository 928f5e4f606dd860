"""The lanes that share one chain: on a CPU a single one, so all of this compiles to nothing.

The CUDA dialect has its own functions of these names, for 1 to 32 threads per chain. Code written
against them gives each lane the elements ``range(lane(), dim, n_lanes())`` of a vector, adds up
with `group_sum`, and takes no branch on a number that did not come out of it.
"""

from typing import Any

from numba import njit

_INNER = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

device: Any = njit(fastmath={"contract"}, **_INNER)
"""Decorator of a function that compiled code calls; Python cannot."""
inlined: Any = njit(fastmath={"contract"}, forceinline=True, **_INNER)
"""The same for a function that becomes part of its caller."""
summing: Any = njit(fastmath={"contract", "reassoc"}, **_INNER)
"""The same for a function of nothing but sums, which may be taken in another order."""


@inlined
def lane() -> int:
    """Return the number of this lane in its group."""
    return 0


@inlined
def n_lanes() -> int:
    """Return the number of lanes in a group."""
    return 1


@inlined
def group_sum(x: float) -> float:
    """Return the sum of `x` over the lanes, the same bits on each."""
    return x


@inlined
def group_sync() -> None:
    """Wait until what every lane wrote is seen by every lane."""
