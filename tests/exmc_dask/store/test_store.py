"""What is written is what is read: whole runs, halves of them, and every moment in between."""

import pytest
import xarray as xr

from exmc_dask.sampler.settings import Settings
from exmc_dask.store.objects import Folder
from exmc_dask.store.rows import Rows
from exmc_dask.store.stored import Stored
from exmc_dask.store.view import open_tree
from tests.exmc_dask.store.story import Shelf, Story, equal, hand_over

STORIES = {
    "plain": Story(Settings(seed=5, draws=200, tune=100), warmup=False),
    "with warmup": Story(Settings(seed=5, draws=200, tune=100)),
    "positions": Story(Settings(seed=5, draws=200, tune=100, store_unconstrained=True)),
    "thinned": Story(Settings(seed=5, draws=201, tune=100, thin=7), chunk=9),
    "one chunk": Story(Settings(seed=5, draws=200, tune=100), chunk=None),
    "a draw a chunk": Story(Settings(seed=5, draws=20, tune=3), chunk=1),
    "no warmup": Story(Settings(seed=5, draws=50, tune=0)),
}
THE = STORIES["positions"]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_whole_run_is_read_as_it_was_made(story):
    objects, blocks = Shelf(), story.blocks()
    story.write(objects, blocks)

    equal(open_tree(Stored.read(objects)), story.result(blocks))


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_plain_xarray_reads_a_finished_run(story, tmp_path):
    blocks = story.blocks()
    story.write(Folder(tmp_path), blocks)

    equal(xr.open_datatree(tmp_path, engine="zarr", chunks=None), story.result(blocks), True)


def test_whenever_the_writer_dies_a_prefix_is_read_and_the_rest_can_be_added(monkeypatch):
    monkeypatch.setattr("exmc_dask.store.writer._SHARE", 1e9)
    monkeypatch.setattr("exmc_dask.store.writer._CPU_SHARE", 1e9)
    story = Story(Settings(seed=5, draws=60, tune=20), chunk=25)
    objects, blocks = Shelf(), story.blocks(size=17)
    story.write(objects, blocks, checkpoint_s=0.0)

    reached = set()
    for moment in range(4, len(objects.log)):
        left = Shelf(objects.log[:moment])
        stored = Stored.read(left)
        draws = {c: tail.state.draw for c, tail in stored.tails.items() if tail.state}
        for chain, draw in draws.items():
            rows = kept(stored, chain)
            expected = [b.draws.values for b in blocks if b.unit == chain and b.state.draw <= draw]
            assert rows.values.tobytes() == b"".join(map(bytes, expected))
        here = tuple(draws.values())
        if here in reached and moment % 10:
            continue
        reached.add(here)
        rest = [b for b in blocks if b.state.draw > draws.get(b.unit, 0)]
        hand_over(story.go_on(left, tails=stored.reopened()), rest)
        equal(open_tree(Stored.read(left)), story.result(blocks))
    assert len(reached) > 2


def kept(stored: Stored, chain: int) -> Rows:
    """Return all rows of a chain, of its chunks and then of its tail."""
    layout, tail = stored.manifest.layout, stored.tails[chain]
    chunks = [stored.chunk_rows(chain, s) for s in layout.spans(-layout.n_warmup, tail.stored)]
    own = [] if tail.rows is None else [tail.rows]
    return Rows.join([rows.cut(rows.first, tail.stored) for rows in chunks] + own)


def test_a_run_that_is_going_on_is_read_with_what_all_chains_have():
    objects = Shelf()
    THE.write(objects, THE.blocks(until=150)[:-1], checkpoint_s=0.0)

    equal(open_tree(Stored.read(objects)), THE.result(THE.blocks(until=120)))


def test_more_draws_go_on_where_the_last_chunk_ends():
    objects = Shelf()
    short = Story(Settings(seed=5, draws=110, tune=100))
    long = Story(Settings(seed=5, draws=200, tune=100))
    short.write(objects, short.blocks())
    stored = Stored.read(objects)
    rest = [block for block in long.blocks() if block.draws.first >= 210]
    hand_over(long.go_on(objects, tails=stored.reopened()), rest)

    equal(open_tree(Stored.read(objects)), long.result(long.blocks()))
