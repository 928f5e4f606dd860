"""What workers say of themselves before they are given work, and what they have said already.

Versions and the CPU class of a process last as long as it does, so that runs on one client ask
each process once. Whether it is the one that was asked shows its folder: Dask makes a new one, with
a name by chance, for every worker that starts, also for one at the address of another.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from distributed import Client

from ..clusters.local import GPU
from ..plan.moves import WorkerRefused
from ..plan.words import no_package, refusal
from . import versions


@dataclass(frozen=True)
class Introduction:
    """What is known of a worker.

    Attributes
    ----------
    packages : mapping of str to str
        Versions by package.
    about : dict
        What `quarantine.about` says there, and ``folder``; or the exception that came instead.
    slots : int
        Its threads.
    offers : mapping of str to float
        Its resources, where they matter.
    """

    packages: Mapping[str, str | None]
    about: Any
    slots: int
    offers: Mapping[str, float]

    def objection(self, worker: str) -> WorkerRefused | None:
        """Say why it cannot run any model of ours, if it cannot."""
        if why := versions.mismatch(versions.here(), self.packages):
            return refusal(worker, f"it has {why}")
        if isinstance(self.about, ImportError):
            return no_package(worker, self.about)
        if not isinstance(self.about, dict):
            return refusal(worker, f"it does not say what it is: {self.about!r}")
        return refusal(worker, self.about["cannot"]) if self.about["cannot"] else None


_met: WeakKeyDictionary[Client, dict[str, Introduction]] = WeakKeyDictionary()


class Introductions:
    """The workers of a client's cluster as they present themselves.

    Parameters
    ----------
    client : distributed.Client
    gpus : bool
        Resources matter, and whether the GPU of those that offer one still works. That may end with
        any run of anyone, so these are asked each time.
    """

    def __init__(self, client: Client, gpus: bool) -> None:
        self._client: Any = client
        self._gpus = gpus
        self._met = _met.setdefault(client, {})

    async def of(
        self, workers: Sequence[str], seen: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Introduction]:
        """Return what is known of workers, by address; nothing of those that are gone.

        Parameters
        ----------
        workers : sequence of str
        seen : mapping of str to mapping
            What the scheduler says of them; those that it is not asked about are asked themselves.
        """
        known = {w: met for w in workers if w in seen and (met := self._remembered(w, seen[w]))}
        others = [worker for worker in workers if worker not in known]
        return known | (await self._ask(others) if others else {})

    def keep_only(self, workers: Mapping[str, Any]) -> None:
        """Forget those that are not there any more."""
        for worker in [worker for worker in self._met if worker not in workers]:
            del self._met[worker]

    def _remembered(self, worker: str, seen: Mapping[str, Any]) -> Introduction | None:
        met = self._met.get(worker)
        if met is None or met.about["folder"] != seen["local_directory"]:
            return None
        if self._gpus and seen["resources"].get(GPU):
            return None
        return replace(met, slots=seen["nthreads"], offers=seen["resources"])

    async def _ask(self, workers: list[str]) -> dict[str, Introduction]:
        """Ask only these, so not by ``client.get_versions``: it waits for all, also hung ones."""
        ask = {"op": "versions", "packages": list(versions.PACKAGES)}
        scheduler = self._client.scheduler
        answers, about, slots, offers = await asyncio.gather(
            scheduler.broadcast(msg=ask, workers=workers, on_error="ignore"),
            self._client.run(_exmc_about, workers=workers, on_error="return", asynchronous=True),
            scheduler.ncores(workers=workers),
            self._offers(),
        )
        asked: dict[str, Introduction] = {}
        for worker in workers:
            if worker in answers and worker in slots:
                asked[worker] = Introduction(
                    answers[worker]["packages"],
                    about.get(worker),
                    slots[worker],
                    offers.get(worker, {}),
                )
        fit = {worker: one for worker, one in asked.items() if one.objection(worker) is None}
        self._met.update(fit)  # others may be mended as they are
        return asked

    async def _offers(self) -> dict[str, dict[str, float]]:
        if not self._gpus:
            return {}
        workers = (await self._client.scheduler.identity(n_workers=-1))["workers"]
        return {name: worker.get("resources", {}) for name, worker in workers.items()}


def _by_value() -> Callable[..., Any]:
    """Make the function that runs on workers; a local one, so that it is pickled by value."""

    async def exmc_about(dask_worker: Any) -> dict[str, str]:
        import asyncio

        def look() -> dict[str, str]:
            from exmc_dask.cluster.worker.quarantine import about

            return about() | {"folder": dask_worker.local_directory}

        return await asyncio.to_thread(look)  # imports must not hold up the worker's own loop

    return exmc_about


_exmc_about = _by_value()
