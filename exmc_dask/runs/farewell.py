"""Farewell: runs that are under way when their process ends are ended, and do not hold it up."""

import atexit
import weakref
from typing import Protocol

_PATIENCE_S = 10.0


class Closes(Protocol):
    """Something that can be ended."""

    def close(self, timeout: float | None = None) -> None:
        """End it, and wait for that."""


_alive: "weakref.WeakSet[Closes]" = weakref.WeakSet()


def close_at_end(run: Closes) -> None:
    """Have something closed before its process ends, unless it is forgotten by then."""
    _alive.add(run)
    atexit.unregister(_close_all)  # to come before what Dask has registered since the last time
    atexit.register(_close_all)


def _close_all() -> None:
    for run in list(_alive):
        run.close(_PATIENCE_S)
