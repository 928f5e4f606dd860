"""What does stopping when numbers look good do to them? until= against runs of one length.

Each seed is sampled under ``until={"rhat": 1.01, "ess_bulk": 400, "ess_tail": 400}``, and again for
a fixed number of draws, the median of those at which the others stopped. What a run says of itself
is compared with what many runs say of all: the variance of its means over seeds is the true error.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import argparse
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np

import exmc_dask as ed

UNTIL = {"rhat": 1.01, "ess_bulk": 400, "ess_tail": 400}
QUIET: dict[str, Any] = {
    "progressbar": False,
    "compute_convergence_checks": False,
    "cluster": "threads",
}


@dataclass(frozen=True)
class Figure:
    """What one way of ending did, over all seeds.

    Attributes
    ----------
    draws : float
        Median of each chain.
    bias : float
        Of the mean of the variable, in its standard deviations.
    bias_se : float
        Standard error of that.
    spread : float
        Mean of the estimated standard deviation over the true one.
    z : float
        Root mean square of (mean - truth) / reported MCSE; 1 is right.
    ess_said : float
        Mean reported bulk ESS over what the variance of the means says: true ESS.
    rhat_said : float
        Median of the largest reported R-hat.
    """

    posterior: str
    ending: str
    draws: float
    bias: float
    bias_se: float
    spread: float
    z: float
    ess_said: float
    rhat_said: float


def heavy() -> ed.Model:
    """A law with heavy tails, along which chains take long walks."""
    with ed.Model() as model:
        ed.StudentT("x", nu=4, mu=0, sigma=1)
    return model


def schools() -> ed.Model:
    """Eight schools; log tau is what moves slowly."""
    effects = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]
    errors = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]
    with ed.Model() as model:
        mu, tau = ed.Normal("mu", 0, 5), ed.HalfNormal("tau", 5)
        theta = ed.Normal("theta", mu, tau, shape=8)
        ed.Deterministic("log_tau", ed.math.log(tau))
        ed.Normal("effect", theta, errors, observed=effects)
    return model


POSTERIORS: dict[str, tuple[Callable[[], ed.Model], str]] = {
    "heavy": (heavy, "x"),
    "schools": (schools, "log_tau"),
}


def moments(trace: Any, name: str) -> tuple[float, ...]:
    """Return mean, standard deviation, MCSE, bulk ESS and the largest R-hat of a run."""
    data = trace.posterior.to_dataset()
    x = data[name]
    mean, mcse, ess = (float(f(data[[name]])[name]) for f in (lambda d: d.mean(), az.mcse, az.ess))
    worst = max(float(v.max()) for v in az.rhat(data).values())
    return mean, float(x.std(ddof=1)), mcse, ess, worst


def race(posterior: str, n_seeds: int) -> list[Figure]:
    """Sample one posterior both ways."""
    build, name = POSTERIORS[posterior]
    model = build()
    long = ed.sample(model, draws=50_000, random_seed=10**6, **QUIET).posterior[name]
    truth, scale = float(long.mean()), float(long.std())
    seen: dict[str, list[tuple[float, ...]]] = {"until": [], "fixed": []}
    lengths = []
    for seed in range(n_seeds):
        trace = ed.sample(model, draws=10_000, until=UNTIL, random_seed=seed, **QUIET)
        seen["until"].append(moments(trace, name))
        lengths.append(trace.posterior.sizes["draw"])
    length = int(np.median(lengths))
    for seed in range(n_seeds, 2 * n_seeds):
        seen["fixed"].append(
            moments(ed.sample(model, draws=length, random_seed=seed, **QUIET), name)
        )
    figures = []
    for ending, rows in seen.items():
        mean, deviation, mcse, ess, rhat = np.array(rows).T
        true_ess = scale**2 / np.mean((mean - truth) ** 2)
        figures.append(
            Figure(
                posterior,
                ending,
                draws=float(np.median(lengths)),
                bias=float((mean - truth).mean() / scale),
                bias_se=float((mean - truth).std() / scale / np.sqrt(len(mean))),
                spread=float(deviation.mean() / scale),
                z=float(np.sqrt(np.mean(((mean - truth) / mcse) ** 2))),
                ess_said=float(ess.mean() / true_ess),
                rhat_said=float(np.median(rhat)),
            )
        )
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    print(f"{platform.processor()}, {os.cpu_count()} cores, {asked.seeds} seeds each")
    print("posterior  ending  draws    bias +- se        spread     z  ESS said  R-hat said")
    figures = [f for posterior in POSTERIORS for f in race(posterior, asked.seeds)]
    for f in figures:
        print(
            f"{f.posterior:10} {f.ending:6} {f.draws:6.0f} {f.bias:+.4f} +- {f.bias_se:.4f}"
            f" {f.spread:9.4f} {f.z:6.3f} {f.ess_said:8.3f} {f.rhat_said:10.4f}"
        )
    if asked.json:
        asked.json.write_text(json.dumps([asdict(f) for f in figures], indent=2))


if __name__ == "__main__":
    main()
