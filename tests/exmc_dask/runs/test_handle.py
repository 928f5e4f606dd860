"""Pause, abort, extend, stream, until: the same draws whatever is asked and whatever breaks."""

import itertools
import re
import threading
import time
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from exmc_dask import Draw
from exmc_dask.cluster.plan.moves import Phase
from exmc_dask.errors import BlockError, OptionError
from exmc_dask.runs.harvest import Harvest
from exmc_dask.runs.run import Run
from exmc_dask.sampler.settings import Settings
from tests.cluster.toy_runs import CHAINS, begin, draws_of

SLOW = {"pause_s": 0.005}


@pytest.fixture(scope="module")
def undisturbed() -> np.ndarray:
    return draws_of(begin(draws=400).wait())


def whole(stream: Any, first: int = 0) -> np.ndarray:
    """Return the draws of a stream, which must come once and in order per chain."""
    chains: defaultdict[int, list[np.ndarray]] = defaultdict(list)
    for draw in stream:
        assert isinstance(draw, Draw)
        assert draw.draw == first + len(chains[draw.chain])
        chains[draw.chain].append(draw.point["x"])
    return np.array([chains[chain] for chain in sorted(chains)])


def wait_for_draws(run: Run) -> None:
    next(run.stream())


def test_a_stream_gives_every_draw_once_while_the_run_goes_on(undisturbed: np.ndarray) -> None:
    run = begin(draws=400, trouble=SLOW, block_draws=20)
    stream = run.stream()
    first = next(stream)

    assert not run.is_over
    assert (first.draw, first.stat["diverging"], first.stat["worker"]) == (0, False, "threads")
    np.testing.assert_array_equal(whole(run.stream()), undisturbed)
    np.testing.assert_array_equal(whole(itertools.chain([first], stream)), undisturbed)
    np.testing.assert_array_equal(whole(run.stream(first=390), 390), undisturbed[:, 390:])


def test_a_stream_ends_with_the_error_that_ends_the_run() -> None:
    run = begin(trouble={"raise_at": [1, 100]}, block_draws=20)
    stream = run.stream()
    with pytest.raises(BlockError) as raised:
        whole(stream)

    assert raised.value.partial.posterior.sizes["draw"] <= 80


def test_a_paused_run_stands_and_goes_on(undisturbed: np.ndarray) -> None:
    run = begin(draws=400, trouble=SLOW, block_draws=10)
    wait_for_draws(run)
    run.pause()
    time.sleep(0.3)
    before = draws_of(run.inspect())
    time.sleep(0.2)

    np.testing.assert_array_equal(draws_of(run.inspect()), before)
    np.testing.assert_array_equal(before, undisturbed[:, : before.shape[1]])
    run.resume()
    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed)


@pytest.mark.parametrize("end", [Run.abort, Run.stop, Run.close])
def test_a_run_that_was_ended_has_what_all_chains_have_and_can_go_on(
    end: Any, undisturbed: np.ndarray
) -> None:
    run = begin(draws=400, trouble=SLOW, block_draws=30)
    wait_for_draws(run)
    end(run)
    trace = run.wait(5.0)
    all_draws = run.ragged()

    n = trace.posterior.sizes["draw"]
    lengths = [all_draws[chain].posterior.sizes["draw"] for chain in range(CHAINS)]
    assert n == min(lengths) < 400
    assert trace.posterior.attrs["ending"] == "stopped"
    np.testing.assert_array_equal(draws_of(trace), undisturbed[:, :n])
    for chain, length in enumerate(lengths):
        np.testing.assert_array_equal(draws_of(all_draws[chain])[0], undisturbed[chain, :length])
    run.resume()
    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed)
    np.testing.assert_array_equal(whole(run.stream()), undisturbed)


@pytest.mark.parametrize("pause_s", [0.0, 0.002])
def test_an_extended_run_is_one_that_was_asked_for_all(
    pause_s: float, undisturbed: np.ndarray
) -> None:
    run = begin(draws=150, trouble={"pause_s": pause_s})
    if not pause_s:
        assert run.wait().posterior.sizes["draw"] == 150
    run.extend(100)
    run.extend(150)
    trace = run.wait()

    np.testing.assert_array_equal(draws_of(trace), undisturbed)
    assert {(p.draw, p.total, p.phase) for p in run.progress} == {(420, 420, Phase.DONE)}
    assert trace.posterior.attrs["ending"] == "complete"


def test_extending_all_the_time_loses_no_wish(undisturbed: np.ndarray) -> None:
    run = begin(draws=1)
    for i in range(399):
        run.extend(1)
        if i % 3 == 0:
            time.sleep(0.001)

    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed)


def test_an_error_can_be_got_over_by_going_on(tmp_path: Any, undisturbed: np.ndarray) -> None:
    calls = []

    def show(event: Any) -> None:
        calls.append(event)
        if len(calls) == 5:
            raise OSError("no more room")

    run = begin(draws=400, block_draws=20, progressbar=show)
    with pytest.raises(OSError, match="no more room"):
        run.wait()
    run.resume()

    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed)


def test_time_that_is_up_ends_the_run() -> None:
    run = begin(draws=10_000, trouble=SLOW, max_time_s=0.8)
    trace = run.wait(5)

    assert 0 < trace.posterior.sizes["draw"] < 400
    assert trace.posterior.attrs["ending"] == "time is up"


@pytest.mark.parametrize("draws", [0, 1.5, True, "10"])
def test_extending_by_what_is_no_number_is_refused(draws: Any) -> None:
    with begin() as run, pytest.raises(OptionError, match="draws="):
        run.extend(draws)


def test_a_wish_that_comes_with_the_last_draw_is_heard(undisturbed: np.ndarray) -> None:
    wishes, is_there = [150, 100], threading.Event()

    def extend(event: Any) -> None:  # in the run's thread, when its plan has ended already
        is_there.wait()
        ends = [p for p in run.progress if p.phase is Phase.DONE]
        if wishes and len(ends) == CHAINS and {p.draw for p in ends} == {p.total for p in ends}:
            run.extend(wishes.pop())

    run = begin(draws=150, progressbar=extend)
    is_there.set()

    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed)


def test_a_dropped_chain_stays_if_it_has_all_that_is_asked_for() -> None:
    run = begin(draws=30)
    run.wait()
    blocks = [block for chain in run._harvest.by_chain().values() for block in chain]
    harvest = Harvest(CHAINS, blocks, {})

    assert list(harvest.kept(Settings(0, draws=30, tune=20), {1})) == [0, 1, 2]
    assert list(harvest.kept(Settings(0, draws=31, tune=20), {1})) == [0, 2]


def test_a_handle_says_where_it_is() -> None:
    run = begin(draws=400, trouble=SLOW, block_draws=20)
    wait_for_draws(run)
    run.pause()
    paused, page = repr(run), run._repr_html_()
    run.resume()
    run.close()
    stopped = repr(run)
    run.resume()
    run.wait()

    assert re.fullmatch(
        r"Run of x: paused, [1-9]\d* of 1260 draws of 3 chains, warmup included", paused
    )
    assert page.startswith("<div>Run of x: paused")
    assert "</table>" in page
    assert stopped.startswith("Run of x: stopped, ")
    assert repr(run) == "Run of x: done, 1260 of 1260 draws of 3 chains, warmup included"


def test_a_handle_says_what_ended_its_run() -> None:
    run = begin(trouble={"raise_at": [1, 100]}, block_draws=20)
    with pytest.raises(BlockError):
        run.wait()

    assert re.match(r"Run of x: failed \(BlockError: chain 1, draw 100: .*\), \d+ of ", repr(run))
