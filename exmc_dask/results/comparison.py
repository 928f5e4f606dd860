"""How well models predict, estimated from their draws: WAIC, and tables of several models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from arviz_stats import ELPDData
from arviz_stats import compare as rank
from arviz_stats.base import array_stats
from arviz_stats.utils import ELPDDataLOO
from scipy.special import logsumexp

from exmc_dask.errors import OptionError
from exmc_dask.results.observations import SAMPLE, Floats, parts
from exmc_dask.warned import warn

if TYPE_CHECKING:
    import pandas as pd

UNRELIABLE = 0.4  # posterior variance of an observation's log-density above which WAIC is not good


@dataclass(kw_only=True, repr=False)
class WAIC(ELPDData):  # type: ignore[misc]  # ArviZ's class has no types
    """An estimate by WAIC, in the form that ArviZ gives those by cross-validation.

    Attributes
    ----------
    elpd, se, p : float
        Expected log predictive density, its standard error, effective number of parameters.
    elpd_i, p_i : DataArray
        The parts of the observations.
    """

    p_i: xr.DataArray | None = None

    @property
    def kind(self) -> str:
        """Name of the estimate."""
        return "waic"


def waic(trace: xr.DataTree, *, var_name: str | None = None) -> WAIC:
    """Estimate the expected log predictive density of a model by WAIC.

    Parameters
    ----------
    trace : DataTree
        With the group log_likelihood: ``sample(..., log_likelihood=True)`` or
        `compute_log_likelihood`.
    var_name : str, optional
        Which observed variable, where the group has several.

    Returns
    -------
    WAIC
        Prints as ArviZ's estimates do, and goes into `compare`.

    Warns
    -----
    UserWarning
        The log-density of an observation varies by more than 0.4: `arviz.loo` is to be preferred.

    Raises
    ------
    OptionError
        There is no log-likelihood, or the choice among several is not made.

    Notes
    -----
    A. Gelman, J. Hwang, A. Vehtari, Understanding predictive information criteria for Bayesian
    models, Statistics and Computing 24 (2014), equations 5, 11 to 13: p is the second of their
    two, the sum of posterior variances. On the scale of the log-density, not of the deviance.
    """
    found = _log_likelihood(trace, "trace", var_name)
    n_samples = found.sizes["chain"] * found.sizes["draw"]
    each = [_lppd_and_variance(values) for values in parts(found)]
    lppd, p = np.concatenate(each, axis=1)
    unreliable = int(np.count_nonzero(p > UNRELIABLE))
    if unreliable:
        warn(
            f"the log-density of {unreliable} of {p.size} observations varies by more than "
            f"{UNRELIABLE} over the posterior, where WAIC is not to be relied on; use arviz.loo"
        )
    elpd_i = lppd - p
    return WAIC(
        elpd=float(elpd_i.sum()),
        se=float(np.sqrt(p.size * elpd_i.var())),
        p=float(p.sum()),
        n_samples=n_samples,
        n_data_points=p.size,
        scale="log",
        warning=unreliable > 0,
        good_k=np.nan,
        elpd_i=_like(found, elpd_i),
        p_i=_like(found, p),
    )


def _lppd_and_variance(values: Floats) -> Floats:
    """Return the log of the mean density and the variance of the log-density, (2, m)."""
    draws = values.reshape(-1, values.shape[2])
    return np.stack([logsumexp(draws, axis=0) - np.log(len(draws)), draws.var(axis=0, ddof=1)])


def _loo(trace: xr.DataTree, *, var_name: str | None = None) -> ELPDDataLOO:
    """Return what `arviz.loo` does, without its weights, some observations at a time."""
    found = _log_likelihood(trace, "trace", var_name)
    n_samples = found.sizes["chain"] * found.sizes["draw"]
    if "posterior" not in trace.children:
        raise OptionError(
            "comparing by loo needs the posterior beside the log-likelihood, for the effective "
            "sample size; give the whole trace, or use ic='waic'"
        )
    reff = _efficiency(trace["posterior"].to_dataset()) / n_samples
    each = [_left_out(values, reff) for values in parts(found)]
    elpd_i, khat, p_i = np.concatenate(each, axis=1)
    good_k = min(1 - 1 / np.log10(n_samples), 0.7) if n_samples > 1 else 0.7  # as ArviZ has it
    unreliable = int(np.count_nonzero(khat > good_k))
    if unreliable:
        warn(
            f"Estimated shape parameter of Pareto distribution is greater than {good_k:.2f} for "
            f"{unreliable} of {khat.size} observations, whose leave-one-out densities are not to "
            "be relied on"
        )
    return ELPDDataLOO(
        elpd=float(elpd_i.sum()),
        se=float(np.sqrt(elpd_i.size * elpd_i.var(ddof=min(1, elpd_i.size - 1)))),
        p=float(p_i.sum()),
        n_samples=n_samples,
        n_data_points=elpd_i.size,
        scale="log",
        warning=unreliable > 0,
        good_k=good_k,
        elpd_i=_like(found, elpd_i),
        pareto_k=_like(found, khat),
    )


def _left_out(values: Floats, reff: float) -> Floats:
    """Return log predictive densities, k-hat, and effective numbers of parameters, (3, m).

    By ArviZ on arrays: its accessors of xarray objects and those refer to each other, so that all
    parts, and their weights, would stay in memory until Python next looks for such circles.
    """
    return np.stack(array_stats.loo(values, chain_axis=0, draw_axis=1, r_eff=reff))


def _efficiency(posterior: xr.Dataset) -> float:
    """Return the mean ESS of all variables, by which `arviz.loo` sets the length of tails."""
    if posterior.sizes["chain"] == 1:
        return float(posterior.sizes["draw"])
    each = [
        array_stats.ess(values.transpose(*SAMPLE, ...).to_numpy(), 0, 1, method="mean")
        for values in posterior.values()
    ]
    return float(np.hstack([np.ravel(ess) for ess in each]).mean())


def _like(found: xr.DataArray, values: Floats) -> xr.DataArray:
    """Lay values of observations out as the observations are."""
    first = found.transpose(*SAMPLE, ...).isel(chain=0, draw=0, drop=True)
    return first.copy(data=values.reshape(first.shape))


ESTIMATES: Mapping[str, Callable[..., ELPDData]] = {"loo": _loo, "waic": waic}


def compare(
    traces: Mapping[str, xr.DataTree | ELPDData],
    *,
    ic: Literal["loo", "waic"] = "loo",
    method: Literal["stacking", "BB-pseudo-BMA", "pseudo-BMA"] = "stacking",
    var_name: str | None = None,
    reference: str | None = None,
    round_to: Any = "auto",
) -> "pd.DataFrame":
    """Rank models of the same observations by how well they would predict others.

    Parameters
    ----------
    traces : mapping of str to DataTree
        Results with the group log_likelihood by the name of their model; or estimates of `waic`
        and of `arviz.loo` with ``pointwise=True``.
    ic : {"loo", "waic"}
        Leave-one-out cross-validation by Pareto smoothed importance sampling, or WAIC.
    method : {"stacking", "BB-pseudo-BMA", "pseudo-BMA"}
        How weights are given.
    var_name : str, optional
        Which observed variable, where there are several.
    reference : str, optional
        The model that others are compared with; by default the best.
    round_to : int, "auto" or "none"

    Returns
    -------
    pandas.DataFrame
        The table of `arviz.compare`, best model first: elpd, its standard error, difference to the
        reference and the standard error of that, weight, diagnoses. `arviz.plot_compare` draws it.

    Raises
    ------
    OptionError
        An option is impossible, a trace has no log-likelihood, or observations differ.
    """
    if ic not in ESTIMATES:
        raise OptionError(f"ic={ic!r} is not possible; use {' or '.join(map(repr, ESTIMATES))}")
    if not isinstance(traces, Mapping) or len(traces) < 2:
        raise OptionError("compare takes a mapping with two or more models: {'name': trace, ...}")
    estimates = {name: _estimate(name, given, ic, var_name) for name, given in traces.items()}
    sizes = {name: estimate.n_data_points for name, estimate in estimates.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"'{name}' {size}" for name, size in sizes.items())
        raise OptionError(f"models are compared on the same observations; there are {told}")
    if reference is not None and reference not in estimates:
        raise OptionError(f"reference='{reference}' is none of {', '.join(map(repr, estimates))}")
    return rank(estimates, method=method, reference=reference, round_to=round_to)


def _estimate(name: str, given: Any, ic: str, var_name: str | None) -> ELPDData:
    if isinstance(given, ELPDData):
        if given.elpd_i is None:
            raise OptionError(f"'{name}': make the estimate with pointwise=True")
        return given
    found = _log_likelihood(given, f"'{name}'", var_name)
    return ESTIMATES[ic](given, var_name=str(found.name))


def _log_likelihood(trace: Any, what: str, var_name: str | None) -> xr.DataArray:
    """Return the log-densities of one observed variable."""
    if not isinstance(trace, xr.DataTree) or "log_likelihood" not in trace.children:
        raise OptionError(
            f"{what} has no log-likelihood: sample with log_likelihood=True, or call "
            "ed.compute_log_likelihood(trace, model)"
        )
    group = trace["log_likelihood"].to_dataset()
    names = [str(name) for name in group.data_vars]
    if var_name is None and len(names) > 1:
        raise OptionError(f"{what} has log-likelihoods of {', '.join(names)}: choose by var_name=")
    if var_name is not None and var_name not in names:
        raise OptionError(
            f"{what} has no log-likelihood of '{var_name}'; there is {', '.join(names)}"
        )
    return group[var_name or names[0]]
