"""Chains that learn together on real processes: the same draws, wherever and whoever is killed."""

from typing import Any

import pytest
from distributed import Client

import exmc_dask as ed
from exmc_dask.cluster.clusters.chaos import Strike, pids
from exmc_dask.cluster.clusters.local import local
from exmc_dask.cluster.plan.moves import Note, Progress, Trouble
from tests.cluster import real

GROUPS = {"warmup_posterior": ("slope", "base"), "posterior": ("slope", "base")}
STATS = ("lp", "energy", "step_size", "n_steps")


def draw(**where: Any) -> bytes:
    fixed = {"draws": 60, "tune": 100, "chains": 5, "pool": 2, "random_seed": 7}
    quiet = {"progressbar": False, "compute_convergence_checks": False}
    trace = ed.sample(real.model(), **fixed | quiet | where, discard_tuned_samples=False)
    names = GROUPS | {"sample_stats": STATS}
    kept = [trace[group][name] for group, own in names.items() for name in own]
    return b"".join(values.to_numpy().tobytes() for values in kept)


@pytest.fixture(scope="module")
def undisturbed() -> bytes:
    return draw(cluster="threads", block_draws=10_000)


@pytest.mark.parametrize("block_draws", [7, None])
def test_draws_do_not_know_processes(
    client: Client, block_draws: int | None, undisturbed: bytes
) -> None:
    assert draw(client=client, block_draws=block_draws) == undisturbed


@pytest.mark.parametrize("n_workers", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_draws_do_not_know_how_many_workers_there_are(n_workers: int, undisturbed: bytes) -> None:
    with local(n_workers) as cluster:
        assert draw(cluster=cluster) == undisturbed


@pytest.mark.parametrize("at", [pytest.param(1, marks=pytest.mark.slow), 20])
def test_a_worker_killed_in_warmup_costs_no_bit(
    client: Client, at: int, undisturbed: bytes
) -> None:
    strike = Strike(pids(client), unit=1, draw=at, after_s=0.0)
    seen: list[Any] = []

    def watch(event: Any) -> None:
        strike(event)
        seen.append(event)

    assert draw(client=client, block_draws=10, progressbar=watch) == undisturbed
    assert [event.kind for event in seen if isinstance(event, Note)] == [Trouble.WORKER_LOST]
    assert max(event.retries for event in seen if isinstance(event, Progress)) >= 1
