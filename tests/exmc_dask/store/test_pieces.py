"""Pieces: what a worker wrote of a block is read as it was, part by part, or is named."""

from typing import Any

import numpy as np
import pytest

from exmc_dask.errors import FormatError
from exmc_dask.sampler.batch import part
from exmc_dask.sampler.receipt import Glimpse, Receipt
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState, Draws
from exmc_dask.store import piece
from exmc_dask.store.entry import Entry, from_arrays, to_arrays
from exmc_dask.store.layout import Array, Layout
from exmc_dask.store.line import InPieces
from exmc_dask.store.objects import Objects, objects_at
from exmc_dask.store.orphans import PROBES, delete_orphans
from exmc_dask.store.pieces import Pieces
from exmc_dask.store.tail import Tail
from tests.exmc_dask.store.story import Block, Shelf

FIELDS = ("values", "q", "stats_f", "stats_i")


def draws(n: int, k: int = 5, dim: int = 2, chains: int | None = None, first: int = 0) -> Draws:
    rng = np.random.default_rng(n + k + first)
    batch = () if chains is None else (chains,)
    q = rng.normal(size=(n if dim else 0, *batch, dim or 3))
    ints = rng.integers(-9, 9, (n, *batch, 5))
    return Draws(first, rng.normal(size=(n, *batch, k)), q, rng.normal(size=(n, *batch, 7)), ints)


def layout(k: int, dim: int, n_warmup: int = 0, chains: int = 3) -> Layout:
    """Arrays as wide as these draws, in one variable a field."""
    widths = {"values": k, "q": dim, "stats_f": 7, "stats_i": 5}
    arrays = [Array("posterior", f, (n,), (f,), "float64", f, 0) for f, n in widths.items() if n]
    return Layout(tuple(arrays), chains, n_warmup, 10, in_pieces=True)


def put(objects: Objects, given: Draws, name: str = "a", kept_from: int = 0) -> Receipt:
    receipt = piece.write(objects, name, given, kept_from)
    assert receipt is not None
    return receipt


