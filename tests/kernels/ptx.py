"""Kernels for a GPU compiled without one: PTX by numba-cuda, registers by ptxas where it is."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exmc_dask.kernels import build
from exmc_dask.kernels.cuda import gpu

PTXAS = shutil.which("ptxas")
_F8, _F4, _I8 = "float64", "float32", "int64"


@dataclass(frozen=True)
class Assembled:
    """What ptxas says of an entry point."""

    registers: int
    stack: int
    spills: int
    shared: int


def _cuda() -> Any:
    """Return numba.cuda, taught to compile device functions where there is no driver."""
    if not hasattr(np, "row_stack"):  # numba-cuda 0.30 asks for it, NumPy 2.5 has none
        np.row_stack = np.vstack  # type: ignore[attr-defined]  # noqa: NPY201
    from numba import cuda
    from numba.cuda import dispatcher

    class Device:
        compute_capability = (9, 0)

    dispatcher.get_current_device = lambda: Device
    return cuda


def array(kind: str, ndim: int) -> str:
    """Return numba's name of an array type in C order."""
    return f"{kind}[{', '.join([':'] * (ndim - 1) + ['::1'])}]"


def signatures(lanes: int) -> dict[str, str]:
    """Return the types of the arguments of both entry points."""

    model = [array(_F8, 1), array(_F4, 1), array(_I8, 1)]
    rows = array(_F8, 3)
    sample = [array(_F8, 2), array(_I8, 2), rows, rows, rows, array(_F8, 2), *model]
    sample += [rows, rows, array(_I8, 3), *[_I8] * 4]
    outputs = [rows, rows, array(_F8, 2), *model, *[_I8] * 3]
    return {"sample": f"void({', '.join(sample)})", "outputs": f"void({', '.join(outputs)})"}


def signature(args: Sequence[Any]) -> str:
    """Return the types of the arguments of a launch as numba-cuda finds them."""
    kinds = [
        array(str(arg.dtype), arg.ndim) if isinstance(arg, np.ndarray) else _I8 for arg in args
    ]
    return f"void({', '.join(kinds)})"


def compile_entry(
    source: str, lanes: int, entry: str, cc: tuple[int, int], of: str = ""
) -> tuple[str, float]:
    """Return the PTX of an entry point and the processor time it took; `of` are its types."""
    cuda = _cuda()
    module = build.load(source, build.runtime(build.device_sources(lanes)))
    function = getattr(module, entry).py_func
    began = time.process_time()
    with gpu.plain_indices():
        ptx, _ = cuda.compile_ptx(function, of or signatures(lanes)[entry], cc=cc)
    return ptx, time.process_time() - began


def assemble(ptx: str, cc: tuple[int, int]) -> Assembled:
    """Let ptxas assemble PTX."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.ptx"
        path.write_text(ptx)
        ran = subprocess.run(
            ["ptxas", "-v", f"-arch=sm_{cc[0]}{cc[1]}", str(path), "-o", str(path) + ".cubin"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores", ran.stderr)
    used = re.search(r"Used (\d+) registers", ran.stderr)
    assert found is not None
    assert used is not None
    shared = re.search(r"(\d+) bytes smem", ran.stderr)
    return Assembled(
        *(int(used[1]), int(found[1]), int(found[2])), shared=int(shared[1]) if shared else 0
    )
