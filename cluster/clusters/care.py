"""What is done for clusters of our own only: workers that hang, or are gone, are replaced."""

import asyncio
import contextlib
import threading
from typing import Any

import dask
from dask.utils import parse_timedelta
from distributed import Client, Status

_OVER = (Status.closed, Status.failed)
_RESTART_S = 20.0  # for a hung worker to be gone and another to be there


class Care:
    """Looks after a cluster that was started for one run.

    Parameters
    ----------
    client : distributed.Client
    cluster : distributed.SpecCluster or similar
    n_workers : int
        How many workers there should be.

    """

    def __init__(self, client: Client, cluster: Any, n_workers: int) -> None:
        self._client: Any = client
        self._cluster, self._n_workers = cluster, n_workers

    async def mend(self) -> None:
        """Replace a worker that has just died if it does not come back.

        Dask looks for it once, and one that dies a second time just then is gone for good.
        """
        patience = dask.config.get("distributed.deploy.lost-worker-timeout")
        while True:
            await asyncio.sleep(parse_timedelta(patience) + 1.0)
            if len(self._cluster.scheduler.workers) >= self._n_workers:
                return
            self._fill()

    def fill(self) -> None:
        """Have all workers that there should be, those that are there among them."""
        self._cluster.loop.add_callback(self._fill)

    def _fill(self) -> None:
        """Forget workers whose nanny has ended, and ask for others.

        These have new names, as one that is still leaving keeps the scheduler from taking in
        another of its name, and Dask then believes that it is there.
        """
        workers, spec = self._cluster.workers, self._cluster.worker_spec
        if self._cluster._lock.locked():  # it is starting some, and these are in neither
            return
        for name in [name for name in spec if name not in workers or workers[name].status in _OVER]:
            workers.pop(name, None)
            del spec[name]
        self._cluster.scale(self._n_workers)

    def restart(self, worker: str) -> None:
        """Have another worker in the place of one that hangs, in some seconds."""
        threading.Thread(target=self._restart, args=(worker,), daemon=True).start()

    def _restart(self, worker: str) -> None:
        with contextlib.suppress(Exception):  # it died meanwhile, or the cluster was closed
            self._client.restart_workers([worker], timeout=_RESTART_S, raise_for_error=False)
