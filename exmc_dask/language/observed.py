"""Variables that are declared with data, some of which may be missing."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from exmc_dask.dist.base import Dist
from exmc_dask.dist.law import event_ndim
from exmc_dask.errors import DataError, ShapeError
from exmc_dask.expressions.arrays import data_shape
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import is_data
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import Op
from exmc_dask.language import verify
from exmc_dask.language.missing import check_imputed, find, split
from exmc_dask.language.model import LEFT_OUT, Variable
from exmc_dask.language.slots import Slots, place
from exmc_dask.language.tracing import with_formulas
from exmc_dask.warned import ImputationWarning, warn

type Names = tuple[str | None, ...]


def seen(
    slots: Slots,
    name: str,
    dist: Dist,
    value: Any,
    dims: Names,
    weight: Any,
    mask: Any,
    reduce: str,
    likelihood: bool,
) -> Variable:
    """Return a variable with data; says which missing entries of them are imputed.

    Raises
    ------
    ModelError
        One of its kinds, naming the variable.
    """
    array, missing = (None, None) if isinstance(value, Node) else find(name, value)
    if array is None or missing is None or not missing.any():
        leaf = verify.observed_leaf(slots, name, value, dims)
        terms = verify.terms_of(slots, name, weight, mask, reduce)
        law = with_formulas(slots, name, dist, leaf.shape)
        names = dims or slots.slots[str(leaf.arg)].dims
        return Variable(name, law, leaf.shape, names, None, leaf, *terms, likelihood)
    terms = verify.terms_of(slots, name, weight, mask, reduce)
    law = with_formulas(slots, name, dist, data_shape(f"{name}.observed", array))
    kept = counted(name, terms[1], slots.arrays, array.shape, event_ndim(law))
    gaps = split(array, missing, kept, event_ndim(law))
    names = dims or (None,) * array.ndim
    slots.check_dims(name, array.shape, names)
    leaf = slots.add(f"{name}.observed", gaps.values)
    places = slots.add(f"{name}.missing", gaps.places)
    variable = Variable(
        name, law, leaf.shape, names, None, leaf, *terms, likelihood, places, gaps.n
    )
    if gaps.n:
        check_imputed(variable, gaps)
        warn(
            f"'{name}': {gaps.n} of {array.size} observed values are missing, the first at "
            f"{place(gaps.places == 0)}; they become the free variable '{name}_unobserved' and are "
            "imputed from its distribution",
            ImputationWarning,
        )
    return variable


def counted(
    name: str,
    mask: Node | None,
    arrays: Mapping[str, np.ndarray],
    shape: tuple[int, ...],
    n_event: int,
) -> np.ndarray:
    """Which of the values, in `shape`, a mask of events lets count.

    Raises
    ------
    DataError, ShapeError
        It depends on variables, or has another shape.
    """
    if mask is None:
        return np.full(shape, True)
    if not is_data(mask):
        raise DataError(f"'{name}': where observed values are missing, mask must be of data")
    (flags,) = evaluate([mask], {(Op.DATA, slot): array for slot, array in arrays.items()})
    batch = shape[: len(shape) - n_event]
    try:
        events = np.broadcast_to(flags, batch)
    except ValueError:
        raise ShapeError(f"'{name}': mask of shape {flags.shape} for {batch}") from None
    return np.broadcast_to(events.reshape(*batch, *(1,) * n_event), shape)


def with_gaps(
    variables: Iterable[Variable], arrays: Mapping[str, np.ndarray], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return new data for slots; observed values may have missing entries where they had some.

    Parameters
    ----------
    variables : iterable of Variable
    arrays : mapping
        Data that there are.
    values : mapping
        Slot -> new array.

    Raises
    ------
    DataError
        Another number of values is missing than are imputed; or the places of missing values were
        given without them.
    """
    filled = dict(values)
    for v in variables:
        if v.missing is None or v.observed is None:
            continue
        slot, places = str(v.observed.arg), str(v.missing.arg)
        if places in values:
            raise DataError(f"'{places}' follows from '{slot}'; give that, with NaN where it lacks")
        n_event = event_ndim(v.dist)
        known = {**arrays, **{key: np.asarray(value) for key, value in values.items()}}
        if slot not in values:
            gone = arrays[places] == LEFT_OUT
            if (gone & counted(v.name, v.mask, known, gone.shape, n_event)).any():
                raise DataError(
                    f"'{v.name}': the mask lets values count that are missing; give '{slot}' too"
                )
            continue
        array, missing = find(slot, values[slot])
        kept = counted(v.name, v.mask, known, array.shape, n_event)
        gaps = split(array, missing, kept, n_event)
        if gaps.n != v.n_missing:
            raise DataError(
                f"'{slot}' was declared with {v.n_missing} missing values, which are variables of "
                f"the model, and has {gaps.n} now; that is another model, to be declared anew"
            )
        filled |= {slot: gaps.values, places: gaps.places}
    return filled
