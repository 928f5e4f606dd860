"""Moments of a run -> one xarray DataTree.

::

    moments/mean        (chain, *dims)         of each variable and deterministic
    moments/variance    (chain, *dims)         with divisor n - 1
    moments/batch_mean  (chain, batch, *dims)  of consecutive draws, ``batch_size`` each
    sample_totals       (chain)                what the sampler did, of all draws
    observed_data, constant_data               as in other results
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from exmc_dask.results.fold import BESIDE, TOTALS, Fold, FoldedDraws, Folding
from exmc_dask.results.moments import batch_means
from exmc_dask.results.output import (
    Coords,
    Data,
    Named,
    attributes,
    dataset,
    input_groups,
    with_superchains,
)
from exmc_dask.results.segments import Block
from exmc_dask.sampler.settings import Settings


def to_moments_tree(
    results: Mapping[int, Sequence[Block]],
    outputs: Sequence[Named],
    settings: Settings,
    *,
    coords: Coords,
    observed_data: Data,
    constant_data: Data,
    attrs: Mapping[str, Any],
) -> xr.DataTree:
    """Lay out what is known of each chain; NaN where there is no draw yet.

    Parameters
    ----------
    results : chain -> blocks in draw order
        Chains of unequal length show all that is known of them.
    outputs, settings, coords, observed_data, constant_data, attrs
        As in `exmc_dask.results.output.to_datatree`.
    """
    k = len(BESIDE) + sum(math.prod(output.shape) for output in outputs)
    folds = {chain: _fold(blocks, k) for chain, blocks in results.items()}
    chains = sorted(folds)
    about = attributes(settings, attrs)
    labels = {**coords, "chain": np.array(chains, np.int64)}
    totals = [folds[chain].moments.total for chain in chains]
    counts = np.array([total.n for total in totals], np.int64)
    mean, m2 = (
        np.reshape([getattr(total, name) for total in totals], (len(chains), k))
        for name in ("mean", "m2")
    )
    variance = np.where(counts[:, None] > 1, m2 / np.maximum(counts[:, None] - 1, 1), np.nan)
    size, batches = batch_means([folds[chain].moments for chain in chains], k)
    groups = {}
    for name, table in (("mean", mean), ("variance", variance), ("batch_mean", batches)):
        dims = ("chain", "batch")[: table.ndim - 1]
        own = {**about, "batch_size": size} if name == "batch_mean" else about
        groups[f"moments/{name}"] = dataset(_columns(table, outputs), labels, own, dims)
    groups["sample_totals"] = dataset(
        _sampler(folds, chains, counts, mean, variance), labels, about, ("chain",)
    )
    groups |= input_groups(observed_data, constant_data, coords, about)
    groups = with_superchains(groups, settings.superchains(chains))
    return xr.DataTree.from_dict(groups)


def _fold(blocks: Sequence[Block], k: int) -> Fold:
    """Return what is kept of a chain: the last block that was folded knows it."""
    gone = (block.draws for block in reversed(blocks) if isinstance(block.draws, FoldedDraws))
    return next((draws.folding.now for draws in gone), Folding(k, 1).now)


def _columns(
    table: np.ndarray, outputs: Sequence[Named]
) -> dict[str, tuple[np.ndarray, Sequence[str | None]]]:
    """Part the columns of (chain, ..., column) by variable."""
    found: dict[str, tuple[np.ndarray, Sequence[str | None]]] = {}
    column = 0
    for output in outputs:
        part = table[..., column : (column := column + math.prod(output.shape))]
        found[output.name] = (part.reshape(*table.shape[:-1], *output.shape).copy(), output.dims)
    return found


def _sampler(
    folds: Mapping[int, Fold],
    chains: Sequence[int],
    counts: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
) -> dict[str, tuple[np.ndarray, Sequence[str | None]]]:
    """Return what the sampler did, by chain."""
    acceptance, _, step = mean[:, -len(BESIDE) :].T
    with np.errstate(invalid="ignore", divide="ignore"):
        bfmi = step * (counts / np.maximum(counts - 1, 1)) / variance[:, -2]
    found = {"draws": counts, "acceptance_rate": acceptance, "bfmi": bfmi}
    for place, name in enumerate(TOTALS):
        found[name] = np.array([folds[chain].totals[place] for chain in chains], np.int64)
    found["tree_depth"] = np.array([folds[chain].tree_depth for chain in chains], np.int64)
    return {name: (np.asarray(array), ()) for name, array in found.items()}
