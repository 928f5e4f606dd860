"""Runs on GPUs, end to end, on a device that is none: batches of chains, and what cannot be."""

import os
import sys
from concurrent.futures import Future
from threading import Event
from typing import Any

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

import exmc_dask as ed
from benchmarks.models import seven
from exmc_dask.cluster.clusters.local import cuda
from exmc_dask.errors import ClusterMismatch, ClusterStartError, CompileError, OptionError
from exmc_dask.kernels.cuda import gpu, on_gpu
from exmc_dask.runs.units import Batches
from exmc_dask.sampler.pooling import Pooling
from tests.kernels.devices import Host, stand_in

OPTIONS: dict[str, Any] = {
    "draws": 30, "tune": 40, "chains": 6, "random_seed": 5, "progressbar": False,
    "compute_convergence_checks": False, "cluster": "threads",
}  # fmt: skip


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> list[Host]:
    """Let numba on the CPU be the GPU; return the devices that were opened."""
    monkeypatch.setattr(on_gpu, "choose_lanes", lambda *_: 1)
    return stand_in(monkeypatch, lambda kernel, _: Host(kernel.program.source, kernel.lanes))


def test_a_run_on_a_gpu_is_that_of_the_cpu(device: list[Host]) -> None:
    model = seven.eight_schools()
    here = ed.sample(model, target="cpu", **OPTIONS)
    there = ed.sample(model, target="cuda", **OPTIONS)

    assert there.posterior.attrs["target"] == "cuda"
    assert here.posterior.sizes == there.posterior.sizes
    for name, values in here.posterior.data_vars.items():
        np.testing.assert_allclose(there.posterior[name], values, rtol=1e-2, atol=1e-2)
    np.testing.assert_array_equal(there.sample_stats.n_steps, here.sample_stats.n_steps)
    assert len(device) == 1
    assert device[0].launches > 0


