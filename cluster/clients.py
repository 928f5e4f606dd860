"""Which Dask client a run uses, and whether it runs inside a task itself."""

from contextlib import ExitStack
from typing import Any, cast

from distributed import Client, get_worker, secede

from exmc_dask.errors import ClientError, OptionError
from exmc_dask.processor import n_processors

from .clusters import kubernetes
from .clusters.care import Care
from .clusters.local import GPU, cuda, local
from .pools.dask_pool import DaskPool

OWN = ("local", "cuda", "kubernetes")
GRACE_S = 5.0


def open_dask_pool(client: Any, cluster: Any, units: int | None = None) -> DaskPool:
    """Return the pool of a client, or of a cluster: a name, an address, or a cluster object.

    Clusters of our own, "local" and "kubernetes", have no more workers than there are units to run.
    """
    if client is not None:
        if not isinstance(client, Client):
            raise OptionError(
                f"client={client!r} is no Client of Dask's; addresses and clusters are cluster="
            )
        if in_task():
            secede()  # type: ignore[no-untyped-call]  # the task waits for others, so it gives its slot back
        return DaskPool(client)
    if isinstance(cluster, str) and cluster not in OWN and ":" not in cluster:
        raise OptionError(
            f"cluster={cluster!r} is not known; it can be 'threads', 'local', 'cuda', "
            "'kubernetes', the address of a scheduler such as 'tcp://10.0.0.1:8786', or a "
            "cluster of Dask's"
        )
    if isinstance(cluster, Client):
        raise OptionError("cluster= was given a client; it is client=")
    if not isinstance(cluster, str) and not hasattr(cluster, "scheduler_address"):
        raise OptionError(f"cluster={cluster!r} is neither a cluster of Dask's nor an address")
    grace_s, n_workers = GRACE_S, 0
    with ExitStack() as opened:
        if cluster == "kubernetes":
            cluster = opened.enter_context(kubernetes.kubernetes(units or 1))
            grace_s = kubernetes.START_S
        if cluster == "local":
            n_workers = min(n_processors(), units or n_processors())
            cluster = opened.enter_context(local(n_workers))
        elif cluster == "cuda":
            cluster = opened.enter_context(cuda())
        client = opened.enter_context(_connect(cluster))
        care = Care(client, cluster, n_workers) if n_workers else None
        return DaskPool(client, grace_s=grace_s, care=care, on_close=opened.pop_all().close)


def _connect(cluster: Any) -> Client:
    client: Any = Client.__new__(Client)  # in hand even when it finds nobody, to be closed
    try:
        client.__init__(cluster, set_as_default=False)
        return cast(Client, client)
    except RuntimeError as error:  # so early that there is nothing to close
        raise ClientError(
            f"the {type(cluster).__name__} of cluster= cannot be used: {error} Open another"
        ) from error
    except (OSError, TypeError) as error:  # the latter of tls:// without a certificate
        # Left to the garbage collector it would close itself at any later moment, and wait for
        # ever if that is one in which this thread has the lock of Dask's event loops.
        client.close()
        where = cluster if isinstance(cluster, str) else type(cluster).__name__
        how = "see that the scheduler runs and can be reached from here"
        if str(where).startswith("tls:"):
            how = (
                "give the certificates of that cluster, as client=Client(address, security=...) "
                "or in Dask's configuration under distributed.comm.tls"
            )
        raise ClientError(f"no connection to {where}: {error}; {how}") from error


def current_client() -> Client | None:
    """Return the client that Dask would use here; None when there is none."""
    try:
        client: Client = Client.current()  # type: ignore[no-untyped-call]
    except ValueError:
        return None
    return client


def offers_gpus(client: Any, cluster: Any) -> bool:
    """Tell whether a worker offers a GPU; of an address nobody is asked for it."""
    if client is None:
        workers = getattr(cluster, "scheduler_info", {}).get("workers", {})
    elif getattr(client, "status", "") == "running" and not client.asynchronous:
        workers = client.scheduler_info(n_workers=-1)["workers"]
    else:
        return False
    return any(worker.get("resources", {}).get(GPU) for worker in workers.values())


def in_task() -> bool:
    """Tell whether this thread runs a Dask task."""
    try:
        get_worker()
    except ValueError:
        return False
    return True
