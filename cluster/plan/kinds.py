"""Which of the kinds of workers that there are a run uses: those whose blocks have equal bits."""

from .moves import WorkerJoined


class Kinds:
    """The CPU classes of the workers that are there, to one of which a run keeps.

    The first worker decides, unless the class is given; others are set aside until none of that
    class has been there for a while. A worker that says no class is of any.

    Parameters
    ----------
    kept : str
        The class that draws were made with before; "" if there are none.

    Attributes
    ----------
    kept : str
    """

    def __init__(self, kept: str = "") -> None:
        self.kept = kept
        self._aside: dict[str, WorkerJoined] = {}

    def __contains__(self, worker: str) -> bool:
        return worker in self._aside

    def takes(self, worker: WorkerJoined) -> bool:
        """Tell whether a worker may be given blocks; if not, it is set aside."""
        self.kept = self.kept or worker.kind
        if worker.kind in ("", self.kept):
            return True
        self._aside[worker.worker] = worker
        return False

    def is_news(self, worker: WorkerJoined) -> bool:
        """Tell whether no other worker that is aside is of this one's class."""
        return [other.kind for other in self._aside.values()].count(worker.kind) == 1

    def forget(self, worker: str) -> None:
        """Take note that a worker is gone."""
        self._aside.pop(worker, None)

    def turn(self) -> list[WorkerJoined]:
        """Keep to another class from now on, that with most slots, and return its workers."""
        slots: dict[str, int] = {}
        for worker in self._aside.values():
            slots[worker.kind] = slots.get(worker.kind, 0) + worker.slots
        if not slots:
            return []
        self.kept = min(slots, key=lambda kind: (-slots[kind], kind))
        found = [worker for worker in self._aside.values() if worker.kind == self.kept]
        for worker in found:
            del self._aside[worker.worker]
        return found
