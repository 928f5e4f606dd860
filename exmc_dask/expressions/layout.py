"""Flat vector and named values: where each variable lies in the unconstrained vector."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from exmc_dask.errors import ShapeError, UnknownName


@dataclass(frozen=True)
class Entry:
    """The stretch of one variable, row-major."""

    name: str
    offset: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def stretch(self) -> slice:
        """Where the elements lie in the vector."""
        return slice(self.offset, self.offset + self.size)


@dataclass(frozen=True)
class Layout:
    """Order of the variables in a flat vector of `dim` numbers."""

    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, shapes: Iterable[tuple[str, tuple[int, ...]]]) -> "Layout":
        """Lay variables side by side in the order given."""
        entries: list[Entry] = []
        offset = 0
        for name, shape in shapes:
            entries.append(Entry(name, offset, shape))
            offset += entries[-1].size
        return cls(tuple(entries))

    @property
    def dim(self) -> int:
        """Length of the vector."""
        return self.entries[-1].stretch.stop if self.entries else 0

    @cached_property
    def by_name(self) -> Mapping[str, Entry]:
        """Entries under their names."""
        return {entry.name: entry for entry in self.entries}

    @property
    def labels(self) -> list[str]:
        """Name of each number in the vector: the variable's, with its place in it."""
        return [
            f"{entry.name}{list(index)}" if entry.shape else entry.name
            for entry in self.entries
            for index in np.ndindex(entry.shape)
        ]

    def __getitem__(self, name: str) -> Entry:
        if name not in self.by_name:
            raise UnknownName(f"'{name}' is not one of {', '.join(self.by_name) or 'no variables'}")
        return self.by_name[name]

    def pack(self, values: Mapping[str, object]) -> np.ndarray:
        """Write the values of all variables into one float64 vector of length `dim`.

        Raises
        ------
        UnknownName
            A variable has no value, or a value no variable.
        ShapeError
            A value has another shape than its variable.
        """
        for name in values:
            self[name]
        vector = np.empty(self.dim)
        for entry in self.entries:
            if entry.name not in values:
                raise UnknownName(f"'{entry.name}' has no value")
            array = np.asarray(values[entry.name], dtype=np.float64)
            if array.shape != entry.shape:
                raise ShapeError(f"'{entry.name}' has shape {entry.shape}, not {array.shape}")
            vector[entry.stretch] = array.ravel()
        return vector

    def unpack(self, vectors: np.ndarray) -> dict[str, np.ndarray]:
        """Return views of the variables in one vector, or in many at once: ``(..., *shape)``."""
        front = vectors.shape[:-1]
        return {
            entry.name: vectors[..., entry.stretch].reshape(front + entry.shape)
            for entry in self.entries
        }