def test_how_chains_are_put_into_batches_changes_no_draw(
    device: list[Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = seven.eight_schools()
    whole = ed.sample(model, target="cuda", **OPTIONS)
    monkeypatch.setattr(Batches, "for_gpus", lambda *_: Batches((0, 1, 4, 6)))
    parts = ed.sample(model, target="cuda", **OPTIONS, block_draws=17)

    np.testing.assert_array_equal(whole.posterior.mu, parts.posterior.mu)


def test_initial_values_are_those_of_their_chain(device: list[Host]) -> None:
    points = [{"mu": float(chain)} if chain != 2 else {} for chain in range(6)]
    options = OPTIONS | {"draws": 1, "tune": 0}
    here = ed.sample(seven.eight_schools(), target="cpu", initvals=points, **options)
    there = ed.sample(seven.eight_schools(), target="cuda", initvals=points, **options)

    np.testing.assert_allclose(there.posterior.mu, here.posterior.mu, rtol=1e-6)


def test_superchains_lie_across_batches(
    device: list[Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = OPTIONS | {"superchains": 2}
    whole = ed.sample(seven.eight_schools(), target="cuda", **options)
    monkeypatch.setattr(Batches, "for_gpus", lambda *_: Batches((0, 2, 6)))
    parts = ed.sample(seven.eight_schools(), target="cuda", **options)
    first = ed.sample(seven.eight_schools(), **options | {"draws": 1, "tune": 0})
    there = ed.sample(seven.eight_schools(), target="cuda", **options | {"draws": 1, "tune": 0})

    assert whole.posterior.superchain.values.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(whole.posterior.mu, parts.posterior.mu)
    np.testing.assert_allclose(there.posterior.mu, first.posterior.mu, rtol=1e-6)


POOLED: dict[str, Any] = OPTIONS | {"chains": 7, "pool": 3, "discard_tuned_samples": False}


@pytest.mark.parametrize("adapt", ["fisher", "stan"])
def test_chains_that_learn_together_on_a_gpu_do_what_they_do_on_a_cpu(
    device: list[Host], adapt: str
) -> None:
    here = ed.sample(seven.eight_schools(), target="cpu", adapt=adapt, **POOLED)
    there = ed.sample(seven.eight_schools(), target="cuda", adapt=adapt, **POOLED)
    alone = ed.sample(seven.eight_schools(), target="cuda", adapt=adapt, **POOLED | {"pool": False})

    steps, ours = (t.warmup_sample_stats.step_size.values for t in (there, here))
    np.testing.assert_allclose(steps, ours, rtol=1e-2)
    np.testing.assert_array_equal(there.sample_stats.n_steps, here.sample_stats.n_steps)
    assert not np.array_equal(there.sample_stats.n_steps, alone.sample_stats.n_steps)


@pytest.mark.parametrize(("bounds", "block_draws"), [((0, 1, 4, 7), 17), ((0, 6, 7), 3)])
def test_batches_do_not_part_chains_that_learn_together(
    device: list[Host],
    monkeypatch: pytest.MonkeyPatch,
    bounds: tuple[int, ...],
    block_draws: int,
) -> None:
    whole = ed.sample(seven.eight_schools(), target="cuda", **POOLED)
    monkeypatch.setattr(Batches, "for_gpus", lambda *_: Batches(bounds))
    parts = ed.sample(seven.eight_schools(), target="cuda", block_draws=block_draws, **POOLED)

    np.testing.assert_array_equal(whole.warmup_posterior.mu, parts.warmup_posterior.mu)
    np.testing.assert_array_equal(whole.posterior.mu, parts.posterior.mu)


def test_chains_on_a_gpu_go_on_after_an_end_in_their_warmup(device: list[Host]) -> None:
    whole = ed.sample(seven.eight_schools(), target="cuda", **POOLED)
    begun, ended = Future[ed.Run](), Event()

    def watch(_: Any) -> None:
        if not ended.is_set():
            begun.result(240).stop()
            ended.set()

    options = POOLED | {"progressbar": watch, "block_draws": 4}
    begun.set_result(ed.sample(seven.eight_schools(), target="cuda", blocking=False, **options))
    with begun.result() as run:
        assert run.wait(60).posterior.sizes["draw"] == 0
        run.resume()

        np.testing.assert_array_equal(run.wait(60).posterior.mu, whole.posterior.mu)


@pytest.mark.parametrize(
    ("chains", "gpus", "size", "most"),
    [(4, 8, 64, 8192), (1000, 8, 64, 8192), (1000, 8, 400, 500), (10_000, 1, 64, 200)],
)
def test_batches_have_whole_groups(chains: int, gpus: int, size: int, most: int) -> None:
    pooling = Pooling(chains, max(1, chains // size), (), 3)
    before = Batches.for_gpus(chains, gpus, most)
    batches = before.in_groups(pooling, most)

    assert batches.bounds[-1] == chains
    assert len(batches.bounds) > min(len(before.bounds) - 1, pooling.groups)
    assert all(pooling.first(pooling.group(b)) == b for b in batches.bounds[:-1])
    assert batches.largest <= most


def test_a_group_that_no_batch_can_hold_is_refused(device: list[Host]) -> None:
    with pytest.raises(OptionError, match=r"groups of 10000 chains, .* let pool be 4096 or less"):
        ed.sample(seven.simple(), target="cuda", **OPTIONS | {"chains": 20_000, "pool": 10_000})


def test_a_run_on_a_gpu_can_be_extended(device: list[Host]) -> None:
    options = OPTIONS | {"draws": 40}
    whole = ed.sample(seven.eight_schools(), target="cuda", **options)
    with ed.sample(seven.eight_schools(), target="cuda", blocking=False, **OPTIONS) as run:
        run.wait()
        run.extend(10)
        longer = run.wait()

    np.testing.assert_array_equal(longer.posterior.mu, whole.posterior.mu)


def test_without_a_gpu_the_error_says_what_is_missing() -> None:
    if not gpu.missing():
        pytest.skip("this machine has a GPU")
    with pytest.raises(CompileError, match=r"needs an NVIDIA GPU, but .*; or use target='cpu'"):
        ed.sample(seven.simple(), target="cuda", **OPTIONS)


def test_what_a_gpu_cannot_do_is_an_error(device: list[Host]) -> None:
    with pytest.raises(OptionError, match="metric='dense' is not possible with target='cuda'"):
        ed.sample(seven.simple(), target="cuda", metric="dense", **OPTIONS)


@pytest.mark.parametrize(
    ("chains", "gpus", "sizes"),
    [(4, 8, [4]), (1000, 8, [333, 334, 333]), (20_000, 1, [6667, 6666, 6667]), (512, 1, [512])],
)
def test_batches_are_neither_small_nor_huge(chains: int, gpus: int, sizes: list[int]) -> None:
    assert np.diff(Batches.for_gpus(chains, gpus).bounds).tolist() == sizes


def test_a_worker_that_offers_no_gpu_is_not_used() -> None:
    options = OPTIONS | {"cluster": None}
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
        pytest.raises(ClusterMismatch, match=r"it offers no GPU \(dask worker --resou"),
    ):
        ed.sample(seven.simple(), target="cuda", client=client, **options)


def test_a_cluster_of_gpus_has_a_worker_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs that are none, as dask-cuda's own tests have them."""
    pytest.importorskip("dask_cuda", reason="needs dask-cuda: pip install 'exmc-dask[cuda]'")
    from dask_cuda import local_cuda_cluster

    monkeypatch.setenv("DASK_CUDA_TEST_DISABLE_DEVICE_SPECIFIC", "1")
    monkeypatch.setenv("DASK_CUDA_TEST_SINGLE_GPU", "1")
    monkeypatch.setattr(
        local_cuda_cluster,
        "nvml_device_index",
        lambda i, devices: int(devices[i] if isinstance(devices, list) else devices.split(",")[i]),
    )
    fake = {"device_memory_limit": None, "memory_limit": None}
    with (
        dask.config.set({"distributed.diagnostics.nvml": False}),
        cuda(CUDA_VISIBLE_DEVICES=[0, 1], **fake) as cluster,
        Client(cluster) as client,
    ):
        workers = client.scheduler_info()["workers"].values()
        seen = client.run(lambda: os.environ["CUDA_VISIBLE_DEVICES"]).values()

        assert [worker["resources"] for worker in workers] == [{"GPU": 1}] * 2
        assert sorted(seen) == ["0,1", "1,0"]


def test_a_cluster_of_gpus_needs_dask_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask_cuda", None)
    with pytest.raises(ClusterStartError, match="needs dask-cuda"):
        ed.sample(seven.simple(), **OPTIONS | {"cluster": "cuda"})
