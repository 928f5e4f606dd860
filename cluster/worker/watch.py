"""Eyes on running blocks: one thread per process stops them in time and tells how far they are.

A kernel cannot look at a clock or a network, but it reads slot 0 of its control array after each
transition and writes counters to the others (`exmc_dask.kernels.runtime.chain.CONTROL`). One thread
serves all blocks of the process, so that a block costs no thread of its own.
"""

import atexit
import contextlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import inf, nan
from typing import Self

import numpy as np

from exmc_dask.kernels.runtime import chain

from ..messages.wire import Stop, Task
from ..plan.moves import BlockProgress, Stage

_LOOK_S = 0.25  # between two looks whether a block is still wanted
_MAX_EARLY = 1000  # wishes to stop blocks that have not begun
_SLOW_S = 0.25  # a block that has not begun to draw by then is compiling

Report = Callable[[BlockProgress], None]


def arrival(task: Task) -> BlockProgress:
    """Return what is said of a block before anything is loaded that could say it."""
    return BlockProgress(task.unit, task.first, task.attempt, int(Stage.ARRIVED), 0, 0, 0, nan, 0)


class Watch:
    """One block while it runs: a context manager around its preparation and its draws.

    Parameters
    ----------
    task : Task
    report : callable
        Takes a BlockProgress; called from the watching thread and from the block's.
    wanted : callable
        Says whether anyone still waits for the block; asked four times a second.
    on_stop : callable
        Called with ``dropped`` when the block is to stop, for blocks that run in a child.

    Attributes
    ----------
    control : (9,) int64
        For the kernel.
    dropped : bool
        The block was told to stop at once; its result is not wanted.
    """

    def __init__(
        self,
        task: Task,
        report: Report | None = None,
        wanted: Callable[[], bool] | None = None,
        on_stop: Callable[[bool], None] | None = None,
    ) -> None:
        self.control = np.zeros(len(chain.CONTROL), np.int64)
        self.dropped = False
        self._task = task
        self._report = report
        self._wanted = wanted
        self._on_stop = on_stop
        self._begun_at: float | None = None  # when it began to draw
        self._report_at = time.monotonic() + _SLOW_S

    def __enter__(self) -> Self:
        early = _watching.add(self._task.name, self)
        if early is not None:
            self.stop(early.drop)
        self._tell(Stage.STARTED)
        if self._report is not None or self._wanted is not None:
            _watching.wake()
        return self

    def __exit__(self, *_: object) -> None:
        _watching.remove(self._task.name)

    def begin(self) -> None:
        """Start the budget's clock: the block draws from now on."""
        self._begun_at = time.monotonic()
        self._report_at = self._begun_at + self._task.every_s
        _watching.wake()

    def stop(self, drop: bool = False) -> None:
        """Let the block end: after its present draw, or at once, dropping what it has."""
        self.dropped = self.dropped or drop
        self.control[chain.STOP] = chain.STOP_NOW if self.dropped else chain.STOP_AFTER
        if self._on_stop is not None:
            self._on_stop(self.dropped)

    def look(self, now: float) -> float:
        """Do what is due; return the time of the next look."""
        if self._wanted is not None and not self.dropped and not self._wanted():
            self.stop(drop=True)
        if self._report is not None and now >= self._report_at:
            self._report_at = now + self._task.every_s
            self._tell(Stage.COMPILING if self._begun_at is None else Stage.DRAWING)
        ends_at = inf
        if self._begun_at is not None and not self.control[chain.STOP]:
            ends_at = self._begun_at + self._task.budget_s
            if now >= ends_at:
                self.stop()
                ends_at = inf
        look_at = inf if self._wanted is None else now + _LOOK_S
        report_at = inf if self._report is None else self._report_at
        return min(ends_at, look_at, report_at)

    def _tell(self, stage: Stage) -> None:
        if self._report is None:
            return
        control = self.control.copy()
        begun_at = self._begun_at
        progress = BlockProgress(
            unit=self._task.unit,
            first=self._task.first,
            attempt=self._task.attempt,
            stage=int(stage),
            draw=int(control[chain.DRAWS]),
            gradients=int(control[chain.GRADIENTS]),
            divergences=int(control[chain.DIVERGENCES]),
            step_size=float(control.view(np.float64)[chain.STEP_SIZE_BITS]),
            seconds=0.0 if begun_at is None else time.monotonic() - begun_at,
        )
        with contextlib.suppress(Exception):  # the watch goes on when nobody listens any more
            self._report(progress)


class _Watching:
    """The thread and the blocks it watches."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all; a forked process begins so, as it has this object but not its thread."""
        self._changed = threading.Condition()
        self._news = False  # something is due earlier than the thread believes
        self._watches: dict[str, Watch] = {}
        self._early: OrderedDict[str, Stop] = OrderedDict()
        self._thread: threading.Thread | None = None

    def add(self, name: str, watch: Watch) -> Stop | None:
        """Watch a block; return the wish to stop it if that came before it."""
        with self._changed:
            self._watches[name] = watch
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="exmc-watch", daemon=True)
                self._thread.start()
            return self._early.pop(name, None)

    def remove(self, name: str) -> None:
        with self._changed:
            self._watches.pop(name, None)

    def wake(self) -> None:
        with self._changed:
            self._news = True
            self._changed.notify()

    def stop_early(self, order: Stop) -> Watch | None:
        """Return the watch of a block; without one, keep the wish to stop it for when it begins."""
        with self._changed:
            watch = self._watches.get(order.name)
            if watch is None:
                self._early[order.name] = order
                while len(self._early) > _MAX_EARLY:
                    self._early.popitem(last=False)
            return watch

    def all(self) -> list[Watch]:
        with self._changed:
            return list(self._watches.values())

    def _run(self) -> None:
        while True:
            now = time.monotonic()
            next_look = min((watch.look(now) for watch in self.all()), default=inf)
            with self._changed:
                if not self._news:
                    self._changed.wait(None if next_look == inf else max(next_look - now, 0.0))
                self._news = False


_watching = _Watching()
os.register_at_fork(after_in_child=_watching.reset)


def stop(order: Stop) -> None:
    """Stop the block of one name, which may not have begun here yet."""
    watch = _watching.stop_early(order)
    if watch is not None:
        watch.stop(order.drop)


@atexit.register
def stop_all() -> None:
    """Stop every block, so that no kernel runs while the interpreter is taken down."""
    for watch in _watching.all():
        watch.stop(drop=True)
