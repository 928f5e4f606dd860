"""Any number of processes share the cache: one compiles, the others load, nobody deletes in use."""

import errno
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exmc_dask.errors import CompileError
from exmc_dask.kernels import build, cache, locks

TWICE = """
from numba import njit

@njit(forceinline=True)
def twice(x):
    return 2 * x
"""
HELPER = {"helper.py": TWICE}
KERNEL = """
import os, time
from numba import njit
from .helper import twice

def say(word):
    with open(os.environ.get("STORY", os.devnull), "a") as story:
        story.write(word)

say("<")
time.sleep(float(os.environ.get("PAUSE", 0)))

@njit("f8(f8)", cache=True)
def f(x):
    return twice(x) + 1.0

say(">")
"""
LOAD = f"""
from exmc_dask.kernels import build
f = build.load({KERNEL!r}, build.runtime({HELPER!r})).f
print(f(3.0), sum(f.stats.cache_hits.values()), flush=True)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache"
    monkeypatch.setenv("EXMC_CACHE_DIR", str(path))
    return path


def begin(code: str = LOAD, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return out.strip()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_of_processes_that_start_together_one_compiles(root: Path, tmp_path: Path) -> None:
    story = tmp_path / "story"
    started = [begin(PAUSE="1", STORY=str(story)) for _ in range(3)]
    assert sorted(map(said, started)) == ["7.0 0", "7.0 1", "7.0 1"]
    assert story.read_text().startswith("<>")


SAMPLE = """
import exmc_dask as ed
with ed.Model() as model:
    ed.Normal("x", 0, 1)
