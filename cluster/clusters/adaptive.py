"""Clusters of our own that grow and shrink with what there is to run."""

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from distributed import LocalCluster, Scheduler
from distributed.deploy.adaptive import Adaptive
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.scheduler import WorkerState

_lock = threading.Lock()
_wishes: defaultdict[str, dict[str, int]] = defaultdict(dict)  # by scheduler, then by run


def wish(scheduler: str, run: str, n: int) -> None:
    """Let a run have use for ``n`` slots of the cluster of a scheduler; none is no wish.

    A cluster hears it if it was started in this process; to others it means nothing.
    """
    with _lock:
        if n:
            _wishes[scheduler][run] = n
        else:
            _wishes[scheduler].pop(run, None)


def wishes(scheduler: str) -> int:
    """Return how many slots all runs of this process have use for."""
    with _lock:
        return sum(_wishes[scheduler].values())


class ForUnits(Adaptive):
    """Wants a worker for each block that could run, or what Dask wants for the tasks of others."""

    async def target(self) -> int:
        """Return the number of workers there should be; the caller keeps it in its bounds."""
        others: int = await super().target()  # type: ignore[no-untyped-call]
        return max(wishes(self.cluster.scheduler_address), others)


class _KeepBusy(SchedulerPlugin):
    name = "exmc-keep-busy"

    def valid_workers_downscaling(
        self, scheduler: Scheduler, workers: Sequence[WorkerState]
    ) -> list[WorkerState]:
        """Return those that have nothing to do; Dask would close busy ones too."""
        return [worker for worker in workers if not worker.processing]


def adapt(cluster: LocalCluster, fewest: int, most: int) -> None:
    """Let a cluster have as many workers as blocks could run, within bounds."""
    scheduler: Any = cluster.scheduler
    scheduler.add_plugin(_KeepBusy())
    cluster.adapt(Adaptive=ForUnits, minimum=fewest, maximum=most)
