"""The real sampler on real processes: one seed, one result, whatever happens."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client

import exmc_dask as ed
from exmc_dask.cluster.clusters.chaos import Strike, pids
from exmc_dask.cluster.clusters.local import local
from exmc_dask.cluster.plan.moves import Note, Progress, Trouble
from tests.cluster import real


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local(2) as cluster, Client(cluster) as client:
        yield client
        time.sleep(0.3)


@pytest.fixture(scope="module")
def model() -> ed.Model:
    return real.model()


def draw(model: ed.Model, draws: int = 300, tune: int = 200, **where: Any) -> bytes:
    where.setdefault("progressbar", False)
    trace = ed.sample(
        model, draws, tune, 3, random_seed=7, compute_convergence_checks=False, **where
    )
    kept = [trace[group][name] for group in ("posterior", "sample_stats") for name in NAMES[group]]
    return b"".join(values.to_numpy().tobytes() for values in kept)


NAMES = {"posterior": ("slope", "base"), "sample_stats": ("lp", "energy", "step_size", "n_steps")}


@pytest.fixture(scope="module")
def undisturbed(model: ed.Model) -> bytes:
    return draw(model, cluster="threads", block_draws=10_000)


@pytest.mark.parametrize("block_draws", [1, 7, 100, None])
def test_draws_do_not_know_threads_or_block_borders(
    model: ed.Model, block_draws: int | None, undisturbed: bytes
) -> None:
    assert draw(model, cluster="threads", block_draws=block_draws) == undisturbed


@pytest.mark.parametrize("block_draws", [7, 100, None])
def test_draws_do_not_know_processes(
    model: ed.Model, client: Client, block_draws: int | None, undisturbed: bytes
) -> None:
    assert draw(model, client=client, block_draws=block_draws) == undisturbed


def test_blocks_of_one_draw_travel_too(model: ed.Model, client: Client) -> None:
    one, whole = (
        draw(model, 30, 30, **where)
        for where in ({"client": client, "block_draws": 1}, {"cluster": "threads"})
    )

    assert one == whole


@pytest.mark.parametrize("n_workers", [1, 3])
def test_draws_do_not_know_how_many_workers_there_are(
    model: ed.Model, n_workers: int, undisturbed: bytes
) -> None:
    with local(n_workers) as cluster:
        assert draw(model, cluster=cluster) == undisturbed


def test_a_worker_killed_in_the_middle_of_a_block_costs_no_bit(
    model: ed.Model, client: Client
) -> None:
    strike = Strike(pids(client), unit=1, draw=1)
    seen: list[Any] = []

    def watch(event: Any) -> None:
        strike(event)
        seen.append(event)

    disturbed = draw(model, draws=1500, client=client, block_draws=200, progressbar=watch)

    assert [event.kind for event in seen if isinstance(event, Note)] == [Trouble.WORKER_LOST]
    assert max(event.retries for event in seen if isinstance(event, Progress)) == 1
    assert disturbed == draw(model, draws=1500, cluster="threads")


def test_the_coordinator_finishes_what_no_worker_is_left_for(model: ed.Model) -> None:
    seen: list[Any] = []
    with local(1) as cluster:

        def watch(event: Any) -> None:
            if not seen:
                cluster.scale(0)
            seen.append(event)

        disturbed = draw(model, draws=1500, cluster=cluster, progressbar=watch)

    assert Trouble.FALLBACK in [event.kind for event in seen if isinstance(event, Note)]
    assert disturbed == draw(model, draws=1500, cluster="threads")
