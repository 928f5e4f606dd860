"""The processor class: which instructions machine code of this process may use.

It decides the last bits of draws. Nothing heavy is imported for it, as workers are asked for theirs
before they are given work, when most of them have loaded nothing yet.

Environment
-----------
EXMC_CPU
    ``x86-64-v2``, ``x86-64-v3`` or ``x86-64-v4``: the instructions that kernels may use. Hosts of
    one class give equal bits. The host's own when unset.
"""

import functools
import hashlib
import os
import sys

from exmc_dask.errors import CompileError

_LEVELS = {
    "x86-64-v2": ("sse4.2", "popcnt"),
    "x86-64-v3": ("avx2", "fma", "bmi", "bmi2", "lzcnt", "movbe"),
    "x86-64-v4": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
}


@functools.cache
def host() -> tuple[str, str]:
    """Return the name of this processor, and its features as LLVM writes them."""
    from llvmlite import binding

    return binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


def n_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def pin() -> None:
    """Hand EXMC_CPU to numba, which reads its own variables once, when it is imported."""
    level = os.environ.get("EXMC_CPU")
    if level:
        os.environ["NUMBA_CPU_NAME"] = level
        os.environ["NUMBA_CPU_FEATURES"] = ""  # unset would add the host's own features again


def cpu_class() -> str:
    """Return the name of the instruction set that kernels are compiled for.

    Returns
    -------
    str
        ``EXMC_CPU`` where it is set; otherwise the name of the CPU and a hash of its features.

    Raises
    ------
    CompileError
        ``EXMC_CPU`` is not a known level, this host lacks its instructions, or numba was imported
        before `pin` could tell it.
    """
    level = os.environ.get("EXMC_CPU")
    ours, our_features = host()
    if not level:
        name = os.environ.get("NUMBA_CPU_NAME", ours)
        features = os.environ.get("NUMBA_CPU_FEATURES", our_features)
        return f"{name}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
    if level not in _LEVELS:
        raise CompileError(f"EXMC_CPU={level} is not one of {', '.join(_LEVELS)}")
    present = our_features.split(",")
    missing = [feature for feature in _LEVELS[level] if f"+{feature}" not in present]
    if missing:
        raise CompileError(
            f"EXMC_CPU={level} needs {', '.join(missing)}, which this CPU ({ours}) lacks; "
            "choose a lower level or unset EXMC_CPU"
        )
    config = sys.modules.get("numba.core.config")
    heard = config is None or [level, ""] == [config.CPU_NAME, config.CPU_FEATURES]
    if not heard:
        raise CompileError(
            f"EXMC_CPU={level} came too late: numba was already imported; import "
            "exmc_dask.kernels before numba, or also set NUMBA_CPU_NAME to the same level and "
            "NUMBA_CPU_FEATURES to nothing"
        )
    return level
