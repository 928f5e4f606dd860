"""What a run shows while it runs: a table in a terminal, lines in a log, JSON, or a callable.

Nothing here has a thread or a timer. An event may redraw, and no sooner than a hundred times the
cost of the last redrawing after it, so that watching never takes more than 1 % of a run. A run
that is over within the first half second shows nothing and does not even import rich.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from exmc_dask.convergence import Running
from exmc_dask.errors import OptionError

from .moves import BlockResult, Note, Phase, Progress

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

Sighting = Progress | Note
Show = bool | str | Callable[[Sighting], None] | None

QUIET_S = 0.5  # shorter runs show nothing
TABLE_S = 0.25
LINE_S = 10.0
SHARE = 0.01  # of the time, at most, that may go into showing
WIDTH = 100  # of a table at most, in letters
N_ROWS = 16  # chains that a table shows; the furthest behind when there are more


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
    *,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Watch:
    """Make what the caller asked for with ``progress=``.

    Parameters
    ----------
    show : bool, str, callable or None
        True chooses the table in a terminal or a notebook and lines elsewhere; ``"rich"``,
        ``"log"`` and ``"json"`` ask for one; a callable gets every event itself; False and None
        show nothing.
    n_chains, total, tune : int
        Chains of the run, draws of each, warmup included, and how many of them are warmup.
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
    if show is True:
        show = "rich" if out.isatty() or "ipykernel" in sys.modules else "log"
    tally = Tally(n_chains, total, tune, clock)
    if show == "rich":
        return _Table(tally, out)
    if show == "log":
        return _Lines(tally, out)
    if show == "json":
        return _Json(out)
    raise OptionError(
        f"progress={show!r} is not possible; it has to be True, False, 'rich', 'log', 'json' or "
        "a function of one event"
    )


class Tally:
    """What is known of all chains of a run, and when to show it again."""

    def __init__(self, n_chains: int, total: int, tune: int, clock: Callable[[], float]) -> None:
        self.n_chains = n_chains
        self.total = total
        self.rows: dict[int, Progress] = {}
        self.running = Running(n_chains, tune)
        self._clock = clock
        self._began = clock()
        self._due = self._began + QUIET_S

    def see(self, progress: Progress) -> None:
        """Remember where a chain is."""
        self.rows[progress.unit] = progress

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return self._clock() - self._began

    @property
    def draws(self) -> int:
        """Draws done by all chains."""
        return sum(row.draw for row in self.rows.values())

    @property
    def left_s(self) -> float:
        """Estimated time to the end, from the pace so far; nan before the first draw."""
        if not self.draws:
            return float("nan")
        return self.seconds * (self.n_chains * self.total / self.draws - 1)

    def sentence(self) -> str:
        """Say where the run is, in one line."""
        rows = self.rows.values()
        phases = Counter(row.phase for row in rows)
        chains = ", ".join(f"{phases[phase]} {phase}" for phase in Phase if phases[phase])
        parts = [f"{self.draws} of {self.n_chains * self.total} draws"]
        if chains:
            parts.append(f"chains: {chains}")
        for count, word in (
            (sum(row.divergences for row in rows), "divergences"),
            (sum(row.retries for row in rows), "block(s) run again"),
        ):
            if count:
                parts.append(f"{count} {word}")
        if seen := self.running.look():
            parts.append("R-hat up to {:.3f}, ESS from {:.0f}".format(*seen))
        if self.draws and self.seconds > 0:
            parts.append(f"{self.draws / self.seconds:.0f} draws/s")
            parts.append(f"{span(self.seconds)} gone, {span(self.left_s)} left")
        return "; ".join(parts)

    def when_due(self, every_s: float, draw: Callable[[], None]) -> None:
        """Show, when that is due, and measure what it costs."""
        began = self._clock()
        if began < self._due:
            return
        draw()
        now = self._clock()
        self._due = now + max(every_s, (now - began) / SHARE)


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


