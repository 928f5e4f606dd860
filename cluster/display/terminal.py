"""A run in a terminal: a line a chain and a line for all of them, redrawn in place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import isfinite
from typing import TYPE_CHECKING, Any, TextIO

from ..plan.moves import Note, Progress
from .tally import Clock, Tally, View, left, span, speed

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

TABLE_S = 0.25
WIDTH = 120  # of a table at most, in letters
BAR = (6, 30)  # letters of a progress bar, at least and at most
N_ROWS = 16  # chains that a table shows; the furthest behind when there are more

STYLES = {
    "compiling": "magenta",
    "warmup": "yellow",
    "sampling": "blue",
    "done": "green",
    "dropped": "red",
}


@dataclass(frozen=True)
class Field:
    """A column: how wide it is at least, and what it says of a chain and of them all.

    Columns are given up from the last to the first where a terminal is narrow.
    """

    title: str
    width: int
    of_chain: Callable[[Progress], str]
    of_all: Callable[[Tally], str] = lambda tally: ""
    is_text: bool = False


def _phase(row: Progress) -> str:
    return row.phase.value


def _step(row: Progress) -> str:
    return f"{row.step_size:.2g}" if isfinite(row.step_size) else ""


def _cost(row: Progress) -> str:
    return f"{row.gradients / row.draw:.0f}" if row.draw else ""


def _rate(draws_per_s: float) -> str:
    return f"{draws_per_s:.0f}" if draws_per_s >= 10 or not draws_per_s else f"{draws_per_s:.1f}"


# In the order of their importance; the places on the line are those of ORDER.
FIELDS = (
    Field("chain", 5, lambda row: str(row.unit), lambda tally: "all"),
    Field(
        "draws",
        9,
        lambda row: f"{row.draw}/{row.total}",
        lambda tally: f"{tally.draws / max(1, tally.n_chains * tally.total):.0%}",
    ),
    Field("phase", 9, _phase, is_text=True),
    Field("left", 8, left, lambda tally: span(tally.left_s) if tally.draws else ""),
    Field("div", 4, lambda row: str(row.divergences), lambda tally: str(tally.divergences)),
    Field("bar", BAR[0], lambda row: ""),
    Field(
        "draws/s",
        7,
        lambda row: _rate(speed(row)),
        lambda tally: _rate(tally.draws / tally.seconds) if tally.seconds > 0 else "",
    ),
    Field("again", 5, lambda row: str(row.retries or ""), lambda tally: str(tally.retries or "")),
    Field("worker", 12, lambda row: row.worker.rpartition("//")[2], is_text=True),
    Field("step", 6, _step),
    Field("grad", 5, _cost),
)
ORDER = (
    *("chain", "bar", "draws", "phase", "div", "step", "grad", "draws/s", "left"),
    *("again", "worker"),
)


class Terminal(View):
    """A table that rich redraws; rich itself is loaded for the first drawing."""

    def __init__(self, tally: Tally, out: TextIO, clock: Clock) -> None:
        super().__init__(tally, TABLE_S, clock)
        self._out = out
        self._live: Live | None = None
        self._notes: list[Note] = []

    def load(self) -> None:
        """Import rich."""
        for name in ("console", "live", "progress_bar", "table", "text"):
            import_module(f"rich.{name}")

    def note(self, note: Note) -> None:
        """Keep it for the next drawing."""
        self._notes.append(note)

    def draw(self) -> None:
        """Draw the table anew, with the notes since the last time above it."""
        from rich.live import Live

        if self._live is None:
            console = _console(self._out)
            self._live = Live(console=console, auto_refresh=False, redirect_stdout=False)
            self._live.start()
        console = self._live.console
        for note in self._notes:
            console.print(f"{note.kind}: {note.message}", style="yellow", markup=False)
        self._notes.clear()
        self._live.update(self._table(console.width, console.height), refresh=True)

    def end(self) -> None:
        """Leave the last state standing; notes are shown even if the table never was."""
        if self._notes:
            self.draw()
        if self._live is not None:
            self._live.stop()

    def _table(self, width: int, height: int) -> "RenderableType":
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        tally = self._tally
        n_rows = max(1, min(N_ROWS, height - 6))
        shown = sorted(tally.behind[:n_rows], key=lambda row: row.unit)
        fields, widths = _fit(tally, shown, min(width, WIDTH))
        table = Table(
            box=None,
            padding=(0, 2, 0, 0),
            pad_edge=False,
            caption="; ".join([*tally.parts(), f"{span(tally.seconds)} gone"]),
            caption_justify="left",
            caption_style="",
        )
        for field, letters in zip(fields, widths, strict=True):
            table.add_column(
                "" if field.title == "bar" else tally.words(field.title),
                no_wrap=True,
                width=letters,
                justify="left" if field.is_text else "right",
                header_style="dim",
            )

        def bar(done: int, of: int, style: str) -> Any:
            return ProgressBar(total=of, completed=done, complete_style=style, finished_style=style)

        for row in shown:
            name = "dropped" if row.unit in tally.dropped else row.phase.value
            style = STYLES[name]
            cells: list[Any] = [
                bar(row.draw, row.total, style)
                if field.title == "bar"
                else Text(name, style)
                if field.title == "phase"
                else Text(field.of_chain(row), "red" if _is_bad(field, row) else "")
                for field in fields
            ]
            table.add_row(*cells)
        if more := len(tally.rows) - len(shown):
            table.add_row("...", *("" for _ in fields[1:]), style="dim")
            table.caption = f"{more} {tally.words('chains')} are further; {table.caption}"
        if tally.n_chains > 1:
            total = tally.n_chains * tally.total
            cells = [
                bar(tally.draws, total, "bold") if field.title == "bar" else field.of_all(tally)
                for field in fields
            ]
            table.add_row(*cells, style="bold")
        return table


def _console(out: TextIO) -> "Console":
    """Make a console that leaves the process alone when nobody reads it any more."""
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:  # rich would end the program
            raise BrokenPipeError

    return Quiet(file=out, highlight=False)


def _is_bad(field: Field, row: Progress) -> bool:
    return (field.title == "div" and row.divergences > 0) or (field.title == "again")


def _fit(tally: Tally, rows: Sequence[Progress], width: int) -> tuple[list[Field], list[int]]:
    """Return the fields that a line of some letters has room for, and their widths."""
    widths = {}
    room = width
    for field in FIELDS:
        told = [
            tally.words(field.title),
            *(field.of_chain(row) for row in rows),
            field.of_all(tally),
        ]
        letters = BAR[0] if field.title == "bar" else max(field.width, *map(len, told))
        if letters + 2 <= room:
            widths[field.title] = letters
            room -= letters + 2
    if "bar" in widths:
        widths["bar"] = min(BAR[1], BAR[0] + room)
    by_title = {field.title: field for field in FIELDS}
    shown = [title for title in ORDER if title in widths]
    return [by_title[title] for title in shown], [widths[title] for title in shown]