ed.sample(model, draws=1, tune=0, chains=1, cluster="threads", progressbar=False)
"""


@pytest.mark.slow
def test_two_first_runs_on_a_machine_compile_nothing_twice(root: Path) -> None:
    started = [begin(SAMPLE, NUMBA_DEBUG_CACHE="1") for _ in range(2)]
    saved = re.findall(r"data saved to (.*)", "".join(map(said, started)))
    assert any("_transitions" in file for file in saved)
    assert len(saved) == len(set(saved))


def test_what_is_compiled_is_not_waited_for(root: Path) -> None:
    said(begin())
    (lock,) = root.glob("*/kernel_*.lock")
    held = locks.take(lock)
    assert held is not None
    assert said(begin()) == "7.0 1"
    held.release()


def test_a_process_killed_while_it_compiles_holds_nobody_up(root: Path, tmp_path: Path) -> None:
    story = tmp_path / "story"
    killed = begin(PAUSE="600", STORY=str(story))
    until(story.exists)
    killed.kill()
    killed.communicate()
    assert said(begin()) == "7.0 0"


def test_a_suspended_process_is_waited_for_a_while_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_PATIENCE_S", 0.05)
    held = locks.take(tmp_path / "kernel_1.lock")
    assert held is not None
    began = time.monotonic()
    with cache.compiling(tmp_path, "kernel_1"):
        assert time.monotonic() - began >= 0.05
    held.release()


def test_a_failed_compilation_counts_as_none(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), cache.compiling(tmp_path, "kernel_1"):
        1 / 0  # noqa: B018
    with cache.compiling(tmp_path, "kernel_1"):
        assert locks.take(tmp_path / "kernel_1.lock") is None


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "no locks available")


@pytest.mark.parametrize("how", ["system", "file system"])
def test_without_locks_all_is_compiled_and_nothing_deleted(
    how: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "system":
        monkeypatch.setattr(locks, "fcntl", None)
    else:
        monkeypatch.setattr("fcntl.flock", no_locks)
    assert build.load(KERNEL, build.runtime(HELPER | {"how.py": how})).f(3.0) == 7.0
    assert len(cache.cache_clear().in_use) == 1
    assert cache.cache_info().kernels == 1


def test_a_deleted_lock_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = locks.take(path)
    assert first is not None
    waited: list[locks.Lock | None] = []
    thread = threading.Thread(target=lambda: waited.append(locks.take(path, patience_s=60)))
    thread.start()
    time.sleep(0.1)
    path.unlink()
    first.release()
    thread.join()
    assert waited[0] is not None
    assert locks.take(path) is None
    waited[0].release()


def test_a_folder_deleted_by_hand_is_no_obstacle(root: Path) -> None:
    package = build.runtime(HELPER | {"by_hand.py": ""})
    build.runtime_module("helper", package)
    shutil.rmtree(root)
    with build.compiling("sampler", package):
        assert not root.exists()
    assert build.load(KERNEL, package).f(3.0) == 7.0


def test_what_vanishes_meanwhile_is_not_counted(root: Path) -> None:
    root.mkdir(mode=0o700)
    (root / ("c" * 64)).symlink_to(root / "vanished")
    assert cache.cache_info().runtimes == cache.cache_clear().deleted == ()


def test_info_counts(root: Path) -> None:
    said(begin())
    (runtime,) = cache.cache_info().runtimes
    assert (runtime.kernels, runtime.path.parent) == (1, root)
    assert runtime.size_bytes > len(KERNEL)
    assert abs(runtime.used_at - time.time()) < 60


def test_clearing_deletes_only_what_is_ours(root: Path) -> None:
    said(begin())
    (root / "mine.txt").touch()
    assert len(cache.cache_clear().deleted) == 1
    assert [path.name for path in root.iterdir()] == ["mine.txt"]


def test_what_a_running_process_uses_is_not_deleted(root: Path) -> None:
    running = begin(LOAD + "input()")
    assert running.stdout is not None
    running.stdout.readline()
    assert len(cache.cache_clear().in_use) == cache.cache_info().kernels == 1
    running.communicate("\n")
    assert len(cache.cache_clear().deleted) == 1
    assert not list(root.iterdir())


def used(root: Path, name: str, days: float) -> Path:
    folder = root / (name * 64)
    folder.mkdir(parents=True)
    (folder / "in_use.lock").touch()
    os.utime(folder / "in_use.lock", (time.time() - days * 86_400,) * 2)
    return folder


def test_clearing_may_spare_what_was_used_lately(root: Path) -> None:
    root.mkdir(mode=0o700)
    old, young = used(root, "a", 8), used(root, "b", 6)
    assert [runtime.path for runtime in cache.cache_clear(7 * 86_400).deleted] == [old]
    assert young.exists()


def test_a_new_version_sweeps_away_what_was_long_not_used(root: Path) -> None:
    root.mkdir(mode=0o700)
    old, young = used(root, "a", 31), used(root, "b", 29)
    left = root / ".exmc_left"
    left.mkdir()
    os.utime(left, (0, 0))
    build.runtime(HELPER | {"swept.py": ""})
    assert [path.exists() for path in (old, young, left)] == [False, True, False]


def test_a_seed_spares_the_first_compilation(root: Path, tmp_path: Path) -> None:
    said(begin())
    seed = tmp_path / "seed"
    shutil.move(root, seed)
    for path in (*seed.rglob("*"), seed):
        os.utime(path, (1, 1))  # as images do
        path.chmod(0o500)
    assert said(begin(EXMC_CACHE_SEED=str(seed))) == "7.0 1"
    assert {path.stat().st_mode & 0o777 for path in root.rglob("*/")} == {0o700}
    assert not list(root.glob(".*"))


@pytest.mark.parametrize(("code", "why"), [(errno.EROFS, "Read-only"), (errno.ENOSPC, "No space")])
def test_a_cache_that_cannot_be_written_says_so(
    code: int, why: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = build.runtime(HELPER | {"full.py": why})

    def full(**_: object) -> None:
        raise OSError(code, os.strerror(code), str(root))

    monkeypatch.setattr("tempfile.mkstemp", full)
    for write in (lambda: build.load(KERNEL, package), lambda: build.runtime({"new.py": why})):
        with pytest.raises(CompileError, match=f"cannot be written .{why}.*EXMC_CACHE_DIR"):
            write()


def test_the_root_is_private(root: Path) -> None:
    assert cache.cache_root().stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("spoil", ["shared", "foreign", "file"])
def test_a_root_that_others_could_write_is_refused(
    root: Path, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if spoil == "file":
        root.touch()
    else:
        root.mkdir(mode=0o700)
        root.chmod(0o777 if spoil == "shared" else 0o700)
        if spoil == "foreign":
            monkeypatch.setattr(os, "getuid", lambda: root.stat().st_uid + 1)
    with pytest.raises(CompileError, match="EXMC_CACHE_DIR"):
        cache.cache_root()
