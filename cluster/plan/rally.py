"""Where all chains of a run meet before it goes on elsewhere: a GPU's batch begins at one draw."""

from collections.abc import Mapping

from .ledger import Chain


class Rally:
    """A meeting of chains, once it is called.

    Blocks in flight end first; the draw of the chain that is then furthest is where all meet.

    Parameters
    ----------
    chains : mapping of int to Chain

    Attributes
    ----------
    by : str
        The worker because of which it is called; "" as long as it is not.
    at : int or None
        The draw at which they meet, when it is known.
    """

    def __init__(self, chains: Mapping[int, Chain]) -> None:
        self._chains = chains
        self.by = ""
        self.at: int | None = None

    @property
    def holds(self) -> bool:
        """Whether no block may begin, as it is not known yet how far one may go."""
        return bool(self.by) and self.at is None

    def settles(self, in_flight: int) -> bool:
        """Let all meet where the furthest is, when no block is in flight; tell if it is so now."""
        if not self.holds or in_flight:
            return False
        self.at = max((c.next for c in self._chains.values() if not c.dropped), default=0)
        return True

    def border(self, draw: int) -> int:
        """Return the draw beyond which no chain goes, if it is not below one that it has."""
        return draw if self.at is None else min(draw, self.at)
