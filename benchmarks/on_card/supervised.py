"""A benchmark in a process of its own, begun again without what it died of."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from on_card.report import UNDER_WAY, Report

AGAIN = 3
"""The status of a process whose GPU failed."""
_OVER = (0, 1, 2)
_STALL_S = 200.0  # without a word, after which something is taken to hang


def supervised(
    command: Sequence[str], file: Path, budget_s: float, stall_s: float = _STALL_S
) -> int:
    """Run a command that writes a `Report`, and return its status.

    Where it dies or hangs, what was under way counts as wrong, and the command is run again with
    ``--go-on`` and a smaller ``--budget``, as long as there is something new under way each time.
    """
    file.unlink(missing_ok=True)
    more: list[str] = []
    began = time.monotonic()
    while True:
        left_s = max(1.0, budget_s - (time.monotonic() - began))
        status = _watch(
            [*command, "--budget", f"{left_s:.0f}", "--json", str(file), *more], file, stall_s
        )
        if status in _OVER:
            return status
        report = Report.go_on(file)
        died_of = report.content.get(UNDER_WAY)
        if status != AGAIN:
            if died_of is None:
                print(f"the benchmark ended with status {status}", file=sys.stderr)
                return 1
            report.fail(*died_of, f"its process ended with status {status}")
        more = ["--go-on"]


def _watch(command: Sequence[str], file: Path, stall_s: float) -> int:
    """Wait for a process, and end it when it has written nothing for too long."""
    with subprocess.Popen(command) as process:
        heard = time.time()
        while True:
            try:
                return process.wait(1.0)
            except subprocess.TimeoutExpired:
                heard = max(heard, file.stat().st_mtime) if file.exists() else heard
            if time.time() - heard > stall_s:
                process.kill()
