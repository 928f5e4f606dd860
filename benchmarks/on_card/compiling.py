"""Kernels compiled beforehand, side by side, each in a process of its own that may die or hang."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).resolve().parents[1] / "gpu.py"
LIMIT_S = 150.0
"""What a kernel may take: some ten times what the slowest one of the seven models takes."""

type Pair = tuple[str, int]


def compile_all(
    pairs: Sequence[Pair],
    options: Sequence[str],
    processes: int,
    limit_s: float,
    one_s: float = LIMIT_S,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each (model, lanes), as soon as it is compiled or has failed.

    Parameters
    ----------
    pairs
    options : sequence of str
        Of the script, for its processes.
    processes : int
        At a time.
    limit_s : float
        For all of them; those that have not begun by then are left out.
    one_s : float
        For one of them.
    """
    end = time.monotonic() + limit_s
    with ThreadPoolExecutor(processes) as pool:
        begun = [pool.submit(_compile, pair, options, end, one_s) for pair in pairs]
        for each in as_completed(begun):
            if (row := each.result()) is not None:
                yield row


def _compile(pair: Pair, options: Sequence[str], end: float, one_s: float) -> dict[str, Any] | None:
    """Compile one kernel; None if there is no time left."""
    name, lanes = pair
    left_s = end - time.monotonic()
    if left_s <= 0:
        return None
    began = time.perf_counter()
    row: dict[str, Any] = {"model": name, "lanes": lanes}
    command = [sys.executable, str(SCRIPT), *options, "--compile", f"{name}:{lanes}"]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=min(one_s, left_s), check=False
        )
    except subprocess.TimeoutExpired as error:
        return row | {"error": f"not done after {error.timeout:.0f} s", "holds": False}
    if ran.returncode:
        words = (ran.stderr or ran.stdout).strip().splitlines() or ["without a word"]
        why = f"its process ended with status {ran.returncode}: {words[-1]}"
        return row | {"error": why, "holds": False}
    return row | json.loads(ran.stdout.splitlines()[-1]) | {"whole_s": time.perf_counter() - began}
