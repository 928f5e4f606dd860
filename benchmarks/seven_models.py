"""Who gets more independent draws a second? Seven small models, one chain, one core.

Protocol: centred models, 1000 + 1000 draws, target 0.8, depth 10, one pinned core, the median over
seeds of (smallest bulk ESS over all parameters) / (wall seconds of the whole call, or seconds of
the processor on a machine that others use). Compiling is timed apart. Centred eight_schools and
funnel have no reliable ESS: they are raced, not trusted.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import argparse
import json
import logging
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import arviz as az
import numpy as np

import exmc_dask as ed
from models.seven import MODELS


@dataclass(frozen=True)
class Figure:
    """What one sampler did on one model, medians over the seeds."""

    model: str
    sampler: str
    ess_per_s: float
    min_ess: float
    seconds: float
    gradients: float
    ess_per_1000_gradients: float
    compile_s: float


CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
"""What seconds of a call are; those of the processor for a machine that others use."""


def ours(
    model: Any, clock: Callable[[], float], options: dict[str, Any]
) -> Callable[[int], tuple[Any, float, int]]:
    """Compile by a short run; the result runs one chain for a seed."""

    def run(seed: int, draws: int = 1000, tune: int = 1000) -> tuple[Any, float, int]:
        began = clock()
        trace = ed.sample(
            model,
            draws=draws,
            tune=tune,
            chains=1,
            random_seed=seed,
            target_accept=0.8,
            max_treedepth=10,
            cluster="threads",
            progressbar=False,
            compute_convergence_checks=False,
            discard_tuned_samples=False,
            **{"ncp": False, **options},
        )
        seconds = clock() - began
        groups = (trace.sample_stats, trace.warmup_sample_stats)
        return trace, seconds, int(sum(np.sum(g["n_steps"].values) for g in groups))

    run(0, 10, 10)
    return run


def peer(
    name: str, model: str, clock: Callable[[], float]
) -> Callable[[int], tuple[Any, float, int]]:
    """Prepare a peer, which must be installed."""
    from peers import MODELS as PEER_MODELS
    from peers import PEERS

    return PEERS[name](PEER_MODELS[model](), clock)


def measure(model: str, sampler: str, prepare: Callable[[], Any], seeds: int) -> Figure:
    """Run `seeds` times and take medians."""
    began = time.perf_counter()
    run = prepare()
    compile_s = time.perf_counter() - began
    rows = []
    for seed in range(1, seeds + 1):
        trace, seconds, gradients = run(seed)
        ess = az.ess(trace["posterior"].to_dataset(), method="bulk")
        rows.append((min(float(v.min()) for v in ess.values()), seconds, gradients))
    min_ess, seconds, gradients = (median(column) for column in zip(*rows, strict=True))
    return Figure(
        model=model,
        sampler=sampler,
        ess_per_s=median(e / s for e, s, _ in rows),
        min_ess=min_ess,
        seconds=seconds,
        gradients=gradients,
        ess_per_1000_gradients=median(1000 * e / g for e, _, g in rows),
        compile_s=compile_s,
    )


def main() -> None:
    """Print the race and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peers", default="", help="comma-separated: nutpie, pymc")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--core", type=int, default=0, help="processor to pin to")
    parser.add_argument("--adapt", default="fisher")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="seconds of a call")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    warnings.simplefilter("ignore")
    logging.getLogger("pymc").setLevel(logging.ERROR)
    peers = [name for name in options.peers.split(",") if name]
    print(
        f"exmc_dask {ed.__version__}, {platform.machine()}, core {options.core}, "
        f"{options.seeds} seeds, adapt={options.adapt}, {options.clock} clock"
    )
    print(
        f"{'model':14} {'sampler':10} {'ESS/s':>9} {'ESS':>6} {'s':>7} {'gradients':>9} "
        f"{'ESS/1k grad':>11} {'compile s':>9} {'ours/peer':>9}"
    )
    figures: list[Figure] = []
    ratios: dict[str, list[float]] = {name: [] for name in peers}
    for name in options.models.split(","):
        model = MODELS[name]()
        clock = CLOCKS[options.clock]
        prepare = partial(ours, model, clock, {"adapt": options.adapt})
        mine = measure(name, "exmc_dask", prepare, options.seeds)
        rows = [
            mine,
            *(measure(name, p, partial(peer, p, name, clock), options.seeds) for p in peers),
        ]
        for row in rows:
            ratio = mine.ess_per_s / row.ess_per_s
            if row is not mine:
                ratios[row.sampler].append(ratio)
            print(
                f"{name:14} {row.sampler:10} {row.ess_per_s:9.0f} {row.min_ess:6.0f} "
                f"{row.seconds:7.3f} {row.gradients:9.0f} {row.ess_per_1000_gradients:11.1f} "
                f"{row.compile_s:9.2f} {'' if row is mine else f'{ratio:8.2f}x'}",
                flush=True,
            )
        figures += rows
    for name, values in ratios.items():
        print(f"geometric mean over {len(values)} models: {geometric_mean(values):.2f}x {name}")
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


if __name__ == "__main__":
    main()
