"""The folder of compiled code: what lies in it, who may write there, what may be deleted.

::

    <root>/<sha256>/                  a runtime: sources and machine code of one version
                    in_use.lock       shared by the processes that run from here; dated last use
                    <module>.lock     held by the process that compiles a module; not empty
                                      when that is done, so that nobody need lock it any more

Files appear by atomic rename and never change, so locks are not needed for safety but to spare
work: without them, as on file systems that have none, several processes compile the same.

Environment
-----------
EXMC_CACHE_DIR
    The root; the platform's cache folder of the user when unset.
EXMC_CACHE_SEED
    A folder that may hold runtimes built earlier, as in a container image; it is copied from and
    never written. To make one, run models with EXMC_CACHE_DIR set to it.
"""

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from exmc_dask.errors import CompileError

from . import locks

_IN_USE = "in_use.lock"
_RUNTIME_NAME = re.compile(r"[0-9a-f]{64}")
_SCRATCH = ".exmc_"  # what its maker did not live to delete begins so
_WRITTEN_AT = 1_577_836_800  # 2020: numba and Python compare times of files, images change them
_PATIENCE_S = 60.0  # with a process that compiles: it may have been suspended
_UNUSED_S = 30 * 86_400.0  # after which a new version sweeps an old one away
_held: dict[Path, locks.Lock] = {}


@dataclass(frozen=True)
class Runtime:
    """One version of the runtime with the kernels that were compiled on it.

    Attributes
    ----------
    path : Path
    kernels : int
        Generated kernels.
    size_bytes : int
        Of all its files.
    used_at : float
        When a process last began to use it, in seconds since 1970.
    """

    path: Path
    kernels: int
    size_bytes: int
    used_at: float


@dataclass(frozen=True)
class CacheInfo:
    """What the cache holds.

    Attributes
    ----------
    path : Path
        The root.
    runtimes : tuple of Runtime
        The one used last comes first.
    """

    path: Path
    runtimes: tuple[Runtime, ...]

    @property
    def kernels(self) -> int:
        """Number of generated kernels, over all runtimes."""
        return sum(runtime.kernels for runtime in self.runtimes)

    @property
    def size_bytes(self) -> int:
        """Size of all files."""
        return sum(runtime.size_bytes for runtime in self.runtimes)


@dataclass(frozen=True)
class Cleared:
    """What `cache_clear` deleted, and what it was to delete but other processes use."""

    deleted: tuple[Runtime, ...]
    in_use: tuple[Runtime, ...]


def cache_root() -> Path:
    """Return the cache root, made with mode 0700 if it was not there.

    numba's cache files are pickles, so whoever can write here can run code as the user.

    Raises
    ------
    CompileError
        The folder cannot be made, belongs to another user, or may be written by others.
    """
    named = os.environ.get("EXMC_CACHE_DIR")
    root = Path(named) if named else platformdirs.user_cache_path("exmc_dask")
    root = root.absolute()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = root.stat()
    except OSError as error:
        raise CompileError(
            f"the kernel cache {root} cannot be made ({error.strerror}); "
            "set EXMC_CACHE_DIR to a folder of your own"
        ) from error
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        raise CompileError(
            f"the kernel cache {root} belongs to user id {status.st_uid}, not to {os.getuid()}; "
            "set EXMC_CACHE_DIR to a folder of your own"
        )
    if os.name == "posix" and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CompileError(
            f"the kernel cache {root} may be written by other users "
            f"(mode {stat.S_IMODE(status.st_mode):04o}); run chmod 700 on it, or set "
            "EXMC_CACHE_DIR to a folder inside it, which is then made with mode 0700"
        )
    return root


def cache_info() -> CacheInfo:
    """Return the place of the cache and what it holds."""
    root = cache_root()
    return CacheInfo(root, tuple(_runtimes(root)))


def cache_clear(older_than_s: float = 0.0) -> Cleared:
    """Delete the runtimes that no process uses.

    Parameters
    ----------
    older_than_s : float
        Only those last used so many seconds ago.

    Returns
    -------
    Cleared
        Where the file system has no locks, all runtimes count as in use.
    """
    root, until = cache_root(), time.time() - older_than_s
    _sweep_scratch(root)
    old = [runtime for runtime in _runtimes(root) if runtime.used_at <= until]
    deleted = [runtime for runtime in old if _delete(runtime.path)]
    return Cleared(tuple(deleted), tuple(runtime for runtime in old if runtime not in deleted))


