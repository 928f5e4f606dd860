"""Where chains begin: what the caller says of it, and the middle of every variable."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import ModelError, OptionError
from exmc_dask.language.builder import Model
from exmc_dask.lowering.density import LogDensity


def support_point(density: LogDensity, model: Model) -> NDArray[np.float64]:
    """Return the unconstrained support point (dim,); ModelError where no memory holds one."""
    try:
        return density.support_point(model.data)
    except MemoryError:
        largest = max(density.variables.entries, key=lambda entry: entry.size)
        raise ModelError(
            f"'{largest.name}' has {largest.size:,} elements: one draw of the model takes "
            f"{density.variables.dim * 8e-9:,.0f} GB, which this machine has not"
        ) from None


def initials_of(
    initvals: Any, model: Model, density: LogDensity, starts: int, of: str
) -> dict[int, NDArray[np.float64]]:
    """Turn starting values on the variables' own scales into unconstrained points.

    Parameters
    ----------
    initvals : mapping, or sequence of mappings
        As given to `sample`.
    starts : int
        Number of starting points.
    of : str
        What has a starting point each: "chains" or "superchains".

    Returns
    -------
    dict of int to ndarray
        (dim,) for those that have values; the others begin near their support point.

    Raises
    ------
    OptionError
        It is neither, or has another number of entries.
    UnknownName, ShapeError, SupportError
        A value belongs to no free variable, has the wrong shape or lies outside the support.
    """
    if initvals is None:
        return {}
    each = [initvals] * starts if isinstance(initvals, Mapping) else initvals
    if not isinstance(each, Sequence) or not all(isinstance(given, Mapping) for given in each):
        raise OptionError(
            f"initvals={initvals!r} is not possible; give values by variable, {{'mu': 0.0}}, or a "
            f"list with such a mapping for each of the {of}"
        )
    if len(each) != starts:
        raise OptionError(f"initvals has {len(each)} entries for {starts} {of}")
    try:
        return {k: density.support_point(model.data, at) for k, at in enumerate(each) if at}
    except ModelError as error:
        raise type(error)(f"initvals: {error}") from None
