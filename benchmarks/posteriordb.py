"""Are the draws right? Compare with the reference draws of posteriordb, one line a posterior.

Rule: 4 chains, draws doubled up to 8000 until the smallest bulk ESS is 1000; then, for every
parameter, rank-normalised R-hat < 1.01, the mean within 4 combined Monte Carlo standard errors of
the reference, log(sd / reference sd) within 4 of its own standard error, the 5 % and 95 % quantiles
within 4 of theirs, and fewer than 1 % divergences among the kept draws.
"""

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np

import exmc_dask as ed
from posteriordb_models import BUILDERS

MAX_DRAWS, ESS_WANTED, LIMIT = 8000, 1000, 4.0


@dataclass(frozen=True)
class Verdict:
    """What came out for one posterior; every `z_` is the worst over its parameters."""

    name: str
    draws: int
    min_ess: float
    max_rhat: float
    z_mean: float
    z_sd: float
    z_q05: float
    z_q95: float
    divergences: float
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the rule holds."""
        worst = max(self.z_mean, self.z_sd, self.z_q05, self.z_q95)
        return (
            self.min_ess >= ESS_WANTED
            and self.max_rhat < 1.01
            and worst < LIMIT
            and self.divergences < 0.01
        )


def parameter(posterior: Any, name: str) -> np.ndarray:
    """Draws ``(chain, draw)`` of the parameter that Stan calls `name`, such as ``beta[2]``."""
    base, _, place = name.partition("[")
    values = posterior[base].values
    return values[..., int(place[:-1]) - 1] if place else values


def scores(x: np.ndarray, reference: dict[str, float]) -> dict[str, float]:
    """Distance from the reference in combined standard errors: mean, sd and two quantiles."""
    n_reference = reference["ess"]
    spread = (x - x.mean()) ** 2
    relative = spread.std() / spread.mean() / 2  # sd of log(sd) of one independent draw
    sd_error = relative * np.hypot(1 / np.sqrt(az.ess(spread, method="mean")), n_reference**-0.5)
    mean_error = np.hypot(az.mcse(x, method="mean"), reference["sd"] / np.sqrt(n_reference))
    result = {
        "z_mean": abs(x.mean() - reference["mean"]) / mean_error,
        "z_sd": abs(np.log(x.std(ddof=1) / reference["sd"])) / sd_error,
    }
    for key, prob in (("q05", 0.05), ("q95", 0.95)):
        ours = az.mcse(x, method="quantile", prob=prob)
        n_ours = az.ess(x, method="quantile", prob=prob)
        error = ours * np.hypot(1, np.sqrt(n_ours / n_reference))
        result[f"z_{key}"] = abs(np.quantile(x, prob) - reference[key]) / error
    return {key: float(value) for key, value in result.items()}


def judge(name: str, posterior: dict[str, Any], cluster: str, seed: int) -> Verdict:
    """Sample one posterior until there are enough draws, then compare."""
    model = BUILDERS[name](posterior["data"])
    draws, began = 1000, time.perf_counter()
    while True:
        trace = ed.sample(
            model,
            draws=draws,
            tune=1000,
            chains=4,
            random_seed=seed,
            ncp=False,
            cluster=cluster,
            progressbar=False,
            compute_convergence_checks=False,
        )
        values = {p: parameter(trace.posterior, p) for p in posterior["reference"]}
        min_ess = min(float(az.ess(x, method="bulk")) for x in values.values())
        if min_ess >= ESS_WANTED or draws >= MAX_DRAWS:
            break
        draws *= 2
    worst = [scores(values[p], reference) for p, reference in posterior["reference"].items()]
    return Verdict(
        name=name,
        draws=draws,
        min_ess=min_ess,
        max_rhat=max(float(az.rhat(x)) for x in values.values()),
        **{key: max(score[key] for score in worst) for key in worst[0]},
        divergences=float(trace.sample_stats["diverging"].values.mean()),
        seconds=time.perf_counter() - began,
    )


def main() -> int:
    """Print the table, write JSON where asked; exit status 1 when a posterior fails."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "posteriordb"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pdb", type=Path, default=beside, help="folder with one JSON a posterior")
    parser.add_argument("--only", nargs="*", help="names of posteriors; all by default")
    parser.add_argument("--cluster", default="threads", help="threads, local or an address")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    if not options.pdb.is_dir():
        print(f"no posteriors in {options.pdb}; give their folder with --pdb")
        return 2
    print(f"exmc_dask {ed.__version__}, {platform.machine()}, seed {options.seed}")
    print(f"{'posterior':48} draws    ESS   R-hat  mean    sd   q05   q95   div %     s")
    verdicts = []
    for name in options.only or BUILDERS:
        posterior = json.loads((options.pdb / f"{name}.json").read_text())
        v = judge(name, posterior, options.cluster, options.seed)
        verdicts.append(v)
        print(
            f"{v.name:48} {v.draws:5d} {v.min_ess:6.0f} {v.max_rhat:7.4f} {v.z_mean:5.2f} "
            f"{v.z_sd:5.2f} {v.z_q05:5.2f} {v.z_q95:5.2f} {100 * v.divergences:7.2f} "
            f"{v.seconds:5.1f}  {'pass' if v.passed else 'FAIL'}",
            flush=True,
        )
    passed = sum(v.passed for v in verdicts)
    print(f"{passed} of {len(verdicts)} pass, {sum(v.seconds for v in verdicts):.0f} s")
    if options.json:
        options.json.write_text(json.dumps([asdict(v) for v in verdicts], indent=1))
    return 0 if passed == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
