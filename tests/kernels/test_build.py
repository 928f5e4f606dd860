"""Machine code never outlives its source, and any number of processes may share the cache."""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from exmc_dask import processor
from exmc_dask.errors import CompileError
from exmc_dask.kernels import build

HELPER = """
from numba import njit

@njit(forceinline=True, error_model="numpy")
def twice(x):
    return 2.0 * x
"""
KERNEL = """
from numba import njit
from .helper import twice

@njit("f8(f8)", cache=True)
def f(x):
    return twice(x) + 1.0
"""
CALL = f"""
from exmc_dask.kernels import build
from exmc_dask.kernels.cache import cache_info
f = build.load({KERNEL!r}, build.runtime({{"helper.py": {HELPER!r}}})).f
print(f(3.0), sum(f.stats.cache_hits.values()), cache_info().kernels)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache"
    monkeypatch.setenv("EXMC_CACHE_DIR", str(path))
    return path


def python(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_runtime_imports_nothing_beside_it() -> None:
    imported = {
        name
        for text in build.sources().values()
        for name in re.findall(r"^from \.(\w+) import", text, re.MULTILINE)
    }
    assert imported <= {Path(file).stem for file in build.RUNTIME}


def test_a_second_process_finds_the_machine_code(root: Path) -> None:
    assert python(CALL) == "7.0 0 1"
    assert python(CALL) == "7.0 1 1"


def test_machine_code_stays_in_the_cache_whatever_numba_is_told(root: Path, tmp_path: Path) -> None:
    elsewhere = {"NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    told = "import numba; print(numba.config.CACHE_DIR)"

    assert python(CALL, **elsewhere) == "7.0 0 1"
    assert python(CALL) == "7.0 1 1"
    assert python(CALL + told, **elsewhere).endswith("numba")
    assert not (tmp_path / "numba").exists()


def test_an_edited_helper_is_never_run_stale(root: Path) -> None:
    load = [
        build.load(KERNEL, build.runtime({"helper.py": HELPER.replace("2.0", factor)}))
        for factor in ("2.0", "5.0")
    ]
    assert [module.f(3.0) for module in load] == [7.0, 16.0]


def test_processes_that_start_together_agree(root: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", CALL], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert {process.communicate()[0].split()[0] for process in started} == {"7.0"}
    assert {process.returncode for process in started} == {0}
    assert not [path for path in root.glob("*/.*") if path.is_file()]


def test_a_text_is_loaded_once(root: Path) -> None:
    package = build.runtime({"helper.py": HELPER})
    assert build.load(KERNEL, package) is build.load(KERNEL, package)
    assert build.runtime({"helper.py": HELPER}) is package


def test_a_damaged_file_is_written_again(root: Path) -> None:
    python(CALL)
    (kernel,) = root.glob("*/kernel_*.py")
    kernel.write_text("")
    assert python(CALL) == "7.0 1 1"


def test_a_kernel_that_does_not_import_names_its_file(root: Path) -> None:
    package = build.runtime({"helper.py": HELPER})
    with pytest.raises(CompileError, match=r"kernel_[0-9a-f]{64}\.py") as caught:
        build.load("1 / 0", package)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


ASSEMBLY = """
import os
from exmc_dask.kernels import build
print(build.fingerprint()["cpu"])
from numba import njit
@njit("f8(f8[::1])", fastmath=True)
def total(x):
    s = 0.0
    for i in range(x.size):
        s += x[i]
    return s
text = total.inspect_asm(total.signatures[0])
print("ymm" in text, "zmm" in text)
"""


@pytest.mark.parametrize(("level", "ymm"), [("x86-64-v2", "False"), ("x86-64-v3", "True")])
def test_the_cpu_class_limits_the_instructions(level: str, ymm: str) -> None:
    assert python(ASSEMBLY, EXMC_CPU=level).split() == [level, ymm, "False"]


def test_without_a_class_the_host_is_named() -> None:
    name = python("from exmc_dask.processor import cpu_class; print(cpu_class())", EXMC_CPU="")
    assert len(name.rsplit("-", 1)[1]) == 8


@pytest.mark.parametrize(
    ("level", "message"), [("x86-64-v9", "not one of"), ("x86-64-v4", "lacks")]
)
def test_an_impossible_class_is_refused(
    level: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXMC_CPU", level)
    monkeypatch.setattr(processor, "host", lambda: ("old", "+sse4.2,+popcnt"))
    with pytest.raises(CompileError, match=message):
        processor.cpu_class()


def test_a_class_that_numba_cannot_hear_any_more_is_refused() -> None:
    code = "import numba\nfrom exmc_dask.kernels import build\nbuild.fingerprint()"
    with pytest.raises(AssertionError, match="came too late"):
        python(code, EXMC_CPU="x86-64-v2", NUMBA_CPU_NAME="generic")


def test_the_runtime_leaves_scipy_to_those_who_need_it() -> None:
    code = (
        "import sys, numpy as np, numba\n"
        "from exmc_dask.kernels import build\n"
        "build.runtime_module('vecmath')\nimport numba.np.arraymath\n"
        "print('scipy.linalg' in sys.modules, 'scipy.linalg.cython_blas' in sys.modules)\n"
        "print(numba.njit(lambda a: np.linalg.solve(a, a @ a))(2 * np.eye(2)).trace())\n"
    )
    assert python(code).split() == ["False", "False", "4.0"]


def test_importing_the_builder_does_not_import_numba() -> None:
    code = "import sys, exmc_dask.kernels.build as build; build.fingerprint()"
    code += "; print('numba' in sys.modules)"
    assert python(code) == "False"
