"""What moments say of a run: a table of variables, and what is wrong."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from exmc_dask.errors import OptionError, UnknownName
from exmc_dask.results import findings
from exmc_dask.results.convergence import nested_ratio
from exmc_dask.results.findings import MAX_RHAT, MIN_ESS_PER_CHAIN, Finding
from exmc_dask.results.moments import Array, ess, mcse, rhat

_ENOUGH = 4  # chains, each of which has to bring 100 effective draws; more need not bring more


@dataclass(frozen=True, eq=False)
class Numbers:
    """Of each scalar of one variable; R-hat, error and ESS are NaN where they cannot be had."""

    labels: list[str]
    mean: Array
    sd: Array
    mcse: Array
    ess: Array
    rhat: Array


def numbers(trace: xr.DataTree) -> Iterator[Numbers]:
    """Go over the variables of a run that kept moments."""
    counts = trace["sample_totals"]["draws"].to_numpy()
    if not counts.all():
        raise OptionError("the run has no draw of some chains yet, so there are no moments")
    mean, variance = (trace[f"moments/{name}"].to_dataset() for name in ("mean", "variance"))
    batches = trace["moments/batch_mean"].to_dataset()
    superchains = mean["superchain"].to_numpy() if "superchain" in mean.coords else None
    n_chains, total = len(counts), int(counts.sum())
    for name, variable in mean.data_vars.items():
        shape = variable.shape[1:]
        k = math.prod(shape)
        means = variable.to_numpy().reshape(n_chains, k)
        variances = variance[name].to_numpy().reshape(n_chains, k)
        batch = batches[name].to_numpy().reshape(n_chains, -1, k)
        centre = counts @ means / total
        squares = (counts - 1) @ np.where(counts[:, None] > 1, variances, 0.0)
        pooled = (squares + counts @ np.square(means - centre)) / max(total - 1, 1)
        found = np.full(k, math.nan)
        if superchains is not None and len(np.unique(superchains)) > 1:
            found = rhat_nested(counts, means, variances, superchains)
        elif superchains is None and n_chains > 1 and counts.min() > 1:
            found = rhat(counts, means, variances)
        error = mcse(counts, means, int(batches.attrs["batch_size"]), batch)
        labels = [
            _label(str(name), variable, np.unravel_index(i, shape) if shape else ())
            for i in range(k)
        ]
        yield Numbers(labels, centre, np.sqrt(pooled), error, ess(pooled, error, total), found)


def rhat_nested(
    counts: NDArray[np.int64], means: Array, variances: Array, superchains: NDArray[np.int64]
) -> Array:
    """Nested R-hat of whole chains, for chains that share starting points.

    Margossian et al. (2024), https://doi.org/10.1214/24-BA1453, eq. 4 to 8, of the draws as they
    are.

    Parameters
    ----------
    counts, means, variances
        As in `exmc_dask.results.moments.rhat`; of one draw a chain variances do not count.
    superchains : (n_chains,) int64
        To which each chain belongs.
    """
    own = np.unique(superchains, return_inverse=True)[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return nested_ratio(means.T, variances.T if counts.min() > 1 else None, own)


def table(trace: xr.DataTree, options: dict[str, Any]) -> pd.DataFrame:
    """Tabulate what moments say: mean, sd, mcse_mean, ess_mean and r_hat of every scalar.

    Raises
    ------
    OptionError
        Something is asked for that needs draws.
    """
    if options:
        raise OptionError(
            f"summary: {', '.join(options)} cannot be had of a run that kept moments "
            "(keep='moments'): quantiles, intervals and the ESS of bulk and tail are made of "
            "draws; sample with keep='draws' or into a store="
        )
    rows = {
        label: row
        for part in numbers(trace)
        for label, *row in zip(
            part.labels, part.mean, part.sd, part.mcse, part.ess, part.rhat, strict=True
        )
    }
    columns = ["mean", "sd", "mcse_mean", "ess_mean", "r_hat"]
    found = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return found.dropna(axis="columns", how="all")  # what this run is too short or too small for


def diagnose(trace: xr.DataTree, var_names: Sequence[str] | None) -> list[Finding]:
    """Look for what moments can show; the ESS of many short chains is judged as a whole."""
    totals = trace["sample_totals"].to_dataset()
    counts = totals["draws"].to_numpy()
    found = list(numbers(trace)) if counts.all() else []
    if var_names is not None:
        found = _chosen(found, var_names)
    all_labels = [label for part in found for label in part.labels]
    nothing = np.empty(0)
    r, n = (
        np.concatenate([nothing, *(getattr(part, name) for part in found)])
        for name in ("rhat", "ess")
    )
    nested = "superchain" in totals.coords
    names = ("Nested R-hat", "superchains") if nested else ("R-hat", "chains")
    least = MIN_ESS_PER_CHAIN * min(len(counts), _ENOUGH)
    bad_r = {label: x for label, x in zip(all_labels, r.tolist(), strict=True) if x > MAX_RHAT}
    bad_n = {label: x for label, x in zip(all_labels, n.tolist(), strict=True) if x < least}
    draws = int(counts.sum())
    checks = (
        findings.short(len(counts), "chain", int(counts.min()))
        if len(counts) < 2 or np.isnan(n).all()
        else None,
        findings.diverged(int(totals["diverging"].sum()), draws),
        findings.apart(bad_r, *names),
        findings.few(bad_n, "of the means", str(least)),
        findings.slow(dict(zip(totals.chain.values, totals["bfmi"].values, strict=True))),
        findings.deep(
            int(totals["reached_max_treedepth"].sum()) / max(draws, 1),
            int(totals["tree_depth"].max()),
        ),
    )
    return [finding for finding in checks if finding is not None]


def _chosen(found: Sequence[Numbers], var_names: Sequence[str]) -> list[Numbers]:
    named = {part.labels[0].partition("[")[0]: part for part in found if part.labels}
    if unknown := sorted(set(var_names) - set(named)):
        raise UnknownName(
            f"diagnose: the moments have no {', '.join(unknown)}; they have {', '.join(named)}"
        )
    return [named[name] for name in var_names]


def _label(name: str, variable: xr.DataArray, index: tuple[Any, ...]) -> str:
    dims = variable.dims[1:]
    at = (str(variable[dim].to_numpy()[i]) for dim, i in zip(dims, index, strict=True))
    return f"{name}[{', '.join(at)}]" if dims else name
