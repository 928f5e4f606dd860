"""Fits as users call them: find_map() and fit()."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from exmc_dask.builder import Model
from exmc_dask.errors import OptionError
from exmc_dask.fitting.approximation import Approximation
from exmc_dask.fitting.laplace import find_mode, laplace
from exmc_dask.fitting.pathfinder import pathfinder
from exmc_dask.fitting.running import Lowered, Place
from exmc_dask.inference.settings import ModeSettings, PathfinderSettings
from exmc_dask.options import model_of, refuse, seed_of
from exmc_dask.sampler.checked import Checked

type Fitter = Callable[[Lowered, Any, Place, Mapping[str, Any] | None], Approximation]

METHODS: dict[str, tuple[Fitter, type[Checked]]] = {
    "laplace": (laplace, ModeSettings),
    "pathfinder": (pathfinder, PathfinderSettings),
}

# Options of pm.fit and pm.find_MAP that mean something else here: what to use instead.
ELSEWHERE = {
    "n": "it is called max_iterations: a fit ends by itself when it has converged",
    "maxeval": "it is called max_iterations",
    "seed": "it is called random_seed",
    "vars": "all variables are moved; fix one with ed.Data",
    "return_raw": "a search that did not arrive at a peak warns",
    "include_transformed": "values are on the variables' own scales",
    "obj_n_mc": "it is called gradient_draws",
    "obj_optimizer": "steps adapt by themselves",
    "progress": "it is called progressbar",
    "num_draws": "fit returns an approximation; draw from it with .sample(draws)",
    "num_paths": "it is called paths",
    "maxiter": "it is called max_iterations",
}


def find_map(
    model: Model | None = None,
    *,
    start: Mapping[str, Any] | None = None,
    restarts: int = 1,
    max_iterations: int = 5000,
    random_seed: int | None = None,
    client: Any = None,
    cluster: Any = None,
    progressbar: Any = True,
    **unknown: Any,
) -> dict[str, np.ndarray]:
    """Find the values of all variables where the posterior density is greatest.

    It is the density on the variables' own scales, as in ``pm.find_MAP``; the mode is searched
    for in unconstrained space, by L-BFGS. Modes of hierarchical models are often not typical of
    their posterior, or do not exist.

    Parameters
    ----------
    model : Model, optional
        By default that of the ``with`` block.
    start : mapping, optional
        Values by variable, on their own scales, where the search begins; variables left out begin
        at their support point.
    restarts : int
        Searches, of which the highest counts; all but the first begin at random. They run side by
        side, on a cluster on its workers.
    max_iterations : int
    random_seed : int, optional
        One seed, one result, on whatever cluster; it matters for restarts only.
    client, cluster, progressbar
        As in `exmc_dask.sample`.

    Returns
    -------
    dict of str to ndarray
        Free variables and deterministics.

    Warns
    -----
    UserWarning
        The search did not arrive at a peak; says how far it is thought to be.

    Raises
    ------
    OptionError, ModelError, SamplingError, ClusterError
    """
    refuse(find_map, unknown, ELSEWHERE)
    settings = ModeSettings(
        seed=seed_of(random_seed), restarts=restarts, max_iterations=max_iterations
    )
    place = Place(client, cluster, progressbar)
    return find_mode(model_of("find_map", model), settings, place, start)


def fit(
    model: Model | None = None,
    *,
    method: Literal["laplace", "pathfinder"] = "pathfinder",
    start: Mapping[str, Any] | None = None,
    ncp: bool | Literal["auto"] | Mapping[str, bool] = "auto",
    random_seed: int | None = None,
    client: Any = None,
    cluster: Any = None,
    progressbar: Any = True,
    **options: Any,
) -> Approximation:
    """Approximate the posterior by a law that is easy to draw from.

    Parameters
    ----------
    model : Model, optional
        By default that of the ``with`` block.
    method : {"laplace", "pathfinder"}
        ``"laplace"``: the normal law at the mode of the unconstrained density. ``"pathfinder"``:
        the best normal laws on several ways to modes, their draws put together by importance.
    start : mapping, optional
        Values by variable, on their own scales, where the fit begins.
    ncp
        As in `exmc_dask.sample`.
    random_seed : int, optional
        One seed, one result, on whatever cluster of equal machines.
    client, cluster, progressbar
        As in `exmc_dask.sample`.
    **options
        Of the method: the fields of its record in `exmc_dask.inference.settings`.

    Returns
    -------
    Approximation
        ``.sample(draws)`` returns a DataTree like that of ``sample``, whose group ``fit`` says how
        good the approximation is.

    Raises
    ------
    OptionError, ModelError, SamplingError, ClusterError
    """
    model = model_of("fit", model)
    if method not in METHODS:
        raise OptionError(f"method={method!r} is not possible; there are {', '.join(METHODS)}")
    fitter, kind = METHODS[method]
    settings = _settings(kind, method, {"seed": seed_of(random_seed)}, options)
    choice = ncp if isinstance(ncp, bool | str) else dict(ncp)
    lowered = Lowered.of(model, ncp=choice)
    return fitter(lowered, settings, Place(client, cluster, progressbar), start)


def _settings(
    kind: type[Checked], method: str, fixed: Mapping[str, Any], options: Mapping[str, Any]
) -> Checked:
    for name in options:
        if name in ELSEWHERE:
            raise OptionError(f"fit has no option {name!r}: {ELSEWHERE[name]}")
    try:
        return kind.from_dict({**options, **fixed})
    except OptionError as error:
        raise OptionError(f"fit(method={method!r}): {error}") from None
