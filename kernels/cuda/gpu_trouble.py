"""What an exception says of a GPU: that it failed, that its memory is full, or nothing.

The libraries that talk to GPUs have exceptions of their own, which are known here by the names of
their classes and modules, so that nothing is imported where there is no GPU.
"""

import contextlib
from collections.abc import Iterator

from exmc_dask.errors import DeviceFull, GpuError

_LIBRARIES = ("cupy", "cupy_backends", "cupyx", "numba.cuda", "numba_cuda", "cuda")
_COMPILERS = ("nvvm", "nvrtc", "compil", "link")
"""Parts of names of exceptions that are about a text, not about a GPU."""
_FULL = ("outofmemory", "memoryallocation")
"""Parts of what CuPy (cudaErrorMemoryAllocation) and the driver (CUDA_ERROR_OUT_OF_MEMORY) say."""


def of(error: BaseException, label: str = "it") -> GpuError | DeviceFull | None:
    """Return the error of ours that an exception is, if it is about a GPU, which is called so."""
    kind = type(error)
    if not any(
        kind.__module__ == name or kind.__module__.startswith(f"{name}.") for name in _LIBRARIES
    ):
        return None
    if any(part in kind.__name__.lower() for part in _COMPILERS):
        return None
    said = f"{kind.__name__}: {error}"
    if any(part in said.lower().replace("_", "").replace(" ", "") for part in _FULL):
        return DeviceFull(f"its memory is full ({said})")
    return GpuError(f"{label} failed, and CUDA lets a process use it no more after that ({said})")


@contextlib.contextmanager
def named(label: str = "it") -> Iterator[None]:
    """Raise errors of ours for what libraries raise of a GPU, which is called so.

    Raises
    ------
    DeviceFull
        Its memory does not suffice.
    GpuError
        It failed otherwise.
    """
    try:
        yield
    except Exception as error:
        if (ours := of(error, label)) is None:
            raise
        raise ours from error
