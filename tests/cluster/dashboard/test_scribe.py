"""What a bulletin holds: everything there is to show, however large the run, and no more."""

from dataclasses import replace
from itertools import pairwise
from math import nan
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from exmc_dask.cluster.dashboard.parts import COLOURS
from exmc_dask.cluster.dashboard.scribe import (
    N_EVENTS,
    N_LINES,
    N_POINTS,
    N_TRACED,
    Scribe,
    names_of,
)
from exmc_dask.cluster.messages.bulletin import RUNNING, Bulletin
from exmc_dask.cluster.messages.wire import pack, unpack
from exmc_dask.cluster.plan.asks import Ending
from exmc_dask.cluster.plan.moves import BlockResult, Note, Phase, Progress, Trouble
from exmc_dask.cluster.plan.nouns import Words
from exmc_dask.cluster.worker.worker import none_of
from exmc_dask.results.convergence import ess_bulk, rhat
from exmc_dask.sampler.batch import part
from exmc_dask.sampler.receipt import Glimpse, Receipt
from exmc_dask.sampler.state import Draws

COLUMNS = {"mu": (), "theta": (2, 2)}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def progress(unit: int, draw: int, total: int = 1500, phase: Phase = Phase.SAMPLING) -> Progress:
    return Progress(
        unit=unit,
        draw=draw,
        total=total,
        phase=phase,
        step_size=nan,
        divergences=unit,
        gradients=7 * draw,
        seconds=2.0,
        worker=f"tcp://10.0.0.{unit}:4000",
        attempt=0,
        retries=0,
    )


def block(unit: int, first: int, values: np.ndarray, thin: int = 1) -> Any:
    none: Any = np.zeros((len(values), 0))
    draws = Draws(first, values, none, none, none, thin)
    return SimpleNamespace(unit=unit, draws=draws, receipt=None, unwritten="")


def drawn(unit: int, draws: Draws, here: bool) -> BlockResult:
    """Return a block whose draws are here, or with the store and only to be glimpsed."""
    glimpse = Glimpse.at(draws)
    receipt = Receipt("piece", 1, 0, 1, 0, len(draws), 0, (5, 0, 0, 0), glimpse)
    state: Any = None
    kept = draws if here else none_of(draws)
    sent = BlockResult(unit, 500, 0, state, kept, 0, 0, nan, 1.0, 0.0, "")
    return sent if here else replace(sent, receipt=receipt)


def scribe(n_chains: int = 2, total: int = 1500, tune: int = 500, **changes: Any) -> Scribe:
    columns = changes.pop("columns", COLUMNS)
    return Scribe("run", "client", n_chains, total, tune, columns, **changes)


def same(one: Bulletin, other: Bulletin) -> bool:
    return all(
        np.array_equal(value, getattr(other, name), equal_nan=isinstance(value, np.ndarray))
        for name, value in vars(one).items()
    )


def test_a_bulletin_says_where_each_chain_is() -> None:
    clock = Clock()
    writer = scribe(3, clock=clock)
    clock.now += 10.0
    writer.hear(progress(2, 900))
    writer.hear(progress(0, 600))
    written = writer.write()

    assert (written.units.tolist(), written.draw.tolist()) == ([0, 2], [600, 900])
    assert written.workers == ["tcp://10.0.0.0:4000", "tcp://10.0.0.2:4000"]
    assert written.speed.tolist() == [300.0, 450.0]
    assert (written.draws, written.wanted, written.state) == (1500, 4500, RUNNING)
    assert (written.seconds, written.left_s) == (10.0, 20.0)


def test_a_bulletin_arrives_as_it_was_written() -> None:
    writer = scribe()
    writer.hear(progress(0, 900))
    writer.hear(Note(Trouble.WORKER_LOST, "worker <b> & ☃ died"))
    writer.block(block(0, 500, np.random.default_rng(1).normal(size=(60, 5))))
    written = writer.write()

    assert same(unpack(pack(written)), written)


