"""The herald of a run: posts bulletins on the board of the scheduler, where there is one."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any

from ..display.tally import POST_SHARE, Clock, Meter
from ..messages.wire import pack
from ..plan.asks import Ending
from ..plan.moves import BlockResult, Note, Progress
from .scribe import Scribe

POST = "exmc_post"
"""The scheduler's operation that takes a bulletin."""
BOARD = "exmc"
"""Key of the scheduler's metadata under which the board says that it is there."""

_ASK_S = 5.0  # between two looks for a board where there was none
_ANSWER_S = 10.0  # for the scheduler to take a bulletin
_LAST_S = 1.0  # to deliver the last one

_logger = logging.getLogger("distributed.exmc")


class Herald:
    """Tells the scheduler of a client how a run is getting on.

    Called from the run's thread, it never waits but at the end; while a bulletin is under way no
    other is written. Without a board it only asks now and then for one.

    Parameters
    ----------
    client : distributed.Client
    scribe : Scribe
        Of the run.
    every_s : float
        Between two bulletins, at least.
    """

    def __init__(
        self, client: Any, scribe: Scribe, every_s: float = 1.0, clock: Clock = time.monotonic
    ) -> None:
        self._client = client
        self._loop: asyncio.AbstractEventLoop = client.loop.asyncio_loop
        self._scribe = scribe
        self._every_s = every_s
        self._meter = Meter(clock, POST_SHARE)
        self._clock = clock
        self._board = False  # there is one
        self._busy = False  # a bulletin is under way
        self._mute = False
        self._asked_at = -math.inf
        self._ask()

    def __call__(self, event: Progress | Note) -> None:
        """Take a chain's progress or a note."""
        self._harmlessly(self._hear, event)

    def block(self, result: BlockResult) -> None:
        """Take published draws."""
        self._harmlessly(self._scribe.block, result)

    def close(self, ending: Ending) -> None:
        """Post how it ended."""
        if self._mute or self._client.status != "running":
            return
        with contextlib.suppress(Exception):  # nobody has to read it
            last = asyncio.run_coroutine_threadsafe(self._last(ending), self._loop)
            last.result(_LAST_S)

    # On the run's thread -------------------------------------------------------------------------

    def _harmlessly(self, act: Callable[[Any], None], what: Any) -> None:
        """Do it; whatever is wrong with the telling, the run goes on."""
        if self._mute:
            return
        try:
            act(what)
        except Exception:
            self._mute = True
            _logger.warning("the dashboard is told no more of this run", exc_info=True)

    def _hear(self, event: Progress | Note) -> None:
        self._scribe.hear(event)
        if self._board:
            self._meter.when_due(self._every_s, self._post)
        else:
            self._ask()

    def _ask(self) -> None:
        now = self._clock()
        if now >= self._asked_at + _ASK_S:
            self._asked_at = now
            self._do(self._look_for_board())

    def _post(self) -> None:
        if not self._busy:
            self._busy = True
            self._do(self._send(pack(self._scribe.write())))

    def _do(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            asyncio.run_coroutine_threadsafe(job, self._loop)
        except RuntimeError:  # the loop of a closed client is closed too
            job.close()

    # On the client's loop ------------------------------------------------------------------------

    async def _last(self, ending: Ending) -> None:
        if not self._board:
            await self._look_for_board()
        if self._board:
            await self._send(pack(self._scribe.write(ending)))

    async def _look_for_board(self) -> None:
        with contextlib.suppress(Exception):  # of a scheduler that is lost, for one
            async with asyncio.timeout(_ANSWER_S):
                found = await self._client.scheduler.get_metadata(keys=[BOARD], default=None)
            self._board = bool(found)

    async def _send(self, message: bytes) -> None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                await getattr(self._client.scheduler, POST)(message=message)
        except Exception:  # a scheduler that was lost, or started again without a board
            self._board = False
        finally:
            self._busy = False
