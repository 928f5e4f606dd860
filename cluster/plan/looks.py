"""When a run is looked at to see whether it has enough draws, and how far it goes until then.

A run that ends when its draws are good enough is looked at after fixed numbers of draws, and only
at the draws that all chains have by then, so that what it returns depends on no clock. A chain
that is there first may go on to the next look and no further: its draws up to there are needed if
this look is not the last, and until then they cost nothing but idle slots, as chains that others
wait for go first.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence


class Looks:
    """The looks that are still to come; without any, chains go straight to their end.

    Parameters
    ----------
    marks : sequence of int
        Draws, warmup included, after which the run is looked at; the last is the end.
    total : int
        Draws of each chain.
    behind : collection of int
        Chains that take part.
    """

    def __init__(self, marks: Sequence[int], total: int, behind: Collection[int]) -> None:
        assert not marks or marks[-1] == total
        self._marks = list(marks)
        self._total = total
        self._behind = dict.fromkeys(behind) if marks else {}
        self.is_due = False
        """All chains are there, and the answer has not come yet."""

    @property
    def open(self) -> bool:
        """Whether there is a look to come."""
        return bool(self._marks)

    @property
    def mark(self) -> int:
        """The draw of the next look."""
        return self._marks[0] if self._marks else self._total

    @property
    def goal(self) -> int:
        """The draw at which chains have to wait."""
        return self._marks[1] if len(self._marks) > 1 else self._total

    def border(self, draw: int) -> int:
        """Return where a block that begins at a draw has to end."""
        return self.mark if draw < self.mark else self.goal

    def count(self, unit: int, draw: int) -> None:
        """Take note of how far a chain is."""
        if draw >= self.mark:
            self._behind.pop(unit, None)

    def leave_out(self, unit: int) -> None:
        """Wait for a chain no more."""
        self._behind.pop(unit, None)

    def fall_due(self) -> bool:
        """Tell whether the run has to be looked at now; once for each look."""
        due = self.open and not self._behind and not self.is_due
        self.is_due = self.is_due or due
        return due

    def go_on(self, draws: dict[int, int]) -> None:
        """Make the next look the one to wait for, given how far the chains are."""
        self.is_due = False
        del self._marks[0]
        self._behind = dict.fromkeys(u for u, draw in draws.items() if draw < self.mark)

    def extend(self, total: int) -> None:
        """Let chains go further."""
        assert not self.open
        self._total = total


class Waiting:
    """Chains that could have a block: those for which others wait before the rest, else in turn."""

    def __init__(self) -> None:
        self._first: OrderedDict[int, None] = OrderedDict()
        self._later: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._first) + len(self._later)

    def __contains__(self, unit: int) -> bool:
        return unit in self._first or unit in self._later

    def put(self, unit: int, *, ahead: bool, at_once: bool = False) -> None:
        """Add a chain, behind those like it or before them; ``ahead`` ones are for idle slots."""
        line = self._later if ahead else self._first
        line[unit] = None
        line.move_to_end(unit, last=not at_once)

    def discard(self, unit: int) -> None:
        """Take a chain out, if it is in."""
        self._first.pop(unit, None)
        self._later.pop(unit, None)

    @property
    def next(self) -> int:
        """The chain whose turn it is."""
        return next(iter(self._first or self._later))
