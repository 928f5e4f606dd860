"""The seven models of the races, four chains each, on processes: the draws of threads."""

from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client

import exmc_dask as ed
from exmc_dask.cluster.clusters.local import local
from models.seven import MODELS


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local(2) as cluster, Client(cluster) as client:
        yield client


@pytest.mark.parametrize("name", MODELS)
def test_a_model_samples_on_processes_as_on_threads(name: str, client: Client) -> None:
    model = MODELS[name]()
    options: dict[str, Any] = {"progressbar": False, "compute_convergence_checks": False}
    far, near = (
        ed.sample(model, 60, 60, 4, random_seed=5, ncp=False, **where, **options)
        for where in ({"client": client}, {"cluster": "threads"})
    )

    assert far.posterior.sizes["chain"] == 4
    assert far.posterior.equals(near.posterior)
