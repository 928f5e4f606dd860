"""The body of a loop, or of a function, while it is written."""

from dataclasses import dataclass, field

from ..analysis.access import Element, Index
from .source import Text


@dataclass
class Region:
    """Body of a loop, or of the function, while it is written.

    Attributes
    ----------
    knows : frozenset of str
        Loop variables of it and of the loops around it.
    turns : Index
        How often it runs.
    lines : list of str
    memo : dict of Element to Text
        Values that were calculated here.
    views : dict
        (array, place) -> name of the array from that place on.
    """

    knows: frozenset[str]
    turns: Index
    lines: list[str] = field(default_factory=list)
    memo: dict[Element, Text] = field(default_factory=dict)
    views: dict[tuple[str, Index], str] = field(default_factory=dict)