CASES: dict[str, dict[str, Any]] = {
    "a chain": {},
    "no positions": {"dim": 0},
    "a batch": {"chains": 3},
    "a batch without positions": {"chains": 2, "dim": 0},
    "one row": {"n": 1},
    "many stripes": {"n": 300, "k": 200, "dim": 40},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("skipped", [0, 1])
def test_what_is_written_is_read_in_any_part(case, skipped):
    given = draws(**{"n": 20} | case)
    objects = Shelf()
    receipt = put(objects, given, kept_from=skipped)
    if skipped == len(given):
        assert not objects.held
        return
    chains = case.get("chains") or 1
    source = Pieces(objects, layout(case.get("k", 5), case.get("dim", 2)))
    for chain in range(chains):
        source.add(chain, Entry(0, receipt.of(chain) if chains > 1 else receipt, 7, 4))
    for chain, own in enumerate(part(given) if chains > 1 else [given]):
        for field in FIELDS[: 4 if case.get("dim", 2) else 1]:
            whole = getattr(own, field)[skipped:]
            for rows, columns in ((slice(0, None), slice(None)), (slice(3, 9), slice(1, 2))):
                low, stop, _ = rows.indices(len(whole))
                found = source.read(chain, field, low, max(low, stop), columns)
                assert found.dtype == whole.dtype
                assert np.array_equal(found, whole[low:stop, columns])
    assert receipt.size == len(objects.held[f"{piece.FOLDER}/a"])


def test_rows_of_several_pieces_are_read_as_one_and_only_where_they_are_needed():
    objects, parts = Shelf(), [draws(7, first=0), draws(5, first=7), draws(9, first=12)]
    source = Pieces(objects, layout(5, 2))
    for k in (2, 0, 1):  # in whatever order they become known
        source.add(1, Entry(parts[k].first, put(objects, parts[k], f"{k}")))
    whole = np.concatenate([p.values for p in parts])
    del objects.held[f"{piece.FOLDER}/2"]

    for low, stop in ((0, 12), (3, 8), (6, 7), (7, 12), (4, 4)):
        assert np.array_equal(
            source.read(1, "values", low, stop, slice(1, 4)), whole[low:stop, 1:4]
        )
    with pytest.raises(FormatError, match="pieces/2 cannot be read"):
        source.read(1, "values", 11, 13, slice(None))


def test_what_was_read_last_is_at_hand_and_no_more_than_that(monkeypatch):
    monkeypatch.setattr("exmc_dask.store.pieces._RECENT_BYTES", 8 * 19 * 7)
    objects, source = Shelf(), Pieces(Shelf(), layout(5, 2))
    source = Pieces(objects, layout(5, 2))
    for k in range(3):
        source.add(1, Entry(7 * k, put(objects, draws(7, first=7 * k), f"{k}")))
    source.read(1, "values", 14, 21, slice(None))
    source.read(1, "values", 0, 14, slice(None))
    held = dict(objects.held)
    objects.held.clear()

    source.read(1, "stats_f", 7, 14, slice(None))
    with pytest.raises(FormatError, match="pieces/2 cannot be read"):
        source.read(1, "values", 14, 21, slice(None))
    objects.held |= held
    assert len(source.read(1, "values", 14, 21, slice(None))) == 7


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_row_without_a_piece_is_an_error_and_one_of_a_warmup_not_kept_is_not(lost):
    objects, source = Shelf(), Pieces(Shelf(), layout(5, 2))
    source = Pieces(objects, layout(5, 2))
    for k in range(3):
        if k != lost:
            source.add(0, Entry(4 * k, put(objects, draws(4, first=4 * k), f"{k}")))

    with pytest.raises(FormatError, match=f"names no piece for row {4 * lost} of chain 0"):
        source.read(0, "values", 0, 12, slice(None))
    assert not source.read(0, "values", -9, 0, slice(None)).any()


DAMAGE: dict[str, Any] = {
    "index": lambda c: bytes([c[0] ^ 1]) + c[1:],
    "stripe": lambda c: c[:-20] + bytes([c[-20] ^ 1]) + c[-19:],
    "shorter": lambda c: c[:-20],
    "empty": lambda _: b"",
    "gone": lambda _: None,
    "another's": lambda _: bytes(piece.lay(draws(20, first=100), "b")[0]),
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named(change):
    objects, source = Shelf(), Pieces(Shelf(), layout(5, 2))
    source = Pieces(objects, layout(5, 2))
    source.add(2, Entry(0, put(objects, draws(20), "r-u2-d0-a0")))
    name = f"{piece.FOLDER}/r-u2-d0-a0"
    changed = change(objects.held.pop(name))
    if changed is not None:
        objects.held[name] = changed

    with pytest.raises(FormatError, match=r"r-u2-d0-a0 cannot be read.*tails/000002"):
        source.read(2, "stats_i", 0, 20, slice(None))


def test_a_tail_keeps_what_finds_and_vouches_for_its_pieces():
    objects = Shelf()
    entries = [
        Entry(9 * k, put(objects, draws(9, chains=3), f"p{k}").of(2), k, k + 1) for k in range(3)
    ]
    names, arrays = to_arrays(entries)
    tail = Tail(1, 27, pieces=tuple(entries))
    back = Tail.from_bytes(tail.to_bytes(), "there").pieces

    assert back[2].stop == 27
    for found in (from_arrays(names, arrays), back):
        source = Pieces(objects, layout(5, 2), {1: found})
        expected = [draws(9, chains=3).values[:, 2]] * 3
        assert np.array_equal(
            source.read(1, "values", 0, 27, slice(None)), np.concatenate(expected)
        )
        assert [(e.worker, e.attempt) for e in found] == [(0, 1), (1, 2), (2, 3)]
    with pytest.raises(KeyError):
        from_arrays(names[:2], arrays)


def test_rows_that_a_worker_could_not_write_come_in_their_place_later():
    objects, own = Shelf(), layout(5, 0)
    blocks = [draws(10, dim=0, first=first) for first in (0, 10, 20)]
    line = InPieces(
        *(own, Settings(seed=1, draws=30, tune=0), Tail(1, 0), Pieces(objects, own), "life")
    )
    for block in blocks:
        receipt = put(objects, block) if block.first == 10 else None
        state = ChainState.blank(2, "fisher", "diag", 1, draw=block.first + 10)
        line.take(Block(1, state, block, "worker", receipt=receipt), 0)
    for puts in line.steps(last=False):
        objects.put_all(puts)
    tail = line.tail(("worker",), 0.0)

    assert [entry.first for entry in tail.pieces] == [0, 10, 20]
    found = Pieces.of(objects, own, {1: tail}).read(1, "values", 0, 30, slice(None))
    assert np.array_equal(found, np.concatenate([block.values for block in blocks]))


@pytest.mark.parametrize("kind", ["shelf", "folder", "url"])
def test_orphans_go_and_what_a_tail_names_stays(kind, tmp_path):
    url = f"memory://{tmp_path.name}"
    objects: Objects = (
        Shelf() if kind == "shelf" else objects_at(tmp_path if kind != "url" else url)
    )
    kept = Entry(0, put(objects, draws(4), "kept"))
    put(objects, draws(4), "lost")
    for name in (f"{piece.FOLDER}/.lost.1234", f"{PROBES}/1234", "exmc/owner.json"):
        objects.put(name, b"x")

    assert delete_orphans(objects, [Tail(0, 4, pieces=(kept,))]) == 2
    assert objects.names(piece.FOLDER) == [f"{piece.FOLDER}/kept"]
    assert not objects.names(PROBES)
    assert not objects.names("exmc/nothing")
    objects.delete("exmc/nothing")
    assert objects.get("exmc/owner.json") == b"x"
    assert objects.get_part(f"{piece.FOLDER}/kept", 0, 10**6) == objects.get(f"{piece.FOLDER}/kept")
    assert objects.get_part(f"{piece.FOLDER}/lost", 0, 8) is None


@pytest.mark.parametrize(("k", "every"), [(1, 2), (20, 8), (1000, 1)])
def test_a_glimpse_is_small_and_of_rows_that_blocks_do_not_decide(k, every):
    whole = draws(64, k, first=100)
    halves = [draws(64, k, first=100)] * 2
    seen = Glimpse.at(whole)
    cut = [
        Glimpse.at(_rows(h, s)) for h, s in zip(halves, (slice(0, 27), slice(27, 64)), strict=True)
    ]

    assert (seen.numbers % every == 0).all()
    assert len(seen.numbers) == 64 // every
    assert 16 * seen.values.size <= 64 * (k + 12)
    assert np.array_equal(np.concatenate([c.numbers for c in cut]), seen.numbers)
    assert np.array_equal(np.concatenate([c.values for c in cut]), seen.values)


def _rows(whole: Draws, rows: slice) -> Draws:
    cut: list[Any] = [getattr(whole, field)[rows] for field in FIELDS]
    return Draws(whole.first + rows.start, *cut)