def test_it_has_rhat_and_ess_of_all_variables_so_far() -> None:
    clock = Clock()
    writer = scribe(clock=clock)
    draws = np.random.default_rng(1).normal(size=(2, 300, 5))
    for unit in range(2):
        writer.block(block(unit, 500, draws[unit]))
    clock.now += 1.0
    written = writer.write()

    assert written.names == ["mu", "theta[0, 0]", "theta[0, 1]", "theta[1, 0]", "theta[1, 1]"]
    np.testing.assert_array_equal(written.rhat, rhat(draws))
    np.testing.assert_array_equal(written.ess, ess_bulk(draws))
    assert written.history.tolist() == [[300.0, written.rhat.max(), written.ess.min()]]


@pytest.mark.parametrize("here", [True, False])
def test_draws_of_batches_are_shown_as_those_of_their_chains(here: bool) -> None:
    clock, bounds = Clock(), (0, 3, 20)
    batches = scribe(2, words=Words("batch", units="batches", bounds=bounds), clock=clock)
    chains = scribe(20, clock=clock)
    values = np.random.default_rng(1).normal(size=(1000, 20, 5))
    for unit, (first, end) in enumerate(pairwise(bounds)):
        none: Any = np.zeros((1000, end - first, 0))
        draws = Draws(500, values[:, first:end], none, none, none)
        batches.block(drawn(unit, draws, here))
        for chain, own in enumerate(part(draws), first):
            chains.block(drawn(chain, own, here))
    clock.now += 100.0
    shown, expected = batches.write(), chains.write()

    assert shown.rhat.shape == (5,)
    for name in ("rhat", "ess", "mean", "sd", "history", "numbers", "lines", "traces", "names"):
        np.testing.assert_array_equal(getattr(shown, name), getattr(expected, name))
    assert (shown.n_chains, shown.words.chains(shown.n_chains)) == (2, 20)


@pytest.mark.parametrize("thin", [1, 3])
def test_traces_are_true_draws_of_the_chains_they_name(thin: int) -> None:
    writer = scribe(20, total=90_000, columns={"x": (40,)})
    for unit in range(20):
        for first in range(0, 3000, 1000):
            numbers = first + thin * np.arange(1000 // thin)
            values = (1000.0 * unit + numbers)[:, None] + np.arange(40) / 100
            writer.block(block(unit, first, values, thin))
    written = writer.write()
    k, c, p = written.traces.shape

    assert (k, c) == (N_TRACED, N_LINES)
    assert N_POINTS / 4 < p <= 2 * N_POINTS
    expected = 1000.0 * written.lines[:, None] + written.numbers
    there = np.isfinite(written.traces[0])
    assert there.any(axis=1).all()
    np.testing.assert_allclose(written.traces[0][there], expected[there])


def test_chains_that_are_not_traced_cost_only_their_part_of_rhat() -> None:
    writer, asked = scribe(100, tune=0), []

    class Counted(Draws):
        @property
        def numbers(self) -> Any:
            asked.append(int(self.values[0, 0]))
            return super().numbers

    for unit in range(100):
        none: Any = np.zeros((60, 0))
        draws = Counted(0, np.full((60, 5), float(unit)), none, none, none)
        block: Any = SimpleNamespace(unit=unit, draws=draws, receipt=None, unwritten="")
        writer.block(block)

    assert asked == writer.write().lines.tolist()


def test_its_size_is_bounded() -> None:
    writer = scribe(2000, total=10_000, columns={"x": (5000,)})
    for unit in range(2000):
        writer.hear(progress(unit, 9_000, 10_000))
        writer.block(block(unit, 500, np.zeros((60, 5000))))
    for _ in range(3000):
        writer.hear(Note(Trouble.WORKER_LOST, 1000 * "long"))
    written = writer.write()

    assert len(written.events) == N_EVENTS
    assert (written.n_events, written.kinds) == (3000, {"worker lost": 3000})
    assert len(pack(written)) < 1_000_000


@pytest.mark.parametrize("ending", Ending)
def test_the_last_one_says_how_it_ended(ending: Ending) -> None:
    writer = scribe()
    writer.hear(progress(0, 9))

    assert (writer.write().state, writer.write(ending).state) == (RUNNING, ending.value)
    assert COLOURS.keys() >= {ending.value, *Phase}


def test_places_have_the_names_of_variables() -> None:
    assert names_of({"a": (), "b": (2, 3), "c": ()}, [0, 1, 6, 7]) == [
        "a",
        "b[0, 0]",
        "b[1, 2]",
        "c",
    ]
    assert names_of({}, [0, 4]) == ["[0]", "[4]"]
