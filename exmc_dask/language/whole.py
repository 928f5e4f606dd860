"""A model that leaves its process: as a copy, as a pickle, and as bytes in which nothing is one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import msgpack
import numpy as np

from exmc_dask.errors import FormatError, OptionError
from exmc_dask.language.envelope import seal, unseal
from exmc_dask.language.model import ModelSpec

MAGIC, VERSION = "exmc-model-with-data", 1
_LABELS = "biufUSMm"
"""Kinds of NumPy's types that labels of dimensions may have in bytes."""


class Whole:
    """What a model that is declared can do as a whole; its record, data and coordinates go along.

    Functions that users gave to `Custom` distributions for predictive draws stay behind.
    """

    draws: dict[str, Any]

    if TYPE_CHECKING:

        @property
        def spec(self) -> ModelSpec: ...  # noqa: D102
        @property
        def data(self) -> dict[str, np.ndarray]: ...  # noqa: D102
        @property
        def coords(self) -> dict[str, np.ndarray]: ...  # noqa: D102
        def _hold(
            self, spec: ModelSpec, data: dict[str, np.ndarray], coords: dict[str, Any]
        ) -> None: ...

    def to_bytes(self) -> bytes:
        """Return the model with its data and coordinates as bytes, for a file or a message.

        Raises
        ------
        OptionError
            Labels of a dimension are a mixture of kinds.
        """
        for dim, labels in self.coords.items():
            if labels.dtype.hasobject:
                raise OptionError(
                    f"the coordinates of '{dim}' are a mixture, which bytes cannot keep; make them "
                    "all text or all numbers"
                )
        parts = (("data", self.data), ("coords", self.coords))
        arrays = {part: {name: _put(a) for name, a in held.items()} for part, held in parts}
        body: bytes = msgpack.packb({"spec": self.spec.to_bytes(), **arrays})
        return seal(MAGIC, VERSION, body)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the model that `to_bytes` wrote; it is closed.

        Raises
        ------
        FormatError
            The bytes are damaged, of another version, or no model with its data.
        """
        body = unseal(data, MAGIC, VERSION, "these bytes are no model with its data")
        try:
            held = msgpack.unpackb(body)
            spec = ModelSpec.from_bytes(held["spec"])
            data_of = {name: _take(*a) for name, a in held["data"].items()}
            coords = {name: _take(*a) for name, a in held["coords"].items()}
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise FormatError(f"these bytes hold no model with its data: {error!r}") from error
        _check(spec, data_of, coords)
        return cls._of(spec, data_of, coords)

    def __copy__(self) -> Self:
        """Return a closed model of the same record, with the data as they are now."""
        same = self._of(self.spec, self.data, self.coords)
        same.draws = dict(self.draws)
        return same

    def __getstate__(self) -> dict[str, Any]:
        """Record, data and coordinates; what comes back is closed and has no `draws`."""
        return {"spec": self.spec.to_bytes(), "data": self.data, "coords": self.coords}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]
        self._hold(ModelSpec.from_bytes(state["spec"]), state["data"], state["coords"])

    @classmethod
    def _of(
        cls, spec: ModelSpec, data: dict[str, np.ndarray], coords: dict[str, np.ndarray]
    ) -> Self:
        found = cls()
        found._hold(spec, data, coords)
        return found


def _put(array: np.ndarray) -> list[Any]:
    return [array.dtype.str, list(array.shape), array.tobytes()]


def _take(dtype: str, shape: list[int], content: bytes) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind not in _LABELS:
        raise ValueError(f"no array has the type {dtype!r}")
    array = np.frombuffer(content, kind).reshape(shape)
    return array if array.flags.aligned else array.copy()


def _check(
    spec: ModelSpec, data: Mapping[str, np.ndarray], coords: Mapping[str, np.ndarray]
) -> None:
    """Raise unless arrays are those of the record's slots, and coordinates are lists of labels."""
    slots = {slot.name: slot for slot in spec.slots}
    if slots.keys() != data.keys():
        raise FormatError(f"the data of a model with slots {[*slots]} are {[*data]}")
    for name, slot in slots.items():
        if (str(data[name].dtype), data[name].ndim) != (slot.dtype, len(slot.shape)):
            raise FormatError(f"'{name}' does not fit its slot, {slot.dtype} of {slot.shape}")
    for dim, labels in coords.items():
        if labels.ndim != 1:
            raise FormatError(f"coordinates of '{dim}' are no list of labels")
