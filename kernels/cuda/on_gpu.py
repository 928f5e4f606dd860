"""A log-density for a GPU: its text, how many lanes share a chain, and what chains share.

The number of lanes follows from the model and the number of chains alone, never from the machine,
as other lanes add up in another order: it is part of what decides a run's bits. So are the rows of
the tiles in which the chains of a block read large data together; they follow from the data.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from exmc_dask.errors import OptionError
from exmc_dask.lowering.density import LogDensity

from .. import Kernel, build
from .. import compile as compile_for_cpu
from ..codegen.bind import Bound
from ..codegen.cost import Cost
from ..codegen.program import Program, write
from ..codegen.tiled import SHARED_BYTES, TILE_STEP, rows_that_fit
from . import gpu

RESIDENT = 2**15
"""Threads that keep a large GPU busy: 8 warps on each of some 130 processors."""
_WIDE = 5000  # operations of a gradient from which on a whole warp has enough to do
_TRANSCENDENTAL = 20  # operations that one is worth
_NEAR_BYTES = 2**17
"""Data that stay in the first-level cache of a processor, beside what chains keep there."""


@dataclass(frozen=True)
class GpuKernel:
    """A log-density as text for a GPU.

    Attributes
    ----------
    host : Kernel
        The same density for the CPU, where chains begin.
    lanes : int
        Threads that share a chain.
    tile : int
        Rows of the tiles of data that the chains of a block share; 0: each reads for itself.
    program : Program
    """

    host: Kernel
    lanes: int
    tile: int
    program: Program = field(repr=False)

    @property
    def dim(self) -> int:
        """Length of the unconstrained vector."""
        return self.host.dim

    @property
    def key(self) -> str:
        """Sha256 of the text and the number of lanes."""
        return hashlib.sha256(f"{self.lanes}\n{self.program.source}".encode()).hexdigest()

    @cached_property
    def module(self) -> ModuleType:
        """The text as a module; numba compiles it for the GPU when it is launched."""
        return build.load(self.program.source, build.runtime(build.device_sources(self.lanes)))

    def bind(self, data: Mapping[str, npt.NDArray[Any]]) -> Bound:
        """Lay the arrays of a run out as the GPU reads them; see `Kernel.bind`."""
        density = self.host.density
        shapes = [output.shape for output in density.outputs]
        return self.program.storage.bind(data, density.axis_lengths(data), shapes)

    def device(self, block: int = gpu.BLOCK) -> gpu.Gpu:
        """Return the GPU of this process with this kernel on it, in blocks of so many threads.

        Raises
        ------
        CompileError
            There is none.
        """
        return gpu.Gpu(self.module, self.lanes, block)


@lru_cache(maxsize=16)
def program_of(density: LogDensity, tile: int = 0) -> Program:
    """Return a log-density as text for a GPU; it is the same for any number of lanes.

    Raises
    ------
    CompileError
        An operation cannot be translated for a GPU; the message names it.
    """
    return write(density, "cuda", tile)


def compile(density: LogDensity, lanes: int, tile: int = 0) -> GpuKernel:
    """Write a log-density for a GPU, and compile it for the CPU that its chains begin on.

    Raises
    ------
    CompileError
        An operation cannot be translated for a GPU; the message names it.
    OptionError
        No chain can be shared by so many lanes, or no block can have such tiles.
    """
    if lanes not in build.LANES:
        allowed = ", ".join(map(str, build.LANES))
        raise OptionError(f"lanes={lanes!r} is not possible; it has to be one of {allowed}")
    check_tile(density, tile)
    return GpuKernel(compile_for_cpu(density), lanes, tile, program_of(density, tile))


def check_tile(density: LogDensity, tile: int) -> None:
    """Raise unless the chains of a block can share tiles of so many rows; 0 is always possible.

    Raises
    ------
    OptionError
        It says what is possible.
    """
    if not tile:
        return
    matrices = program_of(density).matrices
    most = rows_that_fit(matrices)
    if 0 < tile <= most and tile % TILE_STEP == 0:
        return
    names = ", ".join(f"'{matrix.name}'" for matrix in matrices)
    row, step = sum(matrix.row_bytes for matrix in matrices), TILE_STEP
    if not matrices:
        words = "this model multiplies no matrix of data that chains could share; leave 'tile' out"
    elif not most:
        words = (
            f"{step} rows of {names} with {row} bytes each do not fit into the "
            f"{SHARED_BYTES // 1024} KiB that a block shares; leave 'tile' out"
        )
    else:
        words = (
            f"of {names}, with rows of {row} bytes, the chains of a block can share a multiple of "
            f"{step} rows up to {most}"
        )
    raise OptionError(f"target_options={{'tile': {tile!r}}} is not possible: {words}")


def choose_tile(program: Program, lengths: Mapping[str, int]) -> int:
    """Return how many rows of large data the chains of a block are to share at a time.

    None where data are small: every chain then finds them in the first-level cache, and need not
    wait for the others. Otherwise as many as there is room for, as each tile is two waits.

    Parameters
    ----------
    program : Program
        Of the model, for GPUs.
    lengths : mapping of str to int
        Lengths of its dimensions, by their names in the text.

    Returns
    -------
    int
        0, or a multiple of 32.
    """
    matrices = program.matrices
    size = sum(matrix.size.value(lengths) * matrix.item_bytes for matrix in matrices)
    return rows_that_fit(matrices) if size > _NEAR_BYTES else 0


def choose_lanes(cost: Cost, dim: int, chains: int) -> int:
    """Return how many lanes are to share a chain.

    As few as fill a large GPU: lanes of one chain wait for each other, chains do not. No more than
    there are coordinates to share, unless a gradient is so much work that a warp is glad of it.

    Parameters
    ----------
    cost : Cost
        Of one gradient.
    dim : int
        Length of a position.
    chains : int
        That are on a GPU at a time.
    """
    work = cost.flops + _TRANSCENDENTAL * cost.transcendentals
    useful = [n for n in build.LANES if n <= max(dim, 1) or work >= _WIDE]
    enough = [n for n in useful if chains * n >= RESIDENT]
    return int(np.min(enough)) if enough else useful[-1]
