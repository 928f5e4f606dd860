"""GPUs that fail, are too small or go away: nothing drawn is lost, and nothing changes silently."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import exmc_dask as ed
from benchmarks.models import seven
from exmc_dask import api
from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.plan.moves import Note, Trouble
from exmc_dask.cluster.pools import dask_pool
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.errors import DeviceFull, GpuError
from exmc_dask.kernels.cuda import gpu_trouble
from exmc_dask.runs.run import Run
from exmc_dask.runs.units import Batches
from tests.cluster import fake_gpu
from tests.cluster.processes import Process, Processes, kill

OPTIONS: dict[str, Any] = {
    "draws": 60, "tune": 40, "chains": 6, "random_seed": 5, "progressbar": False,
    "compute_convergence_checks": False, "block_draws": 20,
}  # fmt: skip
SWITCH = 60  # draws, warmup included, before the first launch that fails


def run_of(**options: Any) -> Run:
    run = ed.sample(seven.eight_schools(), **OPTIONS | options, blocking=False)
    assert isinstance(run, Run)
    return run


def notes(run: Run, kind: Trouble) -> list[Note]:
    return [e for e in run.events() if isinstance(e, Note) and e.kind is kind]


@pytest.fixture(scope="module")
def undisturbed() -> np.ndarray:
    """The draws of a GPU that does not fail, warmup included."""
    with pytest.MonkeyPatch.context() as patched:
        fake_gpu.arrange(patched)
        options = {"target": "cuda", "cluster": "threads", "discard_tuned_samples": False}
        return whole(run_of(**options).wait())


def whole(trace: Any) -> np.ndarray:
    groups = (trace.warmup_posterior.theta, trace.posterior.theta)
    return np.concatenate([group.values for group in groups], axis=1)


def test_chains_that_do_not_fit_go_on_in_smaller_batches_with_the_same_draws(
    monkeypatch: pytest.MonkeyPatch, undisturbed: np.ndarray
) -> None:
    fake_gpu.arrange(monkeypatch, most=2)
    options = {"target": "cuda", "cluster": "threads", "discard_tuned_samples": False}
    with run_of(**options) as run:
        trace = run.wait()

    np.testing.assert_array_equal(whole(trace), undisturbed)
    said = [note.message for note in notes(run, Trouble.FALLBACK)]
    assert [message[:18] for message in said] == ["batches of 6 chain", "batches of 3 chain"]
    assert all("memory is full (OutOfMemoryError" in message for message in said)
    assert trace.posterior.attrs["target"] == "cuda"


@pytest.mark.parametrize(
    ("orders", "error"), [({"most": 0}, DeviceFull), ({"fail_at": SWITCH}, GpuError)]
)
def test_a_gpu_that_was_asked_for_and_fails_ends_the_run_with_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, orders: dict[str, int], error: type
) -> None:
    fake_gpu.arrange(monkeypatch, **orders, folder=str(tmp_path), times=1)
    with (
        run_of(target="cuda", cluster="threads") as run,
        pytest.raises(error, match=r"memory is full|uncorrectable ECC error") as raised,
    ):
        run.wait()

    assert raised.type is error
    assert len(notes(run, Trouble.FAILED)) == 1
    assert isinstance(raised.value, GpuError | DeviceFull)
    partial = raised.value.partial
    assert partial.posterior.sizes.get("draw", 0) == (20 if "fail_at" in orders else 0)


@dataclass(frozen=True)
class Mixed:
    """Two workers that say they have a GPU, and one that does not."""

    client: Client
    processes: list[Process]

    @property
    def gpus(self) -> set[str]:
        workers = self.client.scheduler_info()["workers"].items()
        return {address for address, worker in workers if worker["resources"]}


@pytest.fixture
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixed]:
    """Anew for each test, as of a GPU that failed it is known until its worker is restarted."""
    with Processes(tmp_path_factory.mktemp("logs")) as processes:
        address, _ = processes.scheduler()
        gpu = ("--resources", "GPU=1")
        workers = [processes.worker(address, options=options) for options in (gpu, gpu, ())]
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(3, timeout=120)
            yield Mixed(client, workers)


def test_a_gpu_that_fails_is_given_nothing_more_and_its_worker_lives_on(
    mixed: Mixed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, undisturbed: np.ndarray
) -> None:
    monkeypatch.setattr(Batches, "for_gpus", lambda *_: Batches((0, 3, 6)))
    fake_gpu.arrange(monkeypatch, fail_at=SWITCH, folder=str(tmp_path), times=1)
    before = mixed.gpus
    with run_of(target="cuda", client=mixed.client, discard_tuned_samples=False) as run:
        trace = run.wait()

    (note,) = notes(run, Trouble.GPU_FAILED)
    assert note.worker in before == mixed.gpus
    assert "is not used any more: a stand-in failed" in note.message
    assert "uncorrectable ECC" in note.message
    np.testing.assert_array_equal(whole(trace), undisturbed)
    names = trace.sample_stats.worker.attrs["names"]
    last = {names[code] for code in trace.sample_stats.worker.values[:, -1]}
    assert last == before - {note.worker}


def test_a_gpu_that_was_asked_for_is_an_error_when_none_is_left(
    mixed: Mixed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dask_pool, "_GPU_GRACE_S", 0.0)
    fake_gpu.arrange(monkeypatch, fail_at=0, folder=str(tmp_path), times=2)
    with (
        run_of(target="cuda", client=mixed.client) as run,
        pytest.raises(GpuError, match="no worker with a GPU that works is left") as raised,
    ):
        run.wait()

    assert all(worker in str(raised.value) for worker in mixed.gpus)
    assert "target='auto'" in str(raised.value)


def test_a_batch_whose_gpu_hangs_goes_on_with_another_with_the_same_draws(
    mixed: Mixed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, undisturbed: np.ndarray
) -> None:
    """Without a note where nothing was heard of the block: others' tasks might hold it up."""
    fake_gpu.arrange(monkeypatch, hang_at=SWITCH, folder=str(tmp_path), times=1)
    options = {"target": "cuda", "client": mixed.client, "discard_tuned_samples": False}
    with run_of(**options) as run:
        trace = run.wait()
    hung = {note.worker for note in notes(run, Trouble.WORKER_HUNG)}
    (stopped,) = (int(path.name.rpartition("-")[2]) for path in tmp_path.iterdir())
    blocks = sorted(run._harvest.blocks, key=lambda block: block.first)

    others = {block.worker for block in blocks if block.first >= SWITCH}

    assert stopped in [process.pid for process in mixed.processes]
    assert len(others) == 1
    assert others < set(mixed.gpus)
    assert hung <= set(mixed.gpus) - others
    assert trace.posterior.attrs["target"] == "cuda"
    assert notes(run, Trouble.FINGERPRINT) == []
    np.testing.assert_array_equal(whole(trace), undisturbed)


