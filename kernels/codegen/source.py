"""Text under construction: expressions with their precedence, names, indented blocks."""

import keyword
from collections.abc import Iterable
from dataclasses import dataclass

ATOM, POWER, UNARY, PRODUCT, SUM, COMPARISON, CHOICE = range(7, 0, -1)
"""How tightly the outermost operator of an expression binds."""


@dataclass(frozen=True)
class Text:
    """An expression of the emitted language.

    Attributes
    ----------
    text : str
    binds : int
        `ATOM` to `CHOICE`.
    kind : "f", "i" or "b"
        Float, integer or bool.
    """

    text: str
    binds: int = ATOM
    kind: str = "f"

    def inside(self, binds: int) -> str:
        """Text as an operand of an operator that binds like `binds`."""
        return self.text if self.binds >= binds else f"({self.text})"

    @property
    def is_name(self) -> bool:
        """Whether this is a name, or a number without a sign."""
        return self.text.replace(".", "").isidentifier() or self.text.replace(".", "").isdigit()


class Names:
    """Names in use, and new ones like those asked for.

    Parameters
    ----------
    taken : iterable of str
        Names that mean something else.
    kept : iterable of str
        Names that only `own` gives out.
    """

    def __init__(self, taken: Iterable[str], kept: Iterable[str]) -> None:
        self._taken = set(taken)
        self._kept = set(kept)
        self._count: dict[str, int] = {}

    def own(self, wanted: str) -> str:
        """Return `wanted` itself where it is free."""
        free = wanted not in self._taken and not keyword.iskeyword(wanted)
        if not free:
            return self.fresh(wanted)
        self._taken.add(wanted)
        return wanted

    def fresh(self, wanted: str) -> str:
        """Return `wanted`, or `wanted` with a number where it is taken or kept."""
        name = wanted
        while name in self._taken or name in self._kept or keyword.iskeyword(name):
            self._count[wanted] = self._count.get(wanted, 1) + 1
            name = f"{wanted}{'_' if wanted[-1].isdigit() else ''}{self._count[wanted]}"
        self._taken.add(name)
        return name


def indented(lines: Iterable[str]) -> list[str]:
    """Lines one level deeper."""
    return [f"    {line}" if line else "" for line in lines]
