"""A benchmark in a process of its own, begun again without what it died of."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from on_card.report import PATIENCE, UNDER_WAY, Report

AGAIN = 3
"""The status of a process whose GPU failed."""
_OVER = (0, 1, 2)
_BETWEEN_S = 100.0  # without a word where nothing is under way, after which something hangs


def supervised(command: Sequence[str], file: Path, budget_s: float) -> int:
    """Run a command that writes a `Report`, and return its status.

    Where it dies, or hangs for longer than what was under way may take, that counts as wrong, and
    the command is run again with ``--go-on`` and a smaller ``--budget``, as long as there is
    something new under way each time.
    """
    file.unlink(missing_ok=True)
    more: list[str] = []
    began = time.monotonic()
    while True:
        left_s = max(1.0, budget_s - (time.monotonic() - began))
        status = _watch([*command, "--budget", f"{left_s:.0f}", "--json", str(file), *more], file)
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


def _watch(command: Sequence[str], file: Path) -> int:
    """Wait for a process, and end it when it has written nothing for too long."""
    with subprocess.Popen(command) as process:
        heard = time.time()
        while True:
            try:
                return process.wait(1.0)
            except subprocess.TimeoutExpired:
                heard = max(heard, file.stat().st_mtime) if file.exists() else heard
            if time.time() - heard > _patience_s(file):
                print("nothing is heard of it any more: it is ended", file=sys.stderr)
                process.kill()


def _patience_s(file: Path) -> float:
    """Return how long what is under way may go on without a word."""
    content = Report.go_on(file).content
    return float(content[PATIENCE]) if content.get(UNDER_WAY) else _BETWEEN_S
