"""The draws of a posterior as arrays by variable, whatever they came in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from exmc_dask.errors import OptionError, ShapeError
from exmc_dask.expressions.axes import Shape, show
from exmc_dask.predictive.portions import CHUNK, Chunk, cut
from exmc_dask.results.output import SAMPLE_DIMS


@dataclass(frozen=True)
class Trace:
    """Draws of a posterior.

    Attributes
    ----------
    variables : dict of str to DataArray
        Sample dimensions first. What is not asked for is not read, wherever it is kept.
    samples : dict of str to ndarray
        Labels along the sample dimensions, in order.
    labels : dict of str to ndarray
        Labels along all other dimensions.
    constants : dict of str to ndarray
        Data beside the draws, as they were when the model was sampled.
    observed : tuple of str
        Names of what had been observed.
    """

    variables: Mapping[str, xr.DataArray]
    samples: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    constants: Mapping[str, np.ndarray]
    observed: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents along the sample dimensions."""
        return tuple(len(labels) for labels in self.samples.values())

    @property
    def rows(self) -> tuple[int, int]:
        """Rows, and draws in each."""
        *outer, inner = self.shape
        return prod(outer), inner

    @property
    def keys(self) -> list[tuple[int, ...]]:
        """What names each row, wherever else it stands: the numbers of its chain."""
        numbered = [_numbers(labels) for labels in list(self.samples.values())[:-1]]
        return list(product(*numbered))

    def chunks(self, size: int = CHUNK) -> Iterator[Chunk]:
        """Cut all rows into chunks of at most `size` draws."""
        _, draws = self.rows
        for row, key in enumerate(self.keys):
            yield from cut(row, key, range(draws), size)

    def fitting(self, name: str, shape: Shape) -> np.ndarray:
        """Read the draws of `name`, which a model expects in `shape`.

        Returns
        -------
        ndarray
            ``(row, draw, *shape)``: all sample dimensions but the last, flattened; the last.

        Raises
        ------
        ShapeError
            The trace has another shape.
        """
        found = self.variables[name]
        own = found.shape[len(self.samples) :]
        if own != shape:
            raise ShapeError(
                f"'{name}' has shape {show(own)} in the trace and {show(shape)} in the model; if "
                "its size changed, name it in sample_vars= to draw it anew"
            )
        return np.asarray(found.values).reshape(*self.rows, *own)

    def laid_out(self, array: np.ndarray) -> np.ndarray:
        """``(row, draw, ...)`` with all sample dimensions as they were."""
        return array.reshape(*self.shape, *array.shape[2:])


def read(trace: Any, sample_dims: Sequence[str] | None = None, group: str = "posterior") -> Trace:
    """Take draws in.

    Parameters
    ----------
    trace : DataTree or Dataset
        What `sample` returned, or its posterior.
    sample_dims : sequence of str
        Dimensions along which draws lie; chain and draw by default.
    group : str
        Which part of a whole result holds them.

    Raises
    ------
    OptionError
        It is something else, or lacks a sample dimension.
    """
    dims = (sample_dims,) if isinstance(sample_dims, str) else tuple(sample_dims or SAMPLE_DIMS)
    posterior = dataset_of(trace, group)
    for dim in dims:
        if dim not in posterior.dims:
            raise OptionError(
                f"the trace has no dimension {dim!r} to draw along; it has "
                f"{', '.join(map(str, posterior.dims))}: say which with sample_dims="
            )
    samples = {dim: _labels(posterior, dim) for dim in dims}
    whole = trace if isinstance(trace, xr.DataTree) else xr.DataTree()
    constants = _group(whole, "constant_data")
    return Trace(
        variables={
            str(name): found.transpose(*dims, ...)
            for name, found in posterior.data_vars.items()
            if set(dims) <= set(found.dims)
        },
        samples=samples,
        labels={str(dim): _labels(posterior, dim) for dim in posterior.dims if dim not in dims},
        constants={str(name): found.values for name, found in constants.data_vars.items()},
        observed=tuple(map(str, _group(whole, "observed_data").data_vars)),
    )


def dataset_of(trace: Any, group: str) -> xr.Dataset:
    """Return a group of a whole result, or the dataset that was given in its place."""
    if isinstance(trace, xr.Dataset):
        return trace
    if isinstance(trace, xr.DataTree):
        if group in trace.children:
            return trace[group].to_dataset()
        if not trace.children:
            return trace.to_dataset()
        if "moments" in trace.children:
            raise OptionError(
                f"the trace has no group {group!r}, as its run kept moments (keep='moments'); "
                "this needs draws: sample with keep='draws', and into a store= if they are many"
            )
        raise OptionError(f"the trace has no group {group!r}; it has {', '.join(trace.children)}")
    raise OptionError(
        f"the trace is a {type(trace).__name__}; give what ed.sample returned, or its posterior"
    )


def whole(trace: Any, option: str) -> xr.DataTree:
    """Return a whole result, to which groups can be added."""
    if not isinstance(trace, xr.DataTree) or not trace.children:
        raise OptionError(f"{option}=True needs the whole result of ed.sample, not a part of it")
    return trace


def _group(tree: xr.DataTree, name: str) -> xr.Dataset:
    return tree[name].to_dataset() if name in tree.children else xr.Dataset()


def _labels(data: xr.Dataset, dim: Any) -> np.ndarray:
    return np.asarray(data[dim].values) if dim in data.coords else np.arange(data.sizes[dim])


def _numbers(labels: np.ndarray) -> list[int]:
    """Labels where they are numbers that can name a stream of random numbers, else places."""
    whole = labels.dtype.kind in "iu" and (labels >= 0).all() and len(set(labels)) == len(labels)
    return [int(n) for n in (labels if whole else np.arange(len(labels)))]
