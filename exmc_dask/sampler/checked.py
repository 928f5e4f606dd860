"""What settings of every method have in common: checks that name the option, and a plain form."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from exmc_dask.errors import OptionError


def is_whole(value: Any) -> bool:
    """Tell whether an option is a whole number, which True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class Checked:
    """Options of a run, checked when they are made; the fields are those of its subclasses."""

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON-able values by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> Self:
        """Return the settings that `to_dict` described.

        Raises
        ------
        OptionError
            An option does not exist or has an impossible value.
        """
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise OptionError(f"no option is called {name!r}; there are {', '.join(known)}")
        return cls(**options)

    def _need(self, name: str, holds: bool, allowed: str) -> None:
        if not holds:
            value = getattr(self, name)
            raise OptionError(f"{name}={value!r} is not possible; it has to be {allowed}")

    def _need_int(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        holds = is_whole(value) and low <= value <= high
        self._need(name, holds, f"a whole number from {low} to {high}")

    def _need_float(self, name: str, allowed: str, holds: Callable[[float], bool]) -> None:
        value = getattr(self, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        self._need(name, number and holds(value), f"a number, {allowed}")
