"""Data as a kernel reads them: three flat arrays, with a header that says how long everything is.

``index`` begins with the header: the lengths and offsets that the emitted function asked for
(`Storage.field`), so that data of another length need no other kernel. Behind it lie the arrays
that are used as indices; every other array lies in ``data`` as float64, or in ``data32`` where the
user keeps it in float32 and no system is solved with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import numpy.typing as npt

from exmc_dask.errors import DataError, ShapeError
from exmc_dask.expressions.axes import Dim, Shape, extent, extents
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import check, leaves, topological
from exmc_dask.expressions.indexing import Cut
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import INT, SINGLE, Op
from exmc_dask.lowering.density import Input

from ..analysis.access import Axes, Index, atom, identifier, number

type Arrays = Mapping[str, npt.NDArray[np.generic]]
type Lengths = Mapping[str, int]

_STRETCH = 16384  # elements
_EXACT = 2**53  # whole numbers beyond are not exact in float64


@dataclass(frozen=True)
class Bound:
    """The data of one run as the kernel reads it.

    Attributes
    ----------
    data : (n,) float64
    data32 : (n,) float32
    index : (n,) int64
        Header and index arrays.
    work_size : int
        Number of doubles of scratch space that each thread needs.
    n_out : int
        Length of what ``expand`` writes.
    """

    data: npt.NDArray[np.float64]
    data32: npt.NDArray[np.float32]
    index: npt.NDArray[np.int64]
    work_size: int
    n_out: int


class Storage:
    """Where slots and scratch arrays lie, and which of it only the data know.

    Attributes
    ----------
    axes : Axes
    arrays : dict of str to str
        Slot name -> ``"data"``, ``"data32"`` or ``"index"``.

    `inner` are expressions in bodies of scans; what they select with is checked before, by
    ``LogDensity.binding``.
    """

    def __init__(
        self, slots: Sequence[Input], roots: Sequence[Node], axes: Axes, inner: Sequence[Node] = ()
    ) -> None:
        self.axes = axes
        self.slots = {slot.name: slot for slot in slots}
        self.roots = tuple(roots)
        order = topological([*roots, *inner])
        indexed = {
            leaf.arg
            for node in order
            if node.op in (Op.GATHER, Op.SCATTER_ADD)
            for leaf in topological([node.src[1]])
            if leaf.op is Op.DATA
        } | {ragged.first.arg for ragged in axes.ragged.values()}
        solved = {
            leaf.arg
            for node in order
            if node.op in (Op.CHOLESKY, Op.TRISOLVE)
            for leaf in node.src
            if leaf.op is Op.DATA
        }
        self.arrays = {
            slot.name: "index"
            if slot.name in indexed and slot.dtype == INT
            else "data32"
            if slot.dtype == SINGLE and slot.name not in solved
            else "data"
            for slot in slots
        }
        self.work_shapes: list[list[Shape]] = []
        self._fields: dict[str, Field] = {}
        for dim, name in axes.names.items():
            self._fields[name] = _extent(dim)
        for (dim, cut), name in axes.starts.items():
            self._fields[name] = _start(dim, cut)
        self._offsets = self._place()
        self._fitting: Lengths | None = None  # lengths that were found to fit
        self._selecting = [node for node in topological(self.roots) if _selects(node)]

    @property
    def header(self) -> list[str]:
        """Names of the numbers at the start of ``index``."""
        return list(self._fields)

    def _is_static(self, shape: Shape) -> bool:
        return self.axes.size(shape).constant is not None

    @cached_property
    def _sequence(self) -> list[str]:
        """Slots in the order of their places: those of fixed size first."""
        return sorted(self.slots, key=lambda name: not self._is_static(self.slots[name].shape))

    def _place(self) -> dict[str, Index]:
        """Give slots of fixed size in ``data`` and ``data32`` literal places, the others fields."""
        used = {"data": 0, "data32": 0}
        offsets: dict[str, Index] = {}
        for name in self._sequence:
            array, size = self.arrays[name], self.axes.size(self.slots[name].shape).constant
            if array != "index" and size is not None:
                offsets[name] = number(used[array])
                used[array] += size
            else:
                offsets[name] = self._field(f"at_{identifier(name)}", _place_of(name))
        return offsets

    def _field(self, name: str, value: "Field") -> Index:
        while name in self._fields:
            name += "_"
        self._fields[name] = value
        return atom(name)

    def offset(self, name: str) -> Index:
        """Place of a slot in its array."""
        return self._offsets[name]

    def scratch(self, shapes: Mapping[str, Shape]) -> dict[str, Index]:
        """Give scratch arrays of one function places in ``work``, those of fixed size first."""
        names = sorted(shapes, key=lambda name: not self._is_static(shapes[name]))
        offsets: dict[str, Index] = {}
        before: list[Shape] = []
        used: int | None = 0  # None as soon as only the data know
        for name in names:
            if used is None:
                offsets[name] = self._field(f"at_{name}", _total(tuple(before)))
            else:
                offsets[name] = number(used)
                size = self.axes.size(shapes[name]).constant
                used = None if size is None else used + size
            before.append(shapes[name])
        self.work_shapes.append(before)
        return offsets

    def place(self, node: Node, at: tuple[Index, ...]) -> Index:
        """Return the place of an element of a slot, counted from the slot's offset."""
        if node.arg in self.axes.columns:
            return self.axes.flat(at[::-1], node.shape[::-1])
        return self.axes.flat(at, node.shape)

    def bind(self, arrays: Arrays, lengths: Lengths, outputs: Sequence[Shape]) -> Bound:
        """Lay the arrays of one run out as the kernel reads them.

        Parameters
        ----------
        arrays : mapping of slot name to array
            What ``LogDensity.fold`` returned.
        lengths : mapping of axis to int
            What ``LogDensity.axis_lengths`` returned for them.
        outputs : sequence of Shape
            Shapes of what ``expand`` writes.

        Raises
        ------
        DataError
            A slot has no array, a whole number is not exact in float64, or an index points
            outside of the array it is used on.
        ShapeError
            Lengths do not fit together.
        """
        given = {name: self._array(slot, arrays, lengths) for name, slot in self.slots.items()}
        self._check_lengths(lengths)
        self._check_indices(given, lengths)
        used = {"data": 0, "data32": 0, "index": len(self._fields)}
        places: dict[str, int] = {}
        for name in self._sequence:
            array = self.arrays[name]
            places[name] = used[array]
            used[array] += given[name].size
        bound = Bound(
            data=np.empty(used["data"], np.float64),
            data32=np.empty(used["data32"], np.float32),
            index=np.empty(used["index"], np.int64),
            work_size=self.work_size(lengths),
            n_out=_total(tuple(outputs))(lengths, {}),
        )
        bound.index[: len(self._fields)] = [f(lengths, places) for f in self._fields.values()]
        for name, value in given.items():  # straight to its place: it may be large
            whole: npt.NDArray[np.generic] = getattr(bound, self.arrays[name])
            laid = whole[places[name] : places[name] + value.size]
            in_columns = name in self.axes.columns
            _copy(
                value,
                laid.reshape(value.shape[::-1]).T if in_columns else laid.reshape(value.shape),
            )
        return bound

    def work_size(self, lengths: Lengths) -> int:
        """Return how many doubles one thread needs to work with."""
        return max((_total(tuple(s))(lengths, {}) for s in self.work_shapes), default=0)

    def data_bytes(self, arrays: Arrays) -> int:
        """Return the memory that arrays take once they are bound."""
        widths = {"data": 8, "data32": 4, "index": 8}
        laid = sum(widths[self.arrays[name]] * np.size(arrays[name]) for name in self.slots)
        return int(laid) + 8 * len(self._fields)

    def _array(self, slot: Input, arrays: Arrays, lengths: Lengths) -> npt.NDArray[np.generic]:
        if slot.name not in arrays:
            raise DataError(f"data '{slot.name}' has no value; bind an array to it")
        array = np.asarray(arrays[slot.name])
        if array.shape != extents(slot.shape, lengths):
            raise ShapeError(
                f"'{slot.name}' has shape {array.shape}, where {extents(slot.shape, lengths)} "
                "is needed"
            )
        if array.dtype.kind in "iu" and array.size:
            largest = max(-int(array.min()), int(array.max()))
            if largest > _EXACT and self.arrays[slot.name] != "index":
                raise DataError(
                    f"'{slot.name}' holds whole numbers up to {largest}, but float64 cannot tell "
                    "those beyond 2**53 apart; subtract a constant or convert it to float64"
                )
        return array

    def numbers(self, lengths: Lengths) -> dict[str, int]:
        """Lengths of dimensions by their names in the emitted text."""
        return {name: extent(dim, lengths) for dim, name in self.axes.names.items()}

    def _check_lengths(self, lengths: Lengths) -> None:
        """Verify that dimensions the kernel takes for equal are; a length of 1 does not stretch."""
        if lengths == self._fitting:  # the next run of a model seldom has others
            return
        check(self.roots, lengths)
        for (one, other), node in self.axes.equal.items():
            if extent(one, lengths) != extent(other, lengths):
                raise ShapeError(
                    f"{node.op.value} of {', '.join(leaves(node))} needs equal lengths, but "
                    f"{one} is {extent(one, lengths)} and {other} is {extent(other, lengths)}"
                )
        self._fitting = dict(lengths)

    def _check_indices(self, given: Arrays, lengths: Lengths) -> None:
        """Verify that no index of data points outside: kernels do not look."""
        leaves = {(Op.DATA, name): array for name, array in given.items()}
        for node in self._selecting:
            places = node.src[1]
            length = extent(node.src[0].shape[0] if node.op is Op.GATHER else node.arg, lengths)
            (value,) = evaluate([places], leaves, lengths)
            if value.size and not (value.min() >= 0 and value.max() < length):
                names = ", ".join(n.arg for n in topological([places]) if n.op is Op.DATA)
                raise DataError(
                    f"index '{names}' runs from {value.min()} to {value.max()}, "
                    f"but what it selects from has length {length}"
                )


def _selects(node: Node) -> bool:
    """Tell whether an operation selects by an index of data."""
    if node.op not in (Op.GATHER, Op.SCATTER_ADD):
        return False
    return not any(leaf.op is Op.PARAM for leaf in topological([node.src[1]]))


type Field = Callable[[Lengths, Mapping[str, int]], int]


def _extent(dim: Dim) -> Field:
    return lambda lengths, places: extent(dim, lengths)


def _start(dim: Dim, cut: Cut) -> Field:
    return lambda lengths, places: slice(*cut).indices(extent(dim, lengths))[0]


def _place_of(name: str) -> Field:
    return lambda lengths, places: places[name]


def _total(shapes: tuple[Shape, ...]) -> Field:
    return lambda lengths, places: sum(prod(extents(shape, lengths)) for shape in shapes)


def _copy(source: npt.NDArray[np.generic], target: npt.NDArray[np.generic]) -> None:
    """Copy an array in stretches of rows that stay in the cache where it is turned meanwhile."""
    if source.ndim < 2:
        target[...] = source
        return
    rows = max(1, _STRETCH // max(1, prod(source.shape[1:])))
    for start in range(0, len(source), rows):
        target[start : start + rows] = source[start : start + rows]
