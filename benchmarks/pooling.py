"""What does it bring that chains warm up together? Independent draws per gradient, with pool=.

Many short chains, as a cluster runs them; medians over seeds. Gradients count warmup. The table
has the same runs with ``pool=False`` beside them.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import argparse
import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import arviz as az

import exmc_dask as ed
from models.correlated import autoregression, interaction, slanted
from models.seven import MODELS

DENSE = ("diag", "dense")
LARGE = ("diag", "low_rank")
POSTERIORS = {
    **{name: (build, LARGE if name == "sv" else DENSE) for name, build in MODELS.items()},
    "autoregression": (autoregression, DENSE),
    "interaction": (interaction, DENSE),
    "slanted": (slanted, LARGE),
}


@dataclass(frozen=True)
class Figure:
    """What warmup of one kind did on one posterior, medians over the seeds."""

    posterior: str
    metric: str
    tune: int
    pool: bool
    min_ess: float
    warmup_gradients: float
    gradients: float
    ess_per_1000_gradients: float
    max_rhat: float


def measure(
    name: str, model: Any, metric: str, tune: int, pool: bool, asked: argparse.Namespace
) -> Figure:
    """Run some seeds and take medians."""
    rows: list[tuple[float, int, int, float]] = []
    for seed in range(asked.seeds):
        trace = ed.sample(
            model,
            draws=asked.draws,
            tune=tune,
            chains=asked.chains,
            random_seed=seed,
            metric=metric,
            pool=pool,
            cluster="threads",
            progressbar=False,
            compute_convergence_checks=False,
            discard_tuned_samples=False,
        )
        data = trace["posterior"].to_dataset()
        ess = min(float(v.min()) for v in az.ess(data).values())
        rhat = max(float(v.max()) for v in az.rhat(data).values())
        steps = [int(trace[g]["n_steps"].sum()) for g in ("warmup_sample_stats", "sample_stats")]
        rows.append((ess, steps[0], sum(steps), rhat))
    ess, warmup, gradients, rhat = (median(column) for column in zip(*rows, strict=True))
    per_1000 = median(1000 * e / g for e, _, g, _ in rows)
    return Figure(name, metric, tune, pool, ess, warmup, gradients, per_1000, rhat)


def main() -> None:
    """Print the table and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--posteriors", default=",".join(POSTERIORS))
    parser.add_argument("--tune", type=int, nargs="+", default=[50, 100])
    parser.add_argument("--chains", type=int, default=64)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    print(
        f"exmc_dask {ed.__version__}, {platform.machine()}, {asked.seeds} seeds, "
        f"{asked.chains} chains of {asked.draws} draws"
    )
    print(
        f"{'posterior':14} {'metric':8} {'tune':>4} {'pool':5} {'ESS':>6} {'warmup':>8} "
        f"{'gradients':>9} {'ESS/1k grad':>11} {'R-hat':>6}"
    )
    figures: list[Figure] = []
    gains: dict[tuple[int, str], list[float]] = {}
    for name in asked.posteriors.split(","):
        build, metrics = POSTERIORS[name]
        model = build()
        for metric in metrics:
            for tune in asked.tune:
                pair = [measure(name, model, metric, tune, pool, asked) for pool in (False, True)]
                gain = pair[1].ess_per_1000_gradients / pair[0].ess_per_1000_gradients
                gains.setdefault((tune, metric), []).append(gain)
                for row in pair:
                    print(
                        f"{name:14} {metric:8} {tune:4} {row.pool!s:5} {row.min_ess:6.0f} "
                        f"{row.warmup_gradients:8.0f} {row.gradients:9.0f} "
                        f"{row.ess_per_1000_gradients:11.2f} {row.max_rhat:6.3f}"
                        f"{f' {gain:6.2f}x' if row.pool else ''}",
                        flush=True,
                    )
                figures += pair
    for (tune, metric), found in gains.items():
        print(f"tune={tune}, {metric}: {geometric_mean(found):.2f}x over {len(found)} posteriors")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


if __name__ == "__main__":
    main()
