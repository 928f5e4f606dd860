"""Where a part of a fit stands between two blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
