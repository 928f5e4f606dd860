"""What one evaluation costs: a count of operations and bytes, as polynomials in the lengths."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ..analysis.access import Index


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
    """Counts under way: for each number of turns, how many of what happen in each."""

    def __init__(self) -> None:
        self.flops: Counter[Index] = Counter()
        self.transcendentals: Counter[Index] = Counter()
        self.bytes: Counter[Index] = Counter()

    def at(self, lengths: Mapping[str, int]) -> Cost:
        """Return the counts for lengths by their names in the emitted text."""
        kinds = (self.flops, self.transcendentals, self.bytes)
        return Cost(*(sum(n * turns.value(lengths) for turns, n in k.items()) for k in kinds))
