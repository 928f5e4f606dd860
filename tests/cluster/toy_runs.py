"""Runs by their handle of an engine that needs no compiler."""

from dataclasses import replace
from typing import Any

import numpy as np

import exmc_dask as ed
from exmc_dask.runs.recipe import Recipe, write
from exmc_dask.runs.run import Run
from exmc_dask.runs.terms import Terms
from exmc_dask.sampler.settings import Settings
from tests.cluster import toy

CHAINS = 3


def recipe(*, tune: int = 20, draws: int = 180, until: Any = None, **trouble: Any) -> Recipe:
    """Return the recipe of a toy, whose three numbers are called x."""
    with ed.Model() as model:
        ed.Normal("x", 0, 1, shape=toy.DIM)
    settings = Settings(seed=0, tune=tune, draws=draws)
    real = write(model, settings, CHAINS, until=until)
    spec = toy.spec(tune=tune, draws=draws, **trouble)
    return replace(real, spec=replace(spec, columns=real.spec.columns))


def begin(
    *, tune: int = 20, draws: int = 180, until: Any = None, trouble: Any = None, **terms: Any
) -> Run:
    """Begin a run in two threads, or where the terms say."""
    quiet: dict[str, Any] = {
        "cluster": "threads",
        "progressbar": False,
        "compute_convergence_checks": False,
    }
    return Run(
        recipe(tune=tune, draws=draws, until=until, **(trouble or {})), Terms(**(quiet | terms))
    )


def draws_of(trace: Any) -> Any:
    """Return the numbers of all chains, (chain, draw, 3)."""
    return np.asarray(trace.posterior["x"].values)
