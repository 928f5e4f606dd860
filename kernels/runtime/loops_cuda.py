"""What every emitted loop stands on, on a GPU; for CPUs `loops` has these names."""

import numpy as np

from .group import device, group_sync, lane, n_lanes


@device
def first_turn() -> int:
    """Return the first turn of this lane in a loop whose turns are dealt out."""
    return lane()


@device
def stride() -> int:
    """Return how far this lane's turns of such a loop are apart."""
    return n_lanes()


@device
def leads() -> bool:
    """Tell whether this is the lane that does what is to be done once."""
    return lane() == 0


@device
def at(array: np.ndarray, place: int) -> float:
    """Return ``array[place]``."""
    return array[place]


@device
def add_at(values: np.ndarray, places: np.ndarray, n: int, out: np.ndarray) -> None:
    """Add the first `n` of `values` to the elements of `out` at `places`.

    Every lane looks at all and adds what belongs to its own elements, in their order: atomic
    additions would come in another order, with other last bits, in every run.
    """
    group_sync()
    for i in range(n):
        place = places[i]
        if place % n_lanes() == lane():
            out[place] += values[i]
    group_sync()