@pytest.mark.parametrize("how", ["fail_at", "die_at"])
def test_without_a_gpu_left_chains_go_on_with_cpus_and_say_from_which_draw(
    how: str,
    mixed: Mixed,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    undisturbed: np.ndarray,
) -> None:
    """Both GPUs fail; or the only one that there still is dies with its worker."""
    monkeypatch.setattr(dask_pool, "_GPU_GRACE_S", 0.0)
    monkeypatch.setattr(api, "MANY", 6)
    if how == "die_at":
        kill(mixed.processes[0])
        while len(mixed.gpus) > 1:
            time.sleep(0.05)
    fake_gpu.arrange(monkeypatch, **{how: SWITCH}, folder=str(tmp_path), times=2)
    with run_of(client=mixed.client, discard_tuned_samples=False) as run:
        trace = run.wait()

    changes = notes(run, Trouble.FINGERPRINT)
    assert [(note.unit, note.draw) for note in changes] == [(0, SWITCH)]
    assert "6 chains go on from draw 60 on CPUs after GPUs" in changes[0].message
    assert trace.posterior.attrs["target"] == "cuda, then cpu"
    assert trace.posterior.attrs["ending"] == "complete"
    assert notes(run, Trouble.FAILED) == []
    drawn = whole(trace)
    np.testing.assert_array_equal(drawn[:, :SWITCH], undisturbed[:, :SWITCH])
    np.testing.assert_array_equal(drawn[:, SWITCH:], _by_cpu(run))


def _by_cpu(run: Run) -> np.ndarray:
    """What CPUs draw from where the GPUs left the chains."""
    found = {chain: blocks[: SWITCH // 20] for chain, blocks in run._harvest.by_chain().items()}
    states = {chain: blocks[-1].state for chain, blocks in found.items()}
    assert {state.draw for state in states.values()} == {SWITCH}
    recipe = run._recipe
    driver = Driver(
        ThreadPool(2),
        recipe.spec,
        units=states,
        total=recipe.settings.total,
        states=states,
    )
    driver.start()
    driver.wait()
    results = {chain: [*before, *driver.results()[chain]] for chain, before in found.items()}
    return recipe.tree(results, {}).posterior.theta.values[:, SWITCH - recipe.settings.tune :]


CUPY, DRIVER = "cupy_backends.cuda.api.runtime", "numba.cuda.cudadrv.driver"


@pytest.mark.parametrize(
    ("module", "kind", "said", "ours"),
    [
        (
            "cupy.cuda.memory",
            "OutOfMemoryError",
            "Out of memory allocating 8 bytes",
            DeviceFull,
        ),
        (CUPY, "CUDARuntimeError", "cudaErrorMemoryAllocation: out of memory", DeviceFull),
        (DRIVER, "CudaAPIError", "[2] results in CUDA_ERROR_OUT_OF_MEMORY", DeviceFull),
        (CUPY, "CUDARuntimeError", "cudaErrorIllegalAddress: an illegal access", GpuError),
        (DRIVER, "CudaAPIError", "[719] results in CUDA_ERROR_LAUNCH_FAILED", GpuError),
        ("numba.cuda.cudadrv.error", "NvvmError", "cannot be parsed", None),
        ("exmc_dask.errors", "CompileError", "cannot be translated", None),
        ("builtins", "MemoryError", "out of memory", None),
    ],
)
def test_what_libraries_raise_is_told_apart(
    module: str, kind: str, said: str, ours: type | None
) -> None:
    found = gpu_trouble.of(type(kind, (Exception,), {"__module__": module})(said))

    assert (found and type(found)) is ours
    assert found is None or said in str(found)
