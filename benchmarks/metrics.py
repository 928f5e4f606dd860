"""What does a metric bring? Independent draws per gradient: diagonal, dense, of low rank.

Four chains a run, as `ed.sample` does it by default; medians over seeds. Gradients count warmup.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import arviz as az

import exmc_dask as ed
from models.correlated import autoregression, interaction, slanted
from models.seven import logistic, medium, sv

METRICS = ("diag", "dense", "low_rank")


@dataclass(frozen=True)
class Figure:
    """What one metric did on one posterior, medians over the seeds."""

    posterior: str
    metric: str
    min_ess: float
    gradients: float
    ess_per_1000_gradients: float
    processor_s: float


POSTERIORS: dict[str, Callable[[], Any]] = {
    f.__name__: f for f in (slanted, autoregression, interaction, medium, logistic, sv)
}


def measure(name: str, model: Any, metric: str, seeds: int) -> Figure:
    """Run `seeds` times and take medians."""
    rows: list[tuple[float, int, float]] = []
    for seed in range(seeds + 1):  # the first run compiles
        began = time.process_time()
        trace = ed.sample(
            model,
            random_seed=seed,
            metric=metric,
            cluster="threads",
            progressbar=False,
            compute_convergence_checks=False,
            discard_tuned_samples=False,
        )
        seconds = time.process_time() - began
        ess = min(float(v.min()) for v in az.ess(trace["posterior"].to_dataset()).values())
        groups = (trace.sample_stats, trace.warmup_sample_stats)
        rows.append((ess, int(sum(g["n_steps"].sum() for g in groups)), seconds))
    ess, gradients, seconds = (median(column) for column in zip(*rows[1:], strict=True))
    per_1000 = median(1000 * e / g for e, g, _ in rows[1:])
    return Figure(name, metric, ess, gradients, per_1000, seconds)


def main() -> None:
    """Print the table and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--posteriors", default=",".join(POSTERIORS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"exmc_dask {ed.__version__}, {platform.machine()}, {options.seeds} seeds, 4 chains")
    print(f"{'posterior':15} {'metric':9} {'ESS':>6} {'gradients':>9} {'ESS/1k grad':>11} {'s':>6}")
    figures: list[Figure] = []
    for name in options.posteriors.split(","):
        model, first = POSTERIORS[name](), None
        for metric in METRICS:
            row = measure(name, model, metric, options.seeds)
            first = first or row
            ratio = row.ess_per_1000_gradients / first.ess_per_1000_gradients
            print(
                f"{name:15} {metric:9} {row.min_ess:6.0f} {row.gradients:9.0f} "
                f"{row.ess_per_1000_gradients:11.2f} {row.processor_s:6.2f} "
                f"{'' if row is first else f'{ratio:7.1f}x'}",
                flush=True,
            )
            figures.append(row)
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


if __name__ == "__main__":
    main()
