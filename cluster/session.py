"""A session: a driver at work on a pool of its own, with what is shown meanwhile."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from .display.progress import Show, watch
from .driver import Driver
from .messages.wire import Spec
from .opening import open_pool


@contextlib.contextmanager
def session(
    spec: Spec,
    units: Sequence[int],
    total: int,
    *,
    client: Any = None,
    cluster: Any = None,
    progressbar: Show = True,
    tune: int = 0,
    **options: Any,
) -> Iterator[Driver]:
    """Start a driver; leaving the context ends it, if it is not over, and gives all back.

    Parameters
    ----------
    spec, units, total, **options
        Of `Driver`.
    client, cluster
        Of `open_pool`.
    progressbar, tune
        Of `watch`.
    """
    show = watch(progressbar, len(units), total, tune, spec.words)
    pool = open_pool(client, cluster, len(units))
    with contextlib.ExitStack() as last:
        last.callback(pool.close)
        last.callback(_finish, show)
        driver = Driver(pool, spec, units=units, total=total, on_event=show, **options)
        last.callback(driver.close)
        driver.start()
        yield driver


def _finish(show: Any) -> None:
    with contextlib.suppress(KeyboardInterrupt):  # one more Ctrl-C must not cost the draws
        show.close()
