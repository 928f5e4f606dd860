"""Deterministics calculated for draws that were kept without them."""

from collections.abc import Sequence
from typing import Any

import xarray as xr

from exmc_dask.language.builder import Model
from exmc_dask.options import FORWARD, names_of, refuse, trace_and_model
from exmc_dask.predictive.replay import Expression, check_names, replayed
from exmc_dask.predictive.trace import dataset_of, read
from exmc_dask.rewrite.draft import draft
from exmc_dask.rewrite.measurable import measurable
from exmc_dask.rewrite.terms import resolve


def compute_deterministics(
    posterior: Any,
    model: Model | None = None,
    *,
    var_names: str | Sequence[str] | None = None,
    group: str = "posterior",
    merge_dataset: bool = False,
    sample_dims: Sequence[str] | None = None,
    **unknown: Any,
) -> xr.Dataset:
    """Calculate a model's deterministics for the draws of a posterior, with the model's data.

    Parameters
    ----------
    posterior : Dataset or DataTree
        Draws of the free variables: a group of a result, or all of it.
    model : Model, optional
        By default the one whose ``with`` block is open.
    var_names : str or sequence of str, optional
        Deterministics; all by default.
    group : str
        Which group of a whole result to read.
    merge_dataset : bool
        Return the draws that were given together with the deterministics.
    sample_dims : sequence of str, optional
        Dimensions along which draws lie; chain and draw by default.

    Returns
    -------
    Dataset
        ``(chain, draw, ...)``; above 1 GiB Dask arrays, calculated when they are read.

    Raises
    ------
    OptionError
    UnknownName
        No such deterministic, or a variable on which it depends is not among the draws.
    """
    refuse(compute_deterministics, unknown, FORWARD)
    posterior, model = trace_and_model("compute_deterministics", posterior, model)
    given = measurable(draft(model.spec))
    known = {d.name: d for d in given.deterministics}
    names = names_of("var_names", var_names) or tuple(known)
    check_names(names, known, "a deterministic")
    nodes = resolve([known[name].node for name in names], dict(given.fixed))
    expressions = [
        Expression(name, node, known[name].dims) for name, node in zip(names, nodes, strict=True)
    ]
    made = replayed(model, expressions, read(posterior, sample_dims, group))
    return dataset_of(posterior, group).assign(made.data_vars) if merge_dataset else made
