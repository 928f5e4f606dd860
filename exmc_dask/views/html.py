"""A model as a notebook shows it: two tables, as it was declared and as it is sampled."""

from collections.abc import Iterable
from html import escape

from exmc_dask.errors import ModelError
from exmc_dask.language.model import ModelSpec
from exmc_dask.language.outline import outline
from exmc_dask.rewrite import run
from exmc_dask.views.sampled import sampled

# Colours are those of the page, thinned, so that light and dark notebooks are served alike.
STYLE = """
.exmc-model { font-size: 0.9rem; line-height: 1.45; max-width: 100%; overflow-x: auto; }
.exmc-model table { border-collapse: collapse; margin: 0.3rem 0 0.6rem 0; border: none;
  color: inherit; font-size: inherit; }
.exmc-model td, .exmc-model tr { background: none; border: none; text-align: left; }
.exmc-model td { padding: 0.12rem 1rem 0.12rem 0; vertical-align: top; white-space: nowrap; }
.exmc-model tr + tr td { border-top: 1px solid rgba(128, 128, 128, 0.25); }
.exmc-model td.exmc-law { white-space: normal; }
.exmc-model code { font-size: 0.85rem; background: none; color: inherit; padding: 0; }
.exmc-model .exmc-name code { font-weight: 600; }
.exmc-model .exmc-number { text-align: right; font-variant-numeric: tabular-nums; }
.exmc-model .exmc-quiet, .exmc-model summary { opacity: 0.7; }
.exmc-model summary { cursor: pointer; }
"""

type Cell = tuple[str, str]  # class and inner HTML


def html(spec: ModelSpec) -> str:
    """Two tables; all text of the user is escaped, and nothing is loaded or run."""
    lines = outline(spec)
    declared = _table(
        [
            ("exmc-name", _code(line.name)),
            ("exmc-quiet", escape(line.sign)),
            ("exmc-law", _code(line.law)),
            ("exmc-quiet", escape(" ".join(filter(None, (line.axes, line.notes))))),
        ]
        for line in lines
    )
    return (
        f'<div class="exmc-model"><style>{STYLE}</style>'
        f'<div class="exmc-quiet">{_summary(spec)}</div>{declared}{_sampled(spec)}</div>'
    )


def _summary(spec: ModelSpec) -> str:
    counted = {
        "free": len(spec.free),
        "observed": len(spec.observed) + len(spec.observations),
        "deterministic": len(spec.deterministics),
        "potential": len(spec.potentials),
        "data": sum(slot.is_declared for slot in spec.slots),
    }
    said = ", ".join(f"{n} {what}" for what, n in counted.items() if n)
    return f"Model: {said or 'nothing declared yet'}"


def _sampled(spec: ModelSpec) -> str:
    try:
        rows = list(sampled(run(spec)))
    except ModelError as error:
        return f"<div>cannot be sampled: {escape(str(error))}</div>"
    if not rows:
        return ""
    table = _table(
        [
            ("exmc-name", _code(row.name)),
            ("exmc-number", str(row.numbers or "")),
            ("exmc-law", _code(row.law)),
        ]
        for row in rows
    )
    total = sum(row.numbers for row in rows)
    numbers = "1 number" if total == 1 else f"{total} numbers"
    return f"<details><summary>as it is sampled: {numbers}</summary>{table}</details>"


def _table(rows: Iterable[Iterable[Cell]]) -> str:
    written = ("".join(f'<td class="{kind}">{inner}</td>' for kind, inner in row) for row in rows)
    return "<table>" + "".join(f"<tr>{cells}</tr>" for cells in written) + "</table>"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"
