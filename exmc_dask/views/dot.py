"""The picture of a model in DOT, the language of Graphviz."""

import shutil
import subprocess
from collections.abc import Mapping

from exmc_dask.views.diagram import Box, Diagram, Kind
from exmc_dask.views.printed import Printed

LOOKS: Mapping[Kind, str] = {
    Kind.DATA: 'shape=box, style="rounded,filled"',
    Kind.FREE: "shape=ellipse",
    Kind.OBSERVED: "shape=ellipse, style=filled",
    Kind.PREDICTED: "shape=ellipse, style=dashed",
    Kind.DETERMINISTIC: "shape=box",
    Kind.POTENTIAL: "shape=octagon, style=filled",
}
HEAD = """digraph {
  graph [fontname="Helvetica", fontsize=11]
  node [fontname="Helvetica", fontsize=12, fillcolor="lightgrey"]"""
DRAWN_WITHIN_S = 30


class Dot(Printed):
    """DOT text; a notebook draws it where Graphviz' program ``dot`` is installed."""

    __slots__ = ()

    def _repr_svg_(self) -> str | None:
        program = shutil.which("dot")
        if program is None:
            return None
        drawn = subprocess.run(
            [program, "-Tsvg"],
            input=str(self),
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=DRAWN_WITHIN_S,
        )
        return drawn.stdout


def dot(picture: Diagram) -> Dot:
    """Write a diagram as a directed graph whose clusters are the plates."""
    lines = [HEAD]
    for i, (plate, boxes) in enumerate(picture.plates.items()):
        if not plate:
            lines += [f"  {_box(box)}" for box in boxes]
            continue
        lines.append(f"  subgraph cluster_{i} {{")
        lines.append(f"    label={_quoted(plate)} labeljust=r labelloc=b style=rounded")
        lines += [f"    {_box(box)}" for box in boxes]
        lines.append("  }")
    lines += [f"  {_quoted(source)} -> {_quoted(target)}" for source, target in picture.arrows]
    return Dot("\n".join([*lines, "}"]))


def _box(box: Box) -> str:
    return f"{_quoted(box.name)} [label={_quoted(*box.lines)}, {LOOKS[box.kind]}]"


def _quoted(*lines: str) -> str:
    """Text in DOT's quotes, where a backslash begins an escape."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
