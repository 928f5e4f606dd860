"""Expressions of a model, calculated for every draw of a trace."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from exmc_dask.errors import UnknownName
from exmc_dask.expressions.axes import extents
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import Op
from exmc_dask.language.builder import Model
from exmc_dask.predictive.trace import Trace
from exmc_dask.results.output import dataset, provenance

CHUNK_ELEMENTS = 2**18  # of the result, calculated together: a few of them fit a processor's cache
LAZY_BYTES = 2**30  # results above this size are calculated when they are read ...
LAZY_ELEMENTS = 2**23  # ... in parts of this many elements


@dataclass(frozen=True)
class Expression:
    """An expression of VAR and DATA leaves, and which of its elements to keep.

    Attributes
    ----------
    name : str
    node : Node
    dims : tuple of str or None
        Name of each axis of what is kept.
    counted : ndarray of bool, optional
        In the shape of the expression; the elements it selects lie along one axis.
    """

    name: str
    node: Node
    dims: tuple[str | None, ...]
    counted: np.ndarray | None = None

    @property
    def variables(self) -> list[str]:
        """Names of the variables of which it is made."""
        return [str(leaf.arg) for leaf in topological([self.node]) if leaf.op is Op.VAR]

    def shape(self, lengths: Mapping[str, int]) -> tuple[int, ...]:
        """Shape of what is kept of one draw."""
        if self.counted is not None:
            return (int(self.counted.sum()),)
        return extents(self.node.shape, lengths)


def check_names(names: Iterable[str], known: Collection[str], what: str) -> None:
    """Raise UnknownName for the first name asked for that is not `what` they all should be."""
    for name in names:
        if name not in known:
            raise UnknownName(
                f"var_names: '{name}' is not {what}; there are {', '.join(known) or 'none'}"
            )


def replayed(model: Model, expressions: Sequence[Expression], trace: Trace) -> xr.Dataset:
    """Group of the values of expressions.

    Returns
    -------
    Dataset
        Sample dimensions first. NumPy arrays; Dask arrays of those larger than ``LAZY_BYTES``.

    Raises
    ------
    UnknownName
        A variable is needed that the trace does not hold.
    ShapeError
        It holds one in another shape, or observed values were left behind by ``set_data``.
    """
    behind = {model.spec[name].observed for name in model.sizes.behind}
    if not behind.isdisjoint(topological([e.node for e in expressions])):
        model.check_observed()
    lengths = model.sizes.lengths
    arrays = {
        e.name: (trace.laid_out(_values(e, model.data, lengths, trace)), e.dims)
        for e in expressions
    }
    coords = {**model.coords, **trace.samples}
    return dataset(arrays, coords, provenance(), tuple(trace.samples))


def _values(
    expression: Expression,
    data: Mapping[str, np.ndarray],
    lengths: Mapping[str, int],
    trace: Trace,
) -> Any:
    found = topological([expression.node])
    kept = {}
    for leaf in found:
        if leaf.op is Op.VAR:
            name = str(leaf.arg)
            if name not in trace.variables:
                raise UnknownName(
                    f"'{expression.name}' is made of '{name}', which the trace does not hold; keep "
                    "it when you sample (var_names=)"
                )
            kept[name] = trace.fitting(name, extents(leaf.shape, lengths))
    shape = expression.shape(lengths)
    whole = (*trace.rows, *shape)
    lazy = prod(whole) * 8 > LAZY_BYTES
    together = (LAZY_ELEMENTS if lazy else CHUNK_ELEMENTS) // max(prod(shape), 1)
    slots = {str(leaf.arg) for leaf in found if leaf.op is Op.DATA}
    given = {(Op.DATA, slot): data[slot] for slot in slots}
    part = partial(calculated, expression, given, lengths)
    blocks = [
        (chunk, {name: array[chunk.row, chunk.draws] for name, array in kept.items()})
        for chunk in trace.chunks(max(together, 1))
    ]
    if lazy:
        from exmc_dask.predictive.lazy import lazily

        return lazily(part, blocks, whole)
    result = np.empty(whole)
    for chunk, values in blocks:
        result[chunk.row, chunk.draws] = part(values, chunk.n)
    return result


def calculated(
    expression: Expression,
    data: Mapping[Any, np.ndarray],
    lengths: Mapping[str, int],
    values: Mapping[str, np.ndarray],
    n: int,
) -> np.ndarray:
    """Values ``(n, *shape)`` of an expression for the values of variables in `n` draws."""
    leaves = {**data, **{(Op.VAR, name): array for name, array in values.items()}}
    (found,) = evaluate([expression.node], leaves, lengths)
    found = np.broadcast_to(found, (n, *extents(expression.node.shape, lengths)))
    return found if expression.counted is None else found[:, expression.counted]
