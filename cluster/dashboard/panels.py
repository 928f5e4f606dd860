"""The panels of the page /exmc, and how each follows a bulletin.

What users named, variables, programs and messages, comes into the page as data or escaped, so that
no text of theirs is taken for markup.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from html import escape
from math import isfinite
from typing import Any

import numpy as np
from bokeh.layouts import column
from bokeh.models import Div, StringFormatter

from ..display.tally import span
from ..messages.bulletin import Bulletin
from ..plan.nouns import Words
from .board import Entry
from .parts import (
    ALERT,
    BAD,
    BAR,
    COLOURS,
    DIGITS,
    DOT,
    FONT,
    INK,
    LINE,
    MAX_ROWS,
    PALE,
    RHAT,
    RHAT_GOOD,
    ROW_PX,
    WIDE,
    Data,
    Table,
    heading,
    html,
    number,
    titled,
)


class Runs:
    """The list of all runs; one row of it is chosen.

    Parameters
    ----------
    choose : callable
        Takes the name of the run that the visitor has clicked on.
    """

    def __init__(self, choose: Callable[[str], None]) -> None:
        self._choose = choose
        self._filling = False
        self.title = Div(name="title", sizing_mode="stretch_width", stylesheets=[WIDE])
        self.table = Table(
            "runs",
            [
                ("state", "state", html(DOT), 90),
                ("done", "draws", html(BAR), 120),
                ("percent", "", number("0 %"), 50),
                ("program", "program", StringFormatter(), 150),
                ("owner", "owner", StringFormatter(), 150),
                ("began", "began", StringFormatter(), 110),
                ("chains", "chains", number(), 60),
                ("speed", "draws/s", number(), 70),
                ("divergences", "div.", number(), 50),
                ("rhat", "R-hat", number("0.000"), 60),
                ("ess", "ESS", number(), 60),
                ("left", "time left", StringFormatter(text_align="right"), 90),
            ],
            hidden=("run", "colour"),
            selectable=True,
        )
        self.table.source.selected.on_change("indices", self._picked)
        self.root = column(self.title, self.table.root, sizing_mode="stretch_width")

    def show(self, runs: Sequence[tuple[Entry, str]], place: int) -> None:
        """List the runs and mark the one that is shown close up."""
        self.title.text = _title(runs)
        self.table.root.visible = len(runs) > 1
        now = time.time()
        self._filling = True
        kinds = {entry.bulletin.words for entry, _ in runs}
        self.table.call(kinds.pop() if len(kinds) == 1 else MIXED)
        self.table.fill(
            _transposed([_run_row(entry.bulletin, state, now) for entry, state in runs])
        )
        self.table.source.selected.indices = [place] if runs else []
        self._filling = False

    def _picked(self, _: str, __: list[int], places: list[int]) -> None:
        if places and not self._filling:
            self._choose(self.table.source.data["run"][places[0]])


def _title(runs: Sequence[tuple[Entry, str]]) -> str:
    if not runs:
        return _EMPTY
    count = Counter(state for _, state in runs)
    words = ", ".join(f"{n} {state}" for state, n in count.items())
    noun = "run" if len(runs) == 1 else "runs"
    return (
        f'<div style="font-size:19px;color:{INK};padding:4px 0 6px">{len(runs)} {noun} '
        f'<span style="font-size:13px;color:{PALE}">{words}</span></div>'
    )


MIXED = Words("unit", "step")
"""Of a list in which there are several kinds of runs."""
TEXTS = {"silent": "nothing heard", "lost": "its client is gone"}
_EMPTY = f"""
<div style="margin:14vh auto;max-width:600px;text-align:center;color:{INK};font-family:{FONT}">
<div style="font-size:22px;padding-bottom:10px">No run yet</div>
<div style="font-size:14px;line-height:1.6;color:{PALE}">What is sampled on this cluster is shown
here, from its first block to an hour after its last:</div>
<pre style="display:inline-block;margin-top:14px;padding:12px 18px;background:#f1f1f1;
border-radius:6px;font-size:13px">trace = ed.sample(model, client=client)</pre></div>
"""


def _run_row(of: Bulletin, state: str, now: float) -> dict[str, Any]:
    rhat, ess = of.worst
    share = of.draws / max(1, of.wanted)
    return {
        "run": of.run,
        "state": state,
        "colour": COLOURS.get(state, PALE),
        "done": round(100 * share, 1),
        "percent": share,
        "program": of.program,
        "owner": of.owner,
        "began": f"{span(now - of.began_at)} ago",
        "chains": of.n_chains,
        "speed": of.draws / of.seconds if of.seconds > 0 else float("nan"),
        "divergences": int(of.divergences.sum()),
        "rhat": rhat,
        "ess": ess,
        "left": span(of.left_s) if state == "running" else "",
    }


class Header:
    """The run that is shown close up, in a few figures."""

    def __init__(self) -> None:
        self.root = Div(name="header", sizing_mode="stretch_width", stylesheets=[WIDE])

    def show(self, of: Bulletin, state: str, heard_s: float) -> None:
        """Follow a bulletin."""
        share = of.draws / max(1, of.wanted)
        phases = Counter(of.phases)
        phases["waiting"] = of.n_chains - phases.total()
        parts = "".join(
            f'<div title="{n} {name}" style="width:{100 * n / of.n_chains:.2f}%;'
            f'background:{COLOURS[name]};height:6px"></div>'
            for name, n in phases.items()
            if n
        )
        done = (
            f'<div style="width:{100 * share:.1f}%;height:6px;'
            f'background:{COLOURS.get(state, PALE)}"></div>'
        )
        chains = ", ".join(f"{n} {name}" for name, n in phases.items() if n)
        told = TEXTS.get(state, "")
        if state == "running" and heard_s > 5:
            told = f"last heard {span(heard_s)} ago"
        again = int(of.retries.sum())
        tiles = [
            _tile(of.words("draws"), f"{of.draws:,}", f"of {of.wanted:,}, {share:.0%}", extra=done),
            _tile(of.words("chains"), f"{of.n_chains:,}", chains, extra=parts),
            _tile(of.words("draws/s"), _count(of.draws / of.seconds if of.seconds > 0 else 0), ""),
            _tile(
                "time",
                span(of.seconds),
                f"{span(of.left_s)} left" if state == "running" else "",
            ),
        ]
        if of.words.drawn:
            tiles += _worth(of)
        tiles.append(
            _tile("run again", f"{again:,}", "block" if again == 1 else "blocks", bad=again > 0)
        )
        self.root.text = (
            f'<div style="font-family:{FONT};color:{INK}">'
            f'<div style="padding-bottom:8px;font-size:15px"><span style="color:'
            f'{COLOURS.get(state, PALE)}">●</span> <b>{escape(of.program)}</b> '
            f'<span style="color:{PALE}">{escape(of.owner)} · {escape(of.run)} · {state}'
            f"{', ' + told if told else ''}</span></div>"
            f'<div style="display:flex;flex-wrap:wrap;gap:10px">{"".join(tiles)}</div></div>'
        )


def _worth(of: Bulletin) -> list[str]:
    """Return tiles that say what draws are worth."""
    rhat, ess = of.worst
    divergences = int(of.divergences.sum())
    return [
        _tile("divergences", f"{divergences:,}", "after warmup", bad=divergences > 0),
        _tile(
            "max R-hat",
            f"{rhat:.3f}" if isfinite(rhat) else "–",
            f"want < {RHAT_GOOD}",
            bad=rhat > RHAT_GOOD,
        ),
        _tile("min ESS", _count(ess), f"want > {100 * of.words.chains(of.n_chains):,}"),
    ]


def _tile(name: str, value: str, note: str, *, extra: str = "", bad: bool = False) -> str:
    below = (
        f'<div style="display:flex;background:#e8e8e8;border-radius:3px;overflow:hidden;'
        f'height:6px;margin-top:7px">{extra}</div>'
        if extra
        else ""
    )
    return (
        f'<div style="flex:1 1 120px;min-width:120px;background:#fff;border:1px solid {LINE};'
        f'border-radius:6px;padding:8px 12px;box-sizing:border-box">'
        f'<div style="font-size:11.5px;color:{PALE}">{name}</div>'
        f'<div style="font-size:21px;line-height:1.35;font-variant-numeric:tabular-nums;'
        f'color:{BAD if bad else INK}">{value}</div>'
        f'<div style="font-size:11.5px;color:{PALE};min-height:14px">{note}</div>{below}</div>'
    )


def _count(value: float) -> str:
    return f"{value:,.0f}" if isfinite(value) else "–"


_CHAINS = (
    "step size; divergences after warmup; gradients a draw; attempt of the block in flight; "
    "blocks run again"
)


class Chains:
    """A row a chain."""

    def __init__(self) -> None:
        self.table = Table(
            "chains",
            [
                ("unit", "chain", number("0"), 48),
                ("done", "", html(BAR), 80),
                ("draw", "draws", number(), 56),
                ("phase", "phase", html(DOT), 84),
                ("step_size", "step", html(DIGITS), 52),
                ("divergences", "div.", html(ALERT), 40),
                ("cost", "grad.", number("0.0"), 48),
                ("speed", "draws/s", number(), 60),
                ("worker", "worker", StringFormatter(), 138),
                ("attempt", "attempt", number("0"), 58),
                ("retries", "again", html(ALERT), 48),
            ],
            hidden=("colour",),
        )
        self._title = Div(sizing_mode="stretch_width")
        self.root = column(self._title, self.table.root, sizing_mode="stretch_width")

    def show(self, of: Bulletin) -> None:
        """Follow a bulletin."""
        self.table.call(of.words)
        self._title.text = heading(of.words("Chains"), of.words(_CHAINS))
        self.table.fill(
            {
                "unit": of.units,
                "done": np.round(100 * of.draw / max(1, of.total), 1),
                "draw": of.draw,
                "phase": of.phases,
                "colour": [COLOURS.get(phase, PALE) for phase in of.phases],
                "step_size": of.step_size,
                "divergences": of.divergences,
                "cost": of.gradients / np.maximum(of.draw, 1),
                "speed": of.speed,
                "worker": [worker.rpartition("//")[2] for worker in of.workers],
                "attempt": of.attempt,
                "retries": of.retries,
            }
        )


class Variables:
    """Mean, spread, R-hat and ESS of some variables so far; those chosen are traced."""

    def __init__(self) -> None:
        self.table = Table(
            "variables",
            [
                ("name", "variable", StringFormatter(), 120),
                ("mean", "mean", html(DIGITS), 70),
                ("sd", "sd", html(DIGITS), 70),
                ("rhat", "R-hat", html(RHAT), 70),
                ("ess", "ESS", number(), 70),
            ],
            max_rows=10,
            selectable="checkbox",
        )
        self.root = titled(
            "Variables", self.table.root, "so far, after warmup; tick up to three to trace them"
        )

    def show(self, of: Bulletin) -> None:
        """Follow a bulletin."""
        self.root.visible = of.words.drawn
        empty = np.full(len(of.names), np.nan)
        figures = {
            field: values if values.size else empty
            for field, values in (
                ("mean", of.mean),
                ("sd", of.sd),
                ("rhat", of.rhat),
                ("ess", of.ess),
            )
        }
        self.table.fill({"name": of.names, **figures})

    @property
    def ticked(self) -> list[int]:
        """Places of the variables that the visitor has ticked."""
        return list(self.table.source.selected.indices)


class Notes:
    """What went wrong, and what was done about it."""

    def __init__(self) -> None:
        self.text = Div(name="notes", sizing_mode="stretch_width", stylesheets=[WIDE])
        self.root = titled("Losses, retries, fallbacks", self.text)

    def show(self, of: Bulletin) -> None:
        """Follow a bulletin; the last note comes first."""
        self.root.visible = bool(of.events)
        rows = "".join(
            f'<div style="display:flex;gap:12px;padding:5px 4px;border-bottom:1px solid #eee">'
            f'<span style="flex:0 0 64px;text-align:right;color:{PALE}">'
            f"{span(at - of.began_at)}</span>"
            f'<span style="flex:0 0 96px;font-weight:600">{escape(kind)}</span>'
            f'<span style="flex:1;overflow-wrap:anywhere">{escape(message)}</span></div>'
            for at, kind, message in reversed(of.events)
        )
        more = of.n_events - len(of.events)
        if more:
            rows += f'<div style="padding:5px 4px;color:{PALE}">and {more:,} before them</div>'
        self.text.text = (
            f'<div style="font-family:{FONT};font-size:12.5px;color:{INK};'
            f"max-height:{MAX_ROWS * ROW_PX}px;overflow-y:auto;font-variant-numeric:tabular-nums"
            f'">{rows}</div>'
        )


def _transposed(rows: Sequence[dict[str, Any]]) -> Data:
    return {field: [row[field] for row in rows] for field in rows[0]} if rows else {"run": []}
