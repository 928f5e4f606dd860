"""A run in a notebook: one table below the cell, replaced in place."""

import sys
from html import escape
from math import isfinite
from typing import Any

from ..plan.moves import Note, Progress
from .tally import Clock, Tally, View, left, span, speed

TABLE_S = 0.5
N_ROWS = 16  # chains that the table shows; the furthest behind when there are more
N_NOTES = 8

COLOURS = {
    "compiling": "#9a86b8",
    "warmup": "#e0913f",
    "sampling": "#4f8ac9",
    "done": "#4d9a53",
    "dropped": "#c23b3b",
}
_TABLE = (
    "border-collapse:collapse;border:0;margin:2px 0;font-size:13px;white-space:nowrap;"
    "font-variant-numeric:tabular-nums"
)
_NUMBER = "padding:1px 9px;border:0;text-align:right"
_WORDS = "padding:1px 9px;border:0;text-align:left"
_PALE = "opacity:.65"
_HEAD = (
    *((name, _NUMBER) for name in ("chain", "", "draws")),
    ("phase", _WORDS),
    *((name, _NUMBER) for name in ("divergences", "step size", "gradients/draw", "draws/s")),
    *((name, _NUMBER) for name in ("left", "run again")),
    ("worker", _WORDS),
)


class Notebook(View):
    """HTML that is replaced; colours of text and ground are those of the notebook's theme."""

    def __init__(self, tally: Tally, clock: Clock) -> None:
        super().__init__(tally, TABLE_S, clock)
        self._handle: Any = None
        self._notes: list[Note] = []

    def note(self, note: Note) -> None:
        """Keep it for the next drawing."""
        self._notes.append(note)

    def draw(self) -> None:
        """Replace the table."""
        from IPython.display import display

        bundle = {
            "text/html": page(self._tally, self._notes),
            "text/plain": self._tally.sentence(),
        }
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def end(self) -> None:
        """Show notes even if the table never was."""
        if self._notes and self._handle is None:
            self.draw()


def page(tally: Tally, notes: list[Note]) -> str:
    """Return all there is to see, as HTML."""
    shown = sorted(tally.behind[:N_ROWS], key=lambda row: row.unit)
    rows = [_row(row, row.unit in tally.dropped) for row in shown]
    more = len(tally.rows) - len(shown)
    if more:
        style = f"{_WORDS};{_PALE}"
        further = f"{more} {tally.words('chains')} are further"
        rows.append(f'<tr><td colspan="11" style="{style}">{further}</td></tr>')
    if tally.n_chains > 1:
        rows.append(_total(tally))
    words = "; ".join([*tally.parts(), f"{span(tally.seconds)} gone"])
    told = "".join(
        f'<div style="padding:0 9px;color:#c97b1a">{escape(f"{note.kind}: {note.message}")}</div>'
        for note in notes[-N_NOTES:]
    )
    head = "".join(
        f'<th style="{style};font-weight:400;{_PALE}">{tally.words(name)}</th>'
        for name, style in _HEAD
    )
    return (
        '<div style="font-size:13px;line-height:1.5;overflow-x:auto">'
        f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
        f'<div style="padding:0 9px;{_PALE}">{escape(words)}</div>{told}</div>'
    )


def _row(row: Progress, dropped: bool) -> str:
    name = "dropped" if dropped else row.phase.value
    alarm = ";color:#c23b3b;font-weight:600"
    return _line(
        (str(row.unit), _NUMBER),
        (_bar(row.draw / max(1, row.total), COLOURS[name]), _WORDS),
        (f"{row.draw}/{row.total}", _NUMBER),
        (f'<span style="color:{COLOURS[name]}">●</span> {name}', _WORDS),
        (str(row.divergences), _NUMBER + (alarm if row.divergences else "")),
        (f"{row.step_size:.2g}" if isfinite(row.step_size) else "", _NUMBER),
        (f"{row.gradients / row.draw:.1f}" if row.draw else "", _NUMBER),
        (f"{speed(row):.0f}" if row.draw else "", _NUMBER),
        (left(row), _NUMBER),
        (str(row.retries or ""), _NUMBER + alarm),
        (escape(row.worker.rpartition("//")[2]), _WORDS),
    )


def _total(tally: Tally) -> str:
    share = tally.draws / max(1, tally.n_chains * tally.total)
    bold = ";font-weight:600"
    return _line(
        ("all", _NUMBER + bold),
        (_bar(share, "currentColor"), _WORDS),
        (f"{share:.0%}", _NUMBER + bold),
        ("", _WORDS),
        (str(tally.divergences), _NUMBER + bold),
        ("", _NUMBER),
        ("", _NUMBER),
        (f"{tally.draws / tally.seconds:.0f}" if tally.seconds > 0 else "", _NUMBER + bold),
        (span(tally.left_s) if tally.draws else "", _NUMBER + bold),
        (str(tally.retries or ""), _NUMBER + bold),
        ("", _WORDS),
    )


def _line(*cells: tuple[str, str]) -> str:
    inner = "".join(f'<td style="{style}">{text}</td>' for text, style in cells)
    return f'<tr style="background:none">{inner}</tr>'


def _bar(share: float, colour: str) -> str:
    return (
        '<div style="width:140px;height:9px;border-radius:3px;overflow:hidden;'
        'background:rgba(128,128,128,.25)">'
        f'<div style="width:{100 * share:.1f}%;height:9px;background:{colour}"></div></div>'
    )


def in_notebook() -> bool:
    """Tell whether what is displayed here goes to a notebook."""
    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
