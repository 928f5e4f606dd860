"""The plots of the page /exmc: traces as they grow, R-hat and ESS as they form."""

from typing import Any

import numpy as np
from bokeh.core.properties import without_property_validation
from bokeh.layouts import column
from bokeh.models import BoxAnnotation, ColumnDataSource, Div, NumeralTickFormatter, Range1d, Span
from bokeh.plotting import figure

from ..messages.bulletin import Bulletin
from .panels import Variables
from .parts import BUSY, GOOD, INK, LINE, LINES, PALE, RHAT_GOOD, WARM, heading, titled


class Traces:
    """What some chains drew of three variables, thinned; warmup lies on a shade."""

    N = 3

    def __init__(self, variables: Variables) -> None:
        self._variables = variables
        self._at: Bulletin | None = None
        self._x = Range1d(0, 1)
        self.sources: list[ColumnDataSource] = []
        self.figures = []
        self._warm = []
        for place in range(self.N):
            source = ColumnDataSource({"xs": [], "ys": [], "colour": []})
            plot = figure(
                name=f"trace{place}",
                height=150,
                sizing_mode="stretch_width",
                x_range=self._x,
                y_range=Range1d(0, 1),
                tools="xpan,xwheel_zoom,reset",
                toolbar_location=None,
                title="",
            )
            plot.multi_line("xs", "ys", line_color="colour", line_alpha=0.75, source=source)
            warm = BoxAnnotation(fill_color=WARM, fill_alpha=0.12, left=0, right=0)
            plot.add_layout(warm)
            _quiet(plot)
            self.sources.append(source)
            self.figures.append(plot)
            self._warm.append(warm)
        self.figures[-1].xaxis.axis_label = "draw"
        self.figures[-1].height += 22
        variables.table.source.selected.on_change("indices", self._ticked)
        self._title = Div(sizing_mode="stretch_width")
        self.root = column(self._title, *self.figures, sizing_mode="stretch_width")

    def _ticked(self, _: str, __: list[int], ___: list[int]) -> None:
        if self._at is not None:
            self.show(self._at)

    @without_property_validation  # type: ignore[untyped-decorator]
    def show(self, of: Bulletin) -> None:
        """Follow a bulletin."""
        self._at = of
        self.root.visible = of.words.drawn
        ticked = [place for place in self._variables.ticked if place < len(of.traced)]
        places = (ticked or range(len(of.traced)))[: self.N]
        self._x.start, self._x.end = 0, of.total
        chains = " ".join(
            f'<span style="color:{colour};font-weight:600">{chain}</span>'
            for chain, colour in zip(of.lines.tolist(), LINES, strict=False)
        )
        self._title.text = heading("Traces", f"chains {chains}; warmup on a shade")
        for plot, source, warm, k in zip(
            self.figures, self.sources, self._warm, range(self.N), strict=True
        ):
            plot.visible = k < len(places)
            if not plot.visible:
                continue
            points = of.traces[places[k]]
            plot.title.text = of.traced[places[k]]
            source.data = {
                "xs": [of.numbers[np.isfinite(line)] for line in points],
                "ys": [line[np.isfinite(line)] for line in points],
                "colour": [LINES[c % len(LINES)] for c in range(len(points))],
            }
            warm.right = of.tune
            plot.y_range.start, plot.y_range.end = _limits(points, of.numbers >= of.tune)


def _limits(points: Any, kept: Any) -> tuple[float, float]:
    """Return the ends of the scale: those of draws after warmup, once there are some."""
    values = points[:, kept] if np.isfinite(points[:, kept]).sum() > 20 else points
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


class History:
    """The largest R-hat and the smallest ESS as they formed."""

    def __init__(self) -> None:
        self.source = ColumnDataSource({"draws": [], "rhat": [], "ess": []})
        self._x = Range1d(0, 1)
        self.figures = []
        for field, title in (("rhat", "largest R-hat"), ("ess", "smallest bulk ESS")):
            plot = figure(
                name=field,
                height=150,
                sizing_mode="stretch_width",
                x_range=self._x,
                tools="",
                toolbar_location=None,
                title=title,
            )
            plot.line("draws", field, line_color=BUSY, line_width=2, source=self.source)
            plot.scatter("draws", field, color=BUSY, size=4, source=self.source)
            _quiet(plot)
            self.figures.append(plot)
        rhat, ess = self.figures
        good = Span(location=RHAT_GOOD, dimension="width", line_color=GOOD, line_dash="dashed")
        rhat.add_layout(good)
        rhat.y_range = Range1d(1.0, 1.1)
        ess.y_range = Range1d(0, 1)
        ess.yaxis.formatter = NumeralTickFormatter(format="0,0")
        ess.xaxis.axis_label = "draws of each chain, after warmup"
        ess.height += 22
        self.root = titled("Convergence", column(*self.figures, sizing_mode="stretch_width"))

    def show(self, of: Bulletin) -> None:
        """Follow a bulletin."""
        self.source.data = dict(zip(("draws", "rhat", "ess"), of.history.T, strict=True))
        self.root.visible = bool(len(of.history))
        self._x.end = max(1, of.total - of.tune)
        if len(of.history):
            most = np.nan_to_num(of.history, nan=0.0).max(axis=0)
            self.figures[0].y_range.end = max(1.02, 1.0 + 1.08 * (float(most[1]) - 1.0))
            self.figures[1].y_range.end = max(1.0, 1.08 * float(most[2]))


def _quiet(plot: Any) -> None:
    """Let the lines speak: no frame, a pale grid, small figures."""
    plot.outline_line_color = None
    plot.min_border_right = 24  # for half of the last number below the axis
    plot.xgrid.grid_line_color = None
    plot.ygrid.grid_line_color = LINE
    plot.axis.axis_line_color = LINE
    plot.axis.major_tick_line_color = LINE
    plot.axis.minor_tick_line_color = None
    plot.axis.major_label_text_color = PALE
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_font_size = "12px"
    plot.axis.axis_label_text_color = PALE
    plot.title.text_font_size = "13px"
    plot.title.text_color = INK
    plot.title.text_font_style = "normal"
