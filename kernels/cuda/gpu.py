"""The GPU itself: what is missing to use one, and `run_cuda.Device` on CuPy and numba-cuda.

Nothing is imported before it is asked for: most machines that import this package have no GPU.
"""

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from math import prod
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from exmc_dask.errors import CompileError

BLOCK = 128
"""Threads of a block: four warps, so that registers for two blocks of 255 each fit a processor."""
BLOCKS = (32, 64, 128, 256)
"""What they may be: whole warps, and no more than there are registers for."""


@cache
def missing() -> str:
    """Say what this process lacks to use a GPU; nothing if it can."""
    for package, name in (("numba_cuda", "numba-cuda"), ("cupy", "cupy-cuda13x")):
        if importlib.util.find_spec(package) is None:
            return f"{name} is not installed: pip install 'exmc-dask[cuda]'"
    if not numba_cuda().is_available():
        return "no NVIDIA driver answers, or it has no GPU to offer (see nvidia-smi)"
    import cupy

    runtime = cupy.cuda.runtime
    return too_old(runtime.driverGetVersion(), runtime.runtimeGetVersion())


def too_old(driver: int, runtime: int) -> str:
    """Say that a driver is too old for CUDA's libraries, given what either calls its version.

    Within one major version any driver will do (CUDA's minor version compatibility).
    """
    if driver // 1000 >= runtime // 1000:
        return ""
    return (
        f"its driver is one of CUDA {driver // 1000}.{driver % 1000 // 10}, and what is installed "
        f"here needs CUDA {runtime // 1000}: install a newer NVIDIA driver"
    )


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


@contextmanager
def plain_indices() -> Iterator[None]:
    """Have numba-cuda take indices as they are: none of ours counts from the end of an array.

    What it would add to negative ones is up to a third of what a kernel does, and hides from NVVM
    that places in a loop are equally far apart. Nobody else compiles anything meanwhile.
    """
    numba_cuda()
    arrays: Any = importlib.import_module("numba.cuda.np.arrayobj")
    lock: Any = importlib.import_module("numba.cuda.core.compiler_lock").global_compiler_lock
    with lock:
        counted = arrays.fix_integer_index
        arrays.fix_integer_index = _as_it_is
        try:
            yield
        finally:
            arrays.fix_integer_index = counted


def _as_it_is(context: Any, builder: Any, kind: Any, index: Any, size: Any) -> Any:
    """Return an index as numba's addresses have it."""
    from numba.core.types import intp

    return context.cast(builder, index, kind, intp)


def name() -> str:
    """Return what the GPU of this process is called."""
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    return str(properties["name"].decode())


def label() -> str:
    """Return what the GPU of this process is called, and which of its machine's it is."""
    import cupy

    return f"{name()} at {cupy.cuda.Device().pci_bus_id}"


def capability() -> str:
    """Return the compute capability of the GPU of this process, "9.0": what numba compiles for."""
    return ".".join(map(str, numba_cuda().get_current_device().compute_capability))


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
        self.capability = capability()
        self._cupy = cupy
        self._kernel, self._lanes, self._block = kernel, lanes, block
        self._work = cupy.cuda.Stream(non_blocking=True)
        self._away = cupy.cuda.Stream(non_blocking=True)
        self._numba_stream = numba_cuda().external_stream(self._work.ptr)

    @property
    def free_bytes(self) -> int:
        """Memory that is free on the GPU, with what CuPy has kept from runs before this one."""
        self._cupy.get_default_memory_pool().free_all_blocks()
        return int(self._cupy.cuda.runtime.memGetInfo()[0])

    def put(self, array: np.ndarray) -> Any:
        """Return an array of the device with these elements, a copy whatever memory they share."""
        found = self.empty(array.shape, array.dtype)
        found.set(array, stream=self._work)
        self._work.synchronize()  # `array`, or a copy of it by CuPy, may go now
        return found

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
        """Return an array of the device."""
        with self._work:
            return self._cupy.empty(shape, dtype)

    def launch(self, entry: str, groups: int, *args: Any) -> None:
        """Begin an entry point of the kernel, after all that was begun before."""
        blocks = -(-groups * self._lanes // self._block)
        # Arrays that numba takes from our stream come without an event to wait for.
        with plain_indices(), self._work:
            getattr(self._kernel, entry)[blocks, self._block, self._numba_stream](*args)

    def fetch(self, array: Any) -> np.ndarray:
        """Wait for what was begun and return an array's elements."""
        found = np.empty(array.shape, array.dtype)
        array.get(stream=self._work, out=found)
        self._work.synchronize()
        return found

    def begin_copy(self, array: Any, rows: slice | tuple[slice, ...]) -> Any:
        """Begin to copy a part of an array beside launches to come; for `end_copy`.

        No kernel takes part: it would have to wait for room on a GPU that a launch fills. Where the
        part is rows of each of many chains, the copy engine goes from chain to chain.
        """
        part = array[rows]
        target = self._pinned(part.shape, part.dtype)
        self._away.wait_event(self._work.record())
        if part.flags.c_contiguous:
            part.get(stream=self._away, out=target, blocking=False)
        else:
            runtime, width = self._cupy.cuda.runtime, part.nbytes // len(part)
            runtime.memcpy2DAsync(
                *(target.ctypes.data, width, part.data.ptr, part.strides[0], width, len(part)),
                *(runtime.memcpyDeviceToHost, self._away.ptr),
            )
        return part, target, self._away.record()

    def end_copy(self, copy: Any) -> np.ndarray:
        """Wait for a copy and return it; its memory is used anew as soon as it is let go."""
        _, target, event = copy
        event.synchronize()
        found: np.ndarray = target
        return found

    def _pinned(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an array of the host that a GPU can write to.

        Sizes are powers of two: CuPy keeps such memory for requests of the very same size, so that
        those of launches, which all differ, would add up for as long as a process lives.
        """
        import cupyx

        n_bytes = prod(shape) * dtype.itemsize
        whole: np.ndarray = cupyx.empty_pinned(1 << max(n_bytes - 1, 0).bit_length(), np.uint8)
        return whole[:n_bytes].view(dtype).reshape(shape)
