"""Schedulers and workers as others may run them: bare, elsewhere, without us, of other versions."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

_MAIN = "from distributed.cli.dask_{} import main; main()"
_HIDE_IMPORT = "import sys; sys.modules['exmc_dask'] = None\n"
_CLAIM = """
import importlib.metadata as m
true = m.version
def version(name):
    if name == {0!r}:
        if {1!r} is None: raise m.PackageNotFoundError(name)
        return {1!r}
    return true(name)
m.version = version
"""
KINDS = {
    "good": "",
    "broken": _HIDE_IMPORT,
    "lacking": _HIDE_IMPORT + _CLAIM.format("exmc_dask", None),
    "foreign": _CLAIM.format("numba", "0.1"),
}
"""What a process runs before Dask: nothing; or it cannot import us, lacks us, has another numba."""


Process = subprocess.Popen[bytes]


class Processes:
    """Processes that end with the ``with`` block.

    Parameters
    ----------
    folder : Path
        For the logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = ExitStack()
        self._n = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._started.close()

    def start(
        self, what: str, kind: str, *args: str, via: Sequence[str] = (), **variables: str
    ) -> Process:
        """Start ``dask <what>``; ``via`` is a command that starts commands elsewhere."""
        self._n += 1
        log = (self._folder / f"{what}-{self._n}.log").open("w")
        process = subprocess.Popen(
            [*via, sys.executable, "-c", KINDS[kind] + _MAIN.format(what), *args],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path),
                **variables,
            },
            stderr=log,
        )
        log.close()
        self._started.callback(process.wait)
        self._started.callback(process.kill)
        return process

    def scheduler(
        self,
        port: int = 0,
        kind: str = "good",
        host: str = "127.0.0.1",
        via: Sequence[str] = (),
        options: Sequence[str] = ("--no-dashboard",),
    ) -> tuple[str, Process]:
        """Start a scheduler and return its address when it listens."""
        port = port or free_port()
        process = self.start(
            *("scheduler", kind, "--host", host, "--port", str(port)),
            *("--dashboard-address", f"{host}:0", *options),
            via=via,
        )
        return f"tcp://{host}:{port}", process

    def worker(
        self,
        address: str,
        kind: str = "good",
        host: str = "127.0.0.1",
        via: Sequence[str] = (),
        options: Sequence[str] = (),
        **variables: str,
    ) -> Process:
        """Start a worker of one thread without a nanny, with variables of its environment."""
        return self.start(
            *("worker", kind, address, "--host", host, "--no-nanny", "--nthreads", "1"),
            *("--name", f"{kind}-{self._n}", "--no-dashboard", "--dashboard-address", f"{host}:0"),
            *options,
            via=via,
            **variables,
        )


def kill(process: Process) -> None:
    """End a process as a power cut would."""
    process.send_signal(signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
