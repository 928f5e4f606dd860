"""What a process that died said last, as the error shows it."""

import signal
import subprocess
import sys

import pytest

from exmc_dask.cluster.pools.child_pool import last_words

DIES = """
import faulthandler, os, signal, threading, time
def sleeps_somewhere_else(depth):
    time.sleep(60) if depth == 0 else sleeps_somewhere_else(depth - 1)
for _ in range(40):
    threading.Thread(target=sleeps_somewhere_else, args=(60,), daemon=True).start()
def calls_the_library():
    os.kill(os.getpid(), signal.SIGSEGV)
print("row 17 is odd", flush=True)
calls_the_library()
"""


def test_the_error_outlasts_the_stacks_of_other_threads() -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", DIES]

    ended = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = last_words(ended.stdout)

    assert ended.returncode == -signal.SIGSEGV
    assert len(ended.stdout) > 20_000
    assert said.startswith("row 17 is odd\nFatal Python error: Segmentation fault\n")
    assert "calls_the_library" in said
    assert "sleeps_somewhere_else" not in said


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        ("", ""),
        ("  terminate called\n", "terminate called"),
        ("x" * 5000, "x" * 2000),
        ("Fatal Python error: Aborted\n\nThread 0x1", "Fatal Python error: Aborted\n\nThread 0x1"),
    ],
)
def test_anything_else_is_shown_from_its_end(log: str, shown: str) -> None:
    assert last_words(log) == shown
