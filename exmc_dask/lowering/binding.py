"""What a density asks of the user's data, and what becomes of them before the kernel reads them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from exmc_dask.errors import DataError, ShapeError, SupportError, UnknownName
from exmc_dask.expressions.axes import Dim, Shape, extent, extents
from exmc_dask.expressions.evaluate import Evaluation, evaluate
from exmc_dask.expressions.graph import axes_of, leaves, substitute, topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import Op
from exmc_dask.rewrite.terms import Start
from exmc_dask.rewrite.unify import Agreement


@dataclass(frozen=True)
class Input:
    """An array, of the user or of the kernel."""

    name: str
    shape: Shape  # may have axes that only the data know
    dtype: str  # in which it is kept


def inputs(roots: Iterable[Node], kept: Mapping[str, str]) -> tuple[Input, ...]:
    """Return the DATA leaves of a graph in order of name; `kept` has the dtypes of slots."""
    found = {node.arg: node for node in topological(roots) if node.op is Op.DATA}
    return tuple(
        Input(name, found[name].shape, kept.get(name, found[name].dtype)) for name in sorted(found)
    )


@dataclass(frozen=True)
class Given:
    """The user's data, checked: arrays by slot and lengths of their axes."""

    arrays: Mapping[str, np.ndarray]
    lengths: Mapping[str, int]

    @property
    def leaves(self) -> dict[Any, np.ndarray]:
        """Arrays as `evaluate` takes them."""
        return {(Op.DATA, name): array for name, array in self.arrays.items()}


