"""The house as it is laid out over three top-level folders: packages, imports, sizes, exports."""

import ast
import doctest
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

import exmc_dask

ROOT = Path(__file__).parents[1]
FOLDERS = {"exmc_dask": "exmc_dask", "kernels": "exmc_dask.kernels", "cluster": "exmc_dask.cluster"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Folders whose modules are rooms of their own, and stand in the table by their own names.
OPEN = ("expressions", "language", "lowering", "results", "runs")

# room: the rooms directly below it, whose own rooms it may enter too. Arrows never turn.
BELOW = {
    "ground": "",  # what an open folder itself holds: a sentence
    "errors": "",
    "warned": "",  # what is no error
    "processor": "errors",  # the CPU class
    "axes": "errors",
    "ops": "axes",
    "elsewhere": "",  # names of other libraries
    "arrays": "ops",  # of the user
    "ir": "arrays elsewhere",
    "graph": "ir",
    "pattern": "graph",
    "layout": "graph",
    "math": "graph",
    "transforms": "pattern layout math",
    "dist": "transforms evaluate",
    "grad": "pattern layout math",
    "text": "dist",  # expressions as the user would write them
    "model": "text grad",
    "slots": "model",  # arrays, their names and lengths
    "tracing": "slots",  # functions of the user
    "verify": "tracing",  # what a declaration must be
    "formula": "verify",  # of distributions, as expressions
    "views": "density",  # how a model shows itself
    "missing": "slots warned",  # entries of observed values that are not there
    "observed": "missing verify",  # variables that are declared with data
    "consistency": "verify",  # whether data fit every declaration
    "whole": "model",  # models that leave their process
    "context": "observed consistency joint views whole",
    "builder": "context",
    "gp": "context",  # Gaussian processes
    "evaluate": "graph",
    "rewrite": "model evaluate",
    "joint": "rewrite",  # the density at values of the user's scale
    "binding": "rewrite",  # what is asked of the user's data
    "density": "binding",
    "kernels.runtime.chain": "",  # which slot of a chain's two arrays holds what
    "kernels.runtime": "kernels.runtime.chain",  # what is copied beside generated kernels
    "kernels.locks": "",  # between processes
    "kernels.cache": "kernels.locks errors",  # the folder of compiled code
    "kernels.build": "kernels.cache processor",  # where sources are compiled
    "kernels.analysis": "graph rewrite",  # the graph as loops
    "kernels.codegen": "kernels.analysis density",  # loops as text
    "kernels": "kernels.codegen kernels.build",
    "kernels.cuda": "kernels kernels.runtime",  # a model on a GPU
    "sampler": "errors kernels.runtime.chain kernels.build",
    "inference": "sampler density",
    "output": "sampler moments",
    "convergence": "",
    "moments": "",  # of draws that are not kept
    "findings": "",  # what may be wrong, in words
    "diagnosis": "convergence errors findings moments",
    "options": "builder",  # what callers pass
    "predictive": "density output options",  # what a model says of data and of draws
    "observations": "errors",  # of a log-likelihood, some at a time
    "comparison": "observations warned",
    "preflight": "kernels sampler",
    "cluster.plan": "sampler",
    "cluster.messages": "cluster.plan inference",
    "cluster.engines": "cluster.messages kernels.cuda predictive",
    "cluster.worker": "cluster.messages store.piece",
    "cluster.display": "cluster.messages convergence",
    "cluster.dashboard": "cluster.display",
    "cluster.clusters": "cluster.plan processor",
    "cluster.pools": "cluster.worker cluster.dashboard cluster.clusters",
    "cluster": "cluster.pools cluster.engines",  # the driver, and the doors
    "predictive.sampling": "cluster",  # predictive draws, for which workers may be asked
    "until": "convergence errors",
    "warmstart": "predictive sampler",
    "units": "cluster",  # what is handed to a worker
    "gpus": "units",  # what is asked of them
    "bulk": "units",  # how large the draws of a run are
    "recipe": "bulk gpus predictive until warmstart warned",  # what decides a run's draws
    "store.objects": "errors",  # whole objects by name
    "store.piece": "sampler store.objects",  # draws of a block as one of them
    "terms": "recipe",  # how a run is carried out
    "stream": "cluster",  # blocks, draw by draw
    "harvest": "stream until",  # the blocks of a run
    "trees": "recipe harvest",  # results as far as they have come
    "store": "output store.piece",  # what lies on disk while a run goes on
    "keeper": "terms store",  # runs that are kept in a store
    "folded": "terms",  # runs that keep moments
    "instead": "recipe",  # how a run goes on whose GPUs cannot
    "leg": "terms harvest",  # a recipe carried out by one driver
    "glance": "leg",  # what a handle says of itself
    "farewell": "",  # ends with the process
    "wishes": "cluster",  # what a Ctrl-C asks for
    "run": "glance instead trees diagnosis farewell wishes",  # the handle of a run
    "shelf": "recipe",  # who writes to a store
    "reopen": "run keeper shelf",  # doors to stored runs
    "fitting": "recipe predictive.sampling wishes",  # doors of the other methods
    "many": "run",
    "calibration": "many predictive.sampling",
    "api": "reopen folded fitting comparison calibration",
    "cli": "api preflight kernels.cache",
    "": "cli gp formula",  # the public names of exmc_dask/__init__.py
}

# files that are one room, apart for length only
ONE_ROOM = {
    "initials": "recipe",
    "indexing": "ir",
    "superchains": "recipe",
    "segments": "output",
    "unloaded": "output",
    "fold": "output",
    "moments_tree": "output",
    "moments_report": "diagnosis",
    "past": "keeper",
    "takeover": "keeper",
    "incomplete": "evaluate",
    "matrices": "evaluate",
    "body": "ir",
    "adjoint": "grad",
    "cli_models": "cli",
    "cli_results": "cli",
    "predictive.spread": "predictive.sampling",
    "codec": "model",
    "envelope": "model",
    "outline": "model",
    "unobserved": "verify",
}

# Their functions travel by value, and import what they call by its full name, where they are.
BY_VALUE = (
    "exmc_dask.cluster.install",
    "exmc_dask.cluster.pools.dask_pool",
    "exmc_dask.cluster.pools.introductions",
    "exmc_dask.cluster.pools.reach",
)

DOORS = "cluster.clients cluster.install cluster.preload"  # modules that know Dask's clients

# third-party package: the rooms (or single modules) that may import it; numpy is everywhere
THIRD_PARTY = {
    "numba": "kernels.build kernels.cuda kernels.runtime",
    "llvmlite": "kernels.runtime processor",
    "numba.cuda": "kernels.runtime.group_cuda kernels.runtime.blocks kernels.runtime.vecmath_cuda "
    "kernels.cuda.gpu",
    "cupy": "kernels.cuda.gpu",
    "cupyx": "kernels.cuda.gpu",
    "dask": "cluster.clusters cluster.dashboard cluster.pools api predictive.lazy",
    "distributed": f"cluster.clusters cluster.dashboard cluster.pools {DOORS} api",
    "dask_cuda": "cluster.clusters",
    "dask_kubernetes": "cluster.clusters",
    "tornado": "cluster.dashboard",
    "bokeh": "cluster.dashboard",
    "prometheus_client": "cluster.dashboard.metrics",
    "IPython": "cluster.display.notebook",
    "xarray": "results predictive fitting runs store calibration api cli cli_results",
    "arviz": "results cli",
    "arviz_stats": "results fitting",
    "arviz_plots": "cli",
    "matplotlib": "cli",
    "pandas": "results",
    "scipy": "results expressions dist fitting",
    "msgpack": "expressions.graph language.codec language.envelope language.whole "
    "cluster.messages.wire",
    "zarr": "store",
    "numcodecs": "store.chunk",
    "fsspec": "store.objects",
    "platformdirs": "kernels.cache",
    "click": "cli cli_results",
    "rich": "cluster.display.terminal cli",
}


@cache
def modules() -> dict[str, Path]:
    """Import name -> file, for every module of the package."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *(p for p in parts if p != "__init__")))] = path
    return found


def room(module: str) -> str:
    """Return the row of the table that a module of ours stands in."""
    inner = module.removeprefix("exmc_dask").removeprefix(".")
    if inner.split(".")[0] in OPEN:
        inner = inner.partition(".")[2] or "ground"
    while inner not in {**BELOW, **ONE_ROOM} and "." in inner:
        inner = inner.rpartition(".")[0]
    return ONE_ROOM.get(inner, inner)


@cache
def reachable(name: str) -> frozenset[str]:
    """Rooms that a room may import from, its own included."""
    return frozenset({name}).union(*(reachable(n) for n in BELOW[name].split()))


def imports(module: str) -> Iterator[str]:
    """Absolute names of all that a module imports, wherever in its text."""
    path = modules()[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
            source = (base + (node.module or "")).rstrip(".")
            yield from (f"{source}.{alias.name}" for alias in node.names)


def within(module: str, places: str) -> bool:
    inner = module.removeprefix("exmc_dask.")
    return any(inner == place or inner.startswith(place + ".") for place in places.split())


every_module = pytest.mark.parametrize("module", modules())


def test_every_package_is_listed() -> None:
    listed = set(PROJECT["tool"]["setuptools"]["packages"])

    assert listed == {name for name, path in modules().items() if path.name == "__init__.py"}


def test_the_folder_names_are_not_importable() -> None:
    probe = "import importlib.util as u; assert not any(map(u.find_spec, ('kernels', 'cluster')))"
    subprocess.run([sys.executable, "-c", probe], cwd="/", check=True)


@every_module
def test_every_module_stands_in_a_room(module: str) -> None:
    assert room(module) in BELOW, "give the module a row in BELOW"


@every_module
def test_imports_point_down(module: str) -> None:
    ours = {name for name in imports(module) if name.split(".")[0] == "exmc_dask"}
    rooms = {room(name) for name in ours - {"exmc_dask", "exmc_dask.__version__"}}

    assert rooms <= reachable(room(module))


@every_module
def test_third_party_packages_stay_in_their_rooms(module: str) -> None:
    for name in imports(module):
        for package, places in THIRD_PARTY.items():
            if name == package or name.startswith(package + "."):
                assert within(module, places), f"{package} does not belong in {module}"


@every_module
def test_every_import_is_known(module: str) -> None:
    known = {"exmc_dask", "numpy", *THIRD_PARTY, *sys.stdlib_module_names}

    assert {name.split(".")[0] for name in imports(module)} <= known


@every_module
def test_siblings_are_relative_only_in_the_two_outer_folders(module: str) -> None:
    tree = ast.parse(modules()[module].read_text())
    nodes = tree.body if module in BY_VALUE else ast.walk(tree)
    sources = [(n.level, f"{n.module}.") for n in nodes if isinstance(n, ast.ImportFrom)]
    home = ".".join(module.split(".")[:2]) + "."

    if within(module, "kernels cluster"):
        assert {level for level, _ in sources} <= {0, 1, 2}
        assert not [name for level, name in sources if level == 0 and name.startswith(home)]
    else:
        assert {level for level, _ in sources} <= {0}


@pytest.mark.parametrize("module", [m for m in modules() if room(m) == "cluster.plan"])
def test_the_plan_is_pure(module: str) -> None:
    roots = {name.split(".")[0] for name in imports(module)}

    assert roots <= {"exmc_dask", "numpy", *sys.stdlib_module_names}
    assert not roots & {"threading", "time", "asyncio", "socket", "subprocess", "random"}


@pytest.mark.parametrize("folder", ["kernels", "cluster"])
def test_rooms_have_no_rooms(folder: str) -> None:
    assert {path.parent.parent for path in (ROOT / folder).rglob("*/*.py")} == {ROOT / folder}


@pytest.mark.parametrize("folder", [*FOLDERS, "tests", "benchmarks"])
def test_a_file_fits_in_the_head(folder: str) -> None:
    files = [p for p in (ROOT / folder).rglob("*.py") if "golden" not in p.parts]
    long = {str(p): n for p in files if (n := len(p.read_text().splitlines())) > 400}

    assert not long


@every_module
def test_the_first_line_says_what_a_module_is_for(module: str) -> None:
    docstring = ast.get_docstring(ast.parse(modules()[module].read_text()))

    assert docstring
    assert docstring.splitlines()[0].endswith(".")


def test_pytest_passes_no_folder_of_tests_by(pytestconfig: pytest.Config) -> None:
    patterns = pytestconfig.getini("norecursedirs")
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    names = {name for folder in folders for name in folder.parts}

    assert not [name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]


def test_import_is_light() -> None:
    heavy = {"numba", "dask", "distributed", "xarray", "arviz", "pandas", "rich", "click"}
    probe = f"import sys, exmc_dask; assert not {heavy!r} & sys.modules.keys(), sys.modules.keys()"
    subprocess.run([sys.executable, "-c", probe], cwd="/", check=True)


def test_exports_are_the_namespace() -> None:
    tree = ast.parse((ROOT / "exmc_dask" / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        (alias.asname or alias.name)
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert sorted(exmc_dask.__all__) == dir(exmc_dask)
    assert typed | {"__version__"} == set(exmc_dask.__all__)


@pytest.mark.parametrize("name", exmc_dask.__all__)
def test_every_export_resolves(name: str) -> None:
    assert getattr(exmc_dask, name) is not None


def test_one_version() -> None:
    assert PROJECT["project"]["version"] == exmc_dask.__version__


def test_examples_in_docstrings_hold() -> None:
    for module, path in modules().items():
        if ">>>" in path.read_text():
            assert doctest.testmod(importlib.import_module(module)).failed == 0, module
