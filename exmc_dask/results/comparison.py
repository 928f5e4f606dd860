"""How well models predict, estimated from their draws: WAIC, and tables of several models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from arviz_stats import ELPDData, loo
from arviz_stats import compare as rank
from scipy.special import logsumexp

from exmc_dask.errors import OptionError
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
    draws = found.stack(__draw__=("chain", "draw")).transpose(..., "__draw__")
    values = draws.to_numpy()
    lppd = logsumexp(values, axis=-1) - np.log(values.shape[-1])
    p = values.var(axis=-1, ddof=1)
    unreliable = int(np.count_nonzero(p > UNRELIABLE))
    if unreliable:
        warn(
            f"the log-density of {unreliable} of {p.size} observations varies by more than "
            f"{UNRELIABLE} over the posterior, where WAIC is not to be relied on; use arviz.loo"
        )
    first = found.isel(chain=0, draw=0, drop=True)
    elpd_i = lppd - p
    return WAIC(
        elpd=float(elpd_i.sum()),
        se=float(np.sqrt(p.size * elpd_i.var())),
        p=float(p.sum()),
        n_samples=values.shape[-1],
        n_data_points=p.size,
        scale="log",
        warning=unreliable > 0,
        good_k=np.nan,
        elpd_i=first.copy(data=elpd_i),
        p_i=first.copy(data=p),
    )


ESTIMATES: Mapping[str, Callable[..., ELPDData]] = {
    "loo": partial(loo, pointwise=True),
    "waic": waic,
}


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
    _log_likelihood(given, f"'{name}'", var_name)
    return ESTIMATES[ic](given, var_name=var_name)


def _log_likelihood(trace: Any, what: str, var_name: str | None) -> xr.DataArray:
    """Return the log-densities of one observed variable, loaded."""
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
    return group[var_name or names[0]].load()
