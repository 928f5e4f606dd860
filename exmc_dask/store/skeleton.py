"""The skeleton of a store: everything of its zarr hierarchy but the chunks of draws."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from exmc_dask.sampler.settings import Settings
from exmc_dask.store.chunk import metadata
from exmc_dask.store.layout import WARMUP, Layout

ROOT = "zarr.json"


class Skeleton:
    """What a result without draws says about groups, coordinates and data, as zarr objects.

    Parameters
    ----------
    empty : DataTree
        The result of the run, without draws.
    layout : Layout
    settings : Settings
        ``draws`` decides how long the arrays are.
    """

    def __init__(self, empty: xr.DataTree, layout: Layout, settings: Settings) -> None:
        self._layout, self._settings = layout, settings
        self._groups = {name: node.to_dataset() for name, node in empty.children.items()}

    def objects(self, attrs: Mapping[str, Any], workers: Sequence[str]) -> dict[str, bytes]:
        """Return all objects by name, the root last: it repeats the metadata of all others.

        Parameters
        ----------
        attrs : mapping
            Further attributes of the groups of draws.
        workers : sequence of str
            Names of the workers by code.
        """
        layout = self._layout
        found = dict(self._at_rest)
        for name in layout.groups:
            about = json.loads(found[f"{name}/{ROOT}"])
            about["attributes"] |= attrs
            found[f"{name}/{ROOT}"] = _json(about)
        for warmup in layout.parts:
            for array in layout.of(warmup):
                about = metadata(array, layout, len(row_numbers(self._settings, warmup)))
                if array.source == "worker":
                    about["attributes"] = {"names": list(workers)}
                found[f"{array.path}/{ROOT}"] = _json(about)
        return {**found, ROOT: _consolidated(found)}

    @cached_property
    def _at_rest(self) -> dict[str, bytes]:
        """What never changes again, as xarray writes it."""
        tree = xr.DataTree()
        for name, group in self._groups.items():
            if name in self._layout.groups:
                numbers = row_numbers(self._settings, name.startswith(WARMUP))
                group = group.drop_vars(group.data_vars).drop_dims("draw")
                group = group.assign_coords(draw=numbers)
            tree[name] = xr.DataTree(group)
        return _written(tree)


def row_numbers(settings: Settings, warmup: bool) -> np.ndarray:
    """Return the coordinate "draw" of a part that is whole."""
    tune, thin = settings.tune, settings.thin
    if warmup:
        return tune + thin * np.arange(-(tune // thin), 0)
    return thin * np.arange(-(-settings.draws // thin))


def _written(tree: xr.DataTree) -> dict[str, bytes]:
    """Return a small tree as the objects that xarray writes of it."""
    from zarr.storage import MemoryStore

    held: dict[str, Any] = {}
    tree.to_zarr(MemoryStore(held), zarr_format=3, consolidated=False)
    return {name: content.to_bytes() for name, content in held.items()}


def _consolidated(objects: Mapping[str, bytes]) -> bytes:
    """Return the root's metadata with that of all nodes in it, so that one read opens the store."""
    nodes = {
        name.removesuffix(f"/{ROOT}"): json.loads(content)
        for name, content in objects.items()
        if name.endswith(f"/{ROOT}")
    }
    inline = {"kind": "inline", "must_understand": False, "metadata": nodes}
    return _json({**json.loads(objects[ROOT]), "consolidated_metadata": inline})


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()
