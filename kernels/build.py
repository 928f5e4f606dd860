"""Sources to modules: where kernels are written, imported from, and by whom they are compiled.

numba's disk cache notices a change in the file of a function, not in the files of the functions
it inlines, so machine code may outlive the source that it was made from. Here that cannot happen:
every source that takes part lies in one folder of the `cache`, named by the hash of them all, of
the versions of the compilers and of the CPU class::

    <cache root>/<sha256>/__init__.py
                          vecmath.py  rng.py  nuts.py ...   copies: the runtime
                          kernel_<sha256 of its text>.py    generated, one per kernel
                          __pycache__/                      machine code, kept by numba

The folder is imported as a package ``exmc_<first 16 digits>``, so the relative imports of the
copies and of the generated kernels stay inside it. Any number of threads and processes may use a
folder at once; what several of them want compiled, one compiles.
"""

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from exmc_dask import processor
from exmc_dask.errors import CompileError

from . import cache

RUNTIME = (
    *("vecmath.py", "special.py", "incomplete.py", "loops.py", "linalg.py"),
    *("chain.py", "walk.py", "group.py", "rng.py", "metric.py", "dense.py", "low_rank.py"),
    *("stepsize.py", "adapt.py", "tree.py", "nuts.py", "run_cpu.py"),
    *("lbfgs.py", "mode.py", "cloud.py", "pathfinder.py", "smc.py", "advi.py"),
)
"""Files of the folder ``runtime`` that generated kernels and samplers are compiled with."""

ON_DEVICE = {
    **{name: name for name in RUNTIME if name != "run_cpu.py"},
    "blocks.py": "blocks.py",
    "group.py": "group_cuda.py",
    "linalg.py": "linalg_cuda.py",
    "loops.py": "loops_cuda.py",
    "tally.py": "tally.py",
    "tiles.py": "tiles.py",
    "trips.py": "trips.py",
    "vecmath.py": "vecmath_cuda.py",
}
"""The runtime of the target "cuda": name of a module there -> its file."""
LANES = (1, 2, 4, 8, 16, 32)
"""Numbers of lanes that can share a chain."""

_HERE = Path(__file__).with_name("runtime")
_DISTRIBUTIONS = ("exmc-dask", "numba", "llvmlite", "numpy")
_lock = threading.RLock()


def fingerprint(target: str = "cpu") -> dict[str, str]:
    """Return what the bits of a draw depend on besides model, data and seed.

    Returns
    -------
    dict of str to str
        Keys ``target``, ``cpu``, ``exmc_dask``, ``numba``, ``llvmlite``, ``numpy``.
    """
    return {"target": target, "cpu": processor.cpu_class(), **_versions()}


@functools.cache
def _versions() -> dict[str, str]:
    return {name.replace("-", "_"): version(name) for name in _DISTRIBUTIONS}


def sources() -> dict[str, str]:
    """Return the runtime, file name -> text, as it stands in this package."""
    return {name: (_HERE / name).read_text("utf-8") for name in RUNTIME}


def device_sources(lanes: int) -> dict[str, str]:
    """Return the runtime of the target "cuda" for chains that are shared by so many lanes."""
    texts = {name: (_HERE / file).read_text("utf-8") for name, file in ON_DEVICE.items()}
    texts["group.py"] = texts["group.py"].replace("\nLANES = 1\n", f"\nLANES = {lanes}\n")
    return texts


def runtime(texts: Mapping[str, str] | None = None) -> ModuleType:
    """Return the runtime as a package imported from its folder in the cache.

    Parameters
    ----------
    texts : mapping of file name to text, optional
        Other texts than `sources`, as for a mutation test. They get another folder.

    Raises
    ------
    CompileError
        See `cache.install` and `processor.cpu_class`.
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
        files = {"__init__.py": '"""Kernels and what they run on."""\n', **texts}
        folder = cache.install(digest, files)
        importlib.invalidate_caches()
        return _import(name, folder / "__init__.py", package=True)


class _Promise(ModuleType):
    """A module that is imported when something in it is asked for."""

    def __getattr__(self, attribute: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), attribute)


@functools.cache
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


@functools.cache
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
    package = package or runtime()
    with _lock, _kept_beside_its_source():
        return importlib.import_module(f"{package.__name__}.{name}")


def compiling(name: str, package: ModuleType | None = None) -> AbstractContextManager[None]:
    """Let one process at a time compile something of the runtime; see `cache.compiling`."""
    file = (package or runtime()).__file__
    assert file is not None
    return cache.compiling(Path(file).parent, name)


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
        The text does not import: it names the file, which can be opened and read. Or the cache
        cannot be written.
    """
    package = package or runtime()
    assert package.__file__ is not None
    stem = f"kernel_{hashlib.sha256(source.encode()).hexdigest()}"
    name = f"{package.__name__}.{stem}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        file = Path(package.__file__).with_name(f"{stem}.py")
        try:
            with cache.writing(file.parent):
                cache.write(file, source)
                with compiling(stem, package):
                    return _import(name, file)
        except CompileError:
            raise
        except Exception as error:
            raise CompileError(
                f"the kernel {file} does not compile: {error}; "
                "this is a defect of exmc_dask, please report it with that file"
            ) from error


@contextlib.contextmanager
def _kept_beside_its_source() -> Iterator[None]:
    """Let numba keep machine code in the folder of the runtime, whatever NUMBA_CACHE_DIR says.

    Elsewhere no seed would bring it and no clearing would find it.
    """
    config: Any = importlib.import_module("numba.core.config")
    named, config.CACHE_DIR = config.CACHE_DIR, ""
    try:
        yield
    finally:
        config.CACHE_DIR = named


def _import(name: str, file: Path, *, package: bool = False) -> ModuleType:
    locations = [str(file.parent)] if package else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=locations)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _kept_beside_its_source():
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


processor.pin()
