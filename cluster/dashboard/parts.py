"""What the page /exmc is built of: its colours, its tables, its headings."""

from collections.abc import Sequence
from typing import Any

from bokeh.core.properties import without_property_validation
from bokeh.layouts import column
from bokeh.models import (
    ColumnDataSource,
    DataTable,
    Div,
    HTMLTemplateFormatter,
    NumberFormatter,
    TableColumn,
)

from ..plan.nouns import Words

FONT = "Helvetica,Arial,sans-serif"  # as on the other pages
INK, PALE, LINE = "#333333", "#767676", "#e2e2e2"
GOOD, BUSY, WARM, BAD = "#4d9a53", "#4477aa", "#eaaa6d", "#c23b3b"
COLOURS = {
    "waiting": "#bbbbbb",
    "compiling": "#9a86b8",
    "warmup": WARM,
    "sampling": BUSY,
    "done": GOOD,
    "dropped": BAD,
    "running": BUSY,
    "complete": GOOD,
    "until reached": GOOD,
    "time is up": WARM,
    "stopped": WARM,
    "relieved": WARM,
    "failed": BAD,
    "lost": BAD,
    "silent": WARM,
}
# Okabe and Ito (2008), "Color universal design": told apart by the colour-blind too
LINES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#555555")
ROW_PX, MAX_ROWS = 25, 14
RHAT_GOOD = 1.01  # Vehtari et al. (2021), section 4


STYLE = """
:host { font-family: Helvetica, Arial, sans-serif; color: #333; }
.slick-header-column { background: #f1f1f1 !important; border-color: #e2e2e2 !important;
  font-weight: 600; font-size: 12px; color: #555; }
.slick-cell { border-color: transparent !important; border-bottom-color: #eee !important;
  font-size: 12.5px; font-variant-numeric: tabular-nums; }
.slick-cell.selected { background: #fbeedd !important; }
.slick-row:hover .slick-cell { background: #f7f3ee; }
.bk-data-table { z-index: 0; }
"""
WIDE = ".bk-clearfix { display: block; width: 100%; }"
BAR = (
    '<div style="background:#e8e8e8;border-radius:3px;height:12px;margin-top:4px;overflow:hidden">'
    '<div style="width:<%- value %>%;height:12px;background:<%- colour %>"></div></div>'
)
DOT = '<span style="color:<%- colour %>">●</span> <%- value %>'
DIGITS = (
    '<div style="text-align:right">'
    '<%- value == null || isNaN(value) ? "–" : Number(value).toPrecision(3) %></div>'
)
ALERT = (
    '<div style="text-align:right;'
    '<%- value > 0 ? "color:#c23b3b;font-weight:600" : "color:#999" %>">'
    "<%- value %></div>"
)
RHAT = (
    '<div style="text-align:right;<%- value > 1.01 ? "color:#c23b3b;font-weight:600" : "" %>">'
    '<%- value == null || isNaN(value) ? "–" : Number(value).toFixed(3) %></div>'
)
RIGHT = (DIGITS, ALERT, RHAT)

Column = tuple[str, str, Any, int]
Data = dict[str, Sequence[Any]]


def html(template: str) -> HTMLTemplateFormatter:
    """Return how cells are shown by a template; ``<%-`` in it escapes."""
    return HTMLTemplateFormatter(template=template)


def number(form: str = "0,0") -> NumberFormatter:
    """Return how numbers are shown."""
    return NumberFormatter(format=form, text_align="right", nan_format="–")


class Table:
    """A table with one row per entry of its data.

    Parameters
    ----------
    columns : sequence of (field, title, formatter, width)
    hidden : sequence of str
        Fields that formatters use and that have no column.
    max_rows : int
        Rows that are seen at a time.
    """

    def __init__(
        self,
        name: str,
        columns: Sequence[Column],
        hidden: Sequence[str] = (),
        max_rows: int = MAX_ROWS,
        **options: Any,
    ) -> None:
        self._max_rows = max_rows
        self._titles = [title for _, title, _, _ in columns]
        self.source = ColumnDataSource({field: [] for field in (*hidden, *(c[0] for c in columns))})
        shift = 1 + (options.get("selectable") == "checkbox")
        right = [
            f".slick-header-column:nth-child({place}) .slick-column-name"
            for place, (_, _, formatter, _) in enumerate(columns, shift)
            if _is_right(formatter)
        ]
        header = f"{', '.join(right)} {{ float: right; }}" if right else ""
        self.root = DataTable(
            name=name,
            source=self.source,
            columns=[
                TableColumn(field=field, title=title, formatter=formatter, width=width)
                for field, title, formatter, width in columns
            ],
            index_position=None,
            row_height=ROW_PX,
            sizing_mode="stretch_width",
            height=3 * ROW_PX,
            stylesheets=[STYLE + header],
            **options,
        )

    def call(self, words: Words) -> None:
        """Head the columns by these words."""
        for head, title in zip(self.root.columns, self._titles, strict=True):
            if head.title != words(title):
                head.title = words(title)

    @without_property_validation  # type: ignore[untyped-decorator]
    def fill(self, data: Data) -> None:
        """Put other rows in, and be as high as they need."""
        rows = len(next(iter(data.values())))
        height = (min(max(rows, 1), self._max_rows) + 1) * ROW_PX + 8
        if self.root.height != height:
            self.root.height = height
        self.source.data = data


def _is_right(formatter: Any) -> bool:
    if isinstance(formatter, HTMLTemplateFormatter):
        return formatter.template in RIGHT
    return bool(formatter.text_align == "right")


def titled(title: str, root: Any, note: str = "") -> Any:
    """Put a heading above something."""
    above = Div(text=heading(title, note), sizing_mode="stretch_width")
    return column(above, root, sizing_mode="stretch_width")


def heading(title: str, note: str = "") -> str:
    """Return a heading as HTML; its note may hold some."""
    return (
        f'<div style="font-family:{FONT};font-size:14px;font-weight:600;'
        f'color:{INK};padding-top:8px">{title} <span style="font-weight:400;font-size:12px;'
        f'color:{PALE}">{note}</span></div>'
    )
