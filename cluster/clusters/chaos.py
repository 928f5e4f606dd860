"""Trouble on purpose: for drills, and for the tests that hold recovery to its promises."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Self

from distributed import Client, LocalCluster

from ..plan.moves import Note, Progress


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


@dataclass(frozen=True)
class Stroke:
    """What a storm did: when after its beginning, what, and to which worker."""

    at_s: float
    what: str
    worker: str


class Storm:
    """Strikes the workers of a local cluster at random while its ``with`` block runs.

    What it does when follows from the seed: it kills a worker, stops one for a while, starts one
    more and retires it again. Which worker it meets depends on who is there. In the end all are
    woken, and the cluster has as many workers as before.

    Parameters
    ----------
    cluster : distributed.LocalCluster
    seed : int
    every_s : float
        Mean time between strokes.
    stop_s : float
        How long a stopped worker is stopped at most.

    Attributes
    ----------
    strokes : list of Stroke
    """

    def __init__(
        self, cluster: LocalCluster, seed: int, every_s: float = 5.0, stop_s: float = 20.0
    ) -> None:
        self.strokes: list[Stroke] = []
        self._cluster: Any = cluster  # of its methods only some have types
        self._random = random.Random(seed)
        self._every_s, self._stop_s = every_s, stop_s
        self._n_workers = len(cluster.workers)
        self._over = threading.Event()
        self._stopped: dict[int, float] = {}  # process numbers, and when they are woken
        self._thread = threading.Thread(target=self._rage, name="exmc-storm", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _rage(self) -> None:
        began = time.monotonic()
        try:
            while not self._over.wait(self._random.expovariate(1 / self._every_s)):
                what = self._random.choice(("kill", "kill", "stop", "start"))
                dice, length_s = self._random.random(), self._random.uniform(0, self._stop_s)
                self._wake(time.monotonic())
                worker = self._strike(what, dice, length_s)
                self.strokes.append(Stroke(time.monotonic() - began, what, worker))
        finally:
            self._wake(inf)
            self._cluster.scale(self._n_workers)

    def _strike(self, what: str, dice: float, length_s: float) -> str:
        if what == "start":  # one more, or the number there should be, which replaces the missing
            more = len(self._cluster.worker_spec) == self._n_workers
            self._cluster.scale(self._n_workers + more)
            return f"{self._n_workers + more} workers"
        living = {worker: pid for worker, pid in self._living().items() if _is_there(pid)}
        if not living:
            return "nobody"
        worker = sorted(living)[int(dice * len(living))]
        with contextlib.suppress(ProcessLookupError):
            os.kill(living[worker], signal.SIGKILL if what == "kill" else signal.SIGSTOP)
        if what == "stop":
            self._stopped[living[worker]] = time.monotonic() + length_s
        return worker

    def _living(self) -> dict[str, int]:
        """Return the processes that nannies hold, hung ones too; nobody is asked."""
        nannies = list(self._cluster.workers.values())
        return {n.worker_address: n.pid for n in nannies if n.worker_address and n.pid}

    def _wake(self, now: float) -> None:
        for pid in [pid for pid, until in self._stopped.items() if until <= now]:
            del self._stopped[pid]
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
