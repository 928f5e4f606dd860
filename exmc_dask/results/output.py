"""Blocks of draws -> one xarray DataTree with the groups, names and coordinates that ArviZ expects.

The tree of one run, where a group marked * is there on request only::

    posterior                 (chain, draw, *dims)  constrained values and deterministics
    sample_stats              (chain, draw)         what the sampler did, ``STATS`` below
    observed_data             (*dims)               what the model was conditioned on
    constant_data             (*dims)               every other data slot
    warmup_posterior *        the same two for the warmup, numbered from its own start
    warmup_sample_stats *
    unconstrained_posterior * (chain, draw, *dims)  free variables as the sampler moved them

Where chains share starting points, the coordinate ``superchain`` says of each chain with which.
Statistics carry PyMC's names. Two of them are ours: ``worker``, a code whose names are in its
attributes, and ``attempt``, how often the block that drew the row had been tried (0 is the first).
"""

import gc
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

import numpy as np
import xarray as xr
from xarray.indexes import PandasIndex

from exmc_dask import __version__
from exmc_dask.results.segments import Block, Segment, reached, segments, walk
from exmc_dask.results.unloaded import unloaded
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS

_COLLECT_BYTES = 2**28  # of results, after which those that were dropped are looked for
BOOL_STATS = frozenset({"diverging", "reached_max_treedepth"})
SAMPLE_DIMS = ("chain", "draw")


