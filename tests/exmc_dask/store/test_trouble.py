"""Stores that fail: the run goes on, says so, and loses nothing that was drawn."""

import os
import shutil
import subprocess
from collections.abc import Buffer, Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import exmc_dask as ed
from exmc_dask.cluster.plan.moves import Note, Trouble
from exmc_dask.errors import StoreError, StoreTaken
from exmc_dask.store.manifest import OWNER, Owner
from exmc_dask.store.stored import Stored
from exmc_dask.store.view import open_tree
from tests.exmc_dask.runs.test_resume import resume, sample, slowly, without_workers
from tests.exmc_dask.store.story import Shelf, equal, hand_over
from tests.exmc_dask.store.test_store import THE


def store_notes(run: ed.Run) -> list[str]:
    notes = [event for event in run.events() if isinstance(event, Note)]
    return [note.message for note in notes if note.kind is Trouble.STORE]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_costs_no_draw_and_takes_the_rest_when_there_is_room(full):
    options = {"draws": 9000, "block_draws": 500, "checkpoint_s": 0.0}
    whole = sample(draws=9500)
    run = sample(**options, store=full / "run.zarr", blocking=False)
    found = run.wait()

    equal(without_workers(found), without_workers(sample(draws=9000)))
    assert "No space left on device" in store_notes(run)[-1]
    assert len(store_notes(run)) <= 2
    subprocess.run(["mount", "-o", "remount,size=30m", str(full)], check=True)
    equal(without_workers(resume(full / "run.zarr", draws=500)), without_workers(whole))
    equal(without_workers(ed.open_store(full / "run.zarr")), without_workers(whole))


def test_a_store_deleted_under_the_run_costs_no_draw(tmp_path):
    whole = sample(draws=200)
    run = slowly(draws=200, store=tmp_path / "run.zarr", checkpoint_s=0.0)
    next(run.stream())
    shutil.rmtree((tmp_path / "run.zarr").rename(tmp_path / "doomed"))

    equal(without_workers(run.wait()), without_workers(whole))
    assert "is gone" in store_notes(run)[-1]
    assert not (tmp_path / "run.zarr").exists()


class Fragile(MemoryFileSystem):  # type: ignore[misc]
    """Files in memory, until it fails."""

    protocol = "fragile"
    fails = False

    def pipe_file(self, path, value, **options):
        if Fragile.fails:
            raise PermissionError(f"{path} is read-only")
        super().pipe_file(path, value, **options)


def test_a_file_system_that_turns_read_only_costs_no_draw(monkeypatch):
    fsspec.register_implementation("fragile", Fragile, clobber=True)
    whole = sample(draws=200)
    run = slowly(draws=200, store="fragile://run.zarr", checkpoint_s=0.0)
    next(run.stream())
    monkeypatch.setattr(Fragile, "fails", True)

    equal(without_workers(run.wait()), without_workers(whole))
    assert "read-only" in store_notes(run)[-1]
    with pytest.raises(StoreError, match="cannot be written"):
        resume("fragile://run.zarr")


class Flaky(Shelf):
    """A shelf on which every third put fails, half-way through a commit."""

    puts = 0

    def put(self, name: str, content: Buffer) -> None:
        self.puts += 1
        if self.puts > 5 and self.puts % 3 == 0:
            raise OSError(5, "Input/output error")
        super().put(name, content)


def test_what_could_not_be_written_is_written_later(monkeypatch):
    monkeypatch.setattr("exmc_dask.store.writer._FIRST_RETRY_S", 0.0)
    monkeypatch.setattr("exmc_dask.store.writer._LAST_RETRY_S", 0.0)
    said: list[str] = []
    objects = Flaky()
    writer = THE.begin(objects, checkpoint_s=0.0, on_trouble=said.append)
    for block in THE.blocks():
        writer.take(block)
    writer.close()
    assert writer.trouble is not None  # so many objects cannot be put without a failure
    again = Shelf([*objects.held.items()])
    stored = Stored(again, THE.manifest, Owner.read(again), writer.tails())
    hand_over(THE.go_on(again, tails=stored.reopened()), [])

    assert said
    assert len(said) < 4
    equal(open_tree(Stored.read(again)), THE.result(THE.blocks()))


def test_a_writer_that_was_overtaken_writes_nothing_more():
    objects, blocks = Shelf(), THE.blocks()
    writer = THE.begin(objects, checkpoint_s=0.0)
    objects.put(OWNER, Owner(2, "second", 200, False, "there").to_bytes())
    n = len(objects.log)
    writer.take(blocks[0])
    with pytest.raises(StoreTaken, match=r"taken over by there \(epoch 2 after 1\)"):
        writer.close()

    assert len(objects.log) == n
