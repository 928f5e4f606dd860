"""Locks between processes, on files: they go with the process that holds them, however it ends."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

_PAUSE_S = 0.02


@dataclass(frozen=True)
class Lock:
    """A lock that this process holds.

    Attributes
    ----------
    handle : int
        Descriptor of the locked file.
    """

    handle: int

    def release(self) -> None:
        """Let others have it. A process forked meanwhile does not keep it."""
        fcntl.flock(self.handle, fcntl.LOCK_UN)
        os.close(self.handle)


def take(path: Path, *, shared: bool = False, patience_s: float = 0.0) -> Lock | None:
    """Lock a file, which is made if it is not there.

    Parameters
    ----------
    path : Path
    shared : bool
        Hold it together with others who share it, and against those who do not.
    patience_s : float
        How long to wait for a process that holds it.

    Returns
    -------
    Lock or None
        None when another process holds it still, or where the file system has no locks.

    Raises
    ------
    FileNotFoundError
        The folder of the file is not there.
    OSError
        The file cannot be made.
    """
    if fcntl is None:
        return None
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    until = time.monotonic() + patience_s
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, kind)
        except BlockingIOError:
            os.close(handle)
            if time.monotonic() >= until:
                return None
            time.sleep(_PAUSE_S)
        except OSError:  # no locks here
            os.close(handle)
            return None
        else:
            if _is_at(handle, path):
                return Lock(handle)
            os.close(handle)  # it was deleted while we waited: the lock is on its successor


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
