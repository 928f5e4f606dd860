"""How long do fits take? ADVI, Pathfinder and SMC beside PyMC's and pymc-extras', in one run.

The logistic regression of the seven models (500 rows, 21 parameters) and one of 10 correlated
coefficients. Both sides do what they do by default, in one process and in turns; shown are the
processor seconds of the first call, which may compile, and the median of those after it. Evidence
and ELBO say that the same thing was calculated: higher is nearer for an ELBO.

Peers need ``pymc`` and ``pymc_extras``, which are not dependencies of this project.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import argparse
import json
import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import exmc_dask as ed
from models.seven import logistic, logistic_data

QUIET: dict[str, Any] = {"cluster": "threads", "progressbar": False, "random_seed": 1}
PARTICLES, POPULATIONS = 1000, 4


@dataclass(frozen=True)
class Figure:
    """What one method cost: processor seconds of its first call and of later ones; its result."""

    method: str
    library: str
    first_s: float
    later_s: float
    result: float


def correlated_data() -> tuple[np.ndarray, np.ndarray]:
    """Design (100, 10) with correlated columns, and a response."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(100, 10)) @ (np.eye(10) + 0.3 * rng.normal(size=(10, 10)))
    return X, X @ rng.normal(size=10) + rng.normal(size=100)


def correlated() -> ed.Model:
    """Linear regression, whose posterior is normal."""
    X, y = correlated_data()
    with ed.Model() as model:
        b = ed.Normal("b", 0, 2, shape=10)
        ed.Normal("y", X @ b, 1.0, observed=y)
    return model


def elbo_of(method: Any) -> Callable[[], float]:
    """Return a call of ours that fits the logistic model and draws 1000 times."""

    def call() -> float:
        found = ed.fit(logistic(), method=method, **QUIET)
        return float(found.sample(1000, random_seed=1).fit["elbo"])

    return call


def our_evidence() -> float:
    trace = ed.sample_smc(correlated(), draws=PARTICLES, chains=POPULATIONS, **QUIET)
    return float(trace.fit["log_evidence_mean"])


def peers() -> dict[tuple[str, str], Callable[[], float]]:
    """Return the same calls of PyMC and pymc-extras."""
    import pymc as pm
    import pymc_extras as pmx

    logging.getLogger("pymc").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    X, y = logistic_data()
    with pm.Model() as theirs:
        alpha = pm.Normal("alpha", 0, 10)
        beta = pm.Normal("beta", 0, 10, shape=20)
        pm.Bernoulli("y", logit_p=alpha + X @ beta, observed=y)
    X, y = correlated_data()
    with pm.Model() as linear:
        b = pm.Normal("b", 0, 2, shape=10)
        pm.Normal("y", X @ b, 1.0, observed=y)

    def variational(method: str) -> Callable[[], float]:
        def call() -> float:
            with theirs:
                found = pm.fit(method=method, progressbar=False, random_seed=1)
                found.sample(1000)
            return -float(np.mean(found.hist[-500:]))

        return call

    def pathfinder() -> float:
        with theirs:
            pmx.fit(method="pathfinder", num_draws=1000, random_seed=1, progressbar=False)
        return float("nan")

    def evidence() -> float:
        options = {"draws": PARTICLES, "chains": POPULATIONS, "cores": 1, "random_seed": 1}
        with linear:
            trace = pm.sample_smc(**options, progressbar=False, compute_convergence_checks=False)
        each = trace.sample_stats["log_marginal_likelihood"].values
        last = [[x for x in np.ravel(chain) if np.isfinite(x)][-1] for chain in np.asarray(each)]
        return float(np.mean(last))

    return {
        ("advi", "pymc"): variational("advi"),
        ("fullrank", "pymc"): variational("fullrank_advi"),
        ("pathfinder", "pymc_extras"): pathfinder,
        ("smc", "pymc"): evidence,
    }


def main() -> None:
    """Print the table and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--methods", default="advi,fullrank,pathfinder,laplace,smc")
    parser.add_argument("--rounds", type=int, default=3, help="calls after the first")
    parser.add_argument("--peers", action="store_true", help="pymc and pymc_extras too")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    methods = options.methods.split(",")
    calls = {(name, "exmc_dask"): elbo_of(name) for name in methods if name != "smc"}
    if "smc" in methods:
        calls["smc", "exmc_dask"] = our_evidence
    calls |= peers() if options.peers else {}
    print(f"{'method':11} {'library':12} {'first s':>8} {'later s':>8} {'ELBO or evidence':>17}")
    figures: list[Figure] = []
    for method in methods:
        turns = {library: call for (name, library), call in calls.items() if name == method}
        seconds: dict[str, list[float]] = {library: [] for library in turns}
        results: dict[str, float] = {}
        for _ in range(1 + options.rounds):
            for library, call in turns.items():
                began = time.process_time()
                results[library] = call()
                seconds[library].append(time.process_time() - began)
        for library, (first, *later) in seconds.items():
            figures.append(Figure(method, library, first, median(later), results[library]))
            numbers = f"{first:8.2f} {median(later):8.2f} {results[library]:17.2f}"
            print(f"{method:11} {library:12} {numbers}", flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


if __name__ == "__main__":
    main()
