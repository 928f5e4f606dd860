"""What a GPU can do at best: operations, and bytes read from an array of some size.

Imported when there is a GPU, or a simulated one.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from exmc_dask.kernels.cuda import gpu

gpu.numba_cuda()
from numba import cuda, uint32  # noqa: E402  as gpu has prepared it

THREADS = 256  # of a block
WARP = 32
_LEAST = 4 * WARP  # elements that a warp reads at a time
_LAUNCH_S = 0.02  # that a launch is to take


@cuda.jit
def multiply(n, out):
    """Do eight operations `n` times in each thread."""
    thread = cuda.grid(1)
    a, b = 1e-9 * thread, 1e-8 * thread
    c, d = 1e-7 * thread, 1e-6 * thread
    for _ in range(n):
        a = a * a + 0.25
        b = b * b + 0.25
        c = c * c + 0.25
        d = d * d + 0.25
    out[thread] = a + b + c + d


@cuda.jit
def read(n, x, out):
    """Read an array, whose size is a multiple of 128, `n` times with each warp."""
    thread = cuda.grid(1)
    size = uint32(x.size)
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        i = uint32((thread + k) % 32)  # other elements every time, so that all are read again
        while i < size:
            a += x[i]
            b += x[i + uint32(32)]
            c += x[i + uint32(64)]
            d += x[i + uint32(96)]
            i += uint32(128)
    out[thread] = a + b + c + d


def peak(size_bytes: int) -> tuple[float, float]:
    """Return operations and bytes a second."""
    threads = 8 * cuda.get_current_device().MULTIPROCESSOR_COUNT * THREADS
    out = cuda.device_array(threads)
    size = -(-size_bytes // (8 * _LEAST)) * _LEAST
    x = cuda.to_device(np.random.default_rng(1).normal(size=max(_LEAST, size)))
    grid = threads // THREADS, THREADS
    multiplied = turn_s(partial(_launch, multiply[grid], out))
    read_once = turn_s(partial(_launch, read[grid], x, out))
    return 8 * threads / multiplied, threads // WARP * 8 * x.size / read_once


def _launch(kernel: Callable[..., None], *arrays: object, n: int) -> None:
    kernel(n, *arrays)
    cuda.synchronize()


def turn_s(call: Callable[..., None]) -> float:
    """Return the seconds of one turn of ``call(n=...)``, the median of five."""

    def timed(n: int) -> float:
        began = time.perf_counter()
        call(n=n)
        return time.perf_counter() - began

    timed(1)  # compiles
    n = 16
    while timed(n) < _LAUNCH_S:
        n *= 2
    return statistics.median(timed(n) for _ in range(5)) / n
