"""Who can take a block and who has one: workers, their slots, the coordinator as last place."""

from collections.abc import Collection
from dataclasses import dataclass, field

from .moves import HOME


@dataclass(slots=True)
class _Place:
    slots: int
    units: set[int] = field(default_factory=set)


class Fleet:
    """The places where blocks run. Everything but `invariants` is O(1) in units and workers.

    Parameters
    ----------
    home_slots : int
        Blocks that the coordinator runs at a time when it has to.
    """

    def __init__(self, home_slots: int) -> None:
        self._workers: dict[str, _Place] = {}
        self._free: dict[str, None] = {}  # workers with an empty slot, longest idle first
        self._home = _Place(home_slots)
        self.at_home = False
        """Whether the coordinator takes any unit's blocks, for want of workers."""

    def __len__(self) -> int:
        """Return the number of workers."""
        return len(self._workers)

    def __contains__(self, worker: str) -> bool:
        return worker in self._workers

    def add(self, worker: str, slots: int) -> None:
        """Take in a worker; the coordinator is relieved."""
        self._workers[worker] = _Place(slots)
        self._free[worker] = None
        self.at_home = False

    def remove(self, worker: str) -> list[int]:
        """Take out a worker, and return the units whose blocks it has, in order."""
        place = self._workers.pop(worker)
        self._free.pop(worker, None)
        return sorted(place.units)

    @property
    def has_room(self) -> bool:
        """Whether some unit could be placed."""
        return bool(self._free) or (self.at_home and self._home_has_room)

    @property
    def _home_has_room(self) -> bool:
        return len(self._home.units) < self._home.slots

    def exhausts(self, tried: Collection[str]) -> bool:
        """Tell whether there are workers and all of them are among those tried."""
        present = sum(worker in self._workers for worker in set(tried))
        return bool(present) and present == len(self._workers)

    def choose(self, tried: Collection[str], stays_home: bool) -> str | None:
        """Name a place with room, none of those tried; None when there is none now."""
        if stays_home or self.at_home or self.exhausts(tried):
            return HOME if self._home_has_room else None
        return next((worker for worker in self._free if worker not in tried), None)

    def take(self, name: str, unit: int) -> None:
        """Fill a slot."""
        place = self._place(name)
        place.units.add(unit)
        if name != HOME and len(place.units) == place.slots:
            del self._free[name]

    def release(self, name: str, unit: int) -> None:
        """Empty a slot, of a worker that may be gone."""
        if name == HOME:
            self._home.units.discard(unit)
        elif name in self._workers:
            self._workers[name].units.discard(unit)
            self._free[name] = None

    def invariants(self, at: dict[str, set[int]]) -> None:
        """Raise AssertionError unless slots are filled as ``at`` says: place to units."""
        assert set(at) <= {*self._workers, HOME}
        for name in (*self._workers, HOME):
            place = self._place(name)
            assert place.units == at.get(name, set())
            assert len(place.units) <= place.slots
            assert name == HOME or (name in self._free) == (len(place.units) < place.slots)

    def _place(self, name: str) -> _Place:
        return self._home if name == HOME else self._workers[name]
