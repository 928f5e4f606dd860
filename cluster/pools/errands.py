"""What a run has done on its client's event loop; none of it outlives the run."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from distributed import Client


class Errands:
    """The coroutines of one run on the loop of a client.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        self.loop: asyncio.AbstractEventLoop = client.loop.asyncio_loop  # type: ignore[union-attr]
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, call: Callable[..., object], *args: Any) -> None:
        """Call something on the loop, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop of a closed client is closed too
            self.loop.call_soon_threadsafe(call, *args)

    def run(self, job: Coroutine[Any, Any, None]) -> None:
        """Begin a coroutine; on the loop."""
        task = self.loop.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """End all of them; from any thread."""
        self.soon(lambda: [task.cancel() for task in self._tasks])
