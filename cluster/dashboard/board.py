"""The board: a scheduler's plugin that keeps the bulletins of all runs and serves them.

It takes bytes only and never a class of ours by pickle. What it keeps is bounded: the last
bulletin of each run, for an hour after its end, and no more than fifty runs.
"""

import logging
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

from distributed import Scheduler, SchedulerPlugin
from distributed.http.utils import RequestHandler

from exmc_dask.errors import FormatError

from ..messages.bulletin import RUNNING, Bulletin, detail, summary
from ..messages.wire import unpack
from . import metrics
from .herald import BOARD, POST

LOST, SILENT = "lost", "silent"
"""States that only the board knows: the client has gone, or nothing was heard for long."""

MAX_RUNS = 50
KEEP_S = 3600.0  # for which a run that is over stays visible
SILENT_S = 60.0
MAX_BYTES = 4_000_000

_logger = logging.getLogger("distributed.exmc")


@dataclass
class Entry:
    """A run on the board: its last bulletin, when that came, and whether its client has gone."""

    bulletin: Bulletin
    heard_at: float
    left: bool = False

    def state(self, now: float) -> str:
        """Return what has become of the run."""
        if self.bulletin.state != RUNNING:
            return self.bulletin.state
        if self.left:
            return LOST
        return SILENT if now - self.heard_at > SILENT_S else RUNNING


class Board(SchedulerPlugin):
    """What runs on a scheduler's cluster have posted.

    Attributes
    ----------
    entries : dict of str to Entry
        By run, the one that began last at the end.
    serial : int
        Grows with every change.
    totals : Counter
        Draws, divergences, gradients and blocks run again of all runs there have been.
    notes : Counter
        Notes of all runs there have been, by kind.
    """

    name = "exmc"

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.serial = 0
        self.totals: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()

    async def start(self, scheduler: Scheduler) -> None:
        """Open the board for bulletins and show it."""
        self._scheduler = scheduler
        scheduler.handlers[POST] = self.post
        self.restart(scheduler)
        prefix = _prefix(scheduler)
        route = f"{prefix}/exmc.json"
        scheduler.http_application.add_handlers(".*", [(route, Json, {"dask_server": scheduler})])
        metrics.show(self)
        if _has_dashboard(scheduler):
            from .page import add_page

            add_page(scheduler, prefix)
        else:
            _logger.info("no dashboard here, so runs are shown at %s only", route)

    def restart(self, scheduler: Scheduler) -> None:
        """Say to heralds that there is a board; a restart has cleared it away."""
        scheduler.set_metadata(keys=[BOARD], value={"version": 1})

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """Remember that runs of a client will not go on."""
        for entry in self.entries.values():
            if entry.bulletin.client == client:
                entry.left = True
                self.serial += 1

    async def close(self) -> None:
        """Take the metrics away."""
        metrics.hide(self)

    def post(self, message: bytes) -> str:
        """Take a bulletin.

        Raises
        ------
        FormatError
            It is none, or far too large.
        """
        if len(message) > MAX_BYTES:
            raise FormatError(f"a bulletin of {len(message)} bytes; there is room for {MAX_BYTES}")
        bulletin = unpack(bytes(message))
        if not isinstance(bulletin, Bulletin):
            raise FormatError(f"this is no bulletin but a {type(bulletin).__name__}")
        before = self.entries.get(bulletin.run)
        self._count(bulletin, before.bulletin if before else None)
        self.entries[bulletin.run] = Entry(bulletin, time.monotonic())
        self.serial += 1
        self._forget()
        return "ok"

    def runs(self) -> list[tuple[Entry, str]]:
        """Return all runs and their states, those that go on first, the last begun at the top."""
        self._forget()
        now = time.monotonic()
        found = [(entry, entry.state(now)) for entry in list(self.entries.values())]
        return sorted(
            found, key=lambda run: (run[1] == RUNNING, run[0].bulletin.began_at), reverse=True
        )

    def _count(self, bulletin: Bulletin, before: Bulletin | None) -> None:
        """Add what is new; counters never fall, as a run that is forgotten stays in them."""
        now, then = _sums(bulletin), _sums(before) if before else Counter()
        self.totals += now - then
        self.notes += Counter(bulletin.kinds) - Counter(before.kinds if before else {})

    def _forget(self) -> None:
        now = time.monotonic()
        order = sorted(
            list(self.entries.items()),
            key=lambda item: (item[1].state(now) == RUNNING, item[1].heard_at),
        )
        excess = len(order) - MAX_RUNS
        for place, (run, entry) in enumerate(order):
            over = entry.state(now) != RUNNING and now - entry.heard_at > KEEP_S
            if over or place < excess:
                self.entries.pop(run, None)
                self.serial += 1


def _sums(of: Bulletin) -> Counter[str]:
    return Counter(
        draws=of.draws,
        divergences=int(of.divergences.sum()),
        gradients=int(of.gradients.sum()),
        blocks_run_again=int(of.retries.sum()),
    )


async def install(scheduler: Scheduler) -> dict[str, Any]:
    """Put a board on a scheduler that has none yet, and say what there is now."""
    if Board.name not in scheduler.plugins:
        await scheduler.register_scheduler_plugin(Board(), idempotent=True)
    return {"dashboard": _has_dashboard(scheduler)}


def board_of(scheduler: Scheduler) -> Board:
    """Return a scheduler's board."""
    return cast(Board, scheduler.plugins[Board.name])


def _prefix(scheduler: Scheduler) -> str:
    """Return what the paths of a scheduler's pages begin with: that of its health page."""
    for rule in scheduler.http_application.wildcard_router.rules:
        path = getattr(rule.matcher, "regex", None)
        if path is not None and path.pattern.endswith("/health$"):
            return str(path.pattern.removesuffix("/health$"))
    return ""


def _has_dashboard(scheduler: Scheduler) -> bool:
    """Tell whether Dask's own pages are served here."""
    return any("Bokeh" in type(app).__name__ for app in scheduler.http_application.applications)


class Json(RequestHandler):
    """``/exmc.json``: the totals of all runs; with ``?run=NAME`` one run, chain by chain."""

    def get(self) -> None:
        """Answer."""
        now = time.monotonic()
        wanted = self.get_query_argument("run", None)
        runs = {entry.bulletin.run: (entry, state) for entry, state in board_of(self.server).runs()}
        shown = {
            run: summary(entry.bulletin, state, now - entry.heard_at)
            for run, (entry, state) in runs.items()
        }
        if wanted is None:
            self.write({"runs": list(shown.values())})
        elif wanted in runs:
            self.write(shown[wanted] | detail(runs[wanted][0].bulletin))
        else:
            self.set_status(404)
            self.write({"error": "there is no such run"})
