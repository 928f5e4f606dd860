"""Who can take a block and who has one: workers, their slots, the coordinator as last place."""

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from math import inf

from . import words
from .asks import Options
from .kinds import Kinds
from .moves import HOME, Note, WorkerJoined

_ASK_S = 10.0  # for a worker to say what it is, which it may have to load something for
_BENCH_S = 30.0  # that a worker on which a block hung, or did not begin, is first given no other


@dataclass(slots=True)
class _Place:
    slots: int
    units: set[int] = field(default_factory=set)


class Fleet:
    """The places where blocks run. Everything but `invariants` is O(1) in units and workers.

    Parameters
    ----------
    options : Options
        Its ``home_slots`` and ``grace_s``, and the ``kind`` of workers to keep to.
    now : float

    Attributes
    ----------
    troubles : dict of str to str
        What is wrong with the GPUs of workers in quarantine.
    """

    def __init__(self, options: Options, now: float) -> None:
        self._options = options
        self._kinds = Kinds(options.kind)
        self.troubles: dict[str, str] = {}
        self._workers: dict[str, _Place] = {}
        self._free: dict[str, None] = {}  # workers with an empty slot, longest idle first
        self._benched: dict[str, float] = {}  # workers given no work for now, and until when
        self._rests: dict[str, float] = {}  # how long that was the last time, if nothing came since
        self._home = _Place(options.home_slots)
        self._grace_s = options.grace_s
        self._alone_since = now  # counts while no worker is given work
        self.at_home = False
        """Whether the coordinator takes any unit's blocks, for want of workers."""

    def __len__(self) -> int:
        """Return the number of workers that are given work."""
        return len(self._workers) - len(self._benched)

    def __contains__(self, worker: str) -> bool:
        return worker in self._workers

    def greet(self, worker: WorkerJoined, now: float) -> Iterator[Note]:
        """Take in a worker, or set it aside as one of another kind; say what is to be told."""
        name = worker.worker
        if name in self._workers or name in self._kinds:
            return
        if not self._kinds.takes(worker):
            if self.at_home and (turned := self.turn()):
                yield turned
            elif self._kinds.is_news(worker):
                yield words.other_class(worker, self._kinds.kept)
            return
        self._add(worker)
        if worker.broken:
            yield words.known_broken(name, worker.broken)
            self.quarantine(name, now, worker.broken)

    def expect(self, now: float) -> None:
        """Wait longer for a worker that is there and was asked what it is."""
        self._alone_since = max(self._alone_since, now + _ASK_S)

    def turn(self) -> Note | None:
        """Take in those of another kind, if there are some, and say so."""
        before, found = self._kinds.kept, self._kinds.turn()
        for worker in found:
            self._add(worker)
        return words.turned(before, self._kinds.kept, self._options) if found else None

    def remove(self, worker: str, now: float) -> list[int]:
        """Take out a worker that may be there; return the units whose blocks it has, in order."""
        self._kinds.forget(worker)
        place = self._workers.pop(worker, None)
        if place is None:
            self._begin_grace(now)
            return []
        self._free.pop(worker, None)
        self._benched.pop(worker, None)
        self._rests.pop(worker, None)
        self._begin_grace(now)
        return sorted(place.units)

    def bench(self, worker: str, now: float) -> None:
        """Give a worker no work for a while, each time longer; the blocks it has stay with it."""
        rest_s = self._rests[worker] = 2 * self._rests.get(worker, _BENCH_S / 2)
        self._rest(worker, max(now + rest_s, self._benched.get(worker, now)), now)

    def quarantine(self, worker: str, now: float, why: str) -> None:
        """Give a worker no work any more; the blocks it has stay with it."""
        self.troubles[worker] = why
        self._rest(worker, inf, now)

    def answered(self, worker: str) -> None:
        """Take note that a worker gets on after all."""
        self._rests.pop(worker, None)
        self.recall(worker)

    def recall(self, worker: str) -> None:
        """Give a benched worker work again; the coordinator is relieved."""
        if self._benched.get(worker, inf) < inf:
            del self._benched[worker]
            self._open(worker)
            self.at_home = False

    @property
    def deadline(self) -> float:
        """The time at which `pass_time` changes something; inf for never."""
        rested = min(self._benched.values(), default=inf)
        alone = not (len(self) or self.at_home)
        return min(rested, self._alone_since + self._grace_s if alone else inf)

    def pass_time(self, now: float) -> bool:
        """Recall rested workers; tell whether the coordinator has to help itself from now on."""
        for worker in [worker for worker, until in self._benched.items() if until <= now]:
            self.recall(worker)
        takes_over = not (len(self) or self.at_home) and now >= self._alone_since + self._grace_s
        self.at_home = self.at_home or takes_over
        return takes_over

    @property
    def has_room(self) -> bool:
        """Whether some unit could be placed."""
        return bool(self._free) or (self.at_home and self._home_has_room)

    @property
    def _home_has_room(self) -> bool:
        return len(self._home.units) < self._home.slots

    def exhausts(self, tried: Collection[str]) -> bool:
        """Tell whether there are workers to be had and all of them are among those tried."""
        present = {w for w in tried if w in self._workers and w not in self._benched}
        return bool(present) and len(present) == len(self)

    def has_room_beside(self, worker: str) -> bool:
        """Tell whether another worker has an empty slot."""
        return any(other != worker for other in itertools.islice(self._free, 2))

    def choose(self, tried: Collection[str], stays_home: bool) -> str | None:
        """Name a place with room, none of those tried; None when there is none now."""
        if self._home.slots and (stays_home or self.at_home or self.exhausts(tried)):
            return HOME if self._home_has_room else None
        if not self._home.slots and self.exhausts(tried):
            tried = ()
        return next((worker for worker in self._free if worker not in tried), None)

    def take(self, name: str, unit: int) -> None:
        """Fill a slot."""
        place = self._place(name)
        place.units.add(unit)
        if name != HOME and len(place.units) == place.slots:
            self._free.pop(name, None)

    def release(self, name: str, unit: int) -> None:
        """Empty a slot, of a worker that may be gone."""
        if name == HOME:
            self._home.units.discard(unit)
        elif name in self._workers:
            self._workers[name].units.discard(unit)
            if name not in self._benched:
                self._open(name)

    def invariants(self, at: dict[str, set[int]]) -> None:
        """Raise AssertionError unless slots are filled as ``at`` says: place to units."""
        assert set(at) <= {*self._workers, HOME}
        for name in (*self._workers, HOME):
            place = self._place(name)
            assert place.units == at.get(name, set())
            assert len(place.units) <= place.slots
            if name != HOME:
                open_ = len(place.units) < place.slots and name not in self._benched
                assert (name in self._free) == open_

    def _add(self, worker: WorkerJoined) -> None:
        """Take in a worker; the coordinator is relieved."""
        self._workers[worker.worker] = _Place(worker.slots)
        self._free[worker.worker] = None
        self.at_home = False

    def _rest(self, worker: str, until: float, now: float) -> None:
        self._benched[worker] = until
        self._free.pop(worker, None)
        self._begin_grace(now)

    def _begin_grace(self, now: float) -> None:
        if not len(self):
            self._alone_since = now

    def _open(self, name: str) -> None:
        if len(self._workers[name].units) < self._workers[name].slots:
            self._free[name] = None

    def _place(self, name: str) -> _Place:
        return self._home if name == HOME else self._workers[name]
