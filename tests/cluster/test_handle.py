"""The handle on a Dask cluster whose workers are killed: streams, extensions and until as ever."""

import os
import signal
import time
from typing import Any

import numpy as np
import pytest
from distributed import Client

from exmc_dask.cluster.clusters.chaos import Strike, pids
from exmc_dask.cluster.plan.moves import Note, Trouble
from exmc_dask.runs.run import Run
from tests.cluster.toy_runs import begin, draws_of
from tests.exmc_dask.runs.test_handle import whole

SLOW = {"pause_s": 0.005}


@pytest.fixture(scope="module")
def undisturbed() -> np.ndarray:
    return draws_of(begin(draws=1000).wait())


def began(client: Client, strike: Any = False, **options: Any) -> Run:
    return begin(cluster=None, client=client, progressbar=strike, trouble=SLOW, **options)


def losses(run: Run) -> list[Trouble]:
    return [event.kind for event in run.events() if isinstance(event, Note)]


def test_a_stream_loses_and_repeats_nothing_with_a_worker(
    client: Client, undisturbed: np.ndarray
) -> None:
    strike = Strike(pids(client), unit=1, draw=80)
    run = began(client, strike, draws=200, block_draws=30)

    np.testing.assert_array_equal(whole(run.stream()), undisturbed[:, :200])
    assert strike.struck is not None
    assert losses(run) == [Trouble.WORKER_LOST]


@pytest.mark.parametrize("block_draws", [None, 30])
def test_an_extension_survives_a_worker(
    client: Client, block_draws: int | None, undisturbed: np.ndarray
) -> None:
    strike = Strike(pids(client), unit=0, draw=150)
    run = began(client, strike, draws=60, block_draws=block_draws)
    run.wait()
    run.extend(140)

    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed[:, :200])
    assert strike.struck is not None
    assert losses(run) == [Trouble.WORKER_LOST]


def test_until_ends_where_it_would_have_without_losing_a_worker(client: Client) -> None:
    until = {"rhat": 1.2, "ess_bulk": 40}
    alone = begin(draws=1000, until=until)
    strike = Strike(pids(client), unit=2, draw=210)
    run = began(client, strike, draws=1000, until=until)
    streamed = whole(run.stream())

    np.testing.assert_array_equal(draws_of(run.wait()), draws_of(alone.wait()))
    np.testing.assert_array_equal(streamed, draws_of(alone.wait()))
    assert strike.struck is not None


def test_abort_takes_partial_blocks_and_does_not_wait_for_a_hung_worker(client: Client) -> None:
    run = began(client, draws=10_000, tune=0)
    while len({p.unit for p in run.progress if p.draw > 0}) < 2:
        time.sleep(0.05)
    hung = pids(client)[run.progress[0].worker]
    os.kill(hung, signal.SIGSTOP)
    try:
        asked_at = time.monotonic()
        run.abort()
        run.wait(8)
        took_s = time.monotonic() - asked_at
    finally:
        os.kill(hung, signal.SIGCONT)
    lengths = [trace.posterior.sizes["draw"] for trace in run.ragged().values()]

    assert took_s < 6
    assert sum(length > 0 for length in lengths) >= 1


def test_a_client_serves_handles_side_by_side_and_is_left_as_it_was(
    client: Client, undisturbed: np.ndarray
) -> None:
    runs = [began(client, draws=100) for _ in range(2)]
    streams = [whole(run.stream()) for run in runs]
    runs[0].extend(100)

    np.testing.assert_array_equal(streams, [undisturbed[:, :100]] * 2)
    np.testing.assert_array_equal(draws_of(runs[0].wait()), undisturbed[:, :200])
    assert client.status == "running"
    assert not client.futures
