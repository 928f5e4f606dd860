"""Where chains begin when a fit is to say it: ``init=`` of sample."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from exmc_dask.errors import OptionError
from exmc_dask.fitting.doors import METHODS
from exmc_dask.fitting.laplace import highest
from exmc_dask.fitting.running import Lowered
from exmc_dask.inference.settings import ModeSettings
from exmc_dask.options import Place
from exmc_dask.runs.recipe import Recipe
from exmc_dask.runs.superchains import shared
from exmc_dask.runs.warmstart import numbers, root

KEEPING = ("stan", "step_size")  # schemes that do not make a metric anew from the third draw on
MIN_EFFECTIVE = 25  # draws that a covariance is as good as, below which it says too little

ADAPT, MODE = "adapt", "map"
KINDS = (ADAPT, MODE, *METHODS)

# Names of PyMC -> ours.
ELSEWHERE = {
    "auto": ADAPT,
    "jitter+adapt_diag": ADAPT,
    "adapt_diag": ADAPT,
    "jitter+adapt_full": "adapt' and metric='dense",
    "adapt_full": "adapt' and metric='dense",
    "advi+adapt_diag": "advi",
    "advi_map": "advi",
    "fullrank_advi": "fullrank",
}


def begun(recipe: Recipe, init: str, place: Place) -> Recipe:
    """Return a recipe whose chains begin where a fit says.

    Parameters
    ----------
    recipe : Recipe
    init : str
        "adapt": as they would; "map": all at the mode of the unconstrained density; or a method of
        `exmc_dask.fit`: each at a draw of its own from what was fitted. Where the scheme of warmup
        keeps a first metric it is the covariance of that, unless it hangs on a handful of draws.
    place : Place
        Where the fit runs. A cluster that would be made for this call is made for the chains only.

    Raises
    ------
    OptionError
        There is no such way, or the recipe says already where chains begin.
    """
    if init == ADAPT:
        return recipe
    if init not in KINDS:
        hint = f"use {ELSEWHERE[init]!r}" if init in ELSEWHERE else f"there are {', '.join(KINDS)}"
        raise OptionError(f"init={init!r} is not possible; {hint}".replace('"', ""))
    if recipe.initials:
        raise OptionError(
            f"init={init!r} says where chains begin, and so do initvals= and warm_start=; give one"
        )
    if isinstance(place.cluster, str) and ":" not in place.cluster:
        place = replace(place, cluster="threads")
    options: Mapping[str, Any] = recipe.spec.options
    lowered = Lowered(recipe.model, recipe.density, options)
    settings, seed = recipe.settings, recipe.settings.seed
    if init == MODE:
        if settings.superchain_size is not None:
            raise OptionError(
                "init='map' has all superchains start at one point, and R-hat could then not tell "
                "them apart; use another init=, or leave superchains= out"
            )
        point = highest(lowered, ModeSettings(seed=seed), place, None).state["q"]
        return replace(recipe, initials=dict.fromkeys(range(recipe.chains), point))
    fitter, kind = METHODS[init]
    found = fitter(lowered, kind.from_dict({"seed": seed}), place, None)
    points, _, _ = found.points(recipe.chains // (settings.superchain_size or 1), seed)
    starts = dict(enumerate(np.asarray(points)))
    if settings.adapt in KEEPING and found.n_effective >= MIN_EFFECTIVE:
        factor = root(found.cov, found.n_effective, settings.metric)
        starts = {k: numbers(q, settings, k, factor=factor) for k, q in starts.items()}
    return replace(recipe, initials=shared(starts, settings))
