"""Lengths of axes: fixed numbers, or symbols bound with the data.

A shape is a tuple of dimensions. A dimension is an ``int`` (a parameter size), a ``str``
(the axis of a data slot, such as ``"X.0"``), or one derived from those by slicing or joining. Only
the data know how long a symbol is: a model, its hash and its kernel do not depend on it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from exmc_dask.errors import ShapeError


@dataclass(frozen=True)
class Sliced:
    """What ``base[start:stop:step]`` leaves of an axis."""

    base: "Dim"
    start: int | None
    stop: int | None
    step: int

    def __str__(self) -> str:
        start, stop = ("" if end is None else str(end) for end in (self.start, self.stop))
        return f"{self.base}[{start}:{stop}{'' if self.step == 1 else f':{self.step}'}]"


@dataclass(frozen=True)
class Joined:
    """The axis that concatenation makes."""

    parts: tuple["Dim", ...]

    def __str__(self) -> str:
        return "(" + "+".join(map(str, self.parts)) + ")"


type Dim = int | str | Sliced | Joined
type Shape = tuple[Dim, ...]


def extent(dim: Dim, lengths: Mapping[str, int]) -> int:
    """Length of `dim` once the data axes have `lengths`."""
    match dim:
        case int():
            return dim
        case str():
            return lengths[dim]
        case Sliced():
            return len(
                range(*slice(dim.start, dim.stop, dim.step).indices(extent(dim.base, lengths)))
            )
        case Joined():
            return sum(extent(part, lengths) for part in dim.parts)


def extents(shape: Shape, lengths: Mapping[str, int]) -> tuple[int, ...]:
    """Concrete shape under `lengths`."""
    return tuple(extent(dim, lengths) for dim in shape)


def size(shape: Shape, lengths: Mapping[str, int]) -> int:
    """Return the number of elements under `lengths`."""
    return prod(extents(shape, lengths))


def is_static(shape: Shape) -> bool:
    """Whether no data are needed to know the size."""
    return all(isinstance(dim, int) for dim in shape)


def static_size(shape: Shape) -> int:
    """Return the number of elements of a shape without symbols."""
    return prod(extents(shape, {}))


def sliced(dim: Dim, start: int | None, stop: int | None, step: int) -> Dim:
    """Dimension that ``[start:stop:step]`` leaves of `dim`; a number where `dim` is one.

    One element is 1 whatever the axis; that the axis has it is checked when data are bound. Where
    as many elements are cut off as were joined to an axis, that axis is left.
    """
    if (start, stop, step) in ((None, None, 1), (0, None, 1)):
        return dim
    if isinstance(dim, int):
        return extent(Sliced(dim, start, stop, step), {})
    if step == 1 and not start and stop is not None and stop < 0:
        start, stop = -stop, None  # as long as what the same cut at the other end leaves
    if step == 1 and stop is None and isinstance(dim, Joined):
        free = [part for part in dim.parts if not isinstance(part, int)]
        if len(free) == 1 and start == sum(part for part in dim.parts if isinstance(part, int)):
            return free[0]
    first = start or 0
    one = step == 1 and stop == (None if first == -1 else first + 1)
    return 1 if one else Sliced(dim, start, stop, step)


def joined(dims: tuple[Dim, ...]) -> Dim:
    """Dimension of a concatenation along axes `dims`; a number where all are.

    Where as many elements are joined to an axis as were cut off its end, it is whole again.
    """
    if all(isinstance(dim, int) for dim in dims):
        return sum(extent(dim, {}) for dim in dims)
    match dims:
        case (int(n), Sliced(base, start, None, 1)) | (Sliced(base, start, None, 1), int(n)):
            if n == start:
                return base
    return Joined(dims)


def renamed(dim: Dim, names: Mapping[Dim, Dim]) -> Dim:
    """`dim` with every symbol of `names` replaced, inside derived dimensions too."""
    if dim in names:
        return names[dim]
    match dim:
        case Sliced():
            return sliced(renamed(dim.base, names), dim.start, dim.stop, dim.step)
        case Joined():
            return joined(tuple(renamed(part, names) for part in dim.parts))
        case _:
            return dim


def symbols(dim: Dim) -> Iterator[str]:
    """Names of the data axes on which `dim` depends."""
    match dim:
        case str():
            yield dim
        case Sliced():
            yield from symbols(dim.base)
        case Joined():
            for part in dim.parts:
                yield from symbols(part)


def agree(left: Dim, right: Dim) -> Dim:
    """Dimension of two axes that must be equally long.

    A number wins over a symbol, the first symbol over the second: whether they are really equal is
    checked when the data are bound.
    """
    if isinstance(left, int) and isinstance(right, int) and left != right:
        raise ShapeError(f"lengths {left} and {right} do not fit together")
    return right if isinstance(right, int) else left


def broadcast(*shapes: Shape) -> Shape:
    """NumPy's broadcasting over dimensions; raises ShapeError where lengths do not fit."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result: list[Dim] = []
    for dims in zip(*padded, strict=True):
        merged: Dim = 1
        for dim in dims:
            if merged == 1:
                merged = dim
            elif dim != 1:
                try:
                    merged = agree(merged, dim)
                except ShapeError:
                    pretty = " and ".join(show(shape) for shape in shapes)
                    raise ShapeError(f"shapes {pretty} cannot be broadcast together") from None
        result.append(merged)
    return tuple(result)


def show(shape: Shape) -> str:
    """Shape as text: ``(X.0, 3)``."""
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def dim_to_data(dim: Dim) -> object:
    """`dim` as numbers, text and lists."""
    match dim:
        case Sliced():
            return ["slice", dim_to_data(dim.base), dim.start, dim.stop, dim.step]
        case Joined():
            return ["join", *map(dim_to_data, dim.parts)]
        case _:
            return dim


def dim_from_data(data: object) -> Dim:
    """Inverse of `dim_to_data`."""
    match data:
        case int() | str():
            return data
        case ["slice", base, int() | None as start, int() | None as stop, int(step)]:
            return Sliced(dim_from_data(base), start, stop, step)
        case ["join", *parts]:
            return Joined(tuple(map(dim_from_data, parts)))
        case _:
            raise ShapeError(f"{data!r} is not a dimension")
