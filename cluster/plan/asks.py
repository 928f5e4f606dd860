"""What the owner of a run asks of it: options when it begins, wishes while it goes on."""

import enum
from dataclasses import dataclass
from math import inf
from typing import Literal

from exmc_dask.sampler.pooling import Lesson, Pooling

from .nouns import NUTS, Words


@dataclass(frozen=True)
class Options:
    """What a plan is told once.

    Attributes
    ----------
    total, tune : int
        Draws of each unit, warmup included, and how many of them are warmup.
    max_block : int or None
        Draws of a block at most; None leaves it to the time budget.
    on_failure : {"raise", "drop"}
        Whether a unit that cannot go on ends the run.
    grace_s : float
        Time without any worker before the coordinator runs blocks itself.
    home_slots : int
        Blocks that the coordinator runs at a time when it has to; 0 where it cannot.
    gives_way : bool
        The owner has another plan for where no worker can do the work of this one, and tells.
    marks : tuple of int
        Draws, warmup included, at which the run is looked at to see whether it may end; the last
        is ``total``. Empty: it ends there.
    max_time_s : float
        Time after which the run ends with what it has.
    pooling : Pooling or None
        Which units share what their warmup teaches them, and when; None for none.
    lessons : tuple of Lesson
        What they shared in an earlier life of the run.
    words : Words
        What units and steps are called.
    kind : str
        CPU class that draws were made with in an earlier life of the run, if there was one.
    """

    total: int
    tune: int = 0
    max_block: int | None = None
    on_failure: Literal["raise", "drop"] = "raise"
    grace_s: float = 5.0
    home_slots: int = 1
    gives_way: bool = False
    marks: tuple[int, ...] = ()
    max_time_s: float = inf
    pooling: Pooling | None = None
    lessons: tuple[Lesson, ...] = ()
    words: Words = NUTS
    kind: str = ""


class Ending(enum.StrEnum):
    """Why a run is over."""

    COMPLETE = "complete"
    ENOUGH = "until reached"
    TIME = "time is up"
    STOPPED = "stopped"
    FAILED = "failed"
    RELIEVED = "relieved"
    """Others can go on with it better."""

    @property
    def outcome(self) -> str:
        """What it is to the owner, who has stopped a run that others were to go on with."""
        return (Ending.STOPPED if self is Ending.RELIEVED else self).value


class Request(enum.Enum):
    """What the owner of a run may ask for."""

    PAUSE = enum.auto()
    """Start no block; accept those in flight."""
    RESUME = enum.auto()
    AFTER = enum.auto()
    """As PAUSE, and end when the last block in flight is in."""
    NOW = enum.auto()
    """Stop the blocks in flight after their present draw, accept what they have, and end."""
    CANCEL = enum.auto()
    """End at once, without the blocks in flight."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What the owner of the run wants."""

    request: Request


@dataclass(frozen=True, slots=True)
class Extend:
    """All chains are to have ``total`` draws, warmup included; never less than before."""

    total: int
