"""store_writers="workers": draws stay where they were drawn, and nobody can tell from them."""

import re
import shutil
import threading
from collections.abc import Buffer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import exmc_dask as ed
from benchmarks.models import seven
from exmc_dask.cluster.display.tally import Tally, glimpse_of
from exmc_dask.cluster.plan.moves import BlockResult, Note, Trouble
from exmc_dask.errors import FormatError, OptionError, StoreError
from exmc_dask.runs import bulk
from exmc_dask.runs.keeper import StoreKeeper
from exmc_dask.runs.run import Run
from exmc_dask.runs.takeover import take_over
from exmc_dask.store import piece
from exmc_dask.store.objects import Folder
from tests.cluster import fake_gpu
from tests.exmc_dask.runs.test_resume import (
    OPTIONS,
    QUIET,
    reach,
    resume,
    sample,
    slowly,
    stopped_at,
    without_workers,
)
from tests.exmc_dask.store.story import equal
from tests.exmc_dask.store.test_trouble import store_notes

WORKERS: dict[str, Any] = {"store_writers": "workers", "block_draws": 17}


def written(place: Any, **options: Any) -> Any:
    return sample(**{"draws": 200, "store": place} | WORKERS | options)


def pieces(place: Any) -> list[Path]:
    return sorted((Path(place) / piece.FOLDER).iterdir())


@pytest.fixture
def place(tmp_path) -> str:
    return str(tmp_path / "run.zarr")


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_draws_are_those_of_a_run_without_a_store(options, place):
    whole = sample(draws=200, **options)
    run = written(place, blocking=False, **options)

    equal(without_workers(run.wait()), without_workers(whole))
    assert not any(len(block.draws) for block in run._harvest.blocks if block.draws.in_memory)
    equal(without_workers(ed.open_store(place)), without_workers(whole, ["log_likelihood"]))
    equal(without_workers(resume(place)), without_workers(whole))


@pytest.mark.parametrize("options", [{}, {"discard_tuned_samples": False}, {"thin": 7}])
def test_a_run_that_was_ended_goes_on_as_if_it_had_not_been(options, place):
    whole = without_workers(sample(draws=220, **options))
    n = stopped_at(slowly(draws=200, store=place, store_writers="workers", **options), 20)
    so_far = ed.open_store(place).posterior["mu"]

    assert 2 < n < 200
    assert (so_far == whole.posterior["mu"][:, :n]).all()
    equal(without_workers(resume(place, draws=20)), whole)
    equal(without_workers(ed.open_store(place)), whole)


WATCHERS: dict[str, Any] = {
    "stream": lambda run: sorted((d.chain, d.draw, d.point["mu"]) for d in run.stream()),
    "ragged": lambda run: {c: t.posterior["mu"].values.tolist() for c, t in run.ragged().items()},
    "inspect": lambda run: run.inspect().posterior["mu"].values.tolist(),
    "extend": lambda run: [run.extend(50), run.wait().posterior["mu"].values.tolist()],
}


@pytest.mark.parametrize("watch", WATCHERS.values(), ids=WATCHERS)
def test_who_looks_sees_the_same(watch, place):
    run, plain = written(place, blocking=False), sample(draws=200, blocking=False)
    run.wait()
    plain.wait()

    assert watch(run) == watch(plain)


def test_until_reads_what_it_judges(place):
    options = {"draws": 2000, "until": {"rhat": 1.03, "ess_bulk": 300}}

    found = written(place, **options)
    equal(without_workers(found), without_workers(sample(**options)))
    assert found.posterior.sizes["draw"] < 2000
    equal(without_workers(ed.open_store(place)), without_workers(found))


def test_a_warmup_that_is_not_kept_is_not_written(place):
    written(place, tune=1000, draws=20)
    size = sum(path.stat().st_size for path in pieces(place))

    assert 2 * 20 * 8 * 13 <= size < 2 * 20 * 8 * 13 + 1000


def test_batches_of_a_gpu_are_written_whole_and_read_chain_by_chain(place, monkeypatch):
    fake_gpu.arrange(monkeypatch)
    model = seven.eight_schools()
    options: dict[str, Any] = {"chains": 4, "draws": 30, "tune": 40}
    options |= {"target": "cuda", "cluster": "threads", "random_seed": 5, **QUIET}
    whole = ed.sample(model, **options)
    found = ed.sample(model, store=place, store_writers="workers", block_draws=20, **options)

    assert len(pieces(place)) == 2  # one a block, whatever the chains
    for trace in (found, ed.open_store(place), resume(place)):
        assert np.array_equal(trace.posterior["theta"], whole.posterior["theta"])
        assert np.array_equal(trace.sample_stats["n_steps"], whole.sample_stats["n_steps"])


