"""Child processes on pipes: where blocks go when they must not take anyone down with them."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from exmc_dask.processor import n_processors

from ..messages.wire import Failure, Missing, Spec, Stop, Task, pack, unpack
from ..plan.moves import BlockDone, BlockProgress, Fault, WorkerJoined
from ..worker.watch import Report, Watch
from .child import read_frame, write_frame
from .pool import Order, Pool, Post

_LOG_BYTES = 65536
_SHOWN = 2000
# What faulthandler writes: the error, the stacks of all threads, then a list of modules.
_DUMP = re.compile(
    r"(?P<error>Fatal Python error: [^\n]*).*?(?P<stack>\nCurrent thread .*?)(\n\n.*)?\Z", re.DOTALL
)


def last_words(log: str) -> str:
    """Return the end of what a process wrote, 2000 characters at most.

    Of a faulthandler dump remain the error and the stack of the thread that died: the stacks of the
    others and the names of modules, of any length, would push the error out of what is shown.
    """
    return _DUMP.sub(r"\g<error>\g<stack>", log.strip())[-_SHOWN:]


class Child:
    """A child process as its parent sees it; for one block at a time.

    Parameters
    ----------
    lacking : callable
        Returns the parcels of given names when the child asks for them.
    """

    def __init__(self, lacking: Callable[[Sequence[str]], dict[str, bytes]]) -> None:
        self._lacking = lacking
        self._writing = threading.Lock()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-X", "faulthandler", "-m", "exmc_dask.cluster.pools.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
            start_new_session=True,  # a Ctrl-C at the terminal is for the parent
        )

    @property
    def alive(self) -> bool:
        """Whether it can take another block."""
        return self._process.poll() is None

    def run(self, task: Task, report: Report, wanted: Callable[[], bool] | None = None) -> bytes:
        """Run a task in the child and return its answer; a Failure when the child died.

        ``report`` and ``wanted`` are those of `Watch`.
        """
        seen = Watch(task, wanted=wanted, on_stop=lambda drop: self.stop(task.name, drop))
        with seen, contextlib.suppress(BrokenPipeError):
            self._send(pack(task))
            while (message := self._receive()) is not None:
                answer = unpack(message)
                if isinstance(answer, BlockProgress):
                    report(answer)
                elif isinstance(answer, Missing):
                    self._send(pack(replace(task, parcels=self._lacking(answer.names))))
                else:
                    return message
        return pack(
            Failure(
                unit=task.unit,
                first=task.first,
                attempt=task.attempt,
                fault=Fault.DIED.name,
                draw=task.first,
                kind="ChildDied",
                message=self._obituary(),
                trace="",
            )
        )

    def stop(self, name: str, drop: bool) -> None:
        """Let a block end with what it has, or end the process with it."""
        if drop:
            self._process.kill()
            return
        with contextlib.suppress(BrokenPipeError):  # a death is seen by who reads the answers
            self._send(pack(Stop(name, drop=False)))

    def close(self) -> None:
        """End the process and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _send(self, message: bytes) -> None:
        assert self._process.stdin is not None
        with self._writing:
            write_frame(self._process.stdin, message)

    def _receive(self) -> bytes | None:
        assert self._process.stdout is not None
        return read_frame(self._process.stdout)

    def _obituary(self) -> str:
        code = self._process.wait()
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_BYTES))
        log = last_words(self._log.read().decode(errors="replace"))
        return f"a child process ended with {how}" + (f", having said: {log}" if log else "")


class ChildPool(Pool):
    """Child processes of this process, started when there is work for them.

    Parameters
    ----------
    n_children : int, optional
        Blocks at a time; as many as the process has processors by default.
    """

    _NAME = "children"

    def __init__(self, n_children: int | None = None) -> None:
        self.n_children = n_children or n_processors()

    def attach(self, run: str, spec: Spec, post: Post) -> None:
        """Begin to serve a run."""
        self._spec, self._post = spec, post
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._given: dict[str, Child | None] = {}  # blocks by name; the child once it has one
        self._dropped: set[str] = set()
        self._threads: list[threading.Thread] = []
        post([WorkerJoined(self._NAME, self.n_children)])

    def start(self, orders: Sequence[Order]) -> None:
        """Start blocks."""
        for order in orders:
            self._given[order.task.name] = None
            self._tasks.put(order.task)
        while len(self._threads) < min(self.n_children, len(self._given)):
            thread = threading.Thread(target=self._work, name="exmc-child", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, stops: Sequence[tuple[str, Stop]]) -> None:
        """Let blocks end."""
        for _, stop in stops:
            if stop.drop:
                self._dropped.add(stop.name)
            child = self._given.get(stop.name)
            if child is not None:
                child.stop(stop.name, stop.drop)

    def detach(self) -> None:
        """End the service and the processes."""
        for _ in self._threads:
            self._tasks.put(None)
        self.stop([(self._NAME, Stop(name, drop=True)) for name in list(self._given)])
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        child = self._child()
        try:
            while (task := self._tasks.get()) is not None:
                if not child.alive:
                    child.close()
                    child = self._child()
                self._given[task.name] = child
                if task.name not in self._dropped:  # asked second: `stop` writes before it looks
                    answer = unpack(child.run(task, lambda progress: self._post([progress])))
                    if isinstance(answer, Failure):
                        self._post([answer.event(self._NAME, self._spec.words)])
                    else:
                        self._post([BlockDone(self._NAME, answer)])
                del self._given[task.name]
        finally:
            child.close()

    def _child(self) -> Child:
        parcels = self._spec.parcels
        return Child(lambda names: {name: parcels[name] for name in names})
