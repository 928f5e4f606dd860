"""What is wrong with a finished run, if anything, and what to do about it.

The numbers are those of `exmc_dask.convergence`. The thresholds of R-hat and ESS are those of
Vehtari et al. (2021), https://doi.org/10.1214/20-BA1221, that of BFMI is Stan's.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from exmc_dask.convergence import MIN_DRAWS, Array, bfmi, ess_bulk, ess_tail, rhat, rhat_nested
from exmc_dask.errors import OptionError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

MAX_RHAT = 1.01
MIN_ESS_PER_CHAIN = 100
MIN_BFMI = 0.3
MAX_SATURATED = 0.01  # share of draws whose tree was cut at max_treedepth
_SLAB = 2**23  # numbers looked at together, 64 MB, where a variable can be cut so
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


def report(trace: xr.DataTree) -> None:
    """Print findings as PyMC does, one line each."""
    for finding in diagnose(trace):
        print(finding)


def summary(trace: xr.DataTree, **options: Any) -> "pd.DataFrame":
    """Tabulate mean, interval, ESS, R-hat and MCSE of every variable; options are ArviZ's."""
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
    n, of, least = n_chains, "chain", MIN_DRAWS
    if (superchains := _superchains(posterior)) is not None:
        n, of = len(set(superchains)), "superchain"
        least = MIN_DRAWS if n == n_chains else 1
    if n >= 2 and n_draws >= least:
        return None
    return Finding(
        "length",
        f"With {n} {of}(s) of {n_draws} draws convergence cannot be judged.",
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
    superchains = _superchains(posterior)
    if superchains is None:
        name, statistic, who = "R-hat", rhat, "chains"
    else:
        name, who = "Nested R-hat", "superchains"
        statistic = partial(rhat_nested, superchains=superchains)
    bad = _where(posterior, statistic, lambda values: values > MAX_RHAT)
    if not bad:
        return None
    worst = sorted(bad, key=lambda name: -bad[name])
    return Finding(
        "rhat",
        f"{name} is above {MAX_RHAT} for {_some(worst, bad, '.3f')}: the {who} disagree.",
        "Draw and tune more; if it stays, look at the chains' traces for several modes, for "
        "variables that the data cannot tell apart, or for a chain that is stuck.",
    )


def _ess(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    n, of = posterior.sizes["chain"], "chain"
    if (
        superchains := _superchains(posterior)
    ) is not None:  # whose chains may be too short for an effective size of their own
        n, of = len(set(superchains)), "superchain"
    least = MIN_ESS_PER_CHAIN * n
    bad = _where(
        posterior,
        lambda draws: np.minimum(ess_bulk(draws), ess_tail(draws)),
        lambda values: values < least,
    )
    if not bad:
        return None
    worst = sorted(bad, key=lambda name: bad[name])
    return Finding(
        "ess",
        f"The effective sample size (bulk or tail) is below {least}, 100 a {of}, for "
        f"{_some(worst, bad, '.0f')}: means, intervals and R-hat are not to be relied on.",
        "Draw more; if the chains move slowly, reparametrise what is correlated.",
    )


def _bfmi(posterior: xr.Dataset, stats: xr.Dataset) -> Finding | None:
    if "energy" not in stats:
        return None
    values = bfmi(stats.energy.to_numpy())
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


def _some(names: Sequence[str], values: dict[str, float], form: str) -> str:
    """Name the worst few with their values, and count the rest."""
    shown = ", ".join(f"{name} ({values[name]:{form}})" for name in names[:N_NAMED])
    rest = len(names) - N_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
