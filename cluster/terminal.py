"""A run in a terminal: a line a chain and a line for all of them, redrawn in place."""

from math import isfinite
from typing import TYPE_CHECKING, TextIO

from .moves import Note
from .tally import Clock, Tally, View, span

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

TABLE_S = 0.25
WIDTH = 110  # of a table at most, in letters
N_ROWS = 16  # chains that a table shows; the furthest behind when there are more


class Terminal(View):
    """A table that rich redraws; rich itself is loaded for the first drawing."""

    def __init__(self, tally: Tally, out: TextIO, clock: Clock) -> None:
        super().__init__(tally, TABLE_S, clock)
        self._out = out
        self._live: Live | None = None
        self._notes: list[Note] = []

    def note(self, note: Note) -> None:
        """Keep it for the next drawing."""
        self._notes.append(note)

    def draw(self) -> None:
        """Draw the table anew, with the notes since the last time above it."""
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

    def end(self) -> None:
        """Leave the last state standing; notes are shown even if the table never was."""
        if self._notes:
            self.draw()
        if self._live is not None:
            self._live.stop()

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
