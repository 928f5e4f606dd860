"""Trouble on purpose: for drills, and for the tests that hold recovery to its promises."""

import os
import signal
import threading
from collections.abc import Mapping

from distributed import Client

from .moves import Note, Progress


def pids(client: Client) -> dict[str, int]:
    """Return the process number of each worker by address; all on this machine, one hopes."""
    found: dict[str, int] = client.run(os.getpid)
    return found


class Strike:
    """An ``on_event`` that signals the worker of a chain when it is seen at a draw, once.

    Parameters
    ----------
    pids : mapping of str to int
        Process numbers by worker.
    unit, draw : int
        The chain, and the draw it must have reached.
    signum : signal.Signals
        What hits it.
    after_s : float
        How long after it was seen: time for the chain's next block to begin.

    Attributes
    ----------
    struck : str or None
        The worker that was hit.
    pid : int
        Its process; 0 before.
    """

    def __init__(
        self,
        pids: Mapping[str, int],
        unit: int,
        draw: int,
        signum: signal.Signals = signal.SIGKILL,
        after_s: float = 0.1,
    ) -> None:
        self.struck: str | None = None
        self.pid = 0
        self._pids, self._unit, self._draw = dict(pids), unit, draw
        self._signum, self._after_s = signum, after_s

    def __call__(self, event: Progress | Note) -> None:
        """Take an event of the run."""
        if self.struck is not None or not isinstance(event, Progress):
            return
        if event.unit == self._unit and event.draw >= self._draw and event.worker in self._pids:
            self.struck, self.pid = event.worker, self._pids[event.worker]
            threading.Timer(self._after_s, os.kill, (self.pid, self._signum)).start()
