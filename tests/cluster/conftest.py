"""Two workers for tests that kill them."""

import time
from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from exmc_dask.cluster.clusters.local import local


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[LocalCluster, Client]]:
    with local(2) as cluster, Client(cluster) as client:
        yield cluster, client
        time.sleep(0.3)


@pytest.fixture
def client(cluster: tuple[LocalCluster, Client]) -> Client:
    """The client of two living workers, whatever the test before has killed."""
    cluster[0].scale(2)
    cluster[1].wait_for_workers(2, timeout=30)
    return cluster[1]
