"""The brain of a run: what happened in, what to do out; no thread, no clock, no Dask.

A unit (a chain) is a list of blocks, and a block is named by its unit and its first draw. Because
a block gives the same bits wherever and however often it runs, everything below is bookkeeping:
one block of a unit is in flight at a time, the first result of a block is published, and whatever
arrives for a block that has been published is dropped. States travel with the commands, so a lost
block is simply asked for again.

What a death means depends on who died. A worker's death says nothing about the model: the block
is tried elsewhere, in a child process of its own so that a second worker does not fall with it.
Only children that die in two places condemn a model. A worker that announces its leaving costs
nothing. A GPU that fails takes no worker with it: the worker gets nothing more of this run, and
where no GPU is left, or none has the memory, the run gives way to its owner's other plans.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from exmc_dask.errors import ExmcError
from exmc_dask.sampler.state import State

from . import words
from .asks import Ask, Ending, Extend, Options, Request
from .course import Course
from .fleet import Fleet
from .flights import Flights, stop
from .ledger import Chain
from .moves import (
    BlockDone,
    BlockFailed,
    BlockProgress,
    BlockResult,
    Command,
    Due,
    Event,
    Fault,
    Look,
    Looked,
    Note,
    Show,
    Stage,
    StoreBlock,
    Tick,
    Warn,
    WorkerJoined,
    WorkerLost,
    WorkerRefused,
    WorkerSeen,
)
from .rally import Rally
from .turns import Turns


class Plan:
    """The state of a run and the rules that move it.

    Parameters
    ----------
    units : collection of int
    options : Options
    states : mapping of int to State
        Where units go on that were begun earlier; the others begin.
    now : float
        The time, in seconds since any fixed moment.

    Attributes
    ----------
    finished : bool
        Finish has been said; no event changes anything from then on.
    """

    def __init__(
        self,
        units: Collection[int],
        options: Options,
        states: Mapping[int, State] | None = None,
        now: float = 0.0,
    ) -> None:
        self.finished = False
        self._options = options
        self._now = now
        self._chains = {
            unit: Chain(unit, options.total, options.tune, options.words) for unit in units
        }
        for unit, state in (states or {}).items():
            chain = self._chains[unit]
            chain.state, chain.next = state, state.draw
        self._rally = Rally(self._chains)
        self._turns = Turns(options, self._chains, self._rally)
        self._fleet = Fleet(options, now)
        self._flights = Flights(self._fleet, options.max_block)
        self._refused: dict[str, WorkerRefused] = {}
        self._delivered = False  # some worker has
        self._course = Course(now + options.max_time_s)
        self._out: list[Command] = []

    # What the driver uses ------------------------------------------------------------------------

    def step(self, event: Event) -> list[Command]:
        """Take one event and say what to do about it."""
        if self.finished:
            return []
        self._out = []
        _HANDLERS[type(event)](self, event)
        self._out += self._turns.share()
        looks = self._turns.looks
        if looks.fall_due():
            self._out.append(Look(looks.mark))
        if self._rally.settles(in_flight=len(self._flights)):
            self._note(words.relieved(self._rally))
            self._turns.again()
        self._dispatch()
        if not self._flights and (self._course.ending or not (self._turns or looks.is_due)):
            self._finish()
        return self._out

    @property
    def deadline(self) -> float:
        """The time at which Due is to be said even if nothing happens; inf for never."""
        if self._course.is_stopping:
            return self._course.deadline
        return min(self._flights.deadline, self._fleet.deadline, self._course.deadline)

    @property
    def runnable(self) -> int:
        """The number of blocks that could be out at once, were there workers for them."""
        return len(self._flights) + (0 if self._course.held else len(self._turns))

    # Rules, one per event ------------------------------------------------------------------------

    def _tick(self, event: Tick) -> None:
        self._now = event.now

    def _due(self, _: Due) -> None:
        if self._course.gives_up(self._now):
            self._give_up()
            return
        if self._course.is_late(self._now):
            self._note(words.out_of_time(self._options))
            self._stop_now(Ending.TIME)
            return
        for unit in self._flights.overdue(self._now):
            self._overdue(self._chains[unit])
        if self._fleet.pass_time(self._now):
            if turned := self._fleet.turn():
                self._note(turned)
            elif self._options.home_slots:
                self._note(words.at_home(self._options))
            else:
                self._give_way(words.no_gpu(self._options, self._fleet.troubles))

    def _seen(self, _: WorkerSeen) -> None:
        self._fleet.expect(self._now)

    def _joined(self, event: WorkerJoined) -> None:
        self._refused.pop(event.worker, None)
        if event.relief and not (self._rally.by or self._course.ending):
            self._rally.by = event.worker
            self._stop_flights()
        self._out += map(Warn, self._fleet.greet(event, self._now))

    def _was_refused(self, event: WorkerRefused) -> None:
        self._refused[event.worker] = event
        self._note(words.refused(event.worker, event.why))
        self._remove(event.worker, blame=False)
        if not self._fleet and not self._delivered:
            self._give_way(words.mismatch(self._refused.values()))

    def _lost(self, event: WorkerLost) -> None:
        self._refused.pop(event.worker, None)
        if event.worker in self._fleet:
            self._note(words.lost(event.worker, event.expected))
        self._remove(event.worker, blame=not event.expected)

    def _progress(self, event: BlockProgress) -> None:
        chain = self._in_flight(event)
        if chain is None or chain.flight is None:
            return
        self._flights.heard(chain, event, self._now)
        if event.stage > Stage.STARTED:
            self._out.append(Show(chain.progress(chain.flight.place, event)))

    def _done(self, event: BlockDone) -> None:
        result = event.result
        self._fleet.answered(event.worker)
        chain = self._chains.get(result.unit)
        if chain is None or chain.over or result.first != chain.next:
            return  # published before, by another attempt
        self._delivered = True
        if self._in_flight(result) is not None:
            self._flights.land(chain, result, self._now)
        elif chain.flight is not None:
            self._cancel(chain)
        else:
            self._turns.discard(chain)
        if result.n:
            self._publish(chain, event.worker, result)
        else:
            chain.fail()  # stopped before its first draw: the block's name is used up
            chain.barren += not (self._course.is_stopping or self._rally.holds)
            if chain.comes_to_nothing:
                self._drop(chain, chain.nothing())
        self._turns.queue(chain)
        self._out.append(Show(chain.progress(event.worker)))

    def _failed(self, event: BlockFailed) -> None:
        chain = self._in_flight(event)
        if chain is None or chain.flight is None:
            return
        place = chain.flight.place
        self._flights.end(chain)
        match event.fault:
            case Fault.RAISED:
                assert event.error is not None
                self._drop(chain, event.error)
            case Fault.GONE:
                self._note(words.result_lost(chain, place, event.message))
                chain.losses += 1
                self._again(chain)
            case Fault.DIED:
                self._note(words.child_died(chain, place, event.message))
                chain.child_deaths.append(place)
                if chain.poisonous:
                    self._drop(chain, chain.poison(event.message))
                else:
                    self._again(chain)
            case Fault.DEVICE:
                self._note(words.gpu_failed(chain, place, event.message))
                self._fleet.quarantine(place, self._now, event.message)
                self._again(chain)
            case Fault.MEMORY:
                assert event.error is not None
                self._again(chain)
                self._give_way(event.error)

    def _asked(self, event: Ask) -> None:
        if event.request not in (Request.NOW, Request.CANCEL):
            self._course.ask(event.request)
            return
        self._stop_now(Ending.STOPPED)
        if event.request is Request.CANCEL:
            self._give_up()

    def _extended(self, event: Extend) -> None:
        self._turns.extend(event.total)

    def _looked(self, event: Looked) -> None:
        if event.wanting:
            self._go_on(event)
        else:
            self._stop_now(Ending.ENOUGH)

    # Steps that several rules share --------------------------------------------------------------

    def _in_flight(self, event: BlockResult | BlockProgress | BlockFailed) -> Chain | None:
        """Return the chain whose present flight an event is about; None for all older ones."""
        chain = self._chains.get(event.unit)
        if chain is None or chain.flight is None:
            return None
        return chain if (event.first, event.attempt) == (chain.next, chain.attempt) else None

    def _dispatch(self) -> None:
        """Give ready units to empty slots, in order."""
        if self._course.held or self._rally.holds:
            return
        passed = []
        while self._turns:
            chain = self._turns.next
            if not (self._fleet.has_room or chain.child_deaths or chain.stays_home):
                break
            self._turns.discard(chain)
            place = self._fleet.choose(chain.child_deaths, chain.stays_home)
            if place is None:
                passed.append(chain)
            else:
                border = self._turns.border(chain)
                self._out.append(self._flights.begin(chain, place, border, self._now))
        for chain in reversed(passed):
            self._turns.queue(chain, at_once=True)

    def _go_on(self, look: Looked) -> None:
        """Have chains go on to the next look, if there is one."""
        if look.draw >= self._options.total:
            self._note(words.unmet(look.wanting))
        self._turns.go_on()

    def _overdue(self, chain: Chain) -> None:
        """Place a block elsewhere: one that waits for others' tasks, or whose worker hangs."""
        assert chain.flight is not None
        place = chain.flight.place
        if self._flights.wait_on(chain, self._now):
            return
        if chain.flight.stage is not None:
            stuck = self._flights.stands_still(chain, self._now)
            self._note(words.hung(chain, place, stuck=stuck))
            chain.losses += 1
        self._cancel(chain)
        self._again(chain)
        self._fleet.bench(place, self._now)

    def _cancel(self, chain: Chain) -> None:
        self._out.append(self._flights.cancel(chain))

    def _again(self, chain: Chain) -> None:
        """Put a chain whose block came to nothing before all others."""
        chain.fail()
        self._turns.queue(chain, at_once=True)

    def _remove(self, worker: str, blame: bool) -> None:
        """Take a worker out and its blocks back; ``blame`` counts the loss against them."""
        for unit in reversed(self._fleet.remove(worker, self._now)):
            chain = self._chains[unit]
            self._cancel(chain)
            chain.deaths += blame
            self._again(chain)

    def _publish(self, chain: Chain, worker: str, result: BlockResult) -> None:
        if chain.fingerprint not in ("", result.fingerprint):
            self._note(words.other_fingerprint(chain, worker, result))
        chain.publish(result)
        self._turns.count(chain)
        self._out.append(StoreBlock(worker, result))

    def _drop(self, chain: Chain, error: ExmcError) -> None:
        """Let a chain end before its time, and the run with it if that was the wish."""
        chain.dropped = True
        self._turns.leave_out(chain)
        if self._options.on_failure == "drop" and any(
            not other.dropped for other in self._chains.values()
        ):
            self._note(words.dropped(chain, error))
        else:
            self._fail(error)

    def _fail(self, error: ExmcError, *, quietly: bool = False) -> None:
        if not self._course.has_failed:
            if not quietly:
                self._note(words.failed(error))
            if self._course.fail(error, self._now):
                self._stop_flights()

    def _give_way(self, error: ExmcError) -> None:
        """End where no worker can do the work; the owner may know other ways to do it."""
        self._fail(error, quietly=self._options.gives_way)

    def _stop_now(self, ending: Ending) -> None:
        if self._course.stop(ending, self._now):
            self._stop_flights()

    def _stop_flights(self) -> None:
        self._out += [stop(self._chains[unit]) for unit in self._flights]

    def _give_up(self) -> None:
        """Do without the blocks in flight."""
        for unit in self._flights:
            self._cancel(self._chains[unit])
            self._again(self._chains[unit])

    def _finish(self) -> None:
        self.finished = True
        over = not self._turns.looks.open and all(chain.over for chain in self._chains.values())
        if self._rally.by and not over:
            self._course.ending = self._course.ending or Ending.RELIEVED
        self._out.append(self._course.finish(over))

    def _note(self, note: Note) -> None:
        self._out.append(Warn(note))

    # What must hold between any two events -------------------------------------------------------

    def invariants(self) -> None:
        """Raise AssertionError unless the books are in order; for tests, as it looks at all."""
        chains = list(self._chains.values())
        for chain in chains:
            chain.invariants()
            ready = chain.flight is None and self._turns.is_ready(chain)
            assert (chain.unit in self._turns) == ready
        self._flights.invariants(chains)
        assert not (self.finished and self._flights)
        if self._fleet.has_room and not self._course.held and not self._rally.holds:
            fresh = [c for c in chains if c.unit in self._turns and not c.attempt]
            assert not fresh, "an idle slot, a fresh block"


_HANDLERS: dict[type, Callable[[Plan, Any], None]] = {
    Tick: Plan._tick,
    Due: Plan._due,
    WorkerSeen: Plan._seen,
    WorkerJoined: Plan._joined,
    WorkerRefused: Plan._was_refused,
    WorkerLost: Plan._lost,
    BlockProgress: Plan._progress,
    BlockDone: Plan._done,
    BlockFailed: Plan._failed,
    Ask: Plan._asked,
    Extend: Plan._extended,
    Looked: Plan._looked,
}
