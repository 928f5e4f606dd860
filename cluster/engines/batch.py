"""NUTS on a GPU as an engine: a unit is a batch of chains."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import DeviceFull, GpuError, OptionError
from exmc_dask.expressions.axes import extents
from exmc_dask.kernels import Bound, build
from exmc_dask.kernels.cuda import gpu, gpu_trouble, on_gpu, run_cuda
from exmc_dask.kernels.runtime.chain import CONTROL
from exmc_dask.language.model import ModelSpec
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.sampler import block
from exmc_dask.sampler.batch import BatchState
from exmc_dask.sampler.pooling import Pooling
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS, ChainState, Draws

from ..messages.wire import CHAIN_ENGINE, Spec
from .nuts import naming_broken_terms

_LAYOUT = "batch/layout"  # name of the array with lanes, block, tile, and where batches begin
_LARGER = 64  # times a GPU's block may be than a CPU's: its journey must not take longer than it


def join(spec: Spec, bounds: Sequence[int], lanes: int, block: int, tile: int) -> Spec:
    """Return a spec whose units are batches: unit u has chains ``bounds[u]`` to ``bounds[u + 1]``.

    So many lanes share a chain, a block of the GPU has so many threads, and its chains share tiles
    of so many rows.

    Raises
    ------
    OptionError
        A GPU cannot do what the settings ask for.
    """
    metric = spec.settings["metric"]
    if metric != "diag":
        raise OptionError(
            f"metric={metric!r} is not possible with target='cuda'; use 'diag', or target='cpu'"
        )
    layout = np.array([lanes, block, tile, *bounds], np.int64)
    return replace(
        spec,
        target="cuda",
        data={**spec.data, _LAYOUT: layout},
        engine=f"{__name__}:prepare",
        bounds=tuple(bounds),
    )


def part(spec: Spec) -> Spec:
    """Return the spec that `join` was given: its units are chains, and its target CPUs."""
    data = {name: array for name, array in spec.data.items() if name != _LAYOUT}
    return replace(spec, target="cpu", data=data, engine=CHAIN_ENGINE, bounds=())


def lanes_for(density: LogDensity, data: Mapping[str, NDArray[Any]], chains: int) -> int:
    """Return how many threads are to share each of so many chains of a model with these data."""
    program = on_gpu.program_of(density)
    cost = program.count.at(program.storage.numbers(density.axis_lengths(data)))
    return on_gpu.choose_lanes(cost, density.layout.dim, chains)


def tile_for(
    density: LogDensity, data: Mapping[str, NDArray[Any]], wanted: int | Literal["auto"]
) -> int:
    """Return how many rows of data the chains of a block are to share at a time.

    Raises
    ------
    OptionError
        What is wanted is not possible with this model.
    """
    if wanted != "auto":
        on_gpu.check_tile(density, wanted)
        return wanted
    program = on_gpu.program_of(density)
    return on_gpu.choose_tile(program, program.storage.numbers(density.axis_lengths(data)))


def device_bytes(
    density: LogDensity,
    data: Mapping[str, NDArray[Any]],
    settings: Settings,
    lanes: int,
    tile: int,
    n: int,
) -> int:
    """Return the memory that a batch of `n` chains takes on a GPU, however many draws it makes."""
    storage, lengths = on_gpu.program_of(density, tile).storage, density.axis_lengths(data)
    n_out = sum(prod(extents(output.shape, lengths)) for output in density.outputs)
    blank = ChainState.blank(density.layout.dim, settings.scheme, settings.metric, 0)
    sizes = run_cuda.plan(
        lanes,
        np.broadcast_to(blank.i, (n, len(blank.i))),
        block.options(settings)[1],
        storage.work_size(lengths),
        n_out,
        settings.total,
        in_step=bool(tile),
    )
    return sizes.size_bytes + storage.data_bytes(data)


@dataclass(frozen=True)
class Batches:
    """A model on a GPU with its data and settings; see `exmc_dask.cluster.worker.worker.Engine`."""

    density: LogDensity
    kernel: on_gpu.GpuKernel
    device: run_cuda.Device
    bound: Bound
    on_cpu: Bound
    spec: Spec
    bounds: tuple[int, ...]
    settings: Settings
    pooling: Pooling | None
    fingerprint: str

    @property
    def row_bytes(self) -> int:
        """Size of one draw of all chains, on a scale on which a GPU may send as much at a time."""
        stored = self.kernel.dim if self.settings.store_unconstrained else 0
        row = 8 * (self.bound.n_out + stored + len(FLOAT_STATS) + len(INT_STATS))
        return -(-row * int(np.diff(self.bounds).max()) // _LARGER)

    def start(self, unit: int, initial: NDArray[np.float64] | None) -> BatchState:
        """Return the states before a batch's first draw; `initial` as `units.Batches` has it."""
        first, end = self.bounds[unit : unit + 2]
        point = np.asarray(self.spec.support_point, np.float64)
        states = []
        with naming_broken_terms(self.density, self.spec.data):
            for chain in range(first, end):
                own = None if initial is None else initial[chain - first]
                given = None if own is None else _filled(own)
                host = self.kernel.host
                states.append(start(host, self.on_cpu, self.settings, chain, point, given))
        return BatchState.of(states)

    def run(
        self, state: BatchState, n: int, control: NDArray[np.int64]
    ) -> tuple[BatchState, Draws]:
        """Draw ``n`` times with every chain, or fewer if ``control`` says so.

        Chains that learn together lie in one batch, so they do it here, and a block ends where
        they do it next.
        """
        settings, f, i = self.settings, state.f, state.i
        if self.pooling is not None and state.draw in settings.marks:
            f, i = self.pooling.teach(f, i)
        n = min([n, *(mark - state.draw for mark in settings.marks if mark > state.draw)])
        with gpu_trouble.named(self.device.label):
            f, i, kept, _ = run_cuda.run(
                *(self.device, self.bound, self.kernel.lanes, f, i),
                *block.options(settings),
                n,
                control,
                in_step=bool(self.kernel.tile),
            )
        first = state.draw + (settings.tune - state.draw) % settings.thin
        rows = {name: np.moveaxis(array, 0, 1) for name, array in kept.items()}
        q = rows["q"] if settings.store_unconstrained else rows["q"][:0]
        draws = Draws(first, rows["values"], q, rows["stats_f"], rows["stats_i"], settings.thin)
        return BatchState(f, i), draws


