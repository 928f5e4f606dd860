"""The picture of a model in Mermaid, which GitHub, JupyterLab and many others draw themselves."""

from collections.abc import Mapping

from exmc_dask.views.diagram import Box, Diagram, Kind
from exmc_dask.views.printed import Printed

LOOKS: Mapping[Kind, tuple[str, str]] = {
    Kind.DATA: ("[(", ")]"),
    Kind.FREE: ("([", "])"),
    Kind.OBSERVED: ("([", "]):::observed"),
    Kind.PREDICTED: ("([", "]):::predicted"),
    Kind.DETERMINISTIC: ("[", "]"),
    Kind.POTENTIAL: ("{{", "}}"),
}
"""Brackets that give a node its form, and its class."""
HEAD = """graph TD
  classDef observed fill:#d3d3d3,color:#000000
  classDef predicted stroke-dasharray:5"""
ESCAPES = {ord(sign): f"#{ord(sign)};" for sign in '"#&<>`\\'}


class Mermaid(Printed):
    """Mermaid text, which JupyterLab draws."""

    __slots__ = ()

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/vnd.mermaid": str(self), "text/plain": str(self)}


def mermaid(picture: Diagram) -> Mermaid:
    """Write a diagram as a flowchart whose subgraphs are the plates.

    Nodes are numbered: a name may be a word of Mermaid's own.
    """
    places = {box.name: f"n{i}" for i, box in enumerate(picture.boxes)}
    lines = [HEAD]
    for i, (plate, boxes) in enumerate(picture.plates.items()):
        inner = [f"{places[box.name]}{_shape(box)}" for box in boxes]
        if plate:
            lines.append(f"  subgraph p{i}[{_quoted(plate)}]")
            lines += [f"    {line}" for line in inner]
            lines.append("  end")
        else:
            lines += [f"  {line}" for line in inner]
    lines += [f"  {places[source]} --> {places[target]}" for source, target in picture.arrows]
    return Mermaid("\n".join(lines))


def _shape(box: Box) -> str:
    left, right = LOOKS[box.kind]
    return f"{left}{_quoted(*box.lines)}{right}"


def _quoted(*lines: str) -> str:
    """Text in Mermaid's quotes, in which only character codes are safe."""
    return '"' + "<br>".join(line.translate(ESCAPES) for line in lines) + '"'
