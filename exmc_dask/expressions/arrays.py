"""The user's arrays, checked where they come in, until they have a slot with a name."""

from typing import Any, ClassVar

import numpy as np

from exmc_dask.errors import DataError
from exmc_dask.expressions.axes import Shape
from exmc_dask.expressions.ops import BOOL, FLOAT, INT


class Inline:
    """An array the user wrote into an expression, until its slot gets a name.

    `source` is the user's own object: used twice, it becomes one slot. `marks` is the length of the
    mask that the array was made of, if it was: the axis that it selects from has to have it.
    """

    count: ClassVar[int] = 0

    def __init__(self, array: np.ndarray, source: Any, marks: int | None = None) -> None:
        Inline.count += 1
        self.array = array
        self.source = source
        self.marks = marks
        self.label = f"?{Inline.count}"


def as_array(value: Any, dtype: str | None = None) -> np.ndarray:
    """Return `value` as a read-only array of its own: float64, int64 or bool, or of `dtype`.

    Raises
    ------
    DataError
        The value is not numeric, or has masked entries.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise DataError("an array with masked entries; only observed= may have some")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{type(value).__name__} is not a regular array: {error}") from None
    kind = {"f": FLOAT, "i": INT, "u": INT, "b": BOOL}.get(array.dtype.kind)
    if kind is None:
        raise DataError(
            f"{type(value).__name__} of dtype {array.dtype} is not numeric; {_remedy(array)}"
        )
    with np.errstate(over="ignore"):
        own: np.ndarray = np.array(array, dtype=dtype or kind, order="C")
    own.flags.writeable = False
    return own


def _remedy(array: np.ndarray) -> str:
    if array.dtype.kind in "mM":
        return "turn times into numbers, as (t - t[0]) / np.timedelta64(1, 'D') does"
    if array.dtype.kind in "UST" or any(isinstance(entry, str) for entry in array.flat):
        return "turn labels into whole numbers, as codes, labels = pandas.factorize(x) does"
    if array.dtype.kind == "O":
        return "if its entries are numbers, give it as .astype(float)"
    return "expressions take numbers, arrays and model variables"


def data_shape(name: str, array: np.ndarray) -> Shape:
    """Shape of a data slot: a symbol an axis, but 1 stays 1 so that it broadcasts."""
    return tuple(1 if n == 1 else f"{name}.{axis}" for axis, n in enumerate(array.shape))
