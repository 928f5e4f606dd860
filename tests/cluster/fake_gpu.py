"""GPUs that are none, in whatever process a block runs, and that fail where a test wants it.

What stands here is not the engine: it is `engines.batch` on a device that is numba on the CPU,
whose exceptions have the names that CuPy's have.
"""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from exmc_dask.cluster.engines import batch as batch_engine
from exmc_dask.cluster.messages.wire import Spec
from exmc_dask.cluster.worker import quarantine
from exmc_dask.kernels.cuda import gpu, on_gpu
from exmc_dask.kernels.runtime.chain import DRAW
from tests.kernels.devices import Host

_ORDERS = "fake/orders"


class CUDARuntimeError(RuntimeError):
    """What CuPy raises where a launch fails."""

    __module__ = "cupy_backends.cuda.api.runtime"


class OutOfMemoryError(MemoryError):
    """What CuPy raises where an array does not fit."""

    __module__ = "cupy.cuda.memory"


def arrange(monkeypatch: pytest.MonkeyPatch, **orders: Any) -> None:
    """Let runs for GPUs have such devices, wherever their blocks are run.

    Parameters
    ----------
    monkeypatch
    **orders
        ``most``: chains that fit. ``capability``: what is compiled for. ``fail_at``, ``die_at``,
        ``hang_at``: a draw before which a launch fails, kills its process, or stops it for good;
        ``folder``: where it is remembered
        that it did, so that only the first ``times`` processes to come there do. A GPU that failed
        fails for ever.
    """
    join, part = batch_engine.join, batch_engine.part

    def joined(spec: Spec, *rest: Any) -> Spec:
        found = join(spec, *rest)
        text = np.frombuffer(json.dumps(orders).encode(), np.uint8)
        engine = "tests.cluster.fake_gpu:prepare"
        return replace(found, data={**found.data, _ORDERS: text}, engine=engine)

    monkeypatch.setattr(batch_engine, "join", joined)
    monkeypatch.setattr(batch_engine, "part", lambda spec: part(_plain(spec)))
    monkeypatch.setattr(
        quarantine, "_why", ""
    )  # what fails here is this process's no more after it
    monkeypatch.setattr(gpu, "missing", lambda: "")
    monkeypatch.setattr(on_gpu, "choose_lanes", lambda *_: 1)


def prepare(spec: Spec) -> batch_engine.Batches:
    """Build the engine with such a device."""
    orders = json.loads(spec.data[_ORDERS].tobytes())
    with (
        patch.object(gpu, "missing", lambda: ""),
        patch.object(on_gpu.GpuKernel, "device", lambda kernel, _: Faulty(kernel, orders)),
    ):
        return batch_engine.prepare(_plain(spec))


def _plain(spec: Spec) -> Spec:
    return replace(spec, data={n: a for n, a in spec.data.items() if n != _ORDERS})


class Faulty(Host):
    """Numba on the CPU, with the troubles of a GPU."""

    def __init__(self, kernel: on_gpu.GpuKernel, orders: dict[str, Any]) -> None:
        super().__init__(kernel.program.source)
        self.orders, self.broken = orders, False
        self.capability = orders.get("capability", self.capability)

    def empty(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        if shape[-1] > self.orders.get("most", shape[-1]):
            raise OutOfMemoryError("Out of memory allocating 8,000,000 bytes")
        return super().empty(shape, dtype)

    def launch(self, entry: str, groups: int, *args: Any) -> None:
        if entry == "sample":
            draw = int(args[1][DRAW].min())
            for order, signum in (("die_at", signal.SIGKILL), ("hang_at", signal.SIGSTOP)):
                if self._due(order, draw):
                    os.kill(os.getpid(), signum)
            self.broken = self.broken or self._due("fail_at", draw)
        if self.broken:
            raise CUDARuntimeError("cudaErrorECCUncorrectable: uncorrectable ECC error encountered")
        super().launch(entry, groups, *args)

    def _due(self, what: str, draw: int) -> bool:
        if draw < self.orders.get(what, draw + 1):
            return False
        folder = Path(self.orders["folder"])
        mine = folder / f"{what}-{os.getpid()}"
        if len(list(folder.iterdir())) >= self.orders["times"] and not mine.exists():
            return False
        mine.touch()
        return True
