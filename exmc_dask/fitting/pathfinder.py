"""Many paths of Pathfinder, whose draws are put together and weighed for the posterior."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import logsumexp

from exmc_dask.errors import SamplingError
from exmc_dask.fitting.approximation import Approximation, Pool, weighed
from exmc_dask.fitting.running import Lowered, run_parts
from exmc_dask.inference.pathfinder import log_density
from exmc_dask.inference.settings import PathfinderSettings
from exmc_dask.options import Place


def pathfinder(
    lowered: Lowered,
    settings: PathfinderSettings,
    place: Place,
    start: Mapping[str, Any] | None,
) -> Approximation:
    """Return the draws of all paths, with Pareto-smoothed weights.

    A draw is weighed as one from the mixture of all paths' laws. As one of its own path's law, as
    in the paper, the weight of a mode would grow with the number of paths that lead to it.

    ``fit`` has ``elbo`` and ``khat`` of all draws together, ``path_elbo``, and ``path_steps``.
    Paths that found no normal law with a finite ELBO contribute nothing.

    Raises
    ------
    SamplingError
        No path found one.
    """
    initials = {}
    if start:
        point = lowered.density.support_point(lowered.model.data, start)
        initials = dict.fromkeys(range(settings.paths), point)
    paths = run_parts(lowered, "pathfinder", settings, place, initials)
    q, logp = (np.concatenate([path.state[name] for path in paths]) for name in ("q", "logp"))
    laws = [path.state for path in paths if len(path.state["q"])]
    if not laws:
        raise SamplingError(
            f"none of the {settings.paths} paths came past a place with a normal law whose draws "
            "have a finite density; give start= inside the support, or sample"
        )
    logq = logsumexp([log_density(law, q) for law in laws], axis=0) - np.log(len(laws))
    log_weights, found = weighed(logp, logq)
    weights = np.exp(log_weights - log_weights.max())
    return Pool(
        method="pathfinder",
        stats={
            **found,
            "path_elbo": (np.array([path.state["elbo"][0] for path in paths]), ("path",)),
            "path_steps": (np.array([len(path.rows) for path in paths]), ("path",)),
        },
        lowered=lowered,
        q=q,
        logp=logp,
        logq=logq,
        weights=weights / weights.sum(),
    )
