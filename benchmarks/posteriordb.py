"""Are the draws right? Compare with the reference draws of posteriordb, one line a posterior.

Rule: 4 chains, draws doubled up to 8000 until the smallest bulk ESS is 1000; then, for every
parameter, rank-normalised R-hat < 1.01, the mean within 4 combined Monte Carlo standard errors of
the reference, log(sd / reference sd) within 4 of its own standard error, the 5 % and 95 % quantiles
within 4 of theirs, and fewer than 1 % divergences among the kept draws.

A quantile is compared as a share: how many of our draws lie below the reference's quantile. The
share of S effective draws has the standard error ``sqrt(p (1 - p) / S)`` on either side, S of ours
from the draws' indicators (Vehtari et al. 2021, section 4.3); that needs no density at the
quantile. The paper's own error, half the distance between two order statistics (section 4.4), is
itself drawn from some twenty values beyond the quantile, and small where the quantile is off
towards the centre: `calibration.py` shows that it exceeds 4 ten times too often.

Four comparisons a parameter make some 900 a run. Each exceeds 4 by chance with probability
6.3e-5, so a right sampler misses somewhere in about one run of twenty. A posterior that misses is
therefore looked at once more, with another seed and four times the draws of the first look, and
fails if it misses again: chance does not repeat, and a bias is now twice as many standard errors.
A run of a right sampler then fails with a probability below 0.001. (The reference's own error is
the same in both looks: a tenth of the variance in the first, at most half of it in the second.)
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np

import exmc_dask as ed
from posteriordb_models import BUILDERS

MAX_DRAWS, ESS_WANTED, LIMIT = 8000, 1000, 4.0
SECOND_LOOK, ANOTHER_SEED = 4, 1_000_003  # times the draws, and away from seeds near the first


@dataclass(frozen=True)
class Verdict:
    """What came out of one look at a posterior; every `z_` is the worst over its parameters."""

    name: str
    seed: int
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
    """Distance above the reference in combined standard errors: mean, sd and two quantiles."""
    n_reference = reference["ess"]
    spread = (x - x.mean()) ** 2
    relative = spread.std() / spread.mean() / 2  # sd of log(sd) of one independent draw
    sd_error = relative * np.hypot(1 / np.sqrt(az.ess(spread, method="mean")), n_reference**-0.5)
    mean_error = np.hypot(az.mcse(x, method="mean"), reference["sd"] / np.sqrt(n_reference))
    result = {
        "z_mean": (x.mean() - reference["mean"]) / mean_error,
        "z_sd": np.log(x.std(ddof=1) / reference["sd"]) / sd_error,
    }
    for key, prob in (("q05", 0.05), ("q95", 0.95)):
        below = (x <= reference[key]).astype(float)
        error = np.sqrt(prob * (1 - prob) * (1 / az.ess(below, method="mean") + 1 / n_reference))
        result[f"z_{key}"] = (prob - below.mean()) / error
    return {key: float(value) for key, value in result.items()}


def look(
    name: str, posterior: dict[str, Any], cluster: str, seed: int, draws: int, most: int
) -> Verdict:
    """Sample one posterior, doubling `draws` up to `most` until there are enough; compare."""
    model = BUILDERS[name](posterior["data"])
    began = time.perf_counter()
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
        if min_ess >= ESS_WANTED or draws >= most:
            break
        draws *= 2
    found = [scores(values[p], reference) for p, reference in posterior["reference"].items()]
    return Verdict(
        name=name,
        seed=seed,
        draws=draws,
        min_ess=min_ess,
        max_rhat=max(float(az.rhat(x)) for x in values.values()),
        **{key: max(abs(score[key]) for score in found) for key in found[0]},
        divergences=float(trace.sample_stats["diverging"].values.mean()),
        seconds=time.perf_counter() - began,
    )


def looks(name: str, posterior: dict[str, Any], cluster: str, seed: int) -> Iterator[Verdict]:
    """Look at one posterior, and once more if that misses."""
    first = look(name, posterior, cluster, seed, 1000, MAX_DRAWS)
    yield first
    if not first.passed:
        draws = SECOND_LOOK * first.draws
        yield look(name, posterior, cluster, seed + ANOTHER_SEED, draws, draws)


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
    names = options.only or list(BUILDERS)
    for name in names:
        posterior = json.loads((options.pdb / f"{name}.json").read_text())
        for v in looks(name, posterior, options.cluster, options.seed):
            verdicts.append(v)
            print(
                f"{v.name:48} {v.draws:5d} {v.min_ess:6.0f} {v.max_rhat:7.4f} {v.z_mean:5.2f} "
                f"{v.z_sd:5.2f} {v.z_q05:5.2f} {v.z_q95:5.2f} {100 * v.divergences:7.2f} "
                f"{v.seconds:5.1f}  {'pass' if v.passed else 'MISS'}",
                flush=True,
            )
    passed = sum(v.passed for v in verdicts)
    again = f" ({len(verdicts) - len(names)} looked at twice)" if len(verdicts) > len(names) else ""
    print(f"{passed} of {len(names)} pass{again}, {sum(v.seconds for v in verdicts):.0f} s")
    if options.json:
        options.json.write_text(json.dumps([asdict(v) for v in verdicts], indent=1))
    return 0 if passed == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