def test_a_url_that_threads_reach_will_do():
    whole = without_workers(sample(draws=200))
    place = "memory://pieces/run.zarr"

    equal(without_workers(written(place)), whole)
    equal(without_workers(ed.open_store(place)), whole)
    equal(without_workers(resume(place, draws=20)), without_workers(sample(draws=220)))


@pytest.mark.parametrize("fails", ["always", "in between"])
def test_what_a_worker_cannot_write_is_sent_and_written_here(fails, place, monkeypatch):
    put, tries = Folder.put, []

    def full(self: Folder, name: str, content: Buffer) -> None:
        own = threading.current_thread().name
        if name.startswith(piece.FOLDER) and own.startswith("exmc-") and own != "exmc-store":
            tries.append(name)
            if fails == "always" or len(tries) % 3:
                raise OSError(28, "No space left on device")
        put(self, name, content)

    monkeypatch.setattr(Folder, "put", full)
    whole = without_workers(sample(draws=200))
    run = written(place, blocking=False, progressbar=lambda _: None)

    equal(without_workers(run.wait()), whole)
    assert "cannot write to the store" in store_notes(run)[0]
    assert "No space left on device" in store_notes(run)[0]
    assert len(store_notes(run)) < len(tries)
    equal(without_workers(ed.open_store(place)), whole)
    equal(without_workers(resume(place, draws=20)), without_workers(sample(draws=220)))


def test_what_nobody_can_write_stays_in_memory(place, monkeypatch):
    put = Folder.put

    def broken(self: Folder, name: str, content: Buffer) -> None:
        if name.startswith((piece.FOLDER, "exmc/tails")):
            raise OSError(5, "Input/output error")
        put(self, name, content)

    whole = without_workers(sample(draws=220))
    with monkeypatch.context() as broke:
        broke.setattr(Folder, "put", broken)
        run = written(place, blocking=False)
        found = run.wait()
    equal(without_workers(found), without_workers(sample(draws=200)))
    assert "lacks draws" in store_notes(run)[-1]
    run.extend(20)  # and the store takes draws again

    equal(without_workers(run.wait()), whole)
    equal(without_workers(ed.open_store(place)), whole)


def test_orphans_are_deleted_by_who_goes_on(place):
    stopped_at(slowly(draws=200, store=place, store_writers="workers"), 20)
    there = pieces(place)
    for name in ("of-a-dead-one", ".half-of-one.12ab"):
        (Path(place) / piece.FOLDER / name).write_bytes(b"never read")

    equal(without_workers(resume(place)), without_workers(sample(draws=200)))
    assert {path.name for path in pieces(place)} >= {path.name for path in there}
    assert not {"of-a-dead-one", ".half-of-one.12ab"} & {path.name for path in pieces(place)}


def test_orphans_are_deleted_when_a_store_is_taken_over_and_its_pieces_are_not(place):
    stopped_at(slowly(draws=200, store=place, store_writers="workers"), 20)
    there = pieces(place)
    (Path(place) / piece.FOLDER / "of-a-dead-one").write_bytes(b"never read")
    taken = take_over(place, 0, 10.0)

    assert pieces(place) == there
    taken.keeper.close()


def test_a_duplicate_of_a_block_is_never_read_and_deleted(place, monkeypatch):
    write = piece.write

    def twice(objects: Any, name: str, draws: Any, kept_from: int) -> Any:
        write(objects, f"{name}-of-a-zombie", draws, kept_from)
        return write(objects, name, draws, kept_from)

    monkeypatch.setattr("exmc_dask.store.piece.write", twice)
    equal(without_workers(written(place)), without_workers(sample(draws=200)))
    assert not [path for path in pieces(place) if "zombie" in path.name]


def test_a_store_of_pieces_is_not_taken_for_one_of_chunks(place, tmp_path):
    whole = written(place)

    with pytest.raises(Exception, match=r"(?i)no .*group|not found|unable"):
        xr.open_datatree(place, engine="zarr", chunks=None)
    ed.open_store(place).to_zarr(tmp_path / "plain.zarr", consolidated=False)
    plain = xr.open_datatree(
        tmp_path / "plain.zarr", engine="zarr", chunks=None, consolidated=False
    )
    assert np.array_equal(plain.posterior["mu"], whole.posterior["mu"])


