"""The folder of compiled code: where kernel sources are written, imported from and cached.

numba's disk cache notices a change in the file of a function, not in the files of the functions
it inlines, so machine code may outlive the source that it was made from. Here that cannot happen:
every source that takes part lies in one folder named by the hash of them all, of the versions of
the compilers and of the CPU class::

    <cache root>/<sha256>/__init__.py
                          vecmath.py  rng.py  nuts.py ...   copies: the runtime
                          kernel_<sha256 of its text>.py    generated, one per kernel
                          __pycache__/                      machine code, kept by numba

The folder is imported as a package ``exmc_<first 16 digits>``, so the relative imports of the
copies and of the generated kernels stay inside it. Files appear by atomic rename and never
change, so any number of threads and processes may use a folder at once.

Environment
-----------
EXMC_CACHE_DIR
    The cache root; the platform's cache folder of the user when unset.
EXMC_CACHE_SEED
    A folder that may hold ``<sha256>`` folders built earlier, as in a container image; it is read
    and never written.
EXMC_CPU
    ``x86-64-v2``, ``x86-64-v3`` or ``x86-64-v4``: the instructions that kernels may use. Hosts of
    one class give equal bits. The host's own when unset.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import platformdirs

from exmc_dask.errors import CompileError

RUNTIME = (
    *("vecmath.py", "special.py", "loops.py", "linalg.py"),
    *("chain.py", "walk.py", "group.py", "rng.py", "metric.py", "dense.py", "stepsize.py"),
    *("adapt.py", "tree.py", "nuts.py", "run_cpu.py"),
)
"""Files of this folder that generated kernels and samplers are compiled with."""

_CPU_LEVELS = {
    "x86-64-v2": ("sse4.2", "popcnt"),
    "x86-64-v3": ("avx2", "fma", "bmi", "bmi2", "lzcnt", "movbe"),
    "x86-64-v4": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
}
_DISTRIBUTIONS = ("exmc-dask", "numba", "llvmlite", "numpy")
_FOLDER_NAME = re.compile(r"[0-9a-f]{64}|\.exmc_seed_.*")
_lock = threading.RLock()


@dataclass(frozen=True)
class CacheInfo:
    """What the cache holds.

    Attributes
    ----------
    path : Path
        The cache root.
    size_bytes : int
        Size of all files below it.
    kernels : int
        Number of generated kernels, over all versions of the runtime.
    """

    path: Path
    size_bytes: int
    kernels: int


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


def _pin_cpu() -> None:
    """Hand EXMC_CPU to numba, which reads its own variables once, when it is imported."""
    level = os.environ.get("EXMC_CPU")
    if level:
        os.environ["NUMBA_CPU_NAME"] = level
        os.environ["NUMBA_CPU_FEATURES"] = ""  # unset would add the host's own features again


@cache
def _host_cpu() -> tuple[str, str]:
    from llvmlite import binding

    return binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


def cpu_class() -> str:
    """Return the name of the instruction set that kernels are compiled for.

    Returns
    -------
    str
        ``EXMC_CPU`` where it is set; otherwise the name of the CPU and a hash of its features.

    Raises
    ------
    CompileError
        ``EXMC_CPU`` is not a known level, this host lacks its instructions, or numba was imported
        before this module could tell it.
    """
    level = os.environ.get("EXMC_CPU")
    host, host_features = _host_cpu()
    if not level:
        name = os.environ.get("NUMBA_CPU_NAME", host)
        features = os.environ.get("NUMBA_CPU_FEATURES", host_features)
        return f"{name}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
    if level not in _CPU_LEVELS:
        raise CompileError(f"EXMC_CPU={level} is not one of {', '.join(_CPU_LEVELS)}")
    present = host_features.split(",")
    missing = [feature for feature in _CPU_LEVELS[level] if f"+{feature}" not in present]
    if missing:
        raise CompileError(
            f"EXMC_CPU={level} needs {', '.join(missing)}, which this CPU ({host}) lacks; "
            "choose a lower level or unset EXMC_CPU"
        )
    config = sys.modules.get("numba.core.config")
    heard = config is None or [level, ""] == [config.CPU_NAME, config.CPU_FEATURES]
    if not heard:
        raise CompileError(
            f"EXMC_CPU={level} came too late: numba was already imported; import "
            "exmc_dask.kernels before numba, or also set NUMBA_CPU_NAME to the same level and "
            "NUMBA_CPU_FEATURES to nothing"
        )
    return level


def fingerprint(target: str = "cpu") -> dict[str, str]:
    """Return what the bits of a draw depend on besides model, data and seed.

    Returns
    -------
    dict of str to str
        Keys ``target``, ``cpu``, ``exmc_dask``, ``numba``, ``llvmlite``, ``numpy``.
    """
    return {"target": target, "cpu": cpu_class(), **_versions()}


@cache
def _versions() -> dict[str, str]:
    return {name.replace("-", "_"): version(name) for name in _DISTRIBUTIONS}


def sources() -> dict[str, str]:
    """Return the runtime, file name -> text, as it stands in this package."""
    here = Path(__file__).parent
    return {name: (here / name).read_text("utf-8") for name in RUNTIME}


def runtime(texts: Mapping[str, str] | None = None) -> ModuleType:
    """Return the runtime as a package imported from its folder in the cache.

    Parameters
    ----------
    texts : mapping of file name to text, optional
        Other texts than `sources`, as for a mutation test. They get another folder.

    Raises
    ------
    CompileError
        See `cache_root` and `cpu_class`.
    """
    if texts is None:
        return _runtime_as_shipped()
    identity = json.dumps([sorted(texts.items()), fingerprint()])
    digest = hashlib.sha256(identity.encode()).hexdigest()
    name = f"exmc_{digest[:16]}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        _import_numba()
        folder = cache_root() / digest
        _plant_seed(folder)
        for file, text in {"__init__.py": '"""Kernels and what they run on."""\n', **texts}.items():
            _write(folder / file, text)
        importlib.invalidate_caches()
        return _import(name, folder / "__init__.py", package=True)


class _Promise(ModuleType):
    """A module that is imported when something in it is asked for."""

    def __getattr__(self, attribute: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), attribute)


@cache
def _import_numba() -> None:
    """Import numba's arrays, but not SciPy, of which numba only asks here whether it is there.

    That answer would take a third of a process' start. Compiled code that needs BLAS finds it by
    name when it runs, as ever.
    """
    blas = "scipy.linalg.cython_blas"
    promise = _Promise(blas)
    if importlib.util.find_spec("scipy") is not None:
        sys.modules.setdefault(blas, promise)
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        if sys.modules.get(blas) is promise:
            del sys.modules[blas]


@cache
def _runtime_as_shipped() -> ModuleType:
    return runtime(sources())


def runtime_module(name: str, package: ModuleType | None = None) -> ModuleType:
    """Return one module of the runtime, for instance ``runtime_module("nuts")``.

    Parameters
    ----------
    name : str
        Name of the file without its suffix.
    package : ModuleType, optional
        What `runtime` returned; by default the runtime as shipped.
    """
    with _lock:
        return importlib.import_module(f"{(package or runtime()).__name__}.{name}")


def load(source: str, package: ModuleType | None = None) -> ModuleType:
    """Write a generated kernel beside the runtime and import it.

    Parameters
    ----------
    source : str
        Text of the module. ``from .vecmath import exp`` finds the runtime's copy.
    package : ModuleType, optional
        What `runtime` returned; by default the runtime as shipped.

    Returns
    -------
    ModuleType
        The same object for the same text and package.

    Raises
    ------
    CompileError
        The text does not import: it names the file, which can be opened and read.
    """
    package = package or runtime()
    assert package.__file__ is not None
    stem = f"kernel_{hashlib.sha256(source.encode()).hexdigest()}"
    name = f"{package.__name__}.{stem}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        file = Path(package.__file__).with_name(f"{stem}.py")
        _write(file, source)
        try:
            return _import(name, file)
        except Exception as error:
            raise CompileError(
                f"the kernel {file} does not compile: {error}; "
                "this is a defect of exmc_dask, please report it with that file"
            ) from error


def cache_info() -> CacheInfo:
    """Return the place, the size and the number of kernels of the cache."""
    folders = _folders()
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    kernels = sum(len(list(folder.glob("kernel_*.py"))) for folder in folders)
    return CacheInfo(cache_root(), sum(path.stat().st_size for path in files), kernels)


def cache_clear() -> None:
    """Delete the cache. Processes that already imported from it go on undisturbed."""
    for folder in _folders():
        shutil.rmtree(folder)


def _folders() -> list[Path]:
    """Return the folders that are ours: the root may be a folder that holds other things too."""
    return [path for path in cache_root().iterdir() if _FOLDER_NAME.fullmatch(path.name)]


def _write(path: Path, text: str) -> None:
    """Let `path` hold `text`, whole or not at all, whoever else is writing it."""
    if path.exists() and path.read_text("utf-8") == text:
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".py")
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    os.replace(scratch, path)


def _plant_seed(folder: Path) -> None:
    """Copy the folder of this hash from EXMC_CACHE_SEED, machine code included, if it is there."""
    seed = os.environ.get("EXMC_CACHE_SEED")
    if not seed or folder.exists() or not (Path(seed) / folder.name).is_dir():
        return
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".exmc_seed_"))
    copy = scratch / "copy"
    shutil.copytree(Path(seed) / folder.name, copy)
    for place in (copy, *copy.rglob("*/")):
        place.chmod(0o700)  # a seed may be read-only
    try:
        copy.rename(folder)
    except OSError:  # another process was faster
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(scratch)


def _import(name: str, file: Path, *, package: bool = False) -> ModuleType:
    locations = [str(file.parent)] if package else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=locations)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


_pin_cpu()
