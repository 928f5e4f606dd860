"""The data of a model, and draws made from it, as groups of a result."""

import warnings
from collections.abc import Mapping

import xarray as xr

from exmc_dask.builder import Model
from exmc_dask.output import Data, dataset, provenance


def observed_data(model: Model) -> Data:
    """Return what a model is conditioned on: name -> (array, dims)."""
    spec, data = model.spec, model.data
    behind = model.sizes.behind
    seen = [(v.name, v.observed, v.dims) for v in spec.observed if v.name not in behind]
    seen += [(o.name, o.observed, o.dims) for o in spec.observations]
    return {name: (data[leaf.arg], dims) for name, leaf, dims in seen if leaf is not None}


def constant_data(model: Model) -> Data:
    """Return every other array: name -> (array, dims)."""
    spec, data = model.spec, model.data
    conditioned = {leaf.arg for leaf in spec.known.values()}
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
            warnings.warn(f"the group {name} of the trace is replaced", stacklevel=3)
        trace[name] = xr.DataTree(group)
    return trace