def test_those_who_watch_see_the_same_few_draws_whoever_has_written_them(place, monkeypatch):
    came: list[BlockResult] = []
    block = StoreKeeper.block

    def heard(self: StoreKeeper, result: BlockResult) -> BlockResult:
        came.append(result)
        return block(self, result)

    monkeypatch.setattr(StoreKeeper, "block", heard)
    found = written(place, blocking=False)
    trace = found.wait()
    sent = [glimpse_of(result) for result in came]
    read = [glimpse_of(result) for result in found._harvest.blocks]
    tally = Tally(2, 300, 100, lambda: 0.0)
    for result in came:
        tally.block(result)
    look = tally.running.look()

    for one, other in zip(sent, read, strict=True):
        assert one is not None
        assert other is not None
        assert np.array_equal(one.numbers, other.numbers)
        late = one.numbers >= 100  # of the warmup nothing is kept to be read
        assert np.array_equal(one.values[late], other.values[late])
    assert look is not None
    assert look.n_draws == 100  # every second draw
    np.testing.assert_allclose(look.mean, trace.posterior["mu"][:, ::2].mean())


def test_a_damaged_piece_is_named(place):
    found = written(place)
    damaged = pieces(place)[3]
    damaged.write_bytes(damaged.read_bytes()[:-3])

    with pytest.raises(FormatError, match=damaged.name):
        found.load()


def test_a_store_deleted_under_the_run_takes_along_what_was_in_it_and_no_more(place):
    run = slowly(draws=200, store=place, store_writers="workers")
    reach(run, 20)
    shutil.rmtree(Path(place).rename(f"{place}.doomed"))
    found = run.wait()
    late = [b for b in run._harvest.blocks if b.draws.in_memory and len(b.draws)]

    assert found.posterior.sizes["draw"] == 200
    with pytest.raises(FormatError, match=r"cannot be read .it is gone"):
        found.load()
    assert late
    assert "cannot write to the store" in store_notes(run)[0]


def test_who_writes_may_change_where_pieces_were_and_not_where_chunks_were(place, tmp_path):
    written(place, draws=100)
    n = len(pieces(place))
    found = resume(place, draws=100, store_writers="coordinator")

    equal(without_workers(found), without_workers(sample(draws=200)))
    assert len(pieces(place)) > n
    sample(draws=50, store=tmp_path / "chunks.zarr")
    with pytest.raises(OptionError, match="its coordinator has written"):
        resume(str(tmp_path / "chunks.zarr"), draws=50, store_writers="workers")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"store_writers": "workers"}, "needs store="),
        ({"store_writers": "everyone", "store": "x"}, "use 'coordinator' or 'workers'"),
        ({"store_writers": "workers", "store": "x", "keep": "moments"}, "keep='moments' and store"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(OptionError, match=words):
        sample(draws=10, **options)


def sizes(run: Run) -> list[str]:
    notes = [event for event in run.events() if isinstance(event, Note)]
    run.wait()
    return [note.message for note in notes if note.kind is Trouble.SIZE]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"about 0\.\d MB of draws will be sent.*thin=.*keep='moments'.*store_writers"),
        ({"until": {"ess_bulk": 5}}, "at most 0"),
        ({"store": "", "store_writers": "workers"}, "workers will write about 0"),
        ({"keep": "moments"}, None),
    ],
    ids=["memory", "until", "workers", "moments"],
)
def test_large_runs_are_told_how_to_be_smaller(options, words, place, monkeypatch):
    if "store" in options:
        options = options | {"store": place}
    monkeypatch.setattr(bulk, "LARGE", 2 * 200 * 8 * 13)
    run = sample(draws=200, blocking=False, **options)
    run.wait()
    told = sizes(run)
    assert [bool(re.search(words or "", text)) for text in told] == ([True] if words else [])
    assert not sizes(sample(draws=199, blocking=False))


def test_a_store_without_room_says_so_before_the_draws(place, monkeypatch):
    monkeypatch.setattr(Folder, "free_bytes", lambda _: 2 * 200 * 8 * 13 - 1)
    run = written(place, blocking=False)
    run.wait()

    assert [" free; thin=" in text for text in sizes(run)] == [True]


def test_a_store_is_not_begun_twice(place):
    written(place, draws=20)
    with pytest.raises(StoreError, match="holds a run already"):
        written(place, draws=20)
