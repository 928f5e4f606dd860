"""The blocks that are on their way: begun, heard of, overdue, over."""

from collections.abc import Iterator
from math import inf

from .fleet import Fleet
from .ledger import Chain, Flight
from .moves import HOME, BlockProgress, BlockResult, CancelBlock, RunBlock, Stage, StopBlock
from .pace import Alarms, Pace

_BEGIN_S = 2.0  # for a block to be taken up where it was sent
_GREET_S = 5.0  # the same where none was yet: that worker may be busy with its own start
_PATIENCE_S = 10.0  # the same where no other worker has room, but others get on meanwhile
_WAKE_S = 30.0  # for all that runs blocks to be loaded where none has run


class Flights:
    """Fills and empties the fleet's slots, and has an alarm for each block that is out.

    Parameters
    ----------
    fleet : Fleet
    max_block : int or None
        Draws of a block at most.
    """

    def __init__(self, fleet: Fleet, max_block: int | None) -> None:
        self._fleet = fleet
        self._max_block = max_block
        self._pace = Pace()
        self._alarms = Alarms()
        self._units: dict[int, None] = {}
        self._spoke_at = -inf  # when something was last heard of any block
        self._met: set[str] = set()  # places where a block was taken up
        self._awake: set[str] = set()  # places where one has begun

    def __len__(self) -> int:
        """Return the number of blocks that are out."""
        return len(self._units)

    def __iter__(self) -> Iterator[int]:
        """Go over the units that have a block out; some may end meanwhile."""
        return iter(list(self._units))

    def begin(self, chain: Chain, place: str, border: int, now: float) -> RunBlock:
        """Send a chain's next block, which ends at a border, to a place with room."""
        self._fleet.take(place, chain.unit)
        self._units[chain.unit] = None
        chain.flight = Flight(place, place == HOME or chain.suspect, now, now)
        self._await(chain, now)
        left = border - chain.next
        return RunBlock(
            worker=place,
            unit=chain.unit,
            first=chain.next,
            n=min(left, self._max_block or left),
            attempt=chain.attempt,
            budget_s=self._pace.budget_s(len(self._fleet)),
            every_s=self._pace.every_s(len(self._fleet)),
            state=chain.state,
            isolated=chain.flight.isolated,
        )

    def heard(self, chain: Chain, said: BlockProgress, now: float) -> None:
        """Wait for a block's next word from now on, but not for ever for its next gradient."""
        flight = chain.flight
        assert flight is not None
        self._spoke_at = now
        self._met.add(flight.place)
        if said.stage > Stage.ARRIVED:
            self._awake.add(flight.place)
        if said.stage != Stage.DRAWING or flight.stage != Stage.DRAWING:
            flight.moved_at = now
        elif said.gradients > flight.gradients:
            self._pace.moved(now - flight.moved_at)
            flight.moved_at = now
        flight.stage, flight.gradients = said.stage, said.gradients
        self._await(chain, now)

    def wait_on(self, chain: Chain, now: float) -> bool:
        """Wait longer for an overdue block that has not begun and could not begin elsewhere.

        Where others are heard of meanwhile it does not wait for ever: its worker may be stopped
        while their slots are filled anew whenever they are empty.
        """
        flight = chain.flight
        assert flight is not None
        if flight.stage is not None or self._fleet.has_room_beside(flight.place):
            return False
        if now >= flight.sent_at + _PATIENCE_S and self._spoke_at > flight.sent_at:
            return False
        self._await(chain, now)
        return True

    def stands_still(self, chain: Chain, now: float) -> bool:
        """Tell whether a block speaks but evaluates nothing."""
        flight = chain.flight
        assert flight is not None
        drawing = flight.stage == Stage.DRAWING
        return drawing and now >= flight.moved_at + self._pace.standstill_s

    def land(self, chain: Chain, result: BlockResult, now: float) -> None:
        """Take in a block that came back, and learn from the time it took."""
        assert chain.flight is not None
        self._spoke_at = now
        if not chain.flight.isolated:
            self._pace.measure(now - chain.flight.sent_at - result.prepare_s - result.seconds)
        self.end(chain)

    def end(self, chain: Chain) -> None:
        """Empty the slot of a block that is over, however it ended."""
        assert chain.flight is not None
        self._fleet.release(chain.flight.place, chain.unit)
        self._alarms.clear(chain.unit)
        del self._units[chain.unit]
        chain.flight = None

    def cancel(self, chain: Chain) -> CancelBlock:
        """End a block that is not wanted any more."""
        assert chain.flight is not None
        command = CancelBlock(chain.flight.place, chain.unit, chain.next, chain.attempt)
        self.end(chain)
        return command

    @property
    def deadline(self) -> float:
        """A time before which no block is overdue."""
        return self._alarms.next

    def overdue(self, now: float) -> list[int]:
        """Return the units whose blocks were not heard of for too long."""
        return self._alarms.ring(now)

    def invariants(self, chains: list[Chain]) -> None:
        """Raise AssertionError unless what is out is what the chains say."""
        at: dict[str, set[int]] = {}
        for chain in chains:
            assert (chain.unit in self._units) == (chain.flight is not None)
            if chain.flight is not None:
                at.setdefault(chain.flight.place, set()).add(chain.unit)
        self._fleet.invariants(at)

    def _await(self, chain: Chain, now: float) -> None:
        """Set the alarm; children of the coordinator need none, as it sees them end."""
        assert chain.flight is not None
        place, stage = chain.flight.place, chain.flight.stage
        if place == HOME:
            return
        if stage is None:
            wait_s = _BEGIN_S if place in self._met else _GREET_S
        elif place not in self._awake:
            wait_s = _WAKE_S
        else:
            wait_s = self._pace.silence_s(len(self._fleet))
        at = now + wait_s
        if stage == Stage.DRAWING:
            at = min(at, chain.flight.moved_at + self._pace.standstill_s)
        self._alarms.set(chain.unit, at)


def stop(chain: Chain) -> StopBlock:
    """Return the command that lets a chain's block end where it is."""
    assert chain.flight is not None
    return StopBlock(chain.flight.place, chain.unit, chain.next, chain.attempt)