class Shaped(Protocol):
    """A slice of the position ``q``."""

    @property
    def name(self) -> str:
        """Name in the result."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """Extents of one draw: whole numbers by now, whatever the model said before its data."""


class Named(Shaped, Protocol):
    """A slice of what ``expand`` writes."""

    @property
    def dims(self) -> tuple[str | None, ...]:
        """A name for each extent, or None for an extent the user did not name."""


Data = Mapping[str, tuple[np.ndarray, Sequence[str | None]]]
Coords = Mapping[str, Sequence[Any] | np.ndarray | PandasIndex]


def to_datatree(
    results: Mapping[int, Sequence[Block]],
    outputs: Sequence[Named],
    settings: Settings,
    *,
    coords: Coords | None = None,
    observed_data: Data | None = None,
    constant_data: Data | None = None,
    free: Sequence[Shaped] = (),
    warmup: bool = False,
    attrs: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """Lay the blocks of a run out as one tree.

    Parameters
    ----------
    results : chain -> blocks in draw order
        Chains of unequal length keep the draws they have in common; what follows a gap in a
        chain, or the draws that `settings` ask for, does not count.
    outputs : names and shapes of the columns of ``Draws.values``, in order
    settings : Settings
        Of the run; ``tune`` separates warmup from posterior.
    coords : dimension name -> labels
        A dimension without labels is numbered from 0.
    observed_data, constant_data : name -> (array, dims)
    free : names and shapes of the columns of ``Draws.q``
        Given, and ``settings.store_unconstrained``: adds ``unconstrained_posterior``.
    warmup : bool
        Add the two warmup groups.
    attrs : further attributes of the sampled groups, such as ``sampling_time``

    Returns
    -------
    xarray.DataTree
        Arrays are float64, int64 and bool copies of their own; nothing refers to the blocks. Where
        draws have left the memory, arrays are read when they are used, each time anew; ``load``
        keeps them.
    """
    _made.free_dropped()
    labels = dict(coords or {})
    about = attributes(settings, attrs or {})
    chains = sorted(results)
    first = -(settings.tune // settings.thin)
    stop = min((reached(results[chain], settings) for chain in chains), default=first)
    stop = min(stop, -(-settings.draws // settings.thin))
    groups = {}
    for prefix, low, high in (("warmup_", first, min(stop, 0)), ("", 0, max(stop, 0))):
        if prefix and not warmup:
            continue
        parts = [segments(results[chain], settings, low, high) for chain in chains]
        origin = settings.tune if prefix else 0
        index = {
            "chain": PandasIndex(np.array(chains, np.int64), "chain"),
            "draw": PandasIndex(origin + settings.thin * np.arange(low, high), "draw"),
        }
        labels.update(index)  # made once for all groups
        shape = (len(chains), high - low)
        laid, stats = (_columns, _stats) if _in_memory(parts) else (_lazy_columns, _lazy_stats)
        columns = laid(parts, shape, outputs, "values")
        groups[f"{prefix}posterior"] = dataset(columns, labels, about, SAMPLE_DIMS)
        groups[f"{prefix}sample_stats"] = _group(stats(parts, shape), index, about, SAMPLE_DIMS)
        if free and settings.store_unconstrained and not prefix:
            columns = laid(parts, shape, free, "q")
            groups["unconstrained_posterior"] = dataset(columns, labels, about, SAMPLE_DIMS)
    groups |= input_groups(observed_data, constant_data, coords or {}, about)
    groups = with_superchains(groups, settings.superchains(chains))
    tree = xr.DataTree()
    tree.children = {name: xr.DataTree(group) for name, group in groups.items()}  # not copied
    _made.n_bytes += tree.nbytes
    return tree


def input_groups(
    observed: Data | None, constant: Data | None, coords: Coords, attrs: Mapping[str, Any]
) -> dict[str, xr.Dataset]:
    """Make the groups of data, of those that there are."""
    made = {key: attrs[key] for key in provenance()}
    data = {"observed_data": observed, "constant_data": constant}
    return {name: dataset(arrays, coords, made, ()) for name, arrays in data.items() if arrays}


def with_superchains(
    groups: Mapping[str, xr.Dataset], superchains: np.ndarray | None
) -> dict[str, xr.Dataset]:
    """Say beside each chain which superchain it belongs to, if to any."""
    if superchains is None:
        return dict(groups)
    beside = {"superchain": ("chain", superchains)}
    return {
        name: group.assign_coords(beside) if "chain" in group.dims else group
        for name, group in groups.items()
    }


class _Made:
    """Results made since those that nobody has any more were freed.

    The nodes of a tree know their parent and their children, so that only Python's collector of
    circles frees one; and that counts objects, of which a result has few however large it is.
    """

    n_bytes = 0

    def free_dropped(self) -> None:
        """Collect, if it is worth its time and the collector was not switched off."""
        if self.n_bytes >= _COLLECT_BYTES and gc.isenabled():
            self.n_bytes = 0
            gc.collect()


_made = _Made()


def dataset(
    arrays: Data, coords: Coords, attrs: Mapping[str, Any], sample_dims: Sequence[str]
) -> xr.Dataset:
    """Make one group of arrays ``name -> (array, dims)`` under the coordinates it uses.

    ``dims`` name the axes after ``sample_dims``; an axis called None becomes ``NAME_dim_I``, as do
    all axes where ``dims`` is empty.
    """
    variables = {}
    used: dict[str, Any] = {}
    for name, (array, dims) in arrays.items():
        names = dims or [None] * (array.ndim - len(sample_dims))
        own = [dim or f"{name}_dim_{i}" for i, dim in enumerate(names)]
        full = (*sample_dims, *own)
        variables[name] = _variable(full, array)
        for dim, extent in zip(full, array.shape, strict=True):
            used[dim] = coords[dim] if dim in coords else np.arange(extent)
    return _group(variables, used, attrs, sample_dims)


def _group(
    variables: dict[str, xr.Variable],
    labels: Mapping[str, Any],
    attrs: Mapping[str, Any],
    sample_dims: Sequence[str],
) -> xr.Dataset:
    """Put variables and the labels of all their dimensions together."""
    make = _unchecked if _unchecked_is_right() else xr.Dataset
    return make(variables, indexed(labels), {**attrs, "sample_dims": list(sample_dims)})


def _unchecked(
    variables: dict[str, xr.Variable], coords: xr.Coordinates, attrs: dict[str, Any]
) -> xr.Dataset:
    """Make what ``xr.Dataset`` makes, without asking again whether the parts fit: a sixth of it.

    By a method of xarray's own that has no promise to stay; see `_unchecked_is_right`.
    """
    return xr.Dataset._construct_direct(
        variables={**variables, **coords.variables},
        coord_names=set(coords),
        attrs=attrs,
        indexes=dict(coords.xindexes),
    )


@cache
def _unchecked_is_right() -> bool:
    """Try once, in each process, whether this xarray makes the same both ways."""
    coords = indexed({"a": np.arange(2), "b": ["x", "y", "z"]})
    variables = {"v": _variable(("a", "b"), np.zeros((2, 3))), "w": _variable((), np.zeros(()))}
    checked = xr.Dataset(variables, coords, {"c": 1})
    try:
        found = _unchecked(dict(variables), coords, {"c": 1})
        return (
            found.identical(checked)
            and found.sizes == checked.sizes
            and set(found.coords) == set(checked.coords)
            and found.xindexes.keys() == checked.xindexes.keys()
            and found.sel(b="y").identical(checked.sel(b="y"))
        )
    except Exception:
        return False


def _variable(
    dims: Sequence[str], array: np.ndarray, attrs: Mapping[str, Any] | None = None
) -> xr.Variable:
    """Make a variable of an array that is known to be NumPy's.

    Without ``fastpath`` xarray asks whether it is one of several other kinds, and imports all of
    Dask's arrays and CuPy to find out: 0.7 s of a fresh process.
    """
    return xr.Variable(dims, array, attrs, fastpath=True)


def indexed(labels: Mapping[str, Any]) -> xr.Coordinates:
    """Make coordinates of labels by dimension."""
    indexes = {
        dim: found if isinstance(found, PandasIndex) else PandasIndex(np.asarray(found), dim)
        for dim, found in labels.items()
    }
    variables = {}
    for index in indexes.values():
        variables.update(index.create_variables())
    return xr.Coordinates(variables, indexes)


def _columns(
    parts: Sequence[Sequence[Segment]],
    shape: tuple[int, int],
    outputs: Sequence[Shaped],
    field: str,
) -> dict[str, tuple[np.ndarray, Sequence[str | None]]]:
    """Copy each output's columns out of the blocks, one contiguous array an output."""
    arrays: dict[str, tuple[np.ndarray, Sequence[str | None]]] = {}
    column = 0
    for output in outputs:
        size = math.prod(output.shape)
        array = np.empty((*shape, size))
        for row, segment in walk(parts):
            source: np.ndarray = getattr(segment.block.draws, field)
            array[row, segment.place] = source[segment.rows, column : column + size]
        dims = getattr(output, "dims", ())
        arrays[output.name] = (array.reshape(*shape, *output.shape), dims)
        column += size
    return arrays


