"""Who gets more independent draws a second from models of PyMC's gallery, one chain, one core?

Both sides are given the same declaration (`models/gallery.py`) and sample it as they do by default,
with 1000 + 1000 draws: ours takes variables off centre where its rule says so. A seed is run by
one and then by the other, so that other work on the machine meets both. Shown are medians over the
seeds: smallest bulk ESS over the declared variables by seconds of the call, by gradients, and
microseconds a gradient. `ready s` is the wall time from a declared model to what can sample,
which a first call waits for: compiling, or on our side finding what was compiled before.

Needs ``pymc`` and ``nutpie``, which are not dependencies of this project.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import argparse
import json
import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import arviz as az
import pymc as pm

import exmc_dask as ed
from models.gallery import MODELS
from peers import prepare_nutpie
from seven_models import CLOCKS, ours

type Run = Callable[[int], tuple[Any, float, int]]


@dataclass(frozen=True)
class Figure:
    """What one sampler did on one model, medians over the seeds."""

    model: str
    sampler: str
    ess_per_s: float
    min_ess: float
    seconds: float
    ess_per_1000_gradients: float
    us_a_gradient: float
    divergences: float
    ready_s: float


def row(run: Run, seed: int, names: Sequence[str]) -> tuple[float, ...]:
    """ESS/s, ESS, seconds, ESS per 1000 gradients, microseconds a gradient, divergences."""
    trace, seconds, gradients = run(seed)
    ess = az.ess(trace["posterior"].to_dataset()[list(names)], method="bulk")
    least = min(float(v.min()) for v in ess.values())
    diverging = float(trace["sample_stats"]["diverging"].sum())
    return (
        *(least / seconds, least, seconds, 1000 * least / gradients, 1e6 * seconds / gradients),
        diverging,
    )


def race(name: str, seeds: int, clock: Callable[[], float]) -> list[Figure]:
    """Run both in turns."""
    mine, theirs = MODELS[name](ed), MODELS[name](pm)
    names = [v.name for v in mine.spec.free]
    runs, ready = {}, {}
    for sampler, prepare in (
        ("exmc_dask", lambda: ours(mine, clock, {"ncp": "auto"})),
        ("nutpie", lambda: prepare_nutpie(theirs, clock)),
    ):
        began = time.perf_counter()
        runs[sampler] = prepare()
        ready[sampler] = time.perf_counter() - began
    rows: dict[str, list[tuple[float, ...]]] = {sampler: [] for sampler in runs}
    for seed in range(1, seeds + 1):
        for sampler, run in runs.items():
            rows[sampler].append(row(run, seed, names))
    return [
        Figure(name, sampler, *(*map(median, zip(*found, strict=True)), ready[sampler]))
        for sampler, found in rows.items()
    ]


def main() -> None:
    """Print the race and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--core", type=int, default=0, help="processor to pin to")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="seconds of a call")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    print(f"exmc_dask {ed.__version__}, core {options.core}, {options.seeds} seeds")
    print(
        f"{'model':18} {'sampler':10} {'ESS/s':>8} {'ESS':>6} {'s':>7} {'ESS/1k grad':>11} "
        f"{'us/grad':>8} {'div':>4} {'ready s':>8} {'ours/nutpie: ESS/s, a gradient':>30}"
    )
    figures: list[Figure] = []
    ratios = []
    for name in options.models.split(","):
        mine, theirs = race(name, options.seeds, CLOCKS[options.clock])
        ratios.append(mine.ess_per_s / theirs.ess_per_s)
        cost = theirs.us_a_gradient / mine.us_a_gradient
        for figure in (mine, theirs):
            print(
                f"{name:18} {figure.sampler:10} {figure.ess_per_s:8.0f} {figure.min_ess:6.0f} "
                f"{figure.seconds:7.3f} {figure.ess_per_1000_gradients:11.2f} "
                f"{figure.us_a_gradient:8.2f} {figure.divergences:4.0f} {figure.ready_s:8.1f} "
                + (f"{ratios[-1]:21.2f} {cost:8.2f}" if figure is theirs else ""),
                flush=True,
            )
        figures += [mine, theirs]
    print(f"geometric mean over {len(ratios)} models: {geometric_mean(ratios):.2f}")
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


if __name__ == "__main__":
    main()
