"""The GPU itself, on streams that run in any order; nothing of it shows in the draws."""

import re

import numpy as np
import pytest

from exmc_dask.kernels.cuda import gpu, run_cuda
from exmc_dask.kernels.runtime.chain import STOP_NOW
from tests.kernels.cuda.test_run_cuda import SHORT, model, run
from tests.kernels.devices import Host
from tests.kernels.streams import Runtime, open_gpu

CHAINS = 3


@pytest.mark.parametrize("haste", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("lanes", [1, 8])
def test_streams_in_any_order_leave_no_trace(
    monkeypatch: pytest.MonkeyPatch, lanes: int, haste: float
) -> None:
    monkeypatch.setattr(run_cuda, "_RING_BYTES", 1)  # so that rows are written over soon
    of = model("eight_schools")
    states = of.starts(SHORT, CHAINS)
    wanted = run(of, Host(of.text, lanes), SHORT, states, 60)

    for seed in range(4):
        runtime = Runtime(seed, haste)
        device = open_gpu(monkeypatch, runtime, of.text, lanes, CHAINS)
        found = run(of, device, SHORT, states, 60, launch_s=0.0, lanes=lanes)
        for name, rows in wanted.kept.items():
            np.testing.assert_array_equal(found.kept[name], rows)
        assert found.launches > 10
        assert bool(runtime.copies) == (lanes > 1)


def test_a_block_that_is_dropped_waits_for_its_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else they would write to memory that the next block has been given."""
    of = model("eight_schools")
    states = of.starts(SHORT, CHAINS)
    runtime = Runtime(1, 0.0)
    device = open_gpu(monkeypatch, runtime, of.text, 1, CHAINS)

    run(of, device, SHORT, states, 40, stop=STOP_NOW, lanes=1)

    assert not any(runtime.queues.values())


def test_memory_of_the_host_does_not_grow_with_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    of = model("eight_schools")
    states = of.starts(SHORT, CHAINS)
    made = []
    for n in (40, 100):
        runtime = Runtime(1, 0.5)
        device = open_gpu(monkeypatch, runtime, of.text, 8, CHAINS)
        run(of, device, SHORT, states, n, launch_s=0.0, lanes=8)
        made.append((runtime.pinned.made, runtime.device.made))

    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("driver", "runtime", "words"),
    [(13000, 13020, ""), (13020, 13000, ""), (12080, 13000, "CUDA 12.8.*needs CUDA 13")],
)
def test_a_driver_that_is_too_old_is_named(driver: int, runtime: int, words: str) -> None:
    found = gpu.too_old(driver, runtime)

    assert bool(found) == bool(words)
    assert re.search(words, found)