@dataclass(frozen=True)
class Binding:
    """How a density is bound to data.

    Attributes
    ----------
    sources : tuple of Input
        Arrays of the user.
    joined : tuple of (Node, Node)
        DATA leaves of arrays that are put together from them, and how.
    folded : tuple of (str, Node)
        Slots that are calculated from both.
    agreements : tuple of Agreement
        Axes that must be equally long.
    indices : tuple of (Node, Dim)
        Expressions of data that select from an axis.
    starts : tuple of Start
        Where each free variable begins, parents first.
    """

    sources: tuple[Input, ...]
    joined: tuple[tuple[Node, Node], ...]
    folded: tuple[tuple[str, Node], ...]
    agreements: tuple[Agreement, ...]
    indices: tuple[tuple[Node, Dim], ...]
    starts: tuple[Start, ...]

    def check(self, data: Mapping[str, Any]) -> Given:
        """Take arrays in.

        Raises
        ------
        UnknownName, DataError, ShapeError
            An array is missing, of another type, rank or length than the model asks for, or holds
            an index outside the axis it selects from.
        """
        arrays: dict[str, np.ndarray] = {}
        lengths: dict[str, int] = {}
        for source in self.sources:
            if source.name not in data:
                raise UnknownName(f"there are no data for '{source.name}'")
            array = np.asarray(data[source.name])
            if not np.can_cast(array.dtype, source.dtype, "same_kind"):
                raise DataError(f"'{source.name}' is {array.dtype}, not {source.dtype}")
            if array.ndim != len(source.shape):
                raise ShapeError(
                    f"'{source.name}' has {array.ndim} axes, the model was declared with "
                    f"{len(source.shape)}"
                )
            arrays[source.name] = np.asarray(array, dtype=source.dtype, order="C")
            for axis, (dim, length) in enumerate(zip(source.shape, array.shape, strict=True)):
                wanted = lengths.setdefault(dim, length) if isinstance(dim, str) else dim
                if wanted != length:
                    raise ShapeError(
                        f"axis {axis} of '{source.name}' has length {length}, not {wanted}"
                    )
        for agreement in self.agreements:
            agreement.check(lengths)
        given = Given(arrays, lengths)
        self._check_indices(given)
        return self._with_joined(given)

    def _with_joined(self, given: Given) -> Given:
        """Put arrays together; each shows how long its axes are."""
        if not self.joined:
            return given
        values = self._joining(given.leaves, given.lengths)
        arrays, lengths = dict(given.arrays), dict(given.lengths)
        for (leaf, _), value in zip(self.joined, values, strict=True):
            arrays[leaf.arg] = np.asarray(value, order="C")
            lengths |= {
                dim: length
                for dim, length in zip(leaf.shape, value.shape, strict=True)
                if isinstance(dim, str)
            }
        return Given(arrays, lengths)

    def _check_indices(self, given: Given) -> None:
        places = evaluate([node for node, _ in self.indices], given.leaves, given.lengths)
        for (node, dim), found in zip(self.indices, places, strict=True):
            length = extent(dim, given.lengths)
            if found.size and not 0 <= found.min() <= found.max() < length:
                worst = found.min() if found.min() < 0 else found.max()
                raise DataError(
                    f"index '{', '.join(leaves(node))}' holds {worst}, which is outside an axis "
                    f"of length {length}; indices count from 0"
                )

    def calculate(self, given: Given) -> dict[str, np.ndarray]:
        """Return the values of the folded slots."""
        values = self._folding(given.leaves, given.lengths)
        names = (name for name, _ in self.folded)
        return {name: np.asarray(v, order="C") for name, v in zip(names, values, strict=True)}

    @cached_property
    def _joining(self) -> Evaluation:
        return Evaluation([made for _, made in self.joined])

    @cached_property
    def _folding(self) -> Evaluation:
        return Evaluation([node for _, node in self.folded])

    @cached_property
    def _beginning(self) -> Evaluation:
        """Unconstrained support points, and whatever else of data they need, in one graph."""
        points: dict[Node, Node] = {}
        for start in self.starts:
            (points[start.variable],) = substitute([start.point], points)
        return Evaluation(substitute([start.unconstrained for start in self.starts], points))

    @cached_property
    def _fixed(self) -> list[np.ndarray] | None:
        """The same as numbers, where they need no data."""
        beginning = self._beginning
        return None if beginning.leaves or axes_of(beginning.roots) else beginning({})

    def support(self, given: Given) -> dict[str, np.ndarray]:
        """Return the unconstrained value of every free variable at its support point."""
        found = self._fixed
        if found is None:
            found = self._beginning(given.leaves, given.lengths)
        names = (str(start.variable.arg) for start in self.starts)
        return {n: np.where(np.isfinite(z), z, 0.0) for n, z in zip(names, found, strict=True)}

    def unconstrained(self, values: Mapping[str, Any], given: Given) -> dict[str, np.ndarray]:
        """Return the unconstrained value of every free variable, from `values` or its support.

        Raises
        ------
        ShapeError, SupportError
            A value has another shape than its variable, or is outside its support.
        """
        if not values:
            return self.support(given)
        known: dict[Any, Any] = {**given.leaves}
        result: dict[str, np.ndarray] = {}
        for start in self.starts:
            leaf, name = start.variable, str(start.variable.arg)
            if name in values:
                point = np.asarray(values[name], dtype=np.float64)
                shape = extents(leaf.shape, given.lengths)
                if point.shape != shape:
                    raise ShapeError(f"'{name}' has shape {shape}, not {point.shape}")
            else:
                (point,) = evaluate([start.point], known, given.lengths)
            known[leaf] = point
            z, inside = evaluate([start.unconstrained, start.inside], known, given.lengths)
            if name in values and not (np.isfinite(z).all() and inside.all()):
                raise SupportError(
                    f"the value of '{name}' is not inside its support, {start.support}"
                )
            result[name] = np.where(np.isfinite(z), z, 0.0)
        return result

    def each_unconstrained(
        self, draws: Mapping[str, np.ndarray], given: Given
    ) -> dict[str, np.ndarray]:
        """Return the unconstrained values of many draws of all free variables at once.

        Parameters
        ----------
        draws : mapping of str to ndarray
            (n, *shape) of each, inside the support.
        given : Given
        """
        known: dict[Any, Any] = {**given.leaves}
        known |= {start.variable: draws[str(start.variable.arg)] for start in self.starts}
        moved = evaluate([start.unconstrained for start in self.starts], known, given.lengths)
        names = (str(start.variable.arg) for start in self.starts)
        return dict(zip(names, moved, strict=True))
