"""The GPU itself: what is missing to use one, and `run_cuda.Device` on CuPy and numba-cuda.

Nothing is imported before it is asked for: most machines that import this package have no GPU.
"""

import importlib.util
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from exmc_dask.errors import CompileError

BLOCK = 128
"""Threads of a block: four warps, so that registers for two blocks of 255 each fit a processor."""
BLOCKS = (32, 64, 128, 256)
"""What they may be: whole warps, and no more than there are registers for."""
SHARED_BYTES = 48 * 1024
"""Memory of a block that a kernel may have without asking for more, on every GPU."""
TILE_STEP = 32
"""Rows of data that a tile there is a multiple of, so that every lane has as many."""


@cache
def missing() -> str:
    """Say what this process lacks to use a GPU; nothing if it can."""
    for package, name in (("numba_cuda", "numba-cuda"), ("cupy", "cupy-cuda13x")):
        if importlib.util.find_spec(package) is None:
            return f"{name} is not installed: pip install 'exmc-dask[cuda]'"
    if not numba_cuda().is_available():
        return "no NVIDIA driver answers, or it has no GPU to offer (see nvidia-smi)"
    return ""


def require() -> None:
    """Raise a CompileError unless a GPU can be used.

    Raises
    ------
    CompileError
        It says what is missing.
    """
    if reason := missing():
        raise CompileError(f"target='cuda' needs an NVIDIA GPU, but {reason}; or use target='cpu'")


@cache
def numba_cuda() -> Any:
    """Import numba.cuda, as nothing else does: NumPy 2.5 lacks a name that numba-cuda 0.30 uses."""
    if not hasattr(np, "row_stack"):
        np.row_stack = np.vstack  # type: ignore[attr-defined]  # noqa: NPY201
    from numba import cuda
    from numba.cuda.core import config  # by now the environment has been read

    config.CUDA_ARRAY_INTERFACE_SYNC = 0  # all goes over our streams
    config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # as of the launch with one chain that compiles
    return cuda


def name() -> str:
    """Return what the GPU of this process is called."""
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    return str(properties["name"].decode())


def label() -> str:
    """Return what the GPU of this process is called, and which of its machine's it is."""
    import cupy

    return f"{name()} at {cupy.cuda.Device().pci_bus_id}"


def size(n_bytes: int) -> str:
    """Return a number of bytes in words."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


class Gpu:
    """The GPU of this process with one kernel on it; see `run_cuda.Device`.

    Parameters
    ----------
    kernel : module
        What `build.load` made of the text.
    lanes : int
        That share a chain.
    block : int
        Threads of a block.
    """

    def __init__(self, kernel: ModuleType, lanes: int, block: int = BLOCK) -> None:
        require()
        import cupy

        self.label = label()  # now, as it may say nothing when it has failed
        self._cupy = cupy
        self._kernel, self._lanes, self._block = kernel, lanes, block
        self._work = cupy.cuda.Stream(non_blocking=True)
        self._away = cupy.cuda.Stream(non_blocking=True)
        self._numba_stream = numba_cuda().external_stream(self._work.ptr)

    @property
    def free_bytes(self) -> int:
        """Memory that is free on the GPU."""
        return int(self._cupy.cuda.runtime.memGetInfo()[0])

    def put(self, array: np.ndarray) -> Any:
        """Return an array of the device with these elements."""
        with self._work:
            return self._cupy.asarray(array)

    def empty(self, shape: tuple[int, ...], dtype: type) -> Any:
        """Return an array of the device."""
        with self._work:
            return self._cupy.empty(shape, dtype)

    def launch(self, entry: str, groups: int, *args: Any) -> None:
        """Begin an entry point of the kernel, after all that was begun before."""
        blocks = -(-groups * self._lanes // self._block)
        getattr(self._kernel, entry)[blocks, self._block, self._numba_stream](*args)

    def fetch(self, array: Any) -> np.ndarray:
        """Wait for what was begun and return an array's elements."""
        found: np.ndarray = self._cupy.asnumpy(array, stream=self._work)
        self._work.synchronize()
        return found

    def begin_copy(self, array: Any, rows: slice | tuple[slice, ...]) -> Any:
        """Begin to copy a part of an array beside launches to come; for `end_copy`."""
        import cupyx

        self._away.wait_event(self._work.record())
        with self._away:
            whole = self._cupy.ascontiguousarray(array[rows])
            target = cupyx.empty_pinned(whole.shape, whole.dtype)
            whole.get(stream=self._away, out=target, blocking=False)
        return whole, target, self._away.record()

    def end_copy(self, copy: Any) -> np.ndarray:
        """Wait for a copy and return it."""
        _, target, event = copy
        event.synchronize()
        found: np.ndarray = target
        return found
