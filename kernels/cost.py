"""What one evaluation costs: a count of operations and bytes, as polynomials in the lengths."""

from collections.abc import Mapping
from dataclasses import dataclass

from .access import number


@dataclass(frozen=True)
class Cost:
    """Work of one gradient.

    Attributes
    ----------
    flops : int
        Additions, multiplications, divisions, comparisons and choices.
    transcendentals : int
        exp, log and the like; each takes some 10 to 60 flops more.
    bytes : int
        Read and written in arrays; what stays in a tile is counted once.
    """

    flops: int
    transcendentals: int
    bytes: int


class Count:
    """Counts under way."""

    def __init__(self) -> None:
        self.flops = number(0)
        self.transcendentals = number(0)
        self.bytes = number(0)

    def at(self, lengths: Mapping[str, int]) -> Cost:
        """Return the counts for lengths by their names in the emitted text."""
        return Cost(
            *(each.value(lengths) for each in (self.flops, self.transcendentals, self.bytes))
        )
