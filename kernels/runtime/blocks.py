"""The threads of a block on a GPU: groups of lanes that share memory and wait for each other.

All threads of a block come to all of its barriers, those of a group without a chain too: a barrier
opens when the last one is there.
"""

from numba import cuda

from .group import device, n_lanes


@device
def places(n: int) -> range:
    """Return the places of this group, as many as of any other; no chain is at `n` or above."""
    groups = cuda.gridsize(1) // n_lanes()
    return range(cuda.grid(1) // n_lanes(), -(-n // groups) * groups, groups)


@device
def thread() -> int:
    """Return the number of this thread in its block."""
    return cuda.threadIdx.x


@device
def n_threads() -> int:
    """Return the number of threads in a block."""
    return cuda.blockDim.x


@device
def block_sync() -> None:
    """Wait until what every thread of the block wrote is seen by every thread of it."""
    cuda.syncthreads()


@device
def block_any(holds: bool) -> bool:
    """Wait for every thread of the block, and tell whether something holds for one of them."""
    return cuda.syncthreads_or(1 if holds else 0) != 0
