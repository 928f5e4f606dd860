"""Fits as users call them: find_map() and fit()."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from exmc_dask.errors import OptionError
from exmc_dask.fitting.advi import advi, fullrank
from exmc_dask.fitting.approximation import Approximation
from exmc_dask.fitting.laplace import find_mode, laplace
from exmc_dask.fitting.pathfinder import pathfinder
from exmc_dask.fitting.running import Lowered
from exmc_dask.fitting.smc import smc
from exmc_dask.inference.settings import (
    AdviSettings,
    ModeSettings,
    PathfinderSettings,
    SmcSettings,
)
from exmc_dask.language.builder import Model
from exmc_dask.options import Place, model_and_counts, model_of, refuse, seed_of
from exmc_dask.sampler.checked import Checked

if TYPE_CHECKING:
    import xarray as xr

type Fitter = Callable[[Lowered, Any, Place, Mapping[str, Any] | None], Approximation]

METHODS: dict[str, tuple[Fitter, type[Checked]]] = {
    "advi": (advi, AdviSettings),
    "fullrank": (fullrank, AdviSettings),
    "laplace": (laplace, ModeSettings),
    "pathfinder": (pathfinder, PathfinderSettings),
}
ALIASES = {"fullrank_advi": "fullrank"}

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

# Options of pm.sample_smc.
ELSEWHERE_SMC = {
    "kernel": "moves= says how particles are moved: 'hmc', 'mh' or 'imh'",
    "start": "particles begin as draws from the prior",
    "cores": "client= or cluster= says where populations run",
    "compute_convergence_checks": "call diagnose on the result",
    "return_inferencedata": "the result is always an xarray DataTree",
    "idata_kwargs": "the result is an xarray DataTree; change it afterwards",
    "correlation_threshold": "it is called correlation",
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
    place = Place(client, cluster, progressbar, halts=True)
    return find_mode(model_of("find_map", model), settings, place, start)


def fit(
    model: Model | None = None,
    *,
    method: Literal["advi", "fullrank", "laplace", "pathfinder"] = "advi",
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
    method : {"advi", "fullrank", "laplace", "pathfinder"}
        ``"advi"``: the normal law without correlations that has the highest ELBO. ``"fullrank"``,
        or PyMC's ``"fullrank_advi"``: that with all correlations. ``"laplace"``: that at the mode
        of the unconstrained density, with its curvature. ``"pathfinder"``: the best normal laws on
        several ways to modes, their draws put together by importance.
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
    name = ALIASES.get(method, method)
    if name not in METHODS:
        raise OptionError(f"method={method!r} is not possible; there are {', '.join(METHODS)}")
    fitter, kind = METHODS[name]
    settings = _settings(kind, method, {"seed": seed_of(random_seed)}, options)
    choice = ncp if isinstance(ncp, bool | str) else dict(ncp)
    lowered = Lowered.of(model, ncp=choice)
    return fitter(lowered, settings, Place(client, cluster, progressbar, halts=True), start)


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


def sample_smc(
    *first: Model | int,
    draws: int = 1000,
    chains: int = 4,
    model: Model | None = None,
    moves: Literal["hmc", "mh", "imh"] = "hmc",
    threshold: float = 0.5,
    correlation: float = 0.1,
    ncp: bool | Literal["auto"] | Mapping[str, bool] = "auto",
    random_seed: int | None = None,
    client: Any = None,
    cluster: Any = None,
    progressbar: Any = True,
    **unknown: Any,
) -> "xr.DataTree":
    """Lead particles from the prior to the posterior, and estimate the evidence on the way.

    The likelihood (and every potential) is raised to a power that grows from 0 to 1 in stages. A
    stage is as large as the particles' weights allow; then they are resampled and moved. It finds
    separate modes, and their weights, where chains do not.

    Parameters
    ----------
    *first
        The model, if it is not given by name or by being inside its ``with`` block.
    draws : int
        Particles of a population.
    chains : int
        Populations. They know nothing of each other, so that what they disagree about is the
        error, and run side by side, on a cluster on its workers.
    moves : {"hmc", "mh", "imh"}
        Hamiltonian Monte Carlo; a random walk; independent proposals from a normal law, as PyMC's
        default kernel IMH makes them.
    threshold : float
        Effective share of the particles that the weights of a stage leave.
    correlation : float
        Moves go on until particles correlate less than that with where the stage began.
    ncp, random_seed, client, cluster, progressbar
        As in `exmc_dask.sample`.

    Returns
    -------
    xarray.DataTree
        Groups posterior (a chain for each population), sample_stats (``lp`` and ``likelihood``, its
        logarithm), fit, observed_data, constant_data. ``fit`` has ``log_evidence`` of each chain
        and ``log_evidence_mean`` of their mean; and of each stage ``beta``, ``temperature`` (its
        inverse), ``ess``, ``acceptance_rate``, ``sweeps`` and ``step_size``.

    Raises
    ------
    OptionError, ModelError, SamplingError, ClusterError

    Notes
    -----
    Temperatures are chosen by the weights that are then averaged, so the evidence is a little too
    small on average, by some 6 / draws of itself on a regression of ten dimensions: 5 % with 125
    particles, 0.6 % with 1000. One population's error there is 43 % and 18 %. Average many
    populations by the mean of the evidences, as ``log_evidence_mean`` does, and not by that of
    their logarithms, which is too low by half of their variance.
    """
    refuse(sample_smc, unknown, ELSEWHERE_SMC)
    model, counts = model_and_counts("sample_smc", first, model, ("draws", "chains"))
    draws, chains = (*counts, *(draws, chains)[len(counts) :])
    settings = SmcSettings(
        seed=seed_of(random_seed),
        draws=draws,
        chains=chains,
        moves=moves,
        threshold=threshold,
        correlation=correlation,
    )
    choice = ncp if isinstance(ncp, bool | str) else dict(ncp)
    return smc(model, choice, settings, Place(client, cluster, progressbar, halts=True))
