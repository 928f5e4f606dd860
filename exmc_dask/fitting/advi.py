"""Variational fits: the best of several, and what it says of itself."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from exmc_dask.errors import OptionError
from exmc_dask.fitting.approximation import Approximation, Normal
from exmc_dask.fitting.running import Lowered, Part, run_parts
from exmc_dask.inference import advi as method
from exmc_dask.inference.settings import MAX_CURVED, AdviSettings
from exmc_dask.options import Place
from exmc_dask.warned import warn


def advi(
    lowered: Lowered, settings: AdviSettings, place: Place, start: Mapping[str, Any] | None
) -> Approximation:
    """Return the normal law with the highest ELBO that was found.

    ``fit`` has ``elbo_history`` with the ``iteration`` of each; warns if it still rises.
    """
    dim = lowered.density.layout.dim
    if settings.full and dim > MAX_CURVED:
        raise OptionError(
            f"method='fullrank' keeps a matrix of the {dim} parameters; it is possible up to "
            f"{MAX_CURVED}. Use method='advi' or 'pathfinder'"
        )
    initials = {}
    if start:
        initials[0] = lowered.density.support_point(lowered.model.data, start)
    fits = run_parts(lowered, "advi", settings, place, initials)
    best = max(fits, key=_last_elbo)
    if not best.halted and not method.converged(best.state):
        warn(
            f"the fit did not come to an end in max_iterations={settings.max_iterations}: its "
            f"ELBO is {_last_elbo(best):.6g} and may still rise"
        )
    mean = best.state["mean"].copy()
    return Normal(
        method="fullrank" if settings.full else "advi",
        center=mean,
        root=np.array(best.state["root"]),
        stats={
            "mean_vector": (mean, ("rows",)),
            "elbo_history": (best.rows[:, 1], ("window",)),
            "iteration": (best.rows[:, 0].astype(np.int64), ("window",)),
        },
        lowered=lowered,
    )


def fullrank(
    lowered: Lowered, settings: AdviSettings, place: Place, start: Mapping[str, Any] | None
) -> Approximation:
    """Return the same with all correlations."""
    return advi(lowered, replace(settings, full=True), place, start)


def _last_elbo(part: Part) -> float:
    return float(part.rows[-1, 1]) if len(part.rows) else -np.inf
