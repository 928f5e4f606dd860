"""A model ready for blocks of many chains, on a device and on the CPU."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import exmc_dask as ed
from exmc_dask.kernels import Bound, Cost, Kernel, compile
from exmc_dask.kernels.codegen.tiled import rows_that_fit
from exmc_dask.kernels.cuda import on_gpu
from exmc_dask.kernels.runtime.chain import INTS
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.sampler import block
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import ChainState, Draws

CHAIN = INTS.index("chain")


@dataclass(frozen=True, eq=False)
class Chains:
    """States of many chains, a row each."""

    f: NDArray[np.float64]
    i: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.f)

    def __getitem__(self, chain: int) -> ChainState:
        return ChainState(self.f[chain], self.i[chain])

    def repeated(self, n: int) -> "Chains":
        """Return `n` chains that begin where these are, each with random numbers of its own."""
        rows = np.arange(n) % len(self)
        i = self.i[rows]
        i[:, CHAIN] = np.arange(n)
        return Chains(self.f[rows], i)


@dataclass(frozen=True, eq=False)
class Subject:
    """A model with its data, centred as it is declared; on a GPU blocks share so many rows."""

    name: str
    density: LogDensity
    data: Mapping[str, NDArray[Any]]
    host: Kernel
    bound: Bound
    point: NDArray[np.float64]
    settings: Settings
    tile: int = 0
    _kernels: dict[int, on_gpu.GpuKernel] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, model: ed.Model, settings: Settings) -> "Subject":
        density = lower(model.spec, ncp=False)
        data = density.fold(model.data)
        host = compile(density)
        point = density.support_point(model.data)
        return cls(name, density, data, host, host.bind(data), point, settings)

    def in_tiles(self) -> "Subject":
        """Return the same with tiles of its data that the chains of a block share."""
        program = on_gpu.program_of(self.density)
        tile = rows_that_fit(program.matrices)
        return replace(self, name=f"{self.name}, tiles", tile=tile, _kernels={})

    @property
    def cost(self) -> Cost:
        """Work of one gradient."""
        return self.host.cost(self.data)

    def kernel(self, lanes: int) -> on_gpu.GpuKernel:
        """Return the model as text for so many lanes a chain."""
        if lanes not in self._kernels:
            self._kernels[lanes] = on_gpu.compile(self.density, lanes, self.tile)
        return self._kernels[lanes]

    def starts(self, chains: int) -> Chains:
        """Return so many chains before their first draw."""
        states = [
            start(self.host, self.bound, self.settings, chain, self.point)
            for chain in range(chains)
        ]
        return Chains(np.stack([s.f for s in states]), np.stack([s.i for s in states]))

    def on_cpu(self, state: ChainState, n: int) -> tuple[ChainState, Draws]:
        """Make the next draws of a chain on one processor."""
        return block.run(self.host, self.bound, self.settings, state, n)
