"""The device's own sources under numba's CUDA simulator; run as a program of its own.

``NUMBA_ENABLE_CUDASIM=1 python simulated.py MODEL TILE`` draws a few times with two chains of a
small model, which share tiles of so many rows, and prints what they drew, their trees and the
launches as JSON, beside those of the CPU. The variable counts when numba.cuda is first imported,
which is why this is no test but what one starts. The simulator has a Python thread for each thread
of the GPU, one lane a chain, and lacks libdevice.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import exmc_dask as ed
from benchmarks.models import seven
from exmc_dask.kernels import compile
from exmc_dask.kernels.cuda import gpu, on_gpu, run_cuda
from exmc_dask.kernels.runtime.chain import CONTROL
from exmc_dask.lowering.density import lower
from exmc_dask.sampler import block
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from tests.kernels.devices import Host

DRAWS, CHAINS = 6, 2
SETTINGS = Settings(seed=7, tune=3, draws=3)
LIBDEVICE = SimpleNamespace(
    double_as_longlong=lambda x: np.float64(x).view(np.int64),
    longlong_as_double=lambda i: np.int64(i).view(np.float64),
    floor=lambda x: float(np.floor(x)),
)


class Simulated(Host):
    """A device of the simulator: arrays are NumPy's, a group is a thread."""

    def __init__(self, kernel: on_gpu.GpuKernel) -> None:
        self.module, self.launches = kernel.module, 0
        self.block = 32 if kernel.tile else CHAINS

    def launch(self, entry: str, groups: int, *args: Any) -> None:
        self.launches += 1
        getattr(self.module, entry)[-(-groups // self.block), self.block](*args)


def regression() -> ed.Model:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 2))
    with ed.Model() as model:
        beta = ed.Normal("beta", 0, 1, shape=2)
        ed.Bernoulli("y", logit_p=X @ beta, observed=rng.integers(0, 2, 40))
    return model


def main(name: str, tile: int) -> None:
    from numba.cuda.simulator import kernelapi

    gpu.numba_cuda()
    kernelapi.FakeCUDAModule.libdevice = LIBDEVICE
    model = regression() if name == "regression" else seven.MODELS[name]()
    density = lower(model.spec)
    data = density.fold(model.data)
    host, kernel = compile(density), on_gpu.compile(density, 1, tile)
    bound, point = host.bind(data), density.support_point(model.data)
    states = [start(host, bound, SETTINGS, chain, point) for chain in range(CHAINS)]
    control = np.zeros(len(CONTROL), np.int64)
    _, _, kept, launches = run_cuda.run(
        *(Simulated(kernel), kernel.bind(data), 1),
        *(np.stack([s.f for s in states]), np.stack([s.i for s in states])),
        *block.options(SETTINGS),
        DRAWS,
        control,
        in_step=bool(tile),
    )
    wanted = [block.run(host, bound, SETTINGS, state, DRAWS)[1] for state in states]
    found = {
        "drawn": kept["values"].tolist(),
        "trees": kept["stats_i"].tolist(),
        "drawn_by_cpu": [draws.values.tolist() for draws in wanted],
        "trees_of_cpu": [draws.stats_i.tolist() for draws in wanted],
        "launches": launches,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
