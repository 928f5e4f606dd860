"""What a run shows while it runs: a table in a terminal, lines in a log, JSON, or a callable.

Nothing here has a thread or a timer. An event may redraw, and no sooner than a hundred times the
cost of the last redrawing after it, so that watching never takes more than 1 % of a run. A run
that is over within the first half second shows nothing and does not even import rich.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from math import nan
from typing import Any, Protocol, TextIO

from exmc_dask.errors import OptionError

from ..messages.bulletin import plain
from ..plan.moves import BlockResult, Note, Progress
from ..plan.nouns import NUTS, Words
from .notebook import Notebook, in_notebook
from .tally import Clock, Tally, View
from .terminal import Terminal

Sighting = Progress | Note
Show = bool | str | Callable[[Sighting], None] | None

LINE_S = 10.0
JSON_S = 1.0
_FIELDS = {kind: [field.name for field in fields(kind)] for kind in (Progress, Note)}


class Watch(Protocol):
    """What a run tells where it is."""

    def __call__(self, event: Sighting) -> None:
        """Take a chain's progress or a note."""

    def block(self, result: BlockResult) -> None:
        """Take published draws."""

    def close(self) -> None:
        """Show the last state; the run is over."""


def watch(
    show: Show,
    n_chains: int,
    total: int,
    tune: int = 0,
    words: Words = NUTS,
    *,
    stream: TextIO | None = None,
    clock: Clock = time.monotonic,
) -> Watch:
    """Make what the caller asked for with ``progressbar=``.

    Parameters
    ----------
    show : bool, str, callable or None
        True chooses the table in a terminal or a notebook and lines elsewhere; ``"rich"``,
        ``"log"`` and ``"json"`` ask for one; a callable gets every event itself; False and None
        show nothing.
    n_chains, total, tune : int
        Chains of the run, draws of each, warmup included, and how many of them are warmup.
    words : Words
        What chains and draws are called.
    stream : text file, optional
        Where to write, the standard error by default.
    clock : callable
        Seconds since any fixed moment.

    Raises
    ------
    OptionError
        ``show`` is none of these.
    """
    out = stream or sys.stderr
    if callable(show):
        return _Call(show)
    if show is None or show is False:
        return _Call(_ignore)
    notebook = stream is None and in_notebook()
    if show is True:
        show = "rich" if out.isatty() or notebook else "log"
    tally = Tally(n_chains, total, tune, clock, words=words)
    if show == "rich":
        return Notebook(tally, clock) if notebook else Terminal(tally, out, clock)
    if show == "log":
        return _Lines(tally, out, clock)
    if show == "json":
        return _Json(tally, out, clock)
    raise OptionError(
        f"progressbar={show!r} is not possible; it has to be True, False, 'rich', 'log', 'json' or "
        "a function of one event"
    )


class _Call:
    """A function of the user's."""

    def __init__(self, function: Callable[[Sighting], None]) -> None:
        self._function = function

    def __call__(self, event: Sighting) -> None:
        self._function(event)

    def block(self, result: BlockResult) -> None:
        """Draws are not shown."""

    def close(self) -> None:
        """Nothing is kept open."""


def _ignore(event: Sighting) -> None:
    """Show nothing."""


class _Json(View):
    """One line of JSON an event, and one for the whole every second and at the end."""

    def __init__(self, tally: Tally, out: TextIO, clock: Clock) -> None:
        super().__init__(tally, JSON_S, clock)
        self._out = out
        self._shown = True

    def __call__(self, event: Sighting) -> None:
        names = _FIELDS[type(event)]
        told = {name: getattr(event, name) for name in names}
        self._try(lambda: self._write(type(event).__name__.lower(), told))
        super().__call__(event)

    def draw(self) -> None:
        """Write a line about the whole."""
        tally = self._tally
        rhat, ess = (nan, nan) if tally.look is None else tally.look.worst
        total = {
            "draw": tally.draws,
            "total": tally.n_chains * tally.total,
            "seconds": tally.seconds,
            "left_s": tally.left_s,
            "divergences": tally.divergences,
            "retries": tally.retries,
            "chains": dict(tally.phases),
            "called": tally.words.called,
            "rhat": rhat,
            "ess": ess,
        }
        self._write("all", total)

    def _write(self, kind: str, fields: dict[str, Any]) -> None:
        self._out.write(json.dumps({"event": kind, **plain(fields)}) + "\n")
        self._out.flush()


class _Lines(View):
    """A line every few seconds, and one for each note."""

    def __init__(self, tally: Tally, out: TextIO, clock: Clock) -> None:
        super().__init__(tally, LINE_S, clock)
        self._out = out

    def note(self, note: Note) -> None:
        """Write it at once."""
        self._write(f"{note.kind}: {note.message}")

    def draw(self) -> None:
        """Write a line about the whole."""
        self._write(self._tally.sentence())

    def _write(self, text: str) -> None:
        self._out.write(f"exmc_dask: {text}\n")
        self._out.flush()
