"""The hands of a run: a thread that takes events to the plan and its commands to the pool."""

import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from exmc_dask.processor import n_processors
from exmc_dask.sampler.pooling import Lesson, Pooling
from exmc_dask.sampler.state import State

from .messages.wire import Spec, Stop, Task
from .plan.asks import Ask, Ending, Extend, Options, Request
from .plan.moves import (
    HOME,
    BlockDone,
    BlockFailed,
    BlockProgress,
    BlockResult,
    CancelBlock,
    Command,
    Due,
    Event,
    Finish,
    Look,
    Looked,
    Note,
    Progress,
    RunBlock,
    Show,
    StopBlock,
    StoreBlock,
    Teach,
    Tick,
    Trouble,
    Warn,
)
from .plan.plan import Plan
from .pools.pool import Order, Pool

if TYPE_CHECKING:
    from .dashboard.herald import Herald

_MAX_EVENTS = 10_000
_PIECE_S = 2.0  # of drawing, at least, in a block that becomes an object of a store


class Driver:
    """All chains of one model, from their start or from given states to their last draw.

    Parameters
    ----------
    pool : Pool
        Serves this run alone from `start` until the run is over; not closed.
    spec : Spec
    units : collection of int
        Numbers of the chains.
    total : int
        Draws of each, warmup included.
    initials : mapping of int to (dim,) float64
        Unconstrained starting points of some chains.
    states : mapping of int to State
        Where chains go on that were begun earlier.
    on_block : callable
        Takes each published BlockResult, in order per chain; what it raises ends the run.
    on_event : callable
        Takes each Progress and Note; what it raises ends the run.
    on_look : callable
        Takes a draw number and says what is not good enough yet in the draws before it, "" for
        nothing; called in a thread of its own. What it raises ends the run.
    on_lesson : callable
        Takes each Lesson, before any block that began after it; what it raises ends the run.
    on_over : callable
        Called without arguments when the run is over and its pool is free again.
    marks : sequence of int
        Draws, warmup included, at which ``on_look`` is asked; the last is ``total``.
    max_time_s : float
        Time after which the run ends with what it has.
    pooling : Pooling, optional
        Which chains share what their warmup teaches them, and when.
    lessons : sequence of Lesson
        What they shared in an earlier life of the run.
    max_block : int
        Draws of a block at most; only its time counts by default.
    on_failure : {"raise", "drop"}
        Whether a chain that cannot go on ends the run.
    grace_s : float
        Time without workers before the coordinator runs blocks itself; the pool's by default.
    seeks : bool
        A worker that has a GPU which works ends the run when all chains are at one draw.
    kind : str
        CPU class that draws were made with in an earlier life of the run.
    gives_way : bool
        What ends the run for want of workers that can do its work is not told as a failure, as its
        owner may know another way.
    keep : bool
        Keep all blocks for `results`; False where ``on_block`` takes them.
    notes : sequence of Note
        What those who watch are told first.

    The other callables are called from the run's own thread.

    Attributes
    ----------
    name : str
    error : BaseException or None
        What ended the run before its time.
    ending : Ending or None
        Why it is over; None before that.
    """

    def __init__(
        self,
        pool: Pool,
        spec: Spec,
        *,
        units: Collection[int],
        total: int,
        initials: Mapping[int, NDArray[np.float64]] | None = None,
        states: Mapping[int, State] | None = None,
        on_block: Callable[[BlockResult], None] | None = None,
        on_event: Callable[[Progress | Note], None] | None = None,
        on_look: Callable[[int], str] | None = None,
        on_lesson: Callable[[Lesson], None] | None = None,
        on_over: Callable[[], None] | None = None,
        marks: Sequence[int] = (),
        max_time_s: float = inf,
        pooling: Pooling | None = None,
        lessons: Sequence[Lesson] = (),
        max_block: int | None = None,
        on_failure: Literal["raise", "drop"] = "raise",
        grace_s: float | None = None,
        keep: bool = True,
        gives_way: bool = False,
        seeks: bool = False,
        kind: str = "",
        notes: Sequence[Note] = (),
    ) -> None:
        self.name = uuid.uuid4().hex[:12]
        self.error: BaseException | None = None
        self.ending: Ending | None = None
        self._pool = pool
        self._home: Pool | None = None
        self._herald: Herald | None = None
        self._total = total
        self._spec = spec
        self._initials = dict(initials or {})
        self._on_block, self._on_event = on_block, on_event
        self._on_look, self._on_lesson, self._on_over = on_look, on_lesson, on_over
        on_gpus = spec.target == "cuda"
        patience_s = pool.gpu_grace_s if on_gpus else pool.grace_s
        options = Options(
            total=total,
            tune=int(spec.settings.get("tune", 0)),
            max_block=max_block,
            on_failure=on_failure,
            grace_s=patience_s if grace_s is None else grace_s,
            home_slots=0 if on_gpus else n_processors(),
            gives_way=gives_way,
            marks=tuple(marks),
            max_time_s=max_time_s,
            pooling=pooling,
            lessons=tuple(lessons),
            words=spec.words,
            kind=kind,
        )
        self._plan = Plan(units, options, states, time.monotonic())
        self._inbox: queue.SimpleQueue[Sequence[Event]] = queue.SimpleQueue()
        self._keep, self._notes, self._seeks = keep, notes, seeks
        self._results: dict[int, list[BlockResult]] = {unit: [] for unit in units}
        self._events: deque[Progress | Note] = deque(maxlen=_MAX_EVENTS)
        self._dropped: set[int] = set()
        self._wanted = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._drive, name=f"exmc-{self.name}", daemon=True)

    # The owner's side ----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin.

        Raises
        ------
        ClusterError
            The pool cannot serve.
        """
        self._pool.seeks_gpus = self._seeks
        self._pool.attach(self.name, self._spec, self._inbox.put)
        self._herald = self._pool.herald(len(self._results), self._total)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the run is over, and say whether it is.

        Parameters
        ----------
        timeout : float, optional
            Seconds; for ever by default.

        Raises
        ------
        ExmcError
            What ended the run before its time; `results` has what there is.
        """
        over = self._over.wait(timeout)
        if over and self.error is not None:
            raise self.error
        return over

    def ask(self, request: Request) -> None:
        """Let the run hold, go on, or end."""
        self._inbox.put([Ask(request)])

    def extend(self, total: int) -> None:
        """Let all chains have so many draws, warmup included, if the run is not over before."""
        self._inbox.put([Extend(total)])

    def results(self) -> dict[int, list[BlockResult]]:
        """Return the blocks so far by chain, in order and without gaps."""
        return {unit: list(blocks) for unit, blocks in self._results.items()}

    def dropped(self) -> set[int]:
        """Return the chains that were given up, so far."""
        return set(self._dropped)

    def events(self) -> list[Progress | Note]:
        """Return what was shown so far, the last ten thousand at most."""
        return list(self._events)

    def close(self) -> None:
        """End the run at once, if it is not over, and wait for its thread."""
        if self._thread.ident is not None:
            self.ask(Request.NOW)
            self._thread.join()

    def tell(self, note: Note) -> None:
        """Show a note of someone else's; from the run's own thread."""
        self._tell(Warn(note))

    # The run's thread ----------------------------------------------------------------------------

    def _drive(self) -> None:
        try:
            for note in self._notes:
                self.tell(note)
            while not self._plan.finished:
                self._carry(self._consider(self._await()))
        except BaseException as error:
            self.error, self.ending = error, Ending.FAILED
        finally:
            if self._herald is not None:
                self._herald.close(self.ending or Ending.FAILED)
            self._pool.detach()
            if self._home is not None:
                self._home.detach()
            try:
                if self._on_over is not None:
                    self._on_over()
            finally:
                self._over.set()
                # whoever made this driver is called no more, and goes when nobody else holds it
                self._on_block = self._on_event = self._on_look = None
                self._on_lesson = self._on_over = None

    def _await(self) -> list[Event]:
        """Return what has happened since the last time; wait for it, or for the plan's deadline."""
        deadline = self._plan.deadline
        timeout = None if deadline == inf else max(deadline - time.monotonic(), 0.0)
        events: list[Event] = []
        try:
            events += self._inbox.get(timeout=timeout)
            while True:
                events += self._inbox.get_nowait()
        except queue.Empty:
            return events

    def _consider(self, events: Sequence[Event]) -> list[Command]:
        commands = self._plan.step(Tick(time.monotonic()))
        for event in events:
            commands += self._plan.step(event)
        if time.monotonic() >= self._plan.deadline:
            commands += self._plan.step(Due())
        return commands

    def _carry(self, commands: Sequence[Command]) -> None:
        """Do what the plan says: first end blocks, then start some, then tell."""
        stops: dict[Pool, list[tuple[str, Stop]]] = {}
        orders: dict[Pool, list[Order]] = {}
        for command in commands:
            if isinstance(command, StopBlock | CancelBlock):
                drop = isinstance(command, CancelBlock)
                name = f"{self.name}-u{command.unit}-d{command.first}-a{command.attempt}"
                pool = self._pool_of(command.worker)
                stops.setdefault(pool, []).append((command.worker, Stop(name, drop)))
            elif isinstance(command, RunBlock):
                pool = self._pool_of(command.worker)
                orders.setdefault(pool, []).append(Order(command.worker, self._task(command)))
        if self._plan.runnable != self._wanted:
            self._wanted = self._plan.runnable
            self._pool.want(self._wanted)
        for pool, ends in stops.items():
            pool.stop(ends)
        for pool, starts in orders.items():
            pool.start(starts)
        for command in commands:
            self._tell(command)

    def _tell(self, command: Command) -> None:
        match command:
            case StoreBlock(worker, result):
                result = replace(result, worker=worker)
                if self._keep:
                    self._results[result.unit].append(result)
                if self._herald is not None:
                    self._herald.block(result)
                if self._on_block is not None:
                    self._on_block(result)
            case Show(event) | Warn(event):
                self._events.append(event)
                if self._herald is not None:
                    self._herald(event)
                if (
                    isinstance(event, Note)
                    and event.kind is Trouble.DROPPED
                    and event.unit is not None
                ):
                    self._dropped.add(event.unit)
                if isinstance(event, Note):
                    self._pool.heed(event)
                if self._on_event is not None:
                    self._on_event(event)
            case Teach(lesson):
                if self._on_lesson is not None:
                    self._on_lesson(lesson)
            case Look(draw):
                assert self._on_look is not None
                threading.Thread(target=self._look, args=(self._on_look, draw), daemon=True).start()
            case Finish(error, ending):
                self.ending = Ending.FAILED if self.error else ending
                self.error = self.error or error

    def _look(self, on_look: Callable[[int], str], draw: int) -> None:
        try:
            self._inbox.put([Looked(draw, on_look(draw))])
        except BaseException as error:
            self.error = error
            self.ask(Request.CANCEL)

    def _task(self, command: RunBlock) -> Task:
        begins = command.state is None
        return Task(
            run=self.name,
            spec=self._spec.key,
            unit=command.unit,
            first=command.first,
            n=command.n,
            attempt=command.attempt,
            budget_s=max(command.budget_s, _PIECE_S if self._spec.shelf else 0.0),
            every_s=command.every_s,
            isolated=command.isolated,
            state=command.state,
            initial=self._initials.get(command.unit) if begins else None,
            shelf=self._spec.shelf,
        )

    def _pool_of(self, worker: str) -> Pool:
        if worker != HOME:
            return self._pool
        if self._home is None:
            from .pools.child_pool import ChildPool

            self._home = ChildPool(n_processors())
            self._home.attach(self.name, self._spec, self._from_home)
        return self._home

    def _from_home(self, events: Sequence[Event]) -> None:
        """Pass on what the coordinator's own children say; they are no workers to the plan."""
        about_blocks = (e for e in events if isinstance(e, BlockDone | BlockFailed | BlockProgress))
        self._inbox.put(
            [e if isinstance(e, BlockProgress) else replace(e, worker=HOME) for e in about_blocks]
        )