def _filled(row: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return a chain's starting point without the NaN behind it; None if there is nothing else."""
    there = np.flatnonzero(~np.isnan(row))
    return row[: there[-1] + 1] if there.size else None


def prepare(spec: Spec) -> Batches:
    """Write the model of a spec that `join` made for the GPU of this process, and bind its data.

    Raises
    ------
    CompileError
        An operation cannot be done on a GPU.
    GpuError
        There is none, or it fails.
    DeviceFull
        A batch does not fit into the GPU's memory.
    """
    if reason := gpu.missing():
        raise GpuError(f"there is none that can be used: {reason}")
    data: dict[str, NDArray[Any]] = dict(spec.data)
    lanes, threads, tile, *bounds = data.pop(_LAYOUT).tolist()
    density = lower(ModelSpec.from_bytes(spec.model), **spec.options)
    kernel = on_gpu.compile(density, lanes, tile)
    settings = Settings.from_dict(spec.settings)
    with gpu_trouble.named():
        device, largest = kernel.device(threads), int(np.diff(bounds).max())
    _check_room(device, device_bytes(density, data, settings, lanes, tile, largest), largest)
    block.compile_sampler("cpu", settings)
    bound = kernel.bind(data)
    blank = BatchState.of([ChainState.blank(kernel.dim, settings.scheme, settings.metric, 0)])
    control = np.zeros(len(CONTROL), np.int64)
    with gpu_trouble.named(device.label):
        run_cuda.run(  # here, so that it counts as compiling
            *(device, bound, lanes, blank.f, blank.i, *block.options(settings), 0, control),
            in_step=bool(tile),
        )
    marks = build.fingerprint("cuda") | {
        "gpu": device.capability,
        "lanes": str(lanes),
        "tile": str(tile),
    }
    return Batches(
        density=density,
        kernel=kernel,
        device=device,
        bound=bound,
        on_cpu=kernel.host.bind(data),
        spec=replace(spec, data=data),
        bounds=tuple(bounds),
        settings=settings,
        pooling=Pooling.of(settings, bounds[-1]),
        fingerprint=json.dumps(marks, sort_keys=True),
    )


def _check_room(device: run_cuda.Device, needed: int, chains: int) -> None:
    """Refuse what would not fit before anything is allocated."""
    free = device.free_bytes
    if needed > free:
        raise DeviceFull(
            f"{chains} chains of this model need about {gpu.size(needed)} of device memory at a "
            f"time, and the GPU has {gpu.size(free)} free; give "
            f"target_options={{'batch': {max(1, int(chains * free / needed / 2))}}} to have fewer "
            "of them there at a time, or end what else uses the GPU (see nvidia-smi)"
        )
