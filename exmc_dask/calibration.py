"""sbc(): whether a model's sampling finds the parameters that its data were drawn with."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from exmc_dask.cluster.plan.moves import Note, Progress
from exmc_dask.dist.law import default_transform
from exmc_dask.errors import OptionError, SamplingError
from exmc_dask.language.builder import Model
from exmc_dask.language.consistency import only_observed
from exmc_dask.language.model import Variable
from exmc_dask.options import model_of, refuse, seed_of
from exmc_dask.predictive.groups import tree
from exmc_dask.predictive.sampling import sample_prior_predictive
from exmc_dask.results.convergence import ess_bulk
from exmc_dask.results.output import dataset, provenance
from exmc_dask.runs.many import carry_out
from exmc_dask.runs.recipe import write
from exmc_dask.runs.terms import Terms
from exmc_dask.sampler.settings import Settings
from exmc_dask.transforms import Transform
from exmc_dask.warned import warn

N_KEPT = 99  # draws of each posterior that a true value is ranked among
MAX_SHARE = 0.05  # of simulations with too few draws or divergences, above which it is said
NARROWER = ("ordered", "positive_ordered", "interval")  # transforms that may leave out a part

ELSEWHERE = {
    "num_simulations": "it is called simulations",
    "sample_kwargs": "give options of sample to sbc itself",
    "initvals": "chains start at the support point plus jitter",
}


def sbc(
    model: Model,
    simulations: int = 1000,
    *,
    draws: int = 500,
    tune: int = 400,
    chains: int = 1,
    client: Any = None,
    cluster: Any = None,
    random_seed: int | None = None,
    target_accept: float = 0.8,
    max_treedepth: int = 10,
    adapt: Literal["fisher", "stan"] = "fisher",
    metric: Literal["diag", "dense", "low_rank"] = "diag",
    ncp: bool | Literal["auto"] | Mapping[str, bool] = "auto",
    progressbar: bool | str | Callable[[Progress | Note], None] = True,
    **unknown: Any,
) -> xr.DataTree:
    """Check a model and its sampling by simulation.

    Parameters are drawn from the prior and data from them; the model is sampled with these data,
    and the parameters are ranked among the draws of their posterior. If everything is as declared
    the ranks are uniform. It is sampled many times with one compiled kernel, spread over the
    workers.

    Parameters
    ----------
    model : Model
        Its observed values do not count, only how many there are.
    simulations : int
    draws, tune, chains, client, cluster, target_accept, max_treedepth, adapt, metric, ncp
        As in `exmc_dask.sample`, for each simulation; and so `progressbar`.
    random_seed : int, optional
        One seed, one result, on whatever cluster; drawn by default.

    Returns
    -------
    xarray.DataTree
        Groups ``prior_sbc``, each value's rank as a fraction, (chain, draw, ...) with one chain
        and a draw for each simulation, as `arviz.plot_ecdf_pit` takes it; ``prior``, the values;
        and ``fits``, for each simulation its smallest effective sample size ``ess``, its share of
        ``diverging`` draws and its ``seed``.

    Warns
    -----
    UserWarning
        Posteriors have too few effective draws for ranks among 99 to be uniform, or divergences.

    Raises
    ------
    OptionError
        An option is impossible, or data cannot be drawn that the model could be sampled with.
    ModelError
        A variable cannot be drawn.

    Notes
    -----
    S. Talts, M. Betancourt, D. Simpson, A. Vehtari, A. Gelman, Validating Bayesian inference
    algorithms with simulation-based calibration, arXiv:1804.06788. A rank r among L = 99 draws,
    spread evenly over the posterior's, is told as (r + u) / (L + 1) with u uniform, so that it has
    a continuous law.
    """
    refuse(sbc, unknown, ELSEWHERE)
    model = model_of("sbc", model)
    if not isinstance(simulations, int | np.integer) or simulations < 1:
        raise OptionError(f"simulations={simulations!r} is not possible; it has to be above 0")
    seed = seed_of(random_seed)
    settings = Settings(
        seed=seed,
        draws=draws,
        tune=tune,
        target_accept=target_accept,
        max_treedepth=max_treedepth,
        adapt=adapt,
        metric=metric,
    )
    slots = _observed_slots(model)
    names = [v.name for v in model.spec.free]
    recipe = write(model, settings, chains, ncp=ncp, var_names=names)
    if draws * chains < N_KEPT:
        raise OptionError(f"draws={draws} is too few: values are ranked among {N_KEPT} draws")
    prior = sample_prior_predictive(model, draws=int(simulations), random_seed=seed)
    free, seen = (prior[group].to_dataset() for group in ("prior", "prior_predictive"))
    data = {slot: seen[name].values[0] for name, slot in slots.items()}
    sets = [{slot: values[k] for slot, values in data.items()} for k in range(int(simulations))]
    truth = {name: free[name].values[0] for name in names}

    def judge(k: int, trace: xr.DataTree) -> _Fit:
        found = trace["posterior"].to_dataset()
        posterior = {name: found[name].values for name in names}
        rng = np.random.default_rng((seed, k))
        return _Fit(
            rank={name: _rank(posterior[name], truth[name][k], rng) for name in names},
            ess=min(float(_ess(array).min()) for array in posterior.values()),
            diverging=float(trace["sample_stats"]["diverging"].mean()),
            seed=trace["posterior"].attrs["seed"],
        )

    made = carry_out(recipe, Terms(client, cluster, progressbar), sets, judge)
    fits = {k: fit for k, fit in enumerate(made) if fit is not None}
    if not fits:
        raise SamplingError("no simulation was sampled to its end before it was interrupted")
    _warn(list(fits.values()))
    return _laid_out(model, fits, truth, seed)


@dataclass(frozen=True)
class _Fit:
    """What is kept of one simulation."""

    rank: dict[str, np.ndarray]
    ess: float
    diverging: float
    seed: int


def _observed_slots(model: Model) -> dict[str, str]:
    """Return the slot of each observed variable; refuse models of which no data can be drawn."""
    spec = model.spec
    for name in [*(p.name for p in spec.potentials), *(o.name for o in spec.observations)]:
        raise OptionError(
            f"'{name}': nothing can be drawn from a potential or an observed expression, so the "
            "model cannot be calibrated by simulation"
        )
    for v in spec.free:
        own, default = v.transform, default_transform(v.dist)
        if (
            isinstance(own, Transform)
            and own.kind in NARROWER
            and own.kind != getattr(default, "kind", None)
        ):
            raise OptionError(
                f"'{v.name}': transform='{own.kind}' leaves out a part of the law that "
                "prior draws come from, so the model cannot be calibrated by simulation"
            )
    seen = [v for v in spec.observed if v.likelihood]
    if not seen:
        raise OptionError("the model observes nothing, so there are no data to draw")
    alone = only_observed(spec)
    for v in seen:
        why = _undrawable(v, alone)
        if why:
            raise OptionError(
                f"'{v.name}' {why}, so data that it could be sampled with cannot be drawn"
            )
    return {v.name: str(v.observed.arg) for v in seen if v.observed is not None}


def _undrawable(v: Variable, alone: Collection[str]) -> str:
    if v.n_missing:
        return "has missing entries"
    if v.weight is not None or v.reduce != "sum":
        return "has weights, or reduce= other than 'sum'"
    if v.observed is None or v.observed.arg not in alone:
        return "shares its data with something else in the model"
    return ""


def _rank(draws: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rank of each true value among evenly spread draws, as a fraction."""
    flat = draws.reshape(-1, *draws.shape[2:])
    kept = flat[np.linspace(0, len(flat) - 1, N_KEPT).round().astype(int)]
    below = (kept < truth).sum(axis=0)
    return np.asarray((below + rng.random(truth.shape)) / (N_KEPT + 1))