def _stats(parts: Sequence[Sequence[Segment]], shape: tuple[int, int]) -> dict[str, xr.Variable]:
    """Lay out the sampler's statistics and where each draw was made."""
    floats = np.empty((len(FLOAT_STATS), *shape))
    ints = np.empty((len(INT_STATS), *shape), np.int64)
    worker = np.empty(shape, np.int16)
    attempt = np.empty(shape, np.int16)
    codes: dict[str, int] = {}
    for row, segment in walk(parts):
        draws, place = segment.block.draws, segment.place
        floats[:, row, place] = draws.stats_f[segment.rows].T
        ints[:, row, place] = draws.stats_i[segment.rows].T
        worker[row, place] = codes.setdefault(segment.block.worker, len(codes))
        attempt[row, place] = segment.block.attempt
    arrays = dict(zip((*FLOAT_STATS, *INT_STATS), (*floats, *ints), strict=True))
    arrays.update({name: arrays[name].astype(bool) for name in BOOL_STATS})
    stats = {name: _variable(SAMPLE_DIMS, array) for name, array in arrays.items()}
    stats["worker"] = _variable(SAMPLE_DIMS, worker, {"names": list(codes)})
    stats["attempt"] = _variable(SAMPLE_DIMS, attempt)
    return stats


def _in_memory(parts: Sequence[Sequence[Segment]]) -> bool:
    return all(segment.block.draws.in_memory for _, segment in walk(parts))


def _lazy_columns(
    parts: Sequence[Sequence[Segment]],
    shape: tuple[int, int],
    outputs: Sequence[Shaped],
    field: str,
) -> dict[str, tuple[Any, Sequence[str | None]]]:
    """Return what `_columns` does, as arrays that are read when they are used."""
    arrays: dict[str, tuple[Any, Sequence[str | None]]] = {}
    column = 0
    for output in outputs:
        own = slice(column, column := column + math.prod(output.shape))
        array = unloaded(parts, shape, output.shape, np.float64, _Part(field, own))
        arrays[output.name] = (array, getattr(output, "dims", ()))
    return arrays


def _lazy_stats(
    parts: Sequence[Sequence[Segment]], shape: tuple[int, int]
) -> dict[str, xr.Variable]:
    """Return what `_stats` does, as arrays that are read when they are used."""
    stats = {}
    for field, names in (("stats_f", FLOAT_STATS), ("stats_i", INT_STATS)):
        for column, name in enumerate(names):
            dtype = bool if name in BOOL_STATS else (np.int64, np.float64)[field == "stats_f"]
            part = _Part(field, slice(column, column + 1))
            stats[name] = _variable(SAMPLE_DIMS, unloaded(parts, shape, (), dtype, part))
    workers = dict.fromkeys(segment.block.worker for _, segment in walk(parts))
    codes = {name: code for code, name in enumerate(workers)}
    worker = unloaded(parts, shape, (), np.int16, _Code(codes))
    stats["worker"] = _variable(SAMPLE_DIMS, worker, {"names": list(codes)})
    stats["attempt"] = _variable(SAMPLE_DIMS, unloaded(parts, shape, (), np.int16, _attempt))
    return stats


@dataclass(frozen=True)
class _Part:
    """Takes some columns of one array of draws out of a block."""

    field: str
    columns: slice

    def __call__(self, block: Block, rows: slice) -> np.ndarray:
        return block.draws.cut(self.field, rows, self.columns)


@dataclass(frozen=True)
class _Code:
    """Says by which worker a block was made."""

    codes: Mapping[str, int]

    def __call__(self, block: Block, rows: slice) -> int:
        return self.codes[block.worker]


def _attempt(block: Block, rows: slice) -> int:
    return block.attempt


def provenance() -> dict[str, str]:
    """Say when a group was made and by whom, in ArviZ's two spellings."""
    return {
        "created_at": datetime.now(UTC).isoformat(),
        "creation_library": "exmc_dask",
        "creation_library_version": __version__,
        "creation_library_language": "Python",
        "inference_library": "exmc_dask",
        "inference_library_version": __version__,
    }


def attributes(settings: Settings, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what a reader of the result may want to know about the run."""
    return {
        **provenance(),
        "tuning_steps": settings.tune,
        "seed": settings.seed,
        "settings": json.dumps(settings.to_dict()),
        **attrs,
    }