class _Json:
    """One line of JSON an event."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, event: Sighting) -> None:
        kind = type(event).__name__.lower()
        fields = {key: _jsonable(value) for key, value in asdict(event).items()}
        self._out.write(json.dumps({"event": kind, **fields}) + "\n")

    def block(self, result: BlockResult) -> None:
        """Draws are not shown."""

    def close(self) -> None:
        """Let every line out."""
        self._out.flush()


class _Tallied:
    """Something that shows what a tally knows."""

    def __init__(self, tally: Tally, out: TextIO) -> None:
        self._tally = tally
        self._out = out

    def block(self, result: BlockResult) -> None:
        """Take published draws, for R-hat and ESS so far."""
        draws = result.draws
        self._tally.running.add(result.unit, draws.numbers, draws.values)


class _Lines(_Tallied):
    """A line every few seconds, and one for each note."""

    def __init__(self, tally: Tally, out: TextIO) -> None:
        super().__init__(tally, out)
        self._shown = False

    def __call__(self, event: Sighting) -> None:
        if isinstance(event, Note):
            self._write(f"{event.kind}: {event.message}")
        else:
            self._tally.see(event)
            self._tally.when_due(LINE_S, self._line)

    def close(self) -> None:
        """Say how it ended, if anything was said before."""
        if self._shown:
            self._line()

    def _line(self) -> None:
        self._shown = True
        self._write(self._tally.sentence())

    def _write(self, text: str) -> None:
        self._out.write(f"exmc_dask: {text}\n")
        self._out.flush()


class _Table(_Tallied):
    """A line a chain and a line for all of them, redrawn in place."""

    def __init__(self, tally: Tally, out: TextIO) -> None:
        super().__init__(tally, out)
        self._live: Live | None = None
        self._notes: list[Note] = []

    def __call__(self, event: Sighting) -> None:
        if isinstance(event, Note):
            self._notes.append(event)
        else:
            self._tally.see(event)
        self._tally.when_due(TABLE_S, self._draw)

    def close(self) -> None:
        """Leave the last state standing; notes are shown even if the table never was."""
        if self._live is not None or self._notes:
            self._draw()
        if self._live is not None:
            self._live.stop()

    def _draw(self) -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            console = Console(file=self._out, highlight=False)
            self._live = Live(console=console, auto_refresh=False, redirect_stdout=False)
            self._live.start()
        for note in self._notes:
            self._live.console.print(f"{note.kind}: {note.message}", style="yellow", markup=False)
        self._notes.clear()
        self._live.update(self._table(self._live.console.width), refresh=True)

    def _table(self, width: int) -> "Table":
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        tally = self._tally
        table = Table(
            box=None,
            padding=(0, 1, 0, 0),
            width=min(width, WIDTH),
            caption=tally.sentence(),
            caption_justify="left",
        )
        table.add_column("chain", no_wrap=True)
        table.add_column("", ratio=1)  # the bar has what the others leave
        for name in ("draws", "phase"):
            table.add_column(name, no_wrap=True)
        for name in ("div", "step", "grad", "/s", "left"):
            table.add_column(name, no_wrap=True, justify="right")
        table.add_column("worker", no_wrap=True)
        shown = sorted(tally.rows.values(), key=lambda row: (row.draw, row.unit))[:N_ROWS]
        for row in sorted(shown, key=lambda row: row.unit):
            rate = row.draw / row.seconds if row.seconds > 0 else 0.0
            table.add_row(
                str(row.unit),
                ProgressBar(total=row.total, completed=row.draw),
                f"{row.draw}/{row.total}",
                row.phase.value + f" ({row.retries} again)" * (row.retries > 0),
                str(row.divergences),
                f"{row.step_size:.2g}" if isfinite(row.step_size) else "",
                f"{row.gradients / row.draw:.0f}" if row.draw else "",
                f"{rate:.0f}" if rate else "",
                span((row.total - row.draw) / rate) if rate else "",
                row.worker.rpartition("//")[2],
            )
        if len(tally.rows) > N_ROWS:
            table.add_row("...", "", f"{len(tally.rows) - N_ROWS} more are further")
        return table


def span(seconds: float) -> str:
    """Write a time for reading: 3 s, 2 min 5 s, 4 h 10 min."""
    if not isfinite(seconds):
        return "?"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _jsonable(value: Any) -> Any:
    """Replace what JSON has no word for."""
    return None if isinstance(value, float) and not isfinite(value) else value