def install(digest: str, texts: Mapping[str, str]) -> Path:
    """Return the folder of a runtime, with its sources in it; this process uses it from now on.

    Raises
    ------
    CompileError
        See `cache_root`; or the folder cannot be written.
    """
    root = cache_root()
    folder = root / digest
    new = not folder.exists()
    with writing(folder):
        if new:
            _plant_seed(folder)
        _use(folder)
        for file, text in texts.items():
            write(folder / file, text)
    if new:
        cache_clear(_UNUSED_S)
    return folder


@contextlib.contextmanager
def compiling(folder: Path, module: str) -> Iterator[None]:
    """Let one process at a time compile a module; the others then find its machine code.

    It is a matter of work, not of right: who has waited for a minute goes ahead, and so does who
    cannot lock, as in a folder that somebody deleted by hand.

    Raises
    ------
    CompileError
        The machine code cannot be written.
    """
    path = folder / f"{module}.lock"
    lock = None
    if not (path.exists() and path.stat().st_size):
        with contextlib.suppress(OSError):
            lock = locks.take(path, patience_s=_PATIENCE_S)
    try:
        with writing(folder):
            yield
        if lock is not None:
            with contextlib.suppress(OSError):
                os.write(lock.handle, b"compiled\n")
    finally:
        if lock is not None:
            lock.release()


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say what to do when the cache cannot be written."""
    try:
        yield
    except OSError as error:
        raise CompileError(
            f"the kernel cache {place.parent} cannot be written "
            f"({error.strerror}: {error.filename or place}); "
            "make room or set EXMC_CACHE_DIR to a folder of your own"
        ) from error


def write(path: Path, text: str) -> None:
    """Let `path` hold `text`, whole or not at all, whoever else is writing it."""
    if path.exists() and path.read_text("utf-8") == text:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=_SCRATCH, suffix=".py")
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    os.utime(scratch, (_WRITTEN_AT, _WRITTEN_AT))
    os.replace(scratch, path)


def _runtimes(root: Path) -> list[Runtime]:
    found = []
    for path in root.iterdir():
        if _RUNTIME_NAME.fullmatch(path.name):
            with contextlib.suppress(FileNotFoundError):  # another process deletes it
                found.append(_runtime(path))
    return sorted(found, key=lambda runtime: -runtime.used_at)


def _runtime(folder: Path) -> Runtime:
    size = kernels = 0
    used_at = folder.stat().st_mtime
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a scratch file, renamed meanwhile
            status = path.stat()
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
            kernels += path.match("kernel_*.py")
            used_at = status.st_mtime if path.name == _IN_USE else used_at
    return Runtime(folder, kernels, size, used_at)


def _use(folder: Path) -> None:
    """Lock the folder against deletion for as long as this process lives, and date its use."""
    while folder not in _held:
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            lock = locks.take(folder / _IN_USE, shared=True, patience_s=_PATIENCE_S)
        except FileNotFoundError:
            continue  # deleted between these two lines
        if lock is None:
            break
        _held[folder] = lock
    (folder / _IN_USE).touch()


def _delete(folder: Path) -> bool:
    """Delete a runtime and say whether that was done: not while a process uses it."""
    try:
        lock = locks.take(folder / _IN_USE)
    except FileNotFoundError:  # another process was faster
        return True
    if lock is None:
        return False
    try:
        gone = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_SCRATCH))
        folder.rename(gone / "deleted")
    finally:
        lock.release()
    shutil.rmtree(gone, ignore_errors=True)  # what stays is swept up later
    return True


def _sweep_scratch(root: Path) -> None:
    """Delete what processes that were killed have left of seeds and deletions."""
    for path in root.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            if path.stat().st_mtime < time.time() - 3600:
                shutil.rmtree(path, ignore_errors=True)


def _plant_seed(folder: Path) -> None:
    """Copy the folder of this hash from EXMC_CACHE_SEED, machine code included, if it is there."""
    seed = os.environ.get("EXMC_CACHE_SEED")
    if not seed or not (Path(seed) / folder.name).is_dir():
        return
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_SCRATCH))
    copy = scratch / "copy"
    shutil.copytree(Path(seed) / folder.name, copy)
    for place in (copy, *copy.rglob("*")):
        place.chmod(0o700 if place.is_dir() else 0o600)  # a seed may be read-only
        if place.suffix == ".py":
            os.utime(place, (_WRITTEN_AT, _WRITTEN_AT))
    try:
        copy.rename(folder)
    except OSError:  # another process was faster
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(scratch)
