"""A private cluster: it samples, and who has other certificates or none is told what to do."""

import threading
import time
from collections.abc import Iterator

import dask
import pytest
from distributed import Client, LocalCluster
from distributed.security import Security

from exmc_dask.cluster.clusters.local import local
from exmc_dask.cluster.opening import open_pool
from exmc_dask.cluster.pools.dask_pool import DaskPool
from exmc_dask.cluster.pools.thread_pool import ThreadPool
from exmc_dask.errors import ClientError
from tests.cluster import real
from tests.cluster.pools.test_pools import draws, notes, start


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local(1, security=Security.temporary()) as cluster:
        yield cluster


def test_a_private_cluster_samples(cluster: LocalCluster) -> None:
    with Client(cluster, set_as_default=False) as client:
        run = start(DaskPool(client), real.spec(100))

        assert client.scheduler_info(n_workers=-1)["address"].startswith("tls://")
        assert draws(run) == draws(start(ThreadPool(2), real.spec(100)))
        assert notes(run) == []
        time.sleep(0.3)


def test_without_a_certificate_there_is_no_connection(cluster: LocalCluster) -> None:
    loops = event_loops()
    with pytest.raises(ClientError, match=r"no connection to tls://.*give the certificates"):
        open_pool(cluster=cluster.scheduler_address)
    assert event_loops() == loops  # the client is closed already, not when a collection finds it


def event_loops() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "IO loop"}


def test_a_wrong_certificate_is_refused(cluster: LocalCluster) -> None:
    other = Security.temporary()
    theirs = {
        "distributed.comm.tls.ca-file": other.tls_ca_file,
        "distributed.comm.tls.client.cert": other.tls_client_cert,
        "distributed.comm.tls.client.key": other.tls_client_key,
    }
    with (
        dask.config.set(theirs),
        pytest.raises(ClientError, match=r"certificate does not match.*give the certificates"),
    ):
        open_pool(cluster=cluster.scheduler_address)


def test_a_scheduler_that_is_not_there_is_named() -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.3s"}),
        pytest.raises(ClientError, match=r"no connection to tcp://127\.0\.0\.1:9.*runs and can be"),
    ):
        open_pool(cluster="tcp://127.0.0.1:9")
