"""Segments: which rows of which blocks make up a part of a chain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import Draws


class Block(Protocol):
    """A finished block as the pools hand it over."""

    @property
    def draws(self) -> Draws:
        """Rows of values and statistics, in draw order."""

    @property
    def worker(self) -> str:
        """Name or address of what ran it."""

    @property
    def attempt(self) -> int:
        """How many attempts were lost before this one."""


@dataclass(frozen=True)
class Segment:
    """Rows of one block that lie in the part of the chain being laid out."""

    block: Block
    rows: slice  # of the block
    place: slice  # of the chain's part


def place_of(draws: Draws, settings: Settings) -> int:
    """Return the number of a block's first row in its chain, row 0 being the posterior's first."""
    return (draws.first - settings.tune) // settings.thin


def reached(blocks: Sequence[Block], settings: Settings) -> int:
    """Return the number of the row at which a chain ends or has its first gap."""
    reached = -(settings.tune // settings.thin)
    for block in blocks:
        if len(block.draws) and place_of(block.draws, settings) != reached:
            break
        reached += len(block.draws)
    return reached


def segments(blocks: Sequence[Block], settings: Settings, first: int, stop: int) -> list[Segment]:
    """Cut a chain's blocks to the rows [first, stop)."""
    found = []
    for block in blocks:
        begin = place_of(block.draws, settings)
        low, high = max(first, begin), min(stop, begin + len(block.draws))
        if low < high:
            found.append(
                Segment(block, slice(low - begin, high - begin), slice(low - first, high - first))
            )
    return found


def walk(parts: Sequence[Sequence[Segment]]) -> Iterator[tuple[int, Segment]]:
    """Pair every segment with the row of its chain."""
    return ((row, segment) for row, part in enumerate(parts) for segment in part)
