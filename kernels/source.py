"""Text under construction: lines, indentation, fresh names, expressions with their precedence."""

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


class Names:
    """Names that are taken, and new ones like those asked for."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def fresh(self, wanted: str) -> str:
        """Return `wanted`, or `wanted` with a number where it is taken or means something."""
        name, count = wanted, 1
        while name in self._taken or keyword.iskeyword(name):
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name


class Writer:
    """Lines with indentation."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str = "") -> None:
        """Add one line."""
        self.lines.append(text)

    def block(self, head: str, body: Iterable[str]) -> None:
        """Add `head` and, indented, its body."""
        self.lines.append(head)
        self.lines.extend(f"    {line}" if line else "" for line in body)

    def __str__(self) -> str:
        return "\n".join(self.lines) + "\n"
