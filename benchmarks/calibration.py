"""Do the z-scores of `posteriordb.py` mean what they say? Hold both sides to exact laws.

25 of its posteriors are regressions with flat priors on beta and sigma. For y = X beta + noise with
n rows, k columns, least squares estimate b and residual sum of squares RSS, nu = n - k - 1 degrees
of freedom (one less than with the prior 1 / sigma: here sigma itself is flat):

    beta_j ~ StudentT(nu, b_j, sqrt(RSS / nu * inv(X'X)_jj))
    RSS / sigma^2 ~ ChiSquared(nu)

(Gelman et al. 2013, Bayesian Data Analysis, section 14.2, with that prior.) So the reference's
figures and our draws are each compared with the truth. If the standard errors are right, the
z-scores of many parameters and seeds have the quantiles of the standard normal distribution.
"""

import argparse
import json
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
from scipy import stats

import exmc_dask as ed
from posteriordb import parameter, scores
from posteriordb_models import BUILDERS, FLAT_REGRESSIONS, design

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
TAILS = {"q05": 0.05, "q95": 0.95}


def exact_laws(X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Return the marginal distribution of every parameter of a flat regression.

    Parameters
    ----------
    X : (n, k)
    y : (n,)
    """
    n, k = X.shape
    nu = n - k - 1
    Q, R = np.linalg.qr(X)
    b = np.linalg.solve(R, Q.T @ y)
    rss = float(np.sum((y - X @ b) ** 2))
    scale = np.sqrt(rss / nu) * np.linalg.norm(np.linalg.inv(R), axis=1)
    laws = {f"beta[{j + 1}]": stats.t(nu, b[j], scale[j]) for j in range(k)}
    return {**laws, "sigma": stats.gengamma(nu / 2, -2, scale=np.sqrt(rss / 2))}


def figures(law: Any) -> dict[str, float]:
    """Return what the file of a posterior has for a parameter, without any error."""
    tails = {key: law.ppf(prob) for key, prob in TAILS.items()}
    return {"mean": law.mean(), "sd": law.std(), "ess": np.inf, **tails}


def of_reference(reference: Mapping[str, float], law: Any) -> dict[str, float]:
    """z-scores of the reference's figures, as `scores` has them for draws."""
    root = np.sqrt(reference["ess"])
    relative = np.sqrt(float(law.stats("k")) + 2) / 2  # sd of log(sd) of one independent draw
    return {
        "mean": (reference["mean"] - law.mean()) / law.std() * root,
        "sd": np.log(reference["sd"] / law.std()) / relative * root,
        **{
            key: (law.cdf(reference[key]) - prob) / np.sqrt(prob * (1 - prob)) * root
            for key, prob in TAILS.items()
        },
    }


def of_draws(x: np.ndarray, law: Any) -> dict[str, float]:
    """z-scores of our draws as the rule has them, and of q95 with ArviZ's standard error."""
    found = {key.removeprefix("z_"): z for key, z in scores(x, figures(law)).items()}
    error = float(az.mcse(x, method="quantile", prob=0.95))
    return {**found, "q95, ArviZ error": (np.quantile(x, 0.95) - law.ppf(0.95)) / error}


def sampled(
    name: str, data: Mapping[str, Any], laws: Mapping[str, Any], draws: int, seeds: int
) -> Iterator[dict[str, float]]:
    """Yield the z-scores of every parameter of every run."""
    model = BUILDERS[name](data)
    for seed in range(seeds):
        trace = ed.sample(
            model,
            draws=draws,
            tune=1000,
            chains=4,
            random_seed=seed,
            ncp=False,
            cluster="threads",
            progressbar=False,
            compute_convergence_checks=False,
        )
        for p, law in laws.items():
            yield of_draws(parameter(trace.posterior, p), law)


def line(label: str, z: np.ndarray) -> str:
    """One line of the table: quantiles of the z-scores, their sd, and how many are far out."""
    quantiles = " ".join(f"{q:6.2f}" for q in np.quantile(z, LEVELS))
    beyond = " ".join(f"{np.mean(np.abs(z) > limit):9.6f}" for limit in (3, 4))
    return f"{label:28} {z.size:6d} {quantiles} {z.std():6.3f} {beyond} {np.abs(z).max():6.2f}"


def main() -> int:
    """Print one line for each figure of either side."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "posteriordb"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pdb", type=Path, default=beside, help="folder with one JSON a posterior")
    parser.add_argument("--only", nargs="*", help="names of posteriors; all regressions by default")
    parser.add_argument("--seeds", type=int, default=20, help="runs of each posterior")
    parser.add_argument("--draws", type=int, default=1000, help="of each of 4 chains")
    parser.add_argument("--json", type=Path, help="write the z-scores here too")
    options = parser.parse_args()
    if not options.pdb.is_dir():
        print(f"no posteriors in {options.pdb}; give their folder with --pdb")
        return 2
    z: dict[str, list[float]] = defaultdict(list)
    for name in options.only or FLAT_REGRESSIONS:
        posterior = json.loads((options.pdb / f"{name}.json").read_text())
        laws = exact_laws(*design(posterior["data"], *FLAT_REGRESSIONS[name]))
        for p, law in laws.items():
            for key, value in of_reference(posterior["reference"][p], law).items():
                z[f"reference: {key}"].append(value)
        for found in sampled(name, posterior["data"], laws, options.draws, options.seeds):
            for key, value in found.items():
                z[f"our draws: {key}"].append(value)
    print(
        f"exmc_dask {ed.__version__}, {platform.machine()}, "
        f"{options.seeds} seeds, 4 x {options.draws} draws"
    )
    heads = " ".join(f"{100 * level:4.0f} %" for level in LEVELS)
    print(
        f"{'z-scores of':28} {'n':>6} {heads} {'sd':>6} {'P |z|>3':>9} {'P |z|>4':>9} {'worst':>6}"
    )
    normal = " ".join(f"{stats.norm.ppf(level):6.2f}" for level in LEVELS)
    beyond = " ".join(f"{2 * stats.norm.sf(limit):9.6f}" for limit in (3, 4))
    print(f"{'the standard normal law':28} {'':6} {normal} {1:6.3f} {beyond}")
    for label, values in z.items():
        print(line(label, np.asarray(values)))
    if options.json:
        options.json.write_text(json.dumps(z, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
