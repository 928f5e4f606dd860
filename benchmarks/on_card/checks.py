"""Whether draws of a GPU are right."""

import argparse
import time
from dataclasses import asdict
from typing import Any

import exmc_dask as ed
from models.seven import MODELS
from on_card.moments import apart
from on_card.trial import Trial, same, verdict


def check_blocks(trial: Trial) -> None:
    """Hold blocks to the CPU's and to themselves."""
    print(f"{'model':14} {'lanes':>5} {'apart from the CPU':>18} {'trees':>6} {'repeats':>8}")
    for name, lanes in dict.fromkeys(trial.pairs()):
        what = f"{name} with {lanes} lanes"
        if not trial.begins("blocks", what, 10):
            continue
        with trial.report.attempt("blocks", what):
            row = trial.bench.check(
                trial.subjects[name], lanes, trial.options.few, trial.options.repeat_draws
            )
            trial.report.add("blocks", asdict(row) | {"holds": row.holds})
            print(
                f"{name:14} {lanes:5} {row.difference:18.1e} "
                f"{same(row.same_trees):>6} {same(row.same_bits):>8}{verdict(row.holds)}",
                flush=True,
            )


def check_runs(trial: Trial) -> None:
    """Hold whole runs to those of the CPU."""
    print(f"\n{'model':14} {'chains':>6} {'draws':>6} {'compared':>8} {'largest z':>9} of")
    for name in trial.subjects:
        if trial.begins("runs", f"runs of {name}", 60):
            with trial.report.attempt("runs", f"runs of {name}"):
                check_run(trial, name)


def check_run(trial: Trial, name: str) -> None:
    """Compare a model's run with one on the CPU that has another seed."""
    traces = []
    for target, seed in ((trial.machine.target, 1), ("cpu", 2)):
        began = time.perf_counter()
        traces.append(sample(name, target, seed, trial.options))
        row = {"model": name, "target": target, "chains": trial.options.few}
        trial.report.add("calls", row | {"seconds": time.perf_counter() - began})
    found = apart(name, *traces)
    trial.report.add("runs", asdict(found) | {"holds": found.holds})
    print(
        f"{name:14} {found.chains:6} {found.draws:6} {found.compared:8} {found.largest:9.2f} "
        f"{found.of}{verdict(found.holds)}",
        flush=True,
    )


def sample(name: str, target: str, seed: int, options: argparse.Namespace) -> Any:
    return ed.sample(
        MODELS[name](),
        draws=options.run_draws,
        tune=options.tune,
        chains=options.few,
        target=target,
        target_options={"block": options.block} if target == "cuda" else None,
        random_seed=seed,
        cluster="threads",
        progressbar=False,
        compute_convergence_checks=False,
    )
