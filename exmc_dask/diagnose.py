"""What is wrong with a finished run, if anything, and what to do about it.

The numbers come from arviz-stats; the thresholds are those of Vehtari et al. (2021), "Rank-
normalization, folding, and localization: an improved R-hat", https://doi.org/10.1214/20-BA1221
(R-hat and ESS), and of Stan's guide to runtime warnings (BFMI).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import xarray as xr

from exmc_dask.errors import OptionError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

MAX_RHAT = 1.01
MIN_ESS_PER_CHAIN = 100
TAILS = (0.05, 0.95)  # the quantiles whose precision counts as "tail"
MIN_BFMI = 0.3
MAX_SATURATED = 0.01  # share of draws whose tree was cut at max_treedepth
MIN_DRAWS = 4  # below, the split halves of a chain have no variance
N_NAMED = 3  # variables a finding names, the worst first


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    check : str
        ``length``, ``divergences``, ``rhat``, ``ess``, ``bfmi`` or ``treedepth``.
    what : str
        What was found and where, with numbers.
    advice : str
        What to do about it.
    """

    check: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.what} {self.advice}"


def diagnose(trace: xr.DataTree, *, var_names: Sequence[str] | None = None) -> list[Finding]:
    """Look for every known trouble in a trace.

    Parameters
    ----------
    trace : xarray.DataTree
        With the groups ``posterior`` and, for the checks of the sampler, ``sample_stats``.
    var_names : names to judge R-hat and ESS by; all of the posterior by default

    Returns
    -------
    list of Finding
        Empty when nothing was found.

    Raises
    ------
    OptionError
        The trace has no posterior.
    UnknownName
        A name that the posterior does not have.
    """
    posterior = _posterior(trace, var_names)
    stats = trace["sample_stats"].to_dataset() if "sample_stats" in trace else xr.Dataset()
    return [finding for check in CHECKS if (finding := check(posterior, stats))]


def summary(trace: xr.DataTree, **options: Any) -> "pd.DataFrame":
    """Tabulate mean, interval, ESS, R-hat and MCSE of every variable; options are ArviZ's."""
    table: pd.DataFrame = arviz_stats.summary(trace, **options)
    return table


def _posterior(trace: xr.DataTree, var_names: Sequence[str] | None) -> xr.Dataset:
    if "posterior" not in trace:
        raise OptionError("diagnose: the trace has no group 'posterior'; pass what sample returned")
    posterior = trace["posterior"].to_dataset()
    if var_names is None:
        return posterior
    unknown = sorted(set(var_names) - set(posterior.data_vars))
    if unknown:
        raise UnknownName(
            f"diagnose: the posterior has no {', '.join(unknown)}; "
            f"it has {', '.join(map(str, posterior.data_vars))}"
        )
    return posterior[list(var_names)]


def _length(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    n_chains, n_draws = posterior.sizes["chain"], posterior.sizes["draw"]
    if n_chains >= 2 and n_draws >= MIN_DRAWS:
        return None
    return Finding(
        "length",
        f"With {n_chains} chain(s) of {n_draws} draws convergence cannot be judged.",
        "Sample at least 4 chains of 100 draws.",
    )


def _divergences(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    if "diverging" not in stats or not stats.diverging.any():
        return None
    count, total = int(stats.diverging.sum()), stats.diverging.size
    return Finding(
        "divergences",
        f"{count} of {total} draws ({count / total:.1%}) ended in a divergence: the sampler met "
        "curvature that its step size cannot follow, and the posterior there is not explored.",
        "Raise target_accept (0.9, then 0.95, 0.99); if that does not end it, non-centre "
        "hierarchical variables or give scales a prior that keeps them away from 0.",
    )


def _rhat(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    if posterior.sizes["chain"] < 2:
        return None
    bad = {name: value for name, value in _each(posterior, "rhat").items() if value > MAX_RHAT}
    if not bad:
        return None
    worst = sorted(bad, key=lambda name: -bad[name])
    return Finding(
        "rhat",
        f"R-hat is above {MAX_RHAT} for {_some(worst, bad, '.3f')}: the chains disagree.",
        "Draw and tune more; if it stays, look at the chains' traces for several modes, for "
        "variables that the data cannot tell apart, or for a chain that is stuck.",
    )


def _ess(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    least = MIN_ESS_PER_CHAIN * posterior.sizes["chain"]
    bulk, tail = (
        _each(posterior, "ess", method="bulk"),
        _each(posterior, "ess", method="tail", prob=TAILS),
    )
    values = {name: min(bulk[name], tail[name]) for name in bulk}
    bad = {name: value for name, value in values.items() if value < least}
    if not bad:
        return None
    worst = sorted(bad, key=lambda name: bad[name])
    return Finding(
        "ess",
        f"The effective sample size (bulk or tail) is below {least}, 100 a chain, for "
        f"{_some(worst, bad, '.0f')}: means, intervals and R-hat are not to be relied on.",
        "Draw more; if the chains move slowly, reparametrise what is correlated.",
    )


def _bfmi(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    if "energy" not in stats or stats.sizes["draw"] < 2:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.atleast_1d(arviz_stats.bfmi(stats.energy.to_numpy()))
    low = np.flatnonzero(values < MIN_BFMI)
    if not len(low):
        return None
    where = ", ".join(f"{stats.chain.values[i]} ({values[i]:.2f})" for i in low)
    return Finding(
        "bfmi",
        f"BFMI is below {MIN_BFMI} in chain {where}: momentum alone moves the energy too slowly to "
        "reach the tails.",
        "Tune longer; non-centre hierarchical variables, or give heavy-tailed ones lighter tails.",
    )


def _treedepth(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    if "reached_max_treedepth" not in stats or not stats.sizes["draw"]:
        return None
    share = float(stats.reached_max_treedepth.mean())
    if share <= MAX_SATURATED:
        return None
    return Finding(
        "treedepth",
        f"{share:.1%} of the draws stopped at the largest tree depth, "
        f"{int(stats.tree_depth.max())}: they are valid but cost the most and move the least.",
        "Scale or reparametrise variables of very different size, tune longer, or raise "
        "max_treedepth.",
    )


# What to look at, in the order in which it should be mended.
CHECKS: tuple[Callable[[xr.Dataset, xr.Dataset], Finding | None], ...] = (
    _length,
    _divergences,
    _rhat,
    _ess,
    _bfmi,
    _treedepth,
)


def _each(posterior: xr.Dataset, statistic: str, **options: Any) -> dict[str, float]:
    """Compute a statistic for every scalar, under the name it has in a summary.

    NaN is the value of what never changes, such as the diagonal of a correlation matrix.
    """
    found: dict[str, float] = {}
    if posterior.sizes["draw"] < MIN_DRAWS:
        return found
    with np.errstate(invalid="ignore", divide="ignore"):
        table = getattr(arviz_stats, statistic)(posterior, **options)
    for name, values in table.data_vars.items():
        labels = [posterior[dim].to_numpy() for dim in values.dims]
        for index, value in np.ndenumerate(values.to_numpy()):
            at = ", ".join(str(label[i]) for label, i in zip(labels, index, strict=True))
            found[f"{name}[{at}]" if at else str(name)] = float(value)
    return found


def _some(names: Sequence[str], values: dict[str, float], form: str) -> str:
    """Name the worst few with their values, and count the rest."""
    shown = ", ".join(f"{name} ({values[name]:{form}})" for name in names[:N_NAMED])
    rest = len(names) - N_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
