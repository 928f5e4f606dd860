"""The page /exmc of a scheduler's dashboard: every run on its board, and one of them close up."""

import time
from typing import Any

from bokeh.document import Document
from bokeh.layouts import column, row
from distributed import Scheduler
from distributed.dashboard.components import add_periodic_callback
from distributed.dashboard.components.scheduler import BOKEH_THEME, env
from distributed.dashboard.core import BokehApplication
from distributed.dashboard.scheduler import template_variables
from distributed.utils import log_errors
from tornado.ioloop import IOLoop

from . import panels, plots
from .board import Board, Entry, board_of

EVERY_MS = 500


def add_page(scheduler: Scheduler, prefix: str) -> None:
    """Serve the page beside Dask's own, with an entry in the navigation of all of them."""
    shared = template_variables(scheduler)  # one dict for all pages of a scheduler
    if "exmc" not in shared["pages"]:
        shared["pages"].insert(1, "exmc")
    app: Any = BokehApplication(  # type: ignore[no-untyped-call]
        {"/exmc": page}, scheduler, prefix=prefix, template_variables=shared
    )
    scheduler.http_application.add_application(app)
    app.initialize(IOLoop.current())
    app.start()


@log_errors
def page(scheduler: Scheduler, extra: dict[str, Any], doc: Document) -> None:
    """Make the page for one visitor; ``?run=NAME`` says which run to begin with."""
    context = doc.session_context
    arguments = context.request.arguments if context and context.request else {}
    wanted = [value.decode(errors="replace") for value in arguments.get("run", [])]
    overview = Overview(board_of(scheduler), wanted[0] if wanted else None)
    overview.update()
    add_periodic_callback(doc, overview, EVERY_MS)  # type: ignore[no-untyped-call]
    doc.add_root(overview.root)
    doc.title = "Dask: exmc"
    doc.template = env.get_template("simple.html")
    doc.template_variables.update(extra)
    doc.theme = BOKEH_THEME


class Overview:
    """What one visitor sees.

    Parameters
    ----------
    board : Board
    chosen : str, optional
        The run to show close up; by default the first of the list.
    """

    def __init__(self, board: Board, chosen: str | None = None) -> None:
        self._board = board
        self._chosen = chosen
        self._seen: tuple[object, ...] = ()
        self._runs = panels.Runs(self._choose)
        self._header = panels.Header()
        self._chains = panels.Chains()
        self._variables = panels.Variables()
        self._traces = plots.Traces(self._variables)
        self._history = plots.History()
        self._notes = panels.Notes()
        left = column(
            self._chains.root,
            self._variables.root,
            self._notes.root,
            sizing_mode="stretch_width",
            styles={"flex": "1.4 1 640px"},
        )
        right = column(
            self._traces.root,
            self._history.root,
            sizing_mode="stretch_width",
            styles={"flex": "1 1 420px"},
        )
        self._close_up = column(
            self._header.root,
            row(
                left,
                right,
                sizing_mode="stretch_width",
                styles={"flex-wrap": "wrap", "gap": "0 16px"},
            ),
            sizing_mode="stretch_width",
        )
        self.root = column(
            self._runs.root,
            self._close_up,
            sizing_mode="stretch_width",
            max_width=1800,
            margin=(8, 4, 8, 4),
        )

    def update(self) -> None:
        """Show what has changed since the last time."""
        runs = self._board.runs()
        seconds = int(time.time()) if any(state == "running" for _, state in runs) else 0
        seen = (self._board.serial, self._chosen, seconds, *(state for _, state in runs))
        if seen == self._seen:
            return
        self._seen = seen
        names = [entry.bulletin.run for entry, _ in runs]
        place = names.index(self._chosen) if self._chosen in names else 0
        self._runs.show(runs, place)
        self._close_up.visible = bool(runs)
        if runs:
            self._show(*runs[place])

    def _show(self, entry: Entry, state: str) -> None:
        bulletin = entry.bulletin
        self._header.show(bulletin, state, time.monotonic() - entry.heard_at)
        self._chains.show(bulletin)
        self._variables.show(bulletin)
        self._traces.show(bulletin)
        self._history.show(bulletin)
        self._notes.show(bulletin)

    def _choose(self, run: str) -> None:
        if run != self._chosen:
            self._chosen = run
            self.update()
