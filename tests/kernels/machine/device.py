"""`run_cuda.Device` on the machine: a kernel's PTX is run on the CPU, and watched."""

import atexit
import ctypes
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.kernels.devices import Host
from tests.kernels.ptx import compile_entry, signature

from .text import parse
from .translate import translate

COMPILER = shutil.which("cc")
HERE = Path(__file__).parent
HOPPER = (9, 0)
Edit = Callable[[str, str], str]
_LINE = 512
"""Bytes at a multiple of which CuPy puts every array."""
_WORD = 4


class Trouble(Exception):
    """What the machine found; the sentence names the line of the PTX."""


@cache
def _folder() -> Path:
    """Return a folder that lasts as long as this process, with the machine compiled."""
    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    folder = Path(made.name)
    _compile("-c", HERE / "machine.c", "-o", folder / "machine.o")
    return folder


def _compile(*args: str | Path) -> None:
    flags = ["-O0", "-fPIC", "-fwrapv", "-fno-strict-aliasing", "-ffp-contract=off", "-w"]
    assert COMPILER is not None
    subprocess.run([COMPILER, *flags, "-I", HERE, *args], check=True)


@cache
def build(ptx: str) -> ctypes.CDLL:
    """Return the machine with a module on it."""
    folder, name = _folder(), hashlib.sha256(ptx.encode()).hexdigest()
    source, library = folder / f"{name}.c", folder / f"{name}.so"
    source.write_text(translate(parse(ptx)))
    _compile("-shared", source, folder / "machine.o", "-o", library, "-lm")
    found = ctypes.CDLL(str(library))
    found.launch.restype = ctypes.c_char_p
    return found


class Machine(Host):
    """A kernel's PTX, a block after the other, the threads of a block in an order of chance.

    Parameters
    ----------
    write : callable
        ``(entry, types) -> PTX`` of an entry point whose arguments are of such types.
    lanes : int
        That share a chain.
    seed : int
        Of the order.
    block : int
        Threads of a block.
    """

    def __init__(
        self, write: Callable[[str, str], str], lanes: int, seed: int = 0, block: int = 32
    ) -> None:
        self.lanes, self.launches, self.block = lanes, 0, block
        self._chance = np.random.default_rng(seed)
        self._written: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._entry = cache(lambda entry, types: build(write(entry, types)))

    @classmethod
    def of(cls, texts: dict[str, str], lanes: int, block: int) -> "Machine":
        """Return the machine with entry points that are at hand."""
        return cls(lambda entry, _: texts[entry], lanes, block=block)

    @classmethod
    def running(
        cls, source: str, lanes: int, seed: int = 0, block: int = 32, edit: Edit | None = None
    ) -> "Machine":
        """Return the machine with a kernel that numba-cuda compiles; `edit` may change its PTX."""

        def write(entry: str, types: str) -> str:
            ptx, _ = compile_entry(source, lanes, entry, HOPPER, types)
            return ptx if edit is None else edit(entry, ptx)

        return cls(write, lanes, seed, block)

    def put(self, array: np.ndarray) -> np.ndarray:
        made = self._make(array.shape, array.dtype, 1)
        made[...] = array
        return made

    def empty(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        made = self._make(shape, np.dtype(dtype), 0)
        made.fill(-(2**60) if dtype is np.int64 else np.nan)
        return made

    def _make(self, shape: tuple[int, ...], dtype: np.dtype[Any], written: int) -> np.ndarray:
        size = int(np.prod(shape)) * dtype.itemsize
        memory = np.empty(size + _LINE, np.uint8)
        start = -memory.ctypes.data % _LINE
        made = memory[start : start + size].view(dtype).reshape(shape)
        words = np.full(size // _WORD + 1, written, np.uint8)
        self._written[made.ctypes.data] = (made, words)
        return made

    def launch(self, entry: str, groups: int, *args: Any) -> None:
        self.launches += 1
        arrays = [arg for arg in args if isinstance(arg, np.ndarray)]
        words = [word for arg in args for word in _words(arg)]
        params = np.array([word % 2**64 for word in words], np.uint64)
        n = len(arrays)
        found = self._entry(entry, signature(args)).launch(
            *(-(-groups * self.lanes // self.block), self.block, self.lanes),
            ctypes.c_uint64(int(self._chance.integers(2**63))),
            ctypes.c_void_p(params.ctypes.data),
            n,
            (ctypes.c_void_p * n)(*(array.ctypes.data for array in arrays)),
            (ctypes.c_uint64 * n)(*(array.nbytes for array in arrays)),
            (ctypes.c_void_p * n)(
                *(self._written[array.ctypes.data][1].ctypes.data for array in arrays)
            ),
            (ctypes.c_char_p * n)(*(f"array {k}".encode() for k in range(n))),
        )
        if found:
            raise Trouble(f"{entry}: {found.decode()}")


def _words(arg: Any) -> list[int]:
    """Return what numba-cuda passes for an argument; an array is taken apart."""
    if not isinstance(arg, np.ndarray):
        return [int(arg)]
    return [0, 0, arg.size, arg.itemsize, arg.ctypes.data, *arg.shape, *arg.strides]
