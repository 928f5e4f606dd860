"""How long a block may take and how often it speaks: enough, and not too much."""

_MIN_S, _MAX_S = 0.25, 15.0


class Pace:
    """An estimate of a block's journey there and back, and the budget that follows from it."""

    def __init__(self) -> None:
        self._round_trip_s = 0.0

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
