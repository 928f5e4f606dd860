"""Blocks on a Dask cluster: each pinned to one worker, its answer gathered as soon as it is there.

The scheduler and the workers are handed bytes and two tiny functions by value, which import us
inside the task. A function pickled by reference would kill workers that lack the package, and hang
the tasks of others with them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from operator import getitem
from typing import Any

from dask.base import annotate
from distributed import Client

from exmc_dask.errors import ClientError

from ..clusters.adaptive import wish
from ..clusters.care import Care
from ..clusters.local import GPU
from ..dashboard.herald import Herald
from ..dashboard.scribe import Scribe
from ..messages.wire import Failure, Missing, Spec, Stop, pack, unpack
from ..plan.moves import BlockDone, BlockFailed, Event, Fault, Note, Trouble
from ..plan.words import no_package
from ..worker.watch import arrival
from .errands import Errands
from .hub import Hub
from .pool import Order, Pool, Post
from .reach import Reach
from .roster import Roster

_COLLECT_S = 0.010  # between gatherings: so long finished blocks wait for others at most
_GATHER_S = 5.0  # before the blocks of a gathering that hangs are gathered one by one
_INLINE_BYTES = 100_000  # of data in a message: Dask keeps a thousand messages of each stream
_GPU_GRACE_S = 30.0  # for a worker with a GPU to come: what follows is an error, or far slower


@dataclass(frozen=True)
class _Sent:
    order: Order
    future: Any


class DaskPool(Pool):
    """The workers of a client's cluster that run the same versions as we do.

    Parameters
    ----------
    client : distributed.Client
        Neither closed nor restarted, here or anywhere.
    grace_s : float
        Time without workers after which the coordinator helps itself.
    care : Care, optional
        Of a cluster that was opened for this pool.
    on_close : callable
        Gives back what was opened for this pool.

    Raises
    ------
    ClientError
        The client is closed or asynchronous.
    """

    def __init__(
        self,
        client: Client,
        *,
        grace_s: float = 5.0,
        care: Care | None = None,
        on_close: Callable[[], object] | None = None,
    ) -> None:
        if client.asynchronous:
            raise ClientError(
                "the client is asynchronous, and sampling waits for its results; "
                "use Client(..., asynchronous=False), in a thread of its own if need be"
            )
        if client.status != "running":
            raise ClientError(
                f"the client is {client.status}; open another: Client({client._start_arg!r})"
            )
        self.grace_s, self.gpu_grace_s = grace_s, max(grace_s, _GPU_GRACE_S)
        self._client: Any = client  # of its methods only some have types
        self._care, self._on_close = care, on_close

    def attach(self, run: str, spec: Spec, post: Post) -> None:
        """Begin to serve a run."""
        self._run, self._spec, self._post = run, spec, post
        self._errands = Errands(self._client)
        self._address: str = self._client.scheduler.address
        self._holds: dict[str, set[str]] = {}  # parcels that a worker was sent
        self._installs: dict[str, asyncio.Task[None]] = {}
        self._sent: dict[str, _Sent] = {}
        self._arrived: list[str] = []
        self._gathered_at = -inf  # by the loop's clock
        self._serial = 0
        self._reach = Reach(self._client, spec.shelf.place) if spec.shelf else None
        self._roster = Roster(
            self._client,
            self._errands,
            post,
            on_gone=partial(_forget, self._holds),
            needs=GPU if spec.target == "cuda" else "",
            reach=self._reach,
            seeks=self.seeks_gpus,
        )
        if self._reach is not None:
            self._reach.open()
        self._hub = Hub.join(self._client, self)
        self._roster.open(self._hub.renew)

    def start(self, orders: Sequence[Order]) -> None:
        """Start blocks."""
        ready = []
        for order in orders:
            holds = self._holds.get(order.worker)
            if holds is None:  # of large data a worker is asked first, which an earlier run sent
                known = self._spec.parcels if _large(self._spec.parcels) else ()
                holds = self._holds[order.worker] = set(known)
            parcels = {k: v for k, v in self._spec.parcels.items() if k not in holds}
            holds.update(parcels)
            if _large(parcels) or order.worker in self._installs:
                self._errands.soon(self._send_later, order, parcels)
            else:
                ready.append(replace(order, task=replace(order.task, parcels=parcels)))
        self._send(ready)

    def stop(self, stops: Sequence[tuple[str, Stop]]) -> None:
        """Let blocks end."""
        for _, stop in stops:
            if stop.drop and (sent := self._sent.pop(stop.name, None)) is not None:
                sent.future.release()  # the block's watch sees it
        gently = [(worker, pack(stop)) for worker, stop in stops if not stop.drop]
        if gently:
            workers = sorted({worker for worker, _ in gently})
            messages = [message for _, message in gently]
            self._errands.soon(self._errands.run, self._stop_gently(workers, messages))

    def herald(self, n_units: int, total: int) -> Herald:
        """Return who posts bulletins of the run on the scheduler's board."""
        tune = int(self._spec.settings.get("tune", 0))
        scribe = Scribe(
            self._run, self._client.id, n_units, total, tune, self._spec.columns, self._spec.words
        )
        return Herald(self._client, scribe, max(1.0, n_units / 1000))

    def want(self, n: int) -> None:
        """Hear how many blocks could run at once from now on."""
        wish(self._address, self._run, n)

    def heed(self, note: Note) -> None:
        """Mend the cluster if it is ours."""
        if self._care is not None and note.kind is Trouble.WORKER_HUNG and note.worker:
            self._care.restart(note.worker)
        elif self._care is not None and note.kind is Trouble.FALLBACK:
            self._care.fill()

    def detach(self) -> None:
        """End the service."""
        self.want(0)
        self._hub.leave(self)
        for sent in self._sent.values():
            sent.future.release()
        self._sent = {}
        self._errands.cancel()
        if self._reach is not None:
            self._reach.close()

    def close(self) -> None:
        """Give back the client and the cluster if they were opened for this pool."""
        if self._on_close is not None:
            self._on_close()

    # What the hub hears; on the client's loop -----------------------------------------------------

    def on_cluster(self, event: dict[str, Any]) -> None:
        """Take word of a worker that came or went."""
        self._roster.on_cluster(event)
        if self._care is not None and event["action"] == "remove-worker":
            self._errands.run(self._care.mend())

    def on_report(self, run: str, body: bytes) -> None:
        """Take what a running block says about itself."""
        if run == self._run:
            self._post([unpack(body)])

    # Blocks go out; on the driver's thread --------------------------------------------------------

    def _send(self, orders: Sequence[Order]) -> None:
        """Send tasks in one graph, each pinned to its worker by its key."""
        if not orders:
            return
        pins: dict[str, str] = {}
        for order in orders:
            self._serial += 1
            pins[f"exmc_block-{order.task.name}-{self._serial}"] = order.worker
        tasks = [order.task for order in orders]
        try:
            with annotate(workers=partial(getitem, pins)):
                futures = self._client.map(
                    _exmc_block,
                    [pack(task) for task in tasks],
                    [self._hub.topic] * len(tasks),
                    [{"run": self._run, "body": pack(arrival(task))} for task in tasks],
                    key=list(pins),
                    pure=False,
                    resources={GPU: 1} if self._spec.target == "cuda" else None,
                )
        except Exception:
            if self._client.status == "running":
                raise
            self._roster.lose_all()
            return
        for order, future in zip(orders, futures, strict=True):
            self._sent[order.task.name] = _Sent(order, future)
            future.add_done_callback(partial(self._landed, order.task.name))

    # Answers come in; on the client's loop --------------------------------------------------------

    def _landed(self, name: str, _: object) -> None:
        if self._client.status == "running":
            self._errands.soon(self._collect, name)
        else:
            self._roster.lose_all()

    def _collect(self, name: str) -> None:
        if not self._arrived:
            at = self._gathered_at + _COLLECT_S  # past, if it is long that one has arrived
            self._errands.loop.call_at(at, self._gather_arrived)
        self._arrived.append(name)

    def _gather_arrived(self) -> None:
        self._gathered_at = self._errands.loop.time()
        names, self._arrived = self._arrived, []
        self._errands.run(self._gather(names, _GATHER_S))

    async def _gather(self, names: Sequence[str], patience_s: float | None) -> None:
        """Fetch answers in one call; those that a dead or hung worker keeps do not hold the rest.

        A block that is dropped meanwhile loses its future, which ends the waiting for it.
        """
        sent = {name: self._sent[name] for name in names if name in self._sent}
        futures = [one.future for one in sent.values() if one.future.status == "finished"]
        try:
            async with asyncio.timeout(patience_s):
                answers = await self._client.gather(futures, errors="skip", asynchronous=True)
        except TimeoutError:
            for name in sent:
                self._errands.run(self._gather([name], None))
            return
        except Exception:  # each is asked below for what ails it
            answers = []
        events: list[Event] = []
        again: list[Order] = []
        for answer in map(unpack, answers):
            name = f"{self._run}-u{answer.unit}-d{answer.first}-a{answer.attempt}"
            sent.pop(name)
            if (one := self._sent.pop(name, None)) is None:
                continue
            one.future.release()
            if isinstance(answer, Missing):
                self._holds.get(one.order.worker, set()).difference_update(answer.names)
                again.append(one.order)
            elif isinstance(answer, Failure):
                events.append(answer.event(one.order.worker, self._spec.words))
            else:
                events.append(BlockDone(one.order.worker, answer))
        for name in sent:
            if (one := self._sent.pop(name, None)) is not None:
                events.append(await self._explain(one))
        if events:
            self._post(events)
        if again:
            self.start(again)

    async def _explain(self, sent: _Sent) -> Event:
        """Say why a block has no answer."""
        try:
            await self._client.gather(sent.future, asynchronous=True)
            why = "its result was lost"
        except ImportError as error:
            return no_package(sent.order.worker, error)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            if self._client.status != "running":
                self._roster.lose_all()
        return self._gone(sent.order, "answer", why)

    def _gone(self, order: Order, what: str, why: str) -> BlockFailed:
        """Say that a block is lost for want of something, of which nobody is to blame."""
        task = order.task
        block = self._spec.words.since(task.unit, task.first)
        message = f"no {what} for {block}: {why}"
        return BlockFailed(order.worker, task.unit, task.first, task.attempt, Fault.GONE, message)

    # Parcels too large for a task -----------------------------------------------------------------

    def _send_later(self, order: Order, parcels: Mapping[str, bytes]) -> None:
        self._errands.run(self._install_and_send(order, parcels))

    async def _install_and_send(self, order: Order, parcels: Mapping[str, bytes]) -> None:
        """Bring parcels to a worker past the scheduler's graph, then send the task."""
        worker, before = order.worker, self._installs.get(order.worker)
        install = asyncio.ensure_future(self._install(worker, parcels, before))
        self._installs[worker] = install
        try:
            await install
        except Exception as error:  # of a worker that died, and what it held with it
            self._holds.pop(worker, None)
            self._post([self._gone(order, "data", f"{type(error).__name__}: {error}")])
        else:
            self._send([order])
        finally:
            if self._installs.get(worker) is install:
                del self._installs[worker]

    async def _install(
        self, worker: str, parcels: Mapping[str, bytes], before: "asyncio.Task[None] | None"
    ) -> None:
        if before is not None:
            await before
        for name, parcel in parcels.items():
            data = await self._client.scatter(
                parcel, workers=[worker], hash=False, asynchronous=True
            )
            self._serial += 1
            key = f"exmc_install-{self._run}-{self._serial}"
            done = self._client.submit(
                _exmc_install, name, data, workers=[worker], pure=False, key=key
            )
            await done
            done.release()
            data.release()

    # Small change ---------------------------------------------------------------------------------

    async def _stop_gently(self, workers: list[str], messages: list[bytes]) -> None:
        await self._client.run(
            _exmc_stop, messages, workers=workers, on_error="ignore", asynchronous=True
        )


def _forget(holds: dict[str, set[str]], worker: str) -> None:
    holds.pop(worker, None)


def _large(parcels: Mapping[str, bytes]) -> bool:
    return sum(map(len, parcels.values())) > _INLINE_BYTES


def _by_value() -> tuple[Callable[..., Any], ...]:
    """Make the functions that run on workers; local ones, so that they are pickled by value."""

    def exmc_block(message: bytes, topic: str, arrived: dict[str, Any]) -> bytes:
        from distributed import get_worker

        get_worker().log_event(topic, arrived)  # first: what follows may take seconds to load
        from exmc_dask.cluster.pools.dask_worker import answer

        return answer(message, topic)

    def exmc_install(name: str, parcel: bytes) -> None:
        from exmc_dask.cluster.worker.worker import install

        install({name: parcel})

    def exmc_stop(messages: list[bytes]) -> None:
        from exmc_dask.cluster.worker.worker import stop

        stop(messages)

    return exmc_block, exmc_install, exmc_stop


_exmc_block, _exmc_install, _exmc_stop = _by_value()
