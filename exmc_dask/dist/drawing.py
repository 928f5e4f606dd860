"""Random values of a distribution, for the parameters of one draw or of many at once."""

from collections.abc import Callable
from typing import Any

import numpy as np

from exmc_dask.dist.base import Dist
from exmc_dask.dist.law import core_of, event_ndim, family_of, standard
from exmc_dask.errors import ModelError
from exmc_dask.ir import Node


def draw(
    dist: Dist,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    numbers: Callable[[Node], np.ndarray],
    by: Callable[..., Any] | None = None,
) -> np.ndarray:
    """Draw an array of `shape`.

    Parameters
    ----------
    dist : Dist
    rng : numpy.random.Generator
    shape : tuple of int
        Batch and event axes.
    numbers : function (Node) -> ndarray
        Values of the parameters' expressions. Axes in front of those of the node are the first
        axes of `shape`.
    by : function (rng, shape, *params) -> ndarray, optional
        The user's own way to draw, of a family that has none.
    """
    family = family_of(dist)
    if family.draw is None and by is None:
        raise ModelError(f"{family.name} has no way to draw")

    rank = len(shape) - event_ndim(dist)

    def given(argument: Any, core: int) -> Any:
        match argument:
            case Node():
                return _aligned(np.asarray(numbers(argument)), argument.ndim, rank, core)
            case Dist():
                return lambda size: draw(argument, rng, size, numbers)
            case tuple():
                return [given(part, 0) for part in argument]
            case _:
                return argument

    made = standard(dist)
    if family.draw is None:
        assert by is not None
        operands = [a for name, a in made.params if isinstance(a, Node) and name != "logp"]
        return np.asarray(by(rng, shape, *(given(operand, 0) for operand in operands)))
    params = {p.name: given(made.get(p.name), core_of(p, dist)) for p in family.params}
    return np.asarray(family.draw(rng, shape, **params))


def without_draw(dist: Dist) -> Dist | None:
    """Return the distribution, or the first inside it, whose family has no way to draw."""
    if family_of(dist).draw is None:
        return dist
    for _, argument in dist.params:
        parts = argument if isinstance(argument, tuple) else (argument,)
        for part in parts:
            found = without_draw(part) if isinstance(part, Dist) else None
            if found is not None:
                return found
    return None


def _aligned(array: np.ndarray, ndim: int, rank: int, core: int) -> np.ndarray:
    """Put the axes that stand in front of a parameter's own, as those of many draws do, in front.

    They then meet the first axes of a result with `rank` batch axes, and the parameter's own batch
    axes the last ones. Axes of an event that the parameter does not have are of length 1.
    """
    front = array.ndim - ndim
    own = ndim - min(core, ndim)
    gap = max(rank - front - own, 0) if front else 0
    missing = core - min(core, ndim)
    lengths = (*array.shape[:front], *(1,) * gap, *array.shape[front:], *(1,) * missing)
    return array.reshape(lengths)
