"""How long a block may take, how often it speaks, and how long it may be silent."""

import heapq
from math import inf

_MIN_S, _MAX_S = 0.25, 15.0


class Pace:
    """An estimate of a block's journey there and back, and the budget that follows from it."""

    def __init__(self) -> None:
        self._round_trip_s = 0.0
        self._slowest_s = 0.0  # between two words of a block that told of progress

    def measure(self, spent_s: float) -> None:
        """Follow a measured journey; a slow one, as a worker's first is, at most doubles it."""
        spent_s = min(max(spent_s, 0.0), 2 * self._round_trip_s + 0.005)
        self._round_trip_s += 0.3 * (spent_s - self._round_trip_s)

    def budget_s(self, n_workers: int) -> float:
        """Return the time for a block: its journey costs 1 %, the coordinator 10 ms a block."""
        return min(max(100 * self._round_trip_s, n_workers / 100, _MIN_S), _MAX_S)

    def every_s(self, n_workers: int) -> float:
        """Return the distance of a block's progress messages: at most 200 a second in all."""
        return max(1.0, n_workers / 200)

    def silence_s(self, n_workers: int) -> float:
        """Return how long a block that has begun may say nothing before it counts as hung."""
        return max(10.0, 5 * self.every_s(n_workers))

    def moved(self, spent_s: float) -> None:
        """Learn how long a block may take from one gradient to another."""
        self._slowest_s = max(self._slowest_s, spent_s)

    @property
    def standstill_s(self) -> float:
        """How long a block that draws may evaluate no gradient before it counts as stuck."""
        return max(30.0, 10 * self._slowest_s)


class Alarms:
    """One alarm per unit; setting it anew, later than before, costs nothing."""

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []  # of each unit the alarm as it was once set

    def set(self, unit: int, when: float) -> None:
        """Let a unit's alarm ring at some time instead of when it would have."""
        if unit not in self._due or when < self._due[unit]:
            heapq.heappush(self._heap, (when, unit))
        self._due[unit] = when

    def clear(self, unit: int) -> None:
        """Let a unit have no alarm."""
        self._due.pop(unit, None)

    @property
    def next(self) -> float:
        """A time before which none rings."""
        return self._heap[0][0] if self._heap else inf

    def ring(self, now: float) -> list[int]:
        """Return the units whose time has come; their alarms are over."""
        rung = []
        while self.next <= now:
            _, unit = heapq.heappop(self._heap)
            due = self._due.get(unit, inf)
            if due <= now:
                rung.append(unit)
                del self._due[unit]
            elif due < inf:
                heapq.heappush(self._heap, (due, unit))
        return rung
