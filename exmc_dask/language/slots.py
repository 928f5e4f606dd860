"""The data of a model: arrays in named slots, the lengths of their axes, coordinates."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from exmc_dask.dist.base import VALUE
from exmc_dask.errors import DataError, ModelError, OptionError, ShapeError, UnknownName
from exmc_dask.expressions.arrays import Inline, as_array, data_shape
from exmc_dask.expressions.axes import Dim, Shape, extents, renamed
from exmc_dask.expressions.graph import rebuild, topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import FLOAT, INT, SINGLE, Op
from exmc_dask.language.model import Slot


class Slots:
    """Arrays under their names; what the user may exchange later.

    Attributes
    ----------
    arrays : dict of str to ndarray
        float64, float32, int64 or bool, read-only.
    slots : dict of str to Slot
    lengths : dict of str to int
        Of every data axis, with the arrays as they are now.
    coords : dict of str to ndarray
        Labels of the dimensions.
    variables : set of Node, optional
        What expressions may refer to; None where nothing is known of variables.
    """

    def __init__(self, variables: set[Node] | None = None) -> None:
        self.variables = variables
        self.arrays: dict[str, np.ndarray] = {}
        self.slots: dict[str, Slot] = {}
        self.lengths: dict[str, int] = {}
        self.coords: dict[str, np.ndarray] = {}
        self._inline: dict[int, list[tuple[Inline, Slot]]] = {}  # by identity of the user's object

    def add(
        self, name: str, value: Any, dims: tuple[str | None, ...] = (), dtype: Any = None
    ) -> Node:
        """Put an array into a new slot and return its leaf.

        Raises
        ------
        DataError
            The value is not numeric, has masked entries, holds NaN, or numbers beyond `dtype`.
        ShapeError
            It does not have the axes that `dims` name.
        OptionError
            `dtype` is neither float64 nor float32.
        """
        asked = None if dtype is None else _wanted(name, dtype)
        return self._take(name, checked_array(name, value, asked), dims)

    def _take(self, name: str, array: np.ndarray, dims: tuple[str | None, ...] = ()) -> Node:
        """Make a slot of an array that is checked and nobody else's."""
        dims = dims or (None,) * array.ndim
        self.check_dims(name, array.shape, dims)
        self.slots[name] = slot = Slot(name, data_shape(name, array), str(array.dtype), dims)
        self._put(slot, array)
        return slot.node

    def _put(self, slot: Slot, array: np.ndarray) -> None:
        self.arrays[slot.name] = array
        axes = zip(slot.shape, array.shape, strict=True)
        self.lengths.update((dim, length) for dim, length in axes if isinstance(dim, str))

    def fill(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put arrays of the right rank into all slots."""
        for name, array in arrays.items():
            self._put(self.slots[name], array)

    def claim(self, owner: str, part: str, node: Node) -> Node:
        """Return `node` with a slot in the place of every array the user wrote into it.

        A new slot is called ``owner.part``, with a number from 2 on where that is taken. An array
        object that was used before keeps its slot.

        Raises
        ------
        ModelError
            A variable or a data slot is of another model.
        ShapeError
            A mask has another length than the axis it selects from.
        """
        leaves: dict[Node, Node] = {}
        names: dict[Dim, Dim] = {}
        for leaf in topological([node]):
            if leaf.op is Op.DATA and isinstance(leaf.arg, Inline):
                slot = self._slot_of(leaf.arg, f"{owner}.{part}")
                leaves[leaf] = slot.node
                names.update(zip(leaf.shape, slot.shape, strict=True))
            elif leaf.op is Op.GATHER:
                self._check_mask(owner, leaf, names)
            elif self._is_foreign(leaf):
                raise ModelError(
                    f"'{owner}' uses '{leaf.arg}', which belongs to another model: declare it in "
                    "this one too"
                )
        if not leaves:
            return node

        def replace(old: Node, src: tuple[Node, ...]) -> Node | None:
            if old.op is Op.BROADCAST and src[0].shape == tuple(renamed(d, names) for d in old.arg):
                return src[0]
            return leaves.get(old)

        return rebuild([node], replace, names)[0]

    def _is_foreign(self, leaf: Node) -> bool:
        if leaf.op is Op.VAR:
            return self.variables is not None and leaf not in self.variables and leaf.arg != VALUE
        return leaf.op is Op.DATA and leaf.arg not in self.slots

    def _check_mask(self, owner: str, node: Node, names: Mapping[Dim, Dim]) -> None:
        chosen, index = node.src
        marks = index.arg.marks if isinstance(index.arg, Inline) else None
        length = self.extents((renamed(chosen.shape[0], names),))[0]
        if marks not in (None, length):
            raise ShapeError(
                f"'{owner}': a mask of length {marks} cannot select from an axis of length {length}"
            )

    def _slot_of(self, inline: Inline, wanted: str) -> Slot:
        seen = self._inline.setdefault(id(inline.source), [])
        for known, slot in seen:
            if np.array_equal(known.array, inline.array):
                return slot
        name, count = wanted, 1
        while name in self.slots:
            count += 1
            name = f"{wanted}.{count}"
        self._take(name, without_nan(name, inline.array))
        seen.append((inline, self.slots[name]))  # keeps the object, and so its identity
        return self.slots[name]

    def extents(self, shape: Shape) -> tuple[int, ...]:
        """Numbers for a shape, with the data as they are now."""
        return extents(shape, self.lengths)

    def exchanged(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Arrays with some exchanged; changes nothing.

        Raises
        ------
        UnknownName, DataError, ShapeError
            No such slot; not of its dtype or NaN; another rank, or a fixed axis changed.
        """
        arrays = dict(self.arrays)
        for name, value in values.items():
            if name not in self.slots:
                raise unknown("data slot", name, self.slots)
            slot = self.slots[name]
            array = checked_array(name, value, SINGLE if slot.dtype == SINGLE else None)
            if array.dtype == INT and slot.dtype == FLOAT:
                array = array.astype(FLOAT)
            if array.dtype != slot.dtype:
                raise DataError(f"'{name}' holds {slot.dtype}, not {array.dtype}")
            if array.ndim != len(slot.shape):
                raise ShapeError(f"'{name}' has {len(slot.shape)} axes, not {array.ndim}")
            for axis, (dim, length) in enumerate(zip(slot.shape, array.shape, strict=True)):
                if isinstance(dim, int) and dim != length:
                    raise ShapeError(
                        f"axis {axis} of '{name}' was declared with length {dim}, which is part "
                        f"of the model; {length} needs another model"
                    )
            arrays[name] = array
        return arrays

    @property
    def dims(self) -> dict[str, int]:
        """Lengths of dimensions; one without coordinates is as long as the data that name it."""
        found: dict[str, int] = {}
        for slot in self.slots.values():
            named = zip(slot.dims, self.arrays[slot.name].shape, strict=True)
            found = {dim: length for dim, length in named if dim is not None} | found
        return found | {dim: len(labels) for dim, labels in self.coords.items()}

    def length_of(self, dim: str | None, asked: tuple[int, ...], axis: int) -> int:
        """Length of a dimension; without a name, what the parameters ask for along `axis`."""
        if dim is not None:
            return self.dims[dim]
        return asked[axis] if -axis <= len(asked) else 1

    def check_dims(
        self,
        name: str,
        shape: tuple[int, ...],
        dims: tuple[str | None, ...],
        known: Mapping[str, int] | None = None,
    ) -> None:
        """Verify that `name` has an axis for each of its dimensions, as long as it is known."""
        if len(dims) != len(shape):
            raise ShapeError(f"'{name}' has shape {shape}, which dims {dims} do not name")
        exchanged = known is not None
        if known is None:
            known = self.dims if any(dims) else {}
        for dim, length in zip(dims, shape, strict=True):
            if dim is not None and known.get(dim, length) != length:
                source = "coordinates" if dim in self.coords else "entries in other data"
                labels = f"; set_data takes new ones as coords={{'{dim}': range({length})}}"
                raise ShapeError(
                    f"'{name}' has length {length} along '{dim}', which has {known[dim]} {source}"
                    f"{labels if exchanged and dim in self.coords else ''}"
                )


def checked_array(name: str, value: Any, dtype: str | None = None) -> np.ndarray:
    """Return `value` as an array without NaN, of `dtype` where that is given.

    Raises
    ------
    DataError
        Names `name` and the first bad place.
    """
    try:
        array = as_array(value, dtype)
    except DataError as error:
        raise DataError(f"'{name}': {error}") from None
    if dtype == SINGLE and array.size and np.isinf([array.min(), array.max()]).any():
        lost = np.isinf(array) & np.isfinite(np.asarray(value, FLOAT))
        if lost.any():
            raise DataError(
                f"'{name}' holds a number at {place(lost)} that is beyond float32, which ends at "
                "3.4e38; scale it, or leave dtype= away"
            )
    return without_nan(name, array)


def without_nan(name: str, array: np.ndarray) -> np.ndarray:
    """Return `array`; raises DataError where it holds NaN."""
    if array.size and np.isnan(array.min()):  # which is NaN as soon as one element is
        where = place(np.isnan(array))
        raise DataError(f"'{name}' is NaN at {where}; only observed= may have missing entries")
    return array


def _wanted(name: str, dtype: Any) -> str:
    """Return the dtype that the user asks for as a name."""
    try:
        found = str(np.dtype(dtype).name)
    except TypeError:
        found = ""
    if found not in (FLOAT, SINGLE):
        raise OptionError(
            f"'{name}': dtype={dtype!r} is not possible; use 'float32' or 'float64', or leave it "
            "away to keep whole numbers and bools as they are"
        )
    return found


def place(where: np.ndarray) -> str:
    """First True of a bool array, as ``[i, j]``; "its value" of a scalar."""
    first = np.argwhere(where)[0]
    return f"[{', '.join(map(str, first))}]" if first.size else "its value"


def unknown(what: str, name: str, known: Iterable[str]) -> UnknownName:
    """Return the error for a name that nothing has, with the names that come close."""
    names = list(known)
    close = get_close_matches(name, names, 3)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"known: {names}"
    return UnknownName(f"there is no {what} '{name}'; {hint}")
