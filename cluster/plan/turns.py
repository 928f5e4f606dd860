"""Whose turn it is to have a block and how far it may go: what chains wait for, in one place."""

from collections.abc import Iterator, Mapping

from .asks import Options
from .barriers import Barriers
from .ledger import Chain
from .looks import Looks, Waiting
from .moves import Teach
from .rally import Rally


class Turns:
    """The chains that could have a block, were there a slot.

    Parameters
    ----------
    options : Options
    chains : mapping of int to Chain
        As they stand when the run begins or is taken up again.
    rally : Rally
    """

    def __init__(self, options: Options, chains: Mapping[int, Chain], rally: Rally) -> None:
        self._chains = chains
        self._rally = rally
        self._waiting = Waiting()
        self._barriers = Barriers(options.pooling, chains, options.lessons)
        self.looks = Looks(options.marks, options.total, chains)
        for chain in chains.values():
            self.count(chain)
            self.queue(chain)

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, unit: int) -> bool:
        return unit in self._waiting

    @property
    def next(self) -> Chain:
        """The chain whose turn it is."""
        return self._chains[self._waiting.next]

    def count(self, chain: Chain) -> None:
        """Take note of how far a chain is."""
        self._barriers.arrive(chain)
        self.looks.count(chain.unit, chain.next)

    def is_ready(self, chain: Chain) -> bool:
        """Tell whether a chain has anything to do before it has to wait for others."""
        ahead = chain.next < self._rally.border(self.looks.goal)
        return ahead and not chain.over and not self._barriers.holds(chain)

    def queue(self, chain: Chain, at_once: bool = False) -> None:
        """Let a chain wait for a slot, if it has anything to do."""
        if self.is_ready(chain):
            ahead = chain.next >= self.looks.mark
            self._waiting.put(chain.unit, ahead=ahead, at_once=at_once)

    def discard(self, chain: Chain) -> None:
        """Let a chain wait for no slot."""
        self._waiting.discard(chain.unit)

    def border(self, chain: Chain) -> int:
        """Return the draw at which a chain's next block has to end."""
        look = self._rally.border(self.looks.border(chain.next))
        barrier = self._barriers.border(chain.next)
        return look if barrier is None else min(look, barrier)

    def leave_out(self, chain: Chain) -> None:
        """Let nobody wait for a chain that cannot go on."""
        self._barriers.leave_out(chain.unit)
        self.looks.leave_out(chain.unit)

    def share(self) -> Iterator[Teach]:
        """Let groups go on whose chains have all come to a barrier."""
        while (learnt := self._barriers.learn(self._chains)) is not None:
            lesson, chains = learnt
            for chain in chains:
                self.queue(chain)
            yield Teach(lesson)

    def go_on(self) -> None:
        """Have chains go on to the next look, if there is one."""
        self.looks.go_on({c.unit: c.next for c in self._chains.values() if not c.dropped})
        self.again()

    def again(self) -> None:
        """Let the chains wait that have something to do now, and no others."""
        for chain in self._chains.values():
            if chain.flight is None:
                self.discard(chain)
                self.queue(chain)

    def extend(self, total: int) -> None:
        """Let chains go further."""
        self.looks.extend(total)
        for chain in self._chains.values():
            was_over, chain.total = chain.over, total
            if was_over:
                self.queue(chain)
