"""Where a part of a fit stands between two blocks, and what a block made that is no row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from exmc_dask.sampler.state import Draws


@dataclass(frozen=True, eq=False)
class FitState:
    """All that the steps to come depend on, beside settings and data.

    Parameters
    ----------
    unit : int
        Number of the part: the first word of its random counter.
    draw : int
        Steps done; as many as there can be at most once the part is finished, however soon.
    arrays : mapping of str to ndarray
        What the method keeps, by name. Made read-only.
    """

    unit: int
    draw: int
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {}
        for name, array in self.arrays.items():
            view = np.ascontiguousarray(array).reshape(np.shape(array)).view()
            view.flags.writeable = False
            kept[name] = view
        object.__setattr__(self, "arrays", kept)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return one array, read-only."""
        return self.arrays[name]

    def copies(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to be changed."""
        return {name: array.copy() for name, array in self.arrays.items()}


@dataclass(frozen=True, eq=False)
class Made(Draws):
    """What a block made besides rows of numbers, of which it has none.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        By name; of any shape and type.
    """

    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return arrays as what a block made."""
        none = np.empty((0, 0))
        return cls(0, none, none, none, np.empty((0, 0), np.int64), arrays=arrays)
