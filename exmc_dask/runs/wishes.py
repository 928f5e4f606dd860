"""What a Ctrl-C asks for while somebody waits for a run."""

from collections.abc import Callable

from exmc_dask.cluster.plan.asks import Request

INTERRUPTS = (Request.AFTER, Request.CANCEL)
"""What the first and the second one ask for; a third is raised."""


def heeding[T](ask: Callable[[Request], object], wait: Callable[[], T]) -> T:
    """Wait, and take every Ctrl-C meanwhile as a wish."""
    wishes = list(INTERRUPTS)
    while True:
        try:
            return wait()
        except KeyboardInterrupt:
            if not wishes:
                raise
            ask(wishes.pop(0))
