"""Missing entries of observed values: where they are, and what stands in their place.

NaN and masked entries become free variables with the law of their neighbours, as in PyMC. The
record of a model knows how many there are, since that is the size of what is sampled; which they
are is data. An entry that ``mask=`` leaves out is not asked for, and so is not imputed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask.dist.law import default_transform, event_ndim, is_discrete, is_movable
from exmc_dask.errors import DataError, DiscreteError, OptionError
from exmc_dask.expressions.arrays import as_array
from exmc_dask.expressions.ops import FLOAT
from exmc_dask.language.model import LEFT_OUT, SEEN, Variable
from exmc_dask.language.slots import place


@dataclass(frozen=True)
class Gaps:
    """Observed values with missing entries.

    Attributes
    ----------
    values : ndarray
        Without NaN: some valid value stands where an entry is missing.
    places : ndarray of int64
        In the shape of `values`: ``SEEN``, ``LEFT_OUT`` or 0, 1, ... of the imputed entries.
    """

    values: np.ndarray
    places: np.ndarray

    @property
    def n(self) -> int:
        """How many entries are imputed."""
        return int((self.places >= 0).sum())


def find(name: str, value: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return observed values as an array, and which of them are missing: NaN or masked.

    Raises
    ------
    DataError
        The value is not numeric, or nothing in it is there.
    """
    hidden = np.ma.getmaskarray(value) if isinstance(value, np.ma.MaskedArray) else False
    try:
        array = as_array(np.ma.getdata(value) if isinstance(value, np.ma.MaskedArray) else value)
    except DataError as error:
        raise DataError(f"'{name}': {error}") from None
    missing = np.isnan(array) | hidden
    if missing.size and missing.all():
        raise DataError(
            f"'{name}': all observed values are missing; leave out observed=, and it is free"
        )
    return array, missing


def split(array: np.ndarray, missing: np.ndarray, counted: np.ndarray, n_event: int) -> Gaps:
    """Give numbers to the missing entries that count, and fill all.

    Parameters
    ----------
    array, missing, counted : ndarray
        Values; which of them are missing; which ``mask=`` lets count.
    n_event : int
        Last axes that make one event. One that does not count is left out as a whole.
    """
    broken = missing.any(axis=tuple(range(-n_event, 0)), keepdims=True)
    asked, gone = missing & counted, broken & ~counted
    places = np.full(array.shape, SEEN, np.int64)
    places[gone] = LEFT_OUT
    places[asked] = np.arange(asked.sum())
    events = array.reshape(-1, *array.shape[array.ndim - n_event :])[~broken.ravel()]
    filler = events[0] if len(events) else array[~missing].flat[0]
    values = np.where(missing | gone, filler, array)
    return Gaps(values.astype(FLOAT) if asked.any() else values, places)


def check_imputed(v: Variable, gaps: Gaps) -> None:
    """Refuse missing entries that cannot be imputed.

    Raises
    ------
    DiscreteError
        Values are whole numbers, or some have a probability of their own.
    DataError
        Vectors are bound as a whole, such as shares that sum to 1.
    OptionError
        An option under which missing entries would have no density of their own.
    """
    said = (
        f"'{v.name}': {gaps.n} observed values are missing, the first at {place(gaps.places == 0)}"
    )
    instead = "drop these entries, or leave them out with mask="
    if not is_movable(v.dist):
        what = (
            "is discrete" if is_discrete(v.dist) else "takes some values with positive probability"
        )
        raise DiscreteError(
            f"{said}, and {v.dist.family} {what}, which NUTS cannot impute; {instead}"
        )
    if event_ndim(v.dist) and default_transform(v.dist) is not None:
        raise DataError(
            f"{said}, and the elements of {v.dist.family} are bound to each other, so that they "
            f"cannot be imputed; {instead}"
        )
    barred = {
        "likelihood=False": not v.likelihood,
        "reduce=": v.reduce != "sum",
        "a weight of vectors": v.weight is not None and event_ndim(v.dist) > 0,
    }
    for option, given in barred.items():
        if given:
            raise OptionError(
                f"{said}; they have no density of their own with {option}, so {instead}"
            )
