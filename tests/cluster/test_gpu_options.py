"""What a caller may ask of GPUs, and what a run says that it takes of them."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from benchmarks.models import seven
from exmc_dask.cluster.plan.moves import Note, Trouble, WorkerJoined
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.errors import CompileError, DeviceFull, ExmcError, OptionError
from exmc_dask.kernels.cuda import on_gpu
from exmc_dask.runs.gpus import Wish
from exmc_dask.runs.recipe import Recipe, write
from exmc_dask.runs.units import MOST
from exmc_dask.sampler.settings import Settings
from tests.kernels.devices import Host, stand_in

OPTIONS: dict[str, Any] = {
    "draws": 8, "tune": 10, "chains": 6, "random_seed": 5, "progressbar": False,
    "compute_convergence_checks": False, "cluster": "threads", "target": "cuda",
}  # fmt: skip


class Counting(Host):
    """A device that knows its blocks, and how much memory it was asked for."""

    def __init__(self, source: str, block: int) -> None:
        super().__init__(source)
        self.block, self.asked_bytes = block, 0

    def put(self, array: np.ndarray) -> np.ndarray:
        self.asked_bytes += array.nbytes
        return super().put(array)

    def empty(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        made = super().empty(shape, dtype)
        self.asked_bytes += made.nbytes
        return made


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> list[Counting]:
    """Let numba on the CPU be the GPU; return the devices that were opened."""

    def device(kernel: on_gpu.GpuKernel, block: int) -> Counting:
        assert kernel.lanes == 1  # as the processor has
        return Counting(kernel.program.source, block)

    return stand_in(monkeypatch, device)


def sample(**options: Any) -> Any:
    return ed.sample(seven.simple(), **OPTIONS | {"target_options": {"lanes": 1}} | options)


def recipe(chains: int, wish: Wish) -> Recipe:
    return write(seven.eight_schools(), Settings(seed=1), chains, gpus=wish)


def test_the_result_says_how_the_gpu_was_used(device: list[Counting]) -> None:
    attrs = sample(target_options={"lanes": 1, "block": 64, "batch": 2}).posterior.attrs

    assert [attrs[name] for name in ("lanes", "block", "batch")] == [1, 64, 2]
    assert attrs["launches"] >= 3  # three batches
    assert device[0].block == 64
    assert "lanes" not in sample(target="cpu", target_options=None).posterior.attrs


def test_batches_and_blocks_of_threads_change_no_draw(device: list[Counting]) -> None:
    whole = sample()
    parts = sample(target_options={"lanes": 1, "block": 256, "batch": 4})

    np.testing.assert_array_equal(whole.posterior.mu, parts.posterior.mu)


REFUSED: list[tuple[dict[str, Any], type[ExmcError], str]] = [
    ({"lanes": 3}, OptionError, "'lanes' has to be one of 1, 2, 4, 8, 16, 32"),
    ({"lanes": True}, OptionError, "'lanes' has to be one of"),
    ({"block": 100}, OptionError, "'block' has to be one of 32, 64, 128, 256"),
    ({"block": 512}, OptionError, "'block' has to be one of"),
    ({"batch": 0}, OptionError, "'batch' has to be a whole number above 0"),
    ({"batch": 2.0}, OptionError, "'batch' has to be a whole number above 0"),
    ({"tile": 33}, OptionError, "'tile' has to be 'auto', 0 or a multiple of 32"),
    ({"tile": -32}, OptionError, "'tile' has to be 'auto', 0 or a multiple of 32"),
    ({"tile": True}, OptionError, "'tile' has to be 'auto', 0 or a multiple of 32"),
    ({"tile": "large"}, OptionError, "'tile' has to be 'auto', 0 or a multiple of 32"),
    ({"tile": 32}, OptionError, "this model multiplies no matrix of data that chains could share"),
    ({"lane": 8}, OptionError, "has no 'lane'; did you mean 'lanes'"),
    ({"threads": 8}, OptionError, "has no 'threads'; there are lanes, block, batch, tile"),
]


@pytest.mark.parametrize(("options", "error", "words"), REFUSED)
def test_what_is_not_possible_is_named(
    device: list[Counting], options: dict[str, Any], error: type[ExmcError], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        sample(target_options={"lanes": 1} | options)


def test_options_of_another_target_are_refused() -> None:
    with pytest.raises(OptionError, match=r"of target='cuda', and this run's target is 'cpu'"):
        sample(target="auto")
    with pytest.raises(OptionError, match="give a mapping such as"):
        sample(target_options=8)
    with pytest.raises(CompileError, match="target='gpu' is not possible"):
        sample(target="gpu")


def test_the_first_thing_that_is_told_is_how_much_memory_is_needed(device: list[Counting]) -> None:
    told: list[Any] = []
    sample(progressbar=told.append)

    assert isinstance(told[0], Note)
    assert told[0].kind is Trouble.GPU
    assert re.fullmatch(
        r"6 chains at a time, 1 thread each, in blocks of 128; they need about [\d.]+ MB of "
        r"device memory",
        told[0].message,
    )


def test_the_memory_that_is_told_is_what_is_asked_for(device: list[Counting]) -> None:
    needed = sample(block_draws=100).posterior.attrs["device_bytes"]
    compiling = device[0].asked_bytes  # what was there before the block is small, and counted too

    assert compiling / 1.5 < needed < 2 * compiling


def test_chains_that_do_not_fit_are_not_begun(
    device: list[Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "free_bytes", 10_000)
    with pytest.raises(DeviceFull, match=r"6 chains of this model need about .* MB .*'batch': "):
        sample(target_options={"lanes": 1, "batch": 6})  # as was asked for, or not at all

    assert device[0].asked_bytes == 0


@pytest.mark.parametrize("chains", [4, 1000, MOST, 4 * MOST])
def test_lanes_follow_from_model_and_chains_alone(chains: int) -> None:
    shares = [recipe(chains, Wish(gpus, batch=batch)).share for gpus, batch in ((1, 99), (8, MOST))]

    assert len({share and share.lanes for share in shares}) == 1


def test_lanes_fill_a_gpu_with_the_chains_that_are_there_at_a_time() -> None:
    share = recipe(4 * MOST, Wish(1)).share

    assert share is not None
    assert share.batch * share.lanes >= on_gpu.RESIDENT


def test_memory_does_not_grow_with_draws() -> None:
    wish = Wish(1, lanes=4)
    shares = [
        write(seven.eight_schools(), Settings(seed=1, draws=draws), 100, gpus=wish).share
        for draws in (10**6, 10**7)
    ]

    assert shares[0] == shares[1]


def test_threads_give_a_gpu_one_batch_at_a_time() -> None:
    heard: list[Any] = []
    spec = recipe(4, Wish(1)).spec
    for each in (spec, replace(spec, target="cpu")):
        pool = ThreadPool(3)
        pool.attach("run", each, heard.extend)
        pool.detach()

    assert [event.slots for event in heard if isinstance(event, WorkerJoined)] == [1, 3]


@cache
def regression(rows: int, columns: int, dtype: str = "float64") -> ed.Model:
    X = np.random.default_rng(3).standard_normal((rows, columns), dtype=np.dtype(dtype))
    with ed.Model() as model:
        x, beta = ed.Data("X", X, dtype=dtype), ed.Normal("beta", 0, 1, shape=columns)
        ed.Bernoulli("y", logit_p=x @ beta, observed=np.arange(rows) % 2)
    return model


TILES = [
    (500, 20, "float64", 0),  # 80 kB stay near each chain
    (2_000, 50, "float64", 96),
    (2_000, 50, "float32", 224),
    (20_000, 4, "float64", 512),
    (1_000, 300, "float64", 0),  # not even 32 rows fit
]


@pytest.mark.parametrize(("rows", "columns", "dtype", "tile"), TILES)
def test_large_data_are_shared_by_the_chains_of_a_block(
    rows: int, columns: int, dtype: str, tile: int
) -> None:
    model = regression(rows, columns, dtype)
    shares = [
        write(model, Settings(seed=1), chains, gpus=Wish(1, batch=batch, block=block)).share
        for chains, batch, block in ((64, 8, 32), (MOST, None, 256))
    ]

    for share in shares:
        assert share is not None
        assert share.tile == tile
        assert ("read data together" in str(share)) is bool(tile)


@pytest.mark.parametrize(
    ("columns", "tile", "words"),
    [
        (50, 128, "of 'X', with rows of 400 bytes, .* a multiple of 32 rows up to 96"),
        (300, 32, "32 rows of 'X' with 2400 bytes each do not fit into the 48 KiB"),
    ],
)
def test_tiles_that_do_not_fit_are_refused(columns: int, tile: int, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        write(regression(40, columns), Settings(seed=1), 8, gpus=Wish(1, tile=tile))


def test_chains_that_share_tiles_draw_what_they_draw_by_themselves(
    device: list[Counting], tmp_path: Path
) -> None:
    """Up to the order of sums; and go on so when they are resumed."""
    options = OPTIONS | {"target_options": {"lanes": 1, "tile": 32}}
    model, store = regression(40, 2), tmp_path / "run.zarr"

    found = ed.sample(model, **options, store=store)
    longer = ed.resume(store, draws=2, target="cuda", progressbar=False, cluster="threads")
    wanted = ed.sample(model, **options | {"target": "cpu", "target_options": None})

    assert [trace.posterior.attrs["tile"] for trace in (found, longer)] == [32, 32]
    np.testing.assert_allclose(found.posterior.beta, wanted.posterior.beta, rtol=1e-6)
    np.testing.assert_array_equal(longer.posterior.beta[:, :8], found.posterior.beta)
