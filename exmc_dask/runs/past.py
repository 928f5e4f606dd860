"""What a run has drawn and does not hold in memory: blocks that know where to read their draws."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.cluster.plan.moves import BlockResult
from exmc_dask.results.segments import place_of
from exmc_dask.runs.recipe import Recipe
from exmc_dask.sampler.receipt import Receipt
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS, Draws, Past
from exmc_dask.store.entry import Entry
from exmc_dask.store.layout import Layout
from exmc_dask.store.pieces import Pieces
from exmc_dask.store.readback import Source, StoredDraws
from exmc_dask.store.stored import Stored
from exmc_dask.store.tail import Tail


def put_away(
    block: BlockResult, settings: Settings, stop: float, source: Source
) -> BlockResult | None:
    """Return a block without its draws, which are read back when they are used.

    None if some of its rows lie at or beyond ``stop``, where those end that can be.
    """
    draws = block.draws
    row, n = place_of(draws, settings), len(draws)
    if row + n > stop:
        return None
    stored = StoredDraws(draws.first, draws.thin, n, block.unit, row, source)
    return replace(block, draws=stored, state=Past(block.state.draw))


def written(
    block: BlockResult, receipt: Receipt, settings: Settings, source: Pieces
) -> BlockResult:
    """Return a block with draws that are read from the piece that its worker has written."""
    draws = block.draws
    row = place_of(draws, settings)
    if receipt.kept:
        source.add(block.unit, Entry.of(row + receipt.skipped, receipt))
    stored = StoredDraws(draws.first, draws.thin, receipt.n, block.unit, row, source)
    return replace(block, draws=stored)


def fits_chunk(settings: Settings, layout: Layout) -> bool:
    """Tell whether a chain has one chunk; then a run keeps its draws, and needs no store later.

    What lies in pieces is not brought here for that.
    """
    if layout.in_pieces:
        return False
    return max(layout.n_warmup, -(-settings.draws // settings.thin)) <= layout.chunk_draws


def earlier_blocks(stored: Stored, tail: Tail, recipe: Recipe, source: Source) -> list[BlockResult]:
    """Return what a chain had drawn as blocks, each of one worker, attempt and chunk.

    Only the rows of its ``tail``, which has those after the last full chunk, are in memory, unless
    the run keeps all of them there.
    """
    chain, settings, layout = tail.chain, recipe.settings, stored.manifest.layout
    assert tail.state is not None
    tune, thin, workers = settings.tune, settings.thin, stored.workers
    blocks = []
    if not recipe.warmup:
        done = min(tail.state.draw, tune)
        blocks.append(_block(chain, _unkept(done, stored, recipe), Past(done)))
    first = -layout.n_warmup
    worker, attempt = (_origins(name, first, tail, source) for name in ("worker", "attempt"))
    for low, stop in _stretches(stored, tail, worker, attempt):
        number = tune + thin * low
        draws: Draws
        if low < tail.stored:
            draws = StoredDraws(number, thin, stop - low, chain, low, source)
            if fits_chunk(settings, layout):
                arrays = (draws.values, draws.q, draws.stats_f, draws.stats_i)
                draws = Draws(number, *arrays, thin)
        else:
            assert tail.rows is not None
            draws = tail.rows.cut(low, stop).draws(tune, thin)
        past = Past(tail.state.draw if stop == tail.stop else tune + thin * stop)
        by = workers[worker[low - first]]
        blocks.append(_block(chain, draws, past, by, int(attempt[low - first])))
    return blocks


def _origins(name: str, first: int, tail: Tail, source: Source) -> NDArray[np.int16]:
    """Return which worker, or which attempt, made each row of a chain."""
    found: NDArray[np.int16]
    found = source.read(tail.chain, name, first, max(first, tail.stored), slice(0, 1))[:, 0]
    return found if tail.rows is None else np.concatenate((found, getattr(tail.rows, name)))


def _stretches(
    stored: Stored, tail: Tail, worker: NDArray[np.int16], attempt: NDArray[np.int16]
) -> Iterator[tuple[int, int]]:
    """Yield bounds of rows that were made together and lie together."""
    layout = stored.manifest.layout
    first = -layout.n_warmup
    changes = np.flatnonzero((np.diff(worker) != 0) | (np.diff(attempt) != 0)) + 1
    cuts = {first, tail.stop, *(first + int(change) for change in changes)}
    cuts |= {min(span.stop, tail.stop) for span in layout.spans(first, tail.stored)}
    return pairwise(sorted(cuts))


def _unkept(done: int, stored: Stored, recipe: Recipe) -> Draws:
    """Return rows in the place of `done` draws of warmup that were not kept; nothing shows them."""
    tune, thin = recipe.settings.tune, recipe.settings.thin
    first = tune % thin
    n = len(range(first, done, thin))
    width = sum(math.prod(shape) for _, shape in recipe.columns)

    def blank(width: int, dtype: type = np.float64) -> NDArray[Any]:
        return np.broadcast_to(np.zeros(1, dtype), (n, width))

    return Draws(
        first,
        blank(width),
        blank(stored.manifest.layout.n_q),
        blank(len(FLOAT_STATS)),
        blank(len(INT_STATS), np.int64),
        thin,
    )


def _block(
    chain: int, draws: Draws, state: Past, worker: str = "", attempt: int = 0
) -> BlockResult:
    """Return draws of an earlier life as a block, of which nothing else is known any more."""
    return BlockResult(
        unit=chain,
        first=draws.first,
        attempt=attempt,
        state=state,
        draws=draws,
        gradients=0,
        divergences=0,
        step_size=nan,
        seconds=0.0,
        prepare_s=0.0,
        fingerprint="",
        worker=worker,
    )
