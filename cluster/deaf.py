"""A preload for workers of our own clusters: a Ctrl-C at the terminal is for the coordinator.

The terminal sends it to all processes of the program. A worker that took it would die with its
block, instead of sending what it has.
"""

import signal

from distributed import Worker


def dask_setup(worker: Worker) -> None:
    """Ignore the interrupt from the keyboard; Dask calls this when the worker starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
