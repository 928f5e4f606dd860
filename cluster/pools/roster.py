"""Who is there: workers that come and go and are checked, the scheduler that is lost and found."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from distributed import Client

from ..clusters.local import GPU
from ..plan.moves import WorkerJoined, WorkerLost, WorkerRefused, WorkerSeen
from ..plan.words import refusal
from .errands import Errands
from .introductions import Introduction, Introductions
from .pool import Post
from .reach import Reach

type Seen = Mapping[str, Mapping[str, Any]]  # what the scheduler says of workers

_CHECK_S = 10.0  # for a worker to say its versions
_LOOK_S = 0.25  # between two looks whether the scheduler is the one it was


class Roster:
    """The workers of a client's cluster.

    Parameters
    ----------
    client : distributed.Client
    errands : Errands
    post : callable
        Takes WorkerJoined, WorkerRefused and WorkerLost.
    on_gone : callable
        Called with each worker that is gone.
    needs : str, optional
        Resource, in Dask's sense, that workers have to offer.
    reach : Reach, optional
        Of a store that they have to reach.
    seeks : bool
        Say of workers that they have a GPU which works.
    """

    def __init__(
        self,
        client: Client,
        errands: Errands,
        post: Post,
        on_gone: Callable[[str], object],
        needs: str = "",
        reach: Reach | None = None,
        seeks: bool = False,
    ) -> None:
        self._client: Any = client
        self._errands, self._post = errands, post
        self._on_gone = on_gone
        self._needs, self._reach, self._seeks = needs, reach, seeks
        self._introductions = Introductions(client, gpus=bool(needs) or seeks)
        self._present: set[str] = set()  # workers that are there, checked or not
        self._line = self._client.scheduler_comm  # another one means another scheduler

    def open(self, on_found: Callable[[], object]) -> None:
        """Greet the workers that are there, and those to come; from any thread.

        Parameters
        ----------
        on_found : callable
            Called when the client has found a scheduler again, before workers are greeted: it
            knows of nothing that the one before was told.
        """
        self._errands.soon(self._open, on_found)

    def on_cluster(self, event: dict[str, Any]) -> None:
        """Take word of a worker that came or went."""
        worker = event["worker"]
        if event["action"] == "add-worker":
            self._greet([worker])
        elif worker in self._present:
            self._lose([worker], bool(event.get("expected")))

    def lose_all(self) -> None:
        """Give up on all workers, as the client has lost its scheduler; from any thread."""
        self._lose(sorted(self._present), True)

    def _open(self, on_found: Callable[[], object]) -> None:
        self._errands.run(self._greet_all())
        self._errands.run(self._attend(on_found))

    def _lose(self, workers: Sequence[str], expected: bool) -> None:
        self._present.difference_update(workers)
        for worker in workers:
            self._on_gone(worker)
        if workers:
            self._post([WorkerLost(worker, expected) for worker in workers])

    async def _greet_all(self) -> None:
        """Greet all, and again when word of those that joined meanwhile would reach us."""
        for delay_s in (0.0, 1.0):
            await asyncio.sleep(delay_s)
            with contextlib.suppress(OSError):  # lost again, which is noticed elsewhere
                seen = (await self._client.scheduler.identity(n_workers=-1))["workers"]
                self._introductions.keep_only(seen)
                self._greet(list(seen), seen)

    def _greet(self, workers: Sequence[str], seen: Seen = MappingProxyType({})) -> None:
        new = [worker for worker in workers if worker not in self._present]
        self._present.update(new)
        if new:
            self._post([WorkerSeen(worker) for worker in new])
            self._errands.run(self._check(new, seen))

    async def _attend(self, on_found: Callable[[], object]) -> None:
        """Notice that the scheduler is lost though no block is out, and that there is another.

        The client looks for one at the same address for as long as its timeout, and then closes.
        """
        while self._client.status != "closed":
            line = self._client.scheduler_comm if self._client.status == "running" else None
            if line is not self._line:
                self.lose_all()
                self._line = line
                if line is not None:
                    on_found()
                    self._errands.run(self._greet_all())
            await asyncio.sleep(_LOOK_S)
        self.lose_all()

    async def _check(self, workers: list[str], seen: Seen) -> None:
        """Let workers present themselves, and announce those that can be used.

        Of several classes that with most slots comes first.
        """
        try:
            async with asyncio.timeout(_CHECK_S):
                met = await self._introductions.of(workers, seen)
        except TimeoutError:
            if len(workers) > 1:
                for worker in workers:
                    self._errands.run(self._check([worker], seen))
            else:
                why = f"it did not say its versions within {_CHECK_S:g} s"
                self._post([refusal(workers[0], why)])
            return
        except OSError:  # the scheduler is lost, and greets them again when it is back
            return
        joined: list[WorkerJoined] = []
        refused: list[WorkerRefused] = []
        for worker in workers:
            if worker in met and worker in self._present:
                event = self._greeting(worker, met[worker])
                if isinstance(event, WorkerJoined):
                    joined.append(event)
                else:
                    refused.append(event)
        if self._reach is not None:
            refused += await self._reach.refusals([event.worker for event in joined])
        out = {event.worker for event in refused}
        joined = [event for event in joined if event.worker in self._present - out]
        room = Counter[str]()
        for event in joined:
            room[event.kind] += event.slots
        joined.sort(key=lambda event: (-room[event.kind], event.kind))
        self._post([*joined, *(event for event in refused if event.worker in self._present)])

    def _greeting(self, worker: str, one: Introduction) -> WorkerJoined | WorkerRefused:
        """Return what is to be said of a worker, given what it has said of itself."""
        if (objection := one.objection(worker)) is not None:
            return objection
        kind, broken = one.about["kind"], one.about["broken"]
        if not self._needs:
            relief = self._seeks and bool(int(one.offers.get(GPU, 0))) and not broken
            return WorkerJoined(worker, one.slots, kind, relief=relief)
        if not (n := int(one.offers.get(self._needs, 0))):
            why = f"it offers no {self._needs} (dask worker --resources {self._needs}=1)"
            return refusal(worker, why)
        return WorkerJoined(worker, n, kind, broken)
