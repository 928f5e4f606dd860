"""Short runs of a model, and how far what they find is from what made the data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

import exmc_dask as ed
from tests.statistics.moments import F8, LEVELS, LIMIT, z_score

FAR = 3.5  # posterior standard deviations


def sampled(model: ed.Model, **options: Any) -> xr.Dataset:
    """Posterior of a run whose chains agree and do not diverge."""
    trace = ed.sample(
        model, random_seed=31, cluster="threads", progressbar=False,
        compute_convergence_checks=False, **({"draws": 1000, "tune": 600, "chains": 2} | options),
    )  # fmt: skip
    wrong = [finding for finding in ed.diagnose(trace) if finding.check in ("rhat", "divergences")]
    assert not wrong, wrong
    return trace["posterior"].to_dataset()


def distances(values: xr.DataArray, truth: Any) -> F8:
    """How far the truth is from the posterior mean, in posterior standard deviations."""
    mean, sd = values.mean(("chain", "draw")), values.std(("chain", "draw"))
    return np.asarray(abs(mean.values - truth) / sd.values)


def assert_near(found: xr.Dataset, truth: Mapping[str, Any]) -> None:
    """Every true value lies where the posterior puts it."""
    far = {name: distances(found[name], value) for name, value in truth.items()}
    assert all((distance < FAR).all() for distance in far.values()), far


def assert_law(values: F8, law: Any) -> None:
    """Draws (chain, draw) have the quantiles of a law of scipy."""
    for level in LEVELS:
        assert abs(z_score((values <= law.ppf(level)).astype(float), level)) < LIMIT, level
