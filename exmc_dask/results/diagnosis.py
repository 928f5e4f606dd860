"""What is wrong with a finished run, if anything, and what to do about it.

The numbers are those of `exmc_dask.results.convergence`. The thresholds of R-hat and ESS are those
of Vehtari et al. (2021), https://doi.org/10.1214/20-BA1221, that of BFMI is Stan's.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from exmc_dask.errors import OptionError, UnknownName
from exmc_dask.results import findings, moments_report
from exmc_dask.results.convergence import (
    MIN_DRAWS,
    Array,
    bfmi,
    ess_bulk,
    ess_tail,
    rhat,
    rhat_nested,
)
from exmc_dask.results.findings import MAX_RHAT, MIN_ESS_PER_CHAIN, Finding

if TYPE_CHECKING:
    import pandas as pd

_SLAB = 2**21  # numbers looked at together, 16 MB, where a variable can be cut so


def diagnose(trace: xr.DataTree, *, var_names: Sequence[str] | None = None) -> list[Finding]:
    """Look for every known trouble in a trace.

    Parameters
    ----------
    trace : xarray.DataTree
        With the groups ``posterior`` and, for the checks of the sampler, ``sample_stats``; or of a
        run with ``keep="moments"``.
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
    if "moments" in trace:
        return moments_report.diagnose(trace, var_names)
    posterior = _posterior(trace, var_names)
    stats = trace["sample_stats"].to_dataset() if "sample_stats" in trace else xr.Dataset()
    return [finding for check in CHECKS if (finding := check(posterior, stats))]


def report(trace: xr.DataTree) -> None:
    """Print findings as PyMC does, one line each."""
    for finding in diagnose(trace):
        print(finding)


def summary(trace: xr.DataTree, **options: Any) -> "pd.DataFrame":
    """Tabulate mean, interval, ESS, R-hat and MCSE of every variable; options are ArviZ's.

    Of a run with ``keep="moments"`` there are ``mean``, ``sd``, ``mcse_mean``, ``ess_mean`` and
    ``r_hat``, of whole chains and not rank-normalised, and no options.
    """
    if "moments" in trace:
        return moments_report.table(trace, options)
    import arviz_stats

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
    n, of = _judged(posterior)
    least = MIN_DRAWS if n == n_chains else 1
    return None if n >= 2 and n_draws >= least else findings.short(n, of, n_draws)


def _divergences(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    if "diverging" not in stats:
        return None
    return findings.diverged(int(stats.diverging.sum()), stats.diverging.size)


def _rhat(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    superchains = _superchains(posterior)
    if superchains is None:
        name, statistic, who = "R-hat", rhat, "chains"
    else:
        name, who = "Nested R-hat", "superchains"
        statistic = partial(rhat_nested, superchains=superchains)
    bad = _where(posterior, statistic, lambda values: values > MAX_RHAT)
    return findings.apart(bad, name, who)


def _ess(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    n, of = _judged(posterior)  # chains of superchains may be too short for a size of their own
    least = MIN_ESS_PER_CHAIN * n
    bad = _where(
        posterior,
        lambda draws: np.minimum(ess_bulk(draws), ess_tail(draws)),
        lambda values: values < least,
    )
    return findings.few(bad, "(bulk or tail)", f"{least}, 100 a {of}")


def _bfmi(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    if "energy" not in stats:
        return None
    values = bfmi(stats.energy.to_numpy())
    return findings.slow(dict(zip(stats.chain.values, values, strict=True)))


def _treedepth(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    if "reached_max_treedepth" not in stats or not stats.sizes["draw"]:
        return None
    return findings.deep(float(stats.reached_max_treedepth.mean()), int(stats.tree_depth.max()))


# What to look at, in the order in which it should be mended.
CHECKS: tuple[Callable[[xr.Dataset, xr.Dataset], Finding | None], ...] = (
    _length,
    _divergences,
    _rhat,
    _ess,
    _bfmi,
    _treedepth,
)


def _judged(posterior: xr.Dataset) -> tuple[int, str]:
    """Return how many there are of what has to agree, and what one is called."""
    superchains = _superchains(posterior)
    if superchains is None:
        return posterior.sizes["chain"], "chain"
    return len(set(superchains)), "superchain"


def _superchains(posterior: xr.Dataset) -> NDArray[np.int64] | None:
    """Return the superchain of each chain; None where chains share no starting point."""
    if "superchain" not in posterior.coords:
        return None
    return np.asarray(posterior.superchain.to_numpy(), np.int64)


def _where(
    posterior: xr.Dataset,
    statistic: Callable[[Array], Array],
    is_bad: Callable[[Array], NDArray[np.bool_]],
) -> dict[str, float]:
    """Find the scalars with a bad statistic, under the names they have in a summary."""
    found = {}
    for name, variable in posterior.data_vars.items():
        shape = variable.shape[2:]
        values = np.concatenate([statistic(draws) for draws in _slabs(variable)])
        labels = [posterior[dim].to_numpy() for dim in variable.dims[2:]]
        for i in np.flatnonzero(is_bad(values)):
            index = np.unravel_index(i, shape)
            at = ", ".join(str(label[j]) for label, j in zip(labels, index, strict=True))
            found[f"{name}[{at}]" if at else str(name)] = float(values[i])
    return found


def _slabs(variable: xr.DataArray) -> Iterator[Array]:
    """Yield the draws of all scalars of a variable, some at a time as it may lie on a disk."""
    extents = variable.shape[2:]
    n, slab = extents[0] if extents else 1, math.prod(extents[1:])
    width = max(1, _SLAB // max(1, math.prod(variable.shape[:2]) * slab))
    for low in range(0, max(n, 1), width):
        part = variable[:, :, low : low + width] if width < n else variable
        draws = part.to_numpy().astype(np.float64, copy=False)
        yield draws.reshape(*variable.shape[:2], math.prod(part.shape[2:]))