def _ess(draws: np.ndarray) -> np.ndarray:
    return ess_bulk(draws.reshape(*draws.shape[:2], -1))


def _warn(fits: Sequence[_Fit]) -> None:
    """Say why ranks may not be uniform though the model is as it should be."""
    few = sum(fit.ess < N_KEPT for fit in fits)
    if few > MAX_SHARE * len(fits):
        warn(
            f"{few} of {len(fits)} simulations have fewer than {N_KEPT} effective draws, so that "
            "ranks pile up at both ends whatever the model; raise draws="
        )
    diverging = sum(fit.diverging > 0 for fit in fits)
    if diverging > MAX_SHARE * len(fits):
        warn(
            f"{diverging} of {len(fits)} simulations had divergences, so that their posteriors are "
            "not explored; raise target_accept= or reparametrise"
        )


def _laid_out(
    model: Model, fits: Mapping[int, _Fit], truth: Mapping[str, np.ndarray], seed: int
) -> xr.DataTree:
    kept, dims = list(fits), {v.name: v.dims for v in model.spec.free}
    labels = {**model.coords, "chain": np.arange(1), "draw": np.array(kept)}
    attrs = {**provenance(), "seed": seed}
    ranks = {name: np.stack([fits[k].rank[name] for k in kept])[None] for name in truth}
    about = {
        "ess": np.array([fit.ess for fit in fits.values()])[None],
        "diverging": np.array([fit.diverging for fit in fits.values()])[None],
        "seed": np.array([fit.seed for fit in fits.values()])[None],
    }

    def group(arrays: Mapping[str, np.ndarray]) -> xr.Dataset:
        found = {name: (array, dims.get(name, ())) for name, array in arrays.items()}
        return dataset(found, labels, attrs, ("chain", "draw"))

    values = {name: array[None, kept] for name, array in truth.items()}
    return tree({"prior_sbc": group(ranks), "prior": group(values), "fits": group(about)})
