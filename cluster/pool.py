"""Pools: what can run blocks, behind one small interface; and the pool of our own threads."""

import atexit
import os
import queue
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from exmc_dask.errors import OptionError

from . import quarantine, watch, worker
from .moves import BlockDone, Event, Note, WorkerJoined
from .watch import Watch
from .wire import Failure, Spec, Stop, Task

if TYPE_CHECKING:
    from .herald import Herald

Post = Callable[[Sequence[Event]], None]
"""Takes events that happened together; may be called from any thread."""


@dataclass(frozen=True)
class Order:
    """A task and the worker that is to run it, and no other."""

    worker: str
    task: Task


class Pool(ABC):
    """Something that runs blocks, for one run at a time.

    A pool says by events which workers it has and what became of the blocks it was given. Apart
    from ``post``, everything is called from one thread.

    Attributes
    ----------
    grace_s : float
        Time without workers after which it is no use to wait for one.
    gpu_grace_s : float
        The same for workers whose GPU works, where a run has to have one.
    seeks_gpus : bool
        A run for CPUs wants to know of workers that have a GPU which works (`WorkerJoined.relief`);
        set before it is attached.
    """

    grace_s: float = 5.0
    gpu_grace_s: float = 0.0
    seeks_gpus: bool = False

    @abstractmethod
    def attach(self, run: str, spec: Spec, post: Post) -> None:
        """Begin to serve a run: announce workers from now on."""

    @abstractmethod
    def start(self, orders: Sequence[Order]) -> None:
        """Start blocks."""

    @abstractmethod
    def stop(self, stops: Sequence[tuple[str, Stop]]) -> None:
        """Let blocks end, given the worker of each; of dropped ones no answer is wanted."""

    def want(self, n: int) -> None:  # noqa: B027  most have what they have
        """Hear how many blocks could run at once from now on."""

    def heed(self, note: Note) -> None:  # noqa: B027  most have nothing of their own to mend
        """Hear of trouble, and mend what the pool itself has opened; nothing else."""

    @abstractmethod
    def detach(self) -> None:
        """End the service; the pool may be attached again."""

    def herald(self, n_units: int, total: int) -> "Herald | None":
        """Return who tells others than the caller of the run, if there is anywhere to tell it."""
        return None

    def close(self) -> None:  # noqa: B027  most have opened nothing
        """Give back what the pool itself has opened."""


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


def n_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ThreadPool(Pool):
    """Threads of this process: no isolation, nothing to install, no port, no delay.

    All thread pools of a process share its threads.

    Parameters
    ----------
    n_threads : int, optional
        Blocks at a time; as many as the process has processors by default.
    """

    _NAME = "threads"

    def __init__(self, n_threads: int | None = None) -> None:
        self._n_threads = n_threads or n_processors()

    def attach(self, run: str, spec: Spec, post: Post) -> None:
        """Begin to serve a run."""
        self._engine = _Once(partial(worker.prepare, spec))
        self._post, self._words = post, spec.words
        self._given: dict[str, Watch] = {}
        slots = 1 if spec.target == "cuda" else self._n_threads  # a GPU does one thing at a time
        _crew.grow(slots)
        broken = quarantine.why() if spec.target == "cuda" else ""
        post([WorkerJoined(self._NAME, slots, broken=broken)])

    def start(self, orders: Sequence[Order]) -> None:
        """Start blocks."""
        post = self._post
        for order in orders:
            seen = Watch(order.task, lambda progress: post([progress]))
            self._given[order.task.name] = seen
            _crew.put(partial(self._run, self._engine, order.task, seen, post))

    def stop(self, stops: Sequence[tuple[str, Stop]]) -> None:
        """Let blocks end."""
        for _, stop in stops:
            if (seen := self._given.get(stop.name)) is not None:
                seen.stop(stop.drop)

    def detach(self) -> None:
        """End the service."""
        for seen in list(self._given.values()):
            seen.stop(drop=True)

    def _run(self, engine: "_Once", task: Task, seen: Watch, post: Post) -> None:
        if not seen.dropped:
            with seen:
                answer = worker.run_block(engine, task, seen)
            if isinstance(answer, Failure):
                post([answer.event(self._NAME, self._words)])
            else:
                post([BlockDone(self._NAME, answer)])
        self._given.pop(task.name, None)


class _Once:
    """Something slow that several threads need and one of them makes."""

    def __init__(self, make: Callable[[], worker.Engine]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._made: worker.Engine | None = None

    def __call__(self) -> worker.Engine:
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made


class _Crew:
    """The threads that all thread pools share; daemons, so that they hold up no exit."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all; a forked process begins so, as it has this object but not its threads."""
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def grow(self, n_threads: int) -> None:
        """Have at least so many threads."""
        while len(self._threads) < n_threads:
            name = f"exmc-{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
            self._threads[-1].start()

    def put(self, job: Callable[[], None]) -> None:
        """Have a job done."""
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            self._jobs.get()()


_crew = _Crew()
os.register_at_fork(after_in_child=_crew.reset)


@atexit.register
def _stop_blocks() -> None:
    """Have no kernel running while the interpreter is taken down."""
    watch.stop_all()
