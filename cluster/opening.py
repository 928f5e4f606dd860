"""Which pool a run gets."""

import sys
from typing import Any

from exmc_dask.errors import OptionError

from .pools.pool import Pool
from .pools.thread_pool import ThreadPool


def open_pool(client: Any = None, cluster: Any = None, units: int | None = None) -> Pool:
    """Choose the pool for a run; to be closed after it.

    Parameters
    ----------
    client : distributed.Client, optional
    cluster : str or cluster object, optional
        ``"threads"``, ``"local"`` for processes on this machine, ``"cuda"`` for one for each of
        its GPUs, the address of a scheduler, or a
        cluster of Dask's. By default the current client of Dask if there is one, else threads;
        inside a Dask task one thread.
    units : int, optional
        How many there are to run: more processes than that are not started for them.

    Raises
    ------
    OptionError
        Both were given, or something else.
    ClientError
        The client is closed or asynchronous.
    ClusterStartError
        A cluster of ours did not come up.
    """
    if client is not None and cluster is not None:
        raise OptionError("give either client= or cluster=, not both: a client has its cluster")
    if cluster == "threads":
        return ThreadPool()
    if client is None and cluster is None:
        if "distributed" not in sys.modules:
            return ThreadPool()
        from .clients import current_client, in_task

        if in_task():
            return ThreadPool(1)
        client = current_client()
        if client is None:
            return ThreadPool()
    from .clients import open_dask_pool

    return open_dask_pool(client, cluster, units)


def is_here(client: Any, cluster: Any) -> bool:
    """Tell whether `open_pool` would run blocks in this process."""
    if client is not None or cluster is not None:
        return bool(client is None and cluster == "threads")
    if "distributed" not in sys.modules:
        return True
    from .clients import current_client, in_task

    return in_task() or current_client() is None


def offers_gpus(client: Any, cluster: Any) -> bool:
    """Tell whether `open_pool` would have a worker now that offers a GPU."""
    if "distributed" not in sys.modules or is_here(client, cluster):
        return False
    from . import clients

    if cluster is None and client is None:
        client = clients.current_client()
    return clients.offers_gpus(client, cluster)
