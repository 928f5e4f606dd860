"""Whether a run goes on, holds or ends, and why."""

from math import inf

from exmc_dask.errors import ExmcError

from .asks import Ending, Request
from .moves import Finish

_STOP_S = 5.0  # from the wish to stop now until what has not come in is given up


class Course:
    """What was asked of a run and what became of it.

    Parameters
    ----------
    ends_at : float
        The time at which it ends at the latest.

    Attributes
    ----------
    held : bool
        No block is started.
    ending : Ending or None
        Why the run ends when the last block in flight is in; None if it does not.
    """

    def __init__(self, ends_at: float) -> None:
        self.held = False
        self.ending: Ending | None = None
        self._ends_at = ends_at
        self._give_up_at = inf
        self._error: ExmcError | None = None

    @property
    def deadline(self) -> float:
        """The time at which something here changes; inf for never."""
        return self._ends_at if self._give_up_at == inf else self._give_up_at

    @property
    def is_stopping(self) -> bool:
        """Blocks in flight were told to stop."""
        return self._give_up_at < inf

    def gives_up(self, now: float) -> bool:
        """Tell whether blocks that were told to stop have had their time."""
        return now >= self._give_up_at

    def is_late(self, now: float) -> bool:
        """Tell whether the run has had its time."""
        return not self.is_stopping and now >= self._ends_at

    def ask(self, request: Request) -> None:
        """Take a wish that no block in flight is touched by."""
        self.held = request is not Request.RESUME or self.ending is not None
        if request is Request.AFTER:
            self.ending = self.ending or Ending.STOPPED

    def stop(self, ending: Ending, now: float) -> bool:
        """End as soon as blocks in flight can stop; tell whether they have to be told."""
        self.held, self.ending = True, self.ending or ending
        told, self._give_up_at = self.is_stopping, min(self._give_up_at, now + _STOP_S)
        return not told

    def fail(self, error: ExmcError, now: float) -> bool:
        """End by an error, whatever was asked before."""
        self._error, self.ending = error, Ending.FAILED
        return self.stop(Ending.FAILED, now)

    @property
    def has_failed(self) -> bool:
        """An error ends the run."""
        return self._error is not None

    def finish(self, nothing_left: bool) -> Finish:
        """Return how it ended; stopping a run that had nothing left to do made no difference."""
        ending = self.ending or Ending.COMPLETE
        if nothing_left and ending in (Ending.STOPPED, Ending.TIME):
            ending = Ending.COMPLETE
        return Finish(self._error, ending)
