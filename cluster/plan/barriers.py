"""Where chains that learn together wait for each other.

A chain that stands at a barrier goes no further until all chains of its group are there; then what
they have learnt is put together, once, and each goes on with it. A chain that comes to a barrier
which others have passed in an earlier life of the run is given what was put together then. A chain
that is dropped before a barrier is not waited for; until then it has counted.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from exmc_dask.sampler.pooling import Lesson, Pooling
from exmc_dask.sampler.state import ChainState

from .ledger import Chain


class Barriers:
    """The barriers of all groups.

    Parameters
    ----------
    pooling : Pooling or None
        None: chains learn alone, and nothing holds them.
    chains : mapping of int to Chain
        Those that take part, as they stand when the run begins or is taken up again.
    lessons : iterable of Lesson
        Of an earlier life of the run.
    """

    def __init__(
        self,
        pooling: Pooling | None,
        chains: Mapping[int, Chain],
        lessons: Iterable[Lesson] = (),
    ) -> None:
        self._pooling = pooling
        self._marks = pooling.marks if pooling else ()
        self._lessons = {(lesson.group, lesson.draw): lesson for lesson in lessons}
        self._members: dict[int, list[int]] = {}
        for unit in sorted(chains) if pooling else ():
            self._members.setdefault(self._group(unit), []).append(unit)
        self._behind = {group: dict.fromkeys(own) for group, own in self._members.items()}
        self._open = {
            group: self._first(group, min(chains[unit].next for unit in own))
            for group, own in self._members.items()
        }
        self._full: list[int] = []

    def border(self, draw: int) -> int | None:
        """Return the barrier at which a block that begins at a draw has to end."""
        return next((mark for mark in self._marks if mark > draw), None)

    def holds(self, chain: Chain) -> bool:
        """Tell whether a chain waits for others."""
        return bool(self._marks) and self._open[self._group(chain.unit)] == chain.next

    def arrive(self, chain: Chain) -> None:
        """Take note of how far a chain is, and teach it what is known there."""
        if chain.next not in self._marks:
            return
        group = self._group(chain.unit)
        lesson = self._lessons.get((group, chain.next))
        if lesson is not None:
            chain.state = lesson.give(cast(ChainState, chain.state))
        else:
            self._cross_out(group, chain.unit)

    def leave_out(self, unit: int) -> None:
        """Wait for a chain no more; one that waits itself still counts."""
        if self._marks:
            self._cross_out(self._group(unit), unit)

    def learn(self, chains: Mapping[int, Chain]) -> tuple[Lesson, list[Chain]] | None:
        """Put together what a group has learnt whose chains are all there, and let them go on."""
        while self._full:
            group = self._full.pop()
            mark = self._open[group]
            there = [chains[u] for u in self._members[group] if chains[u].next == mark]
            if mark is None or not there:
                continue  # all were dropped before
            assert self._pooling is not None
            lesson = self._pooling.learn([cast(ChainState, chain.state) for chain in there])
            for chain in there:
                chain.state = lesson.give(cast(ChainState, chain.state))
            self._open[group] = self._first(group, mark + 1)
            self._behind[group] = {chain.unit: None for chain in there if not chain.dropped}
            return lesson, there
        return None

    def _group(self, unit: int) -> int:
        assert self._pooling is not None
        return self._pooling.group(unit)

    def _first(self, group: int, draw: int) -> int | None:
        """Return the first barrier that a group whose last chain is at a draw has not passed."""
        ahead = (mark for mark in self._marks if mark >= draw)
        return next((mark for mark in ahead if (group, mark) not in self._lessons), None)

    def _cross_out(self, group: int, unit: int) -> None:
        behind = self._behind[group]
        if unit in behind:
            del behind[unit]
            if not behind:
                self._full.append(group)
