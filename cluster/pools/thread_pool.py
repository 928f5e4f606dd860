"""Threads of this process: where blocks go when there is nowhere else."""

import os
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial

from exmc_dask.processor import n_processors

from ..messages.wire import Failure, Spec, Stop, Task
from ..plan.moves import BlockDone, WorkerJoined
from ..worker import quarantine, worker
from ..worker.watch import Watch
from .pool import Order, Pool, Post


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
