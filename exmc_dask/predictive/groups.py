"""The data of a model, and draws made from it, as groups of a result."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from exmc_dask.language.builder import Model
from exmc_dask.language.model import LEFT_OUT, SEEN, Variable
from exmc_dask.results.output import Data, dataset, provenance
from exmc_dask.warned import warn


def observed_data(model: Model) -> Data:
    """Return what a model is conditioned on: name -> (array, dims).

    Of a variable with imputed entries it is the others, called ``NAME_observed`` as in PyMC.
    """
    spec, data = model.spec, model.data
    behind = model.sizes.behind
    found: dict[str, tuple[np.ndarray, Sequence[str | None]]] = {}
    for v in spec.observed:
        assert v.observed is not None
        array, dims = data[v.observed.arg], v.dims
        if v.name in behind:
            continue
        places = np.asarray(SEEN) if v.missing is None else data[v.missing.arg]
        if (places == LEFT_OUT).any():
            array = np.where(places == LEFT_OUT, np.nan, array)
        if v.n_missing:
            array, dims = array[places < 0], (None,)
        found[seen_name(v)] = array, dims
    return found | {o.name: (data[o.observed.arg], o.dims) for o in spec.observations}


def seen_name(v: Variable) -> str:
    """Name under which observed values, and what is drawn in their place, stand in results."""
    return v.shares[1] if v.n_missing else v.name


def constant_data(model: Model) -> Data:
    """Return every other array: name -> (array, dims)."""
    spec, data = model.spec, model.data
    conditioned = {o.observed.arg for o in spec.observations}
    for v in spec.observed:
        conditioned |= {leaf.arg for leaf in (v.observed, v.missing) if leaf is not None}
    return {s.name: (data[s.name], s.dims) for s in spec.slots if s.name not in conditioned}


def data_groups(model: Model, *, predictions: bool = False) -> dict[str, xr.Dataset]:
    """Return the data beside draws made from a model; predictions have none that is observed."""
    found = {"predictions_constant_data" if predictions else "constant_data": constant_data(model)}
    if not predictions:
        found["observed_data"] = observed_data(model)
    return {
        name: dataset(data, model.coords, provenance(), ()) for name, data in found.items() if data
    }


def tree(groups: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """Make a result of groups."""
    return xr.DataTree(children={name: xr.DataTree(group) for name, group in groups.items()})


def extended(trace: xr.DataTree, groups: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """Put groups into `trace`, in place; says which of those that it has are replaced."""
    for name, group in groups.items():
        if name in trace.children:
            warn(f"the group {name} of the trace is replaced")
        trace[name] = xr.DataTree(group)
    return trace
