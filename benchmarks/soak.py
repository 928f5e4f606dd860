"""Does a run lose, double or change a draw while its workers are killed, stopped and started?

A model is sampled again and again on a local cluster through a seeded storm. Every round is
compared bit for bit with the run of the same seed that threads of this process made before the
storm, and its stream of draws is counted. Meanwhile memory, open files, threads and processes are
watched; what is left of the latter when the cluster is closed is told at the end.
"""

import argparse
import json
import os
import platform
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from distributed import Client

import exmc_dask as ed
from exmc_dask.cluster.clusters.chaos import Storm
from exmc_dask.cluster.clusters.local import local
from exmc_dask.cluster.plan.moves import Note

MARK = "EXMC_SOAK"  # in the environment of all processes of this soak, and of no other
SEEDS = 3


@dataclass(frozen=True)
class Round:
    """One run through the storm; counters of the storm are those of this round."""

    minute: float
    draws: int
    lost: int
    doubled: int
    equal: bool
    killed: int
    stopped: int
    started: int
    notes: int
    memory_mb: float
    files: int
    threads: int
    processes: int


def model(n: int) -> ed.Model:
    """Return a logistic regression, whose likelihood has no short cut."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 10))
    y = rng.random(n) < 1 / (1 + np.exp(-X @ rng.normal(0, 0.3, 10)))
    with ed.Model() as model:
        slopes = ed.Normal("slopes", 0.0, 1.0, shape=10)
        base = ed.Normal("base", 0.0, 2.0)
        ed.Bernoulli("y", logit_p=base + ed.math.dot(X, slopes), observed=y.astype(int))
    return model


def begin(what: ed.Model, seed: int, options: argparse.Namespace, **where: Any) -> ed.Run:
    """Begin a run that says nothing."""
    return ed.sample(
        what,
        *(options.draws, 400, options.chains),
        random_seed=seed,
        progressbar=False,
        compute_convergence_checks=False,
        blocking=False,
        **where,
    )


def bits(run: ed.Run) -> bytes:
    """Wait for a run and return its draws and statistics as they are, bit for bit."""
    trace = run.wait()
    kept = [trace.posterior[name] for name in ("slopes", "base")]
    kept += [trace.sample_stats[name] for name in ("lp", "energy", "n_steps")]
    return b"".join(values.to_numpy().tobytes() for values in kept)


def ours() -> list[psutil.Process]:
    """Return the processes of this soak apart from this one, and from Python's own helper."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get(MARK) == os.environ[MARK] and process.pid != os.getpid()
            helper = any("resource_tracker" in word for word in process.cmdline())
            if mine and not helper and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def rounds(options: argparse.Namespace) -> Iterator[Round]:
    """Sample through the storm until the time is up."""
    what, here = model(options.rows), psutil.Process()
    calm = [bits(begin(what, seed, options, cluster="threads")) for seed in range(SEEDS)]
    began, number = time.monotonic(), 0
    with local(options.workers) as cluster, Client(cluster) as client:
        with Storm(cluster, options.seed, options.every) as storm:
            while time.monotonic() - began < 60 * options.minutes:
                before, told = len(storm.strokes), Counter[tuple[int, int]]()
                run = begin(what, number % SEEDS, options, client=client)
                for draw in run.stream():
                    told[draw.chain, draw.draw] += 1
                equal = bits(run) == calm[number % SEEDS]
                number += 1
                strokes = Counter(stroke.what for stroke in storm.strokes[before:])
                yield Round(
                    minute=(time.monotonic() - began) / 60,
                    draws=len(told),
                    lost=options.chains * options.draws - len(told),
                    doubled=told.total() - len(told),
                    equal=equal,
                    killed=strokes["kill"],
                    stopped=strokes["stop"],
                    started=strokes["start"],
                    notes=sum(isinstance(event, Note) for event in run.events()),
                    memory_mb=here.memory_info().rss / 1e6,
                    files=here.num_fds(),
                    threads=here.num_threads(),
                    processes=len(ours()),
                )
        time.sleep(0.5)


def main() -> None:
    """Print a row a round, the sums, and write JSON where asked; fail if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=5.0, help="mean seconds between strokes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ[MARK] = uuid.uuid4().hex
    print(f"{platform.machine()}, Python {platform.python_version()}, {options.workers} workers")
    done: list[Round] = []
    for row in rounds(options):
        if not done:
            print("".join(f"{name:>10}" for name in asdict(row)))
        done.append(row)
        texts = (f"{x:.1f}" if isinstance(x, float) else str(x) for x in asdict(row).values())
        print("".join(f"{text:>10}" for text in texts), flush=True)
    left = ours()
    for process in left:
        print(f"left over: {process.pid} {' '.join(process.cmdline())}")
    settled = done[len(done) // 4 :]  # by then everything has been loaded and grown to its size
    minutes = [row.minute for row in settled]
    slope = np.polyfit(minutes, [row.memory_mb for row in settled], 1)[0] if len(minutes) > 2 else 0
    right = all(row.equal and not row.lost and not row.doubled for row in done)
    names = ("draws", "lost", "doubled", "killed", "stopped", "started")
    sums = ", ".join(f"{sum(getattr(row, name) for row in done)} {name}" for name in names)
    print(
        f"{len(done)} rounds, {'all equal' if right else 'NOT EQUAL'}: {sums}; "
        f"memory {slope:+.2f} MB a minute; {len(left)} processes left over"
    )
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in done], indent=1))
    sys.exit(not right or bool(left))


if __name__ == "__main__":
    main()
