"""What blocks of many chains run on: the GPU of this process, or a processor in its place."""

import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from exmc_dask.cluster.engines.batch import lanes_for
from exmc_dask.kernels.cuda import gpu, on_gpu, run_cuda
from gradient import medians_s, multiply_add, read
from on_card.subject import Subject


@dataclass(frozen=True)
class Rates:
    """What a machine can do at best."""

    flops_per_s: float
    bytes_per_s: float


class Machine(Protocol):
    """Something that blocks run on.

    Attributes
    ----------
    target : str
        Of `ed.sample`, to run there.
    block : int
        Threads of a block where nobody says otherwise.
    name : str
    """

    target: str
    block: int

    @property
    def name(self) -> str: ...

    def lanes(self, subject: Subject, chains: int) -> int:
        """Return how many lanes share each of so many chains where nobody says otherwise."""

    def device(self, kernel: on_gpu.GpuKernel, block: int) -> run_cuda.Device:
        """Return the device with a kernel on it, in blocks of so many threads."""

    def rates(self, size_bytes: int) -> Rates:
        """Measure the peak rates; bytes are read from an array of that size, again and again."""


class Card:
    """The GPU of this process, in blocks of so many threads."""

    target = "cuda"

    def __init__(self, block: int) -> None:
        self.block = block

    @property
    def name(self) -> str:
        return gpu.name()

    def lanes(self, subject: Subject, chains: int) -> int:
        return lanes_for(subject.density, subject.data, chains)

    def device(self, kernel: on_gpu.GpuKernel, block: int) -> run_cuda.Device:
        return kernel.device(block)

    def rates(self, size_bytes: int) -> Rates:
        from on_card.rates import peak

        return Rates(*peak(size_bytes))


class Twin:
    """A processor that runs the GPU's own text, to try the script where there is no GPU.

    With one lane numba compiles it; with more, Python runs the lanes in turn.
    """

    target, block = "cpu", 1

    def __init__(self) -> None:
        sys.path.append(str(Path(__file__).resolve().parents[2]))

    @property
    def name(self) -> str:
        return f"{platform.processor() or platform.machine()}, in place of a GPU"

    def lanes(self, subject: Subject, chains: int) -> int:
        return 1

    def device(self, kernel: on_gpu.GpuKernel, block: int) -> run_cuda.Device:
        from tests.kernels.devices import Emulator, Host

        source = kernel.program.source
        return Host(source) if kernel.lanes == 1 else Emulator(source, kernel.lanes, seed=1)

    def rates(self, size_bytes: int) -> Rates:
        stretch, x = np.ones(max(64, size_bytes // 8)), np.linspace(0.0, 0.4, 1024)
        multiplied, read_once = medians_s(
            [lambda n: multiply_add(n, x), lambda n: read(n, stretch)]
        )
        return Rates(2 * 32 * x.size / multiplied, 8 * stretch.size / read_once)
