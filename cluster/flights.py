"""The blocks that are on their way: begun, heard of, overdue, over."""

from collections.abc import Iterator

from .fleet import Fleet
from .ledger import Chain, Flight
from .moves import HOME, BlockResult, CancelBlock, RunBlock, StopBlock
from .pace import Alarms, Pace

_BEGIN_S = 2.0  # for a block to begin where it was sent
_WAKE_S = 30.0  # the same where none has begun yet, and everything has to be imported first


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
        self._awake: set[str] = set()  # places where a block has begun

    def __len__(self) -> int:
        """Return the number of blocks that are out."""
        return len(self._units)

    def __iter__(self) -> Iterator[int]:
        """Go over the units that have a block out; some may end meanwhile."""
        return iter(list(self._units))

    def begin(self, chain: Chain, place: str, now: float) -> RunBlock:
        """Send a chain's next block to a place with room."""
        self._fleet.take(place, chain.unit)
        self._units[chain.unit] = None
        chain.flight = Flight(place, place == HOME or chain.suspect, now)
        self._await(chain, now)
        left = chain.total - chain.next
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

    def heard(self, chain: Chain, now: float) -> None:
        """Wait for a block's next word from now on."""
        assert chain.flight is not None
        chain.flight.begun = True
        self._awake.add(chain.flight.place)
        self._await(chain, now)

    def wait_on(self, chain: Chain, now: float) -> bool:
        """Wait longer for an overdue block that has not begun and could not begin elsewhere."""
        assert chain.flight is not None
        if chain.flight.begun or self._fleet.has_room_beside(chain.flight.place):
            return False
        self._await(chain, now)
        return True

    def land(self, chain: Chain, result: BlockResult, now: float) -> None:
        """Take in a block that came back, and learn from the time it took."""
        assert chain.flight is not None
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
        place = chain.flight.place
        if place == HOME:
            return
        begin_s = _BEGIN_S if place in self._awake else _WAKE_S
        silence_s = self._pace.silence_s(len(self._fleet))
        self._alarms.set(chain.unit, now + (silence_s if chain.flight.begun else begin_s))


def stop(chain: Chain) -> StopBlock:
    """Return the command that lets a chain's block end where it is."""
    assert chain.flight is not None
    return StopBlock(chain.flight.place, chain.unit, chain.next, chain.attempt)
