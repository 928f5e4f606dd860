"""How a run is carried out, and what keeps it; nothing here changes a draw."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

from exmc_dask.cluster.plan.moves import BlockResult, Note, Progress
from exmc_dask.errors import OptionError
from exmc_dask.runs.recipe import Recipe
from exmc_dask.sampler.pooling import Lesson


@dataclass(frozen=True)
class Terms:
    """Where and how long a run goes on, and what it shows.

    Attributes are the options of `exmc_dask.sample` of the same names.

    Raises
    ------
    OptionError
        One of them has an impossible value.
    """

    client: Any = None
    cluster: Any = None
    progressbar: bool | str | Callable[[Progress | Note], None] = True
    on_failure: Literal["raise", "drop"] = "raise"
    block_draws: int | None = None
    max_time_s: float = inf
    compute_convergence_checks: bool = True

    def __post_init__(self) -> None:
        if self.on_failure not in ("raise", "drop"):
            raise OptionError(
                f"on_failure={self.on_failure!r} is not possible; use 'raise' or 'drop'"
            )
        block = self.block_draws
        if block is not None and (not isinstance(block, int) or block < 1):
            raise OptionError(f"block_draws={block!r} is not possible; it has to be above 0")
        if not isinstance(self.max_time_s, int | float) or not self.max_time_s > 0:
            raise OptionError(
                f"max_time_s={self.max_time_s!r} is not possible; it has to be above 0"
            )

    @property
    def limits(self) -> dict[str, Any]:
        """Those that are options of a `Driver`, under its names."""
        return {
            "max_time_s": self.max_time_s,
            "max_block": self.block_draws,
            "on_failure": self.on_failure,
        }


class Keeper:
    """What keeps the blocks of a run beyond the memory of its process; this one keeps nothing.

    What it raises ends the run, so a keeper that can do without its disk has to do without.

    Attributes
    ----------
    place : str
        Where that is, as people write it.
    """

    place = ""

    def block(self, result: BlockResult) -> BlockResult:
        """Take an accepted block, in order per chain, and return it as others are to see it."""
        return result

    def lesson(self, lesson: Lesson) -> None:
        """Take what a group of chains learnt, before any block that began after it."""

    def aim(self, recipe: Recipe) -> None:
        """Take note that the run is to have another number of draws."""

    def see(self, note: Note) -> None:
        """Take note of something out of the ordinary, such as a chain that was given up."""

    def notes(self) -> Sequence[Note]:
        """Return what went wrong since this was asked the last time."""
        return ()

    def stored(self) -> Collection[int]:
        """Return the chains of which more can be read back than when this was asked last."""
        return ()

    def away(self, block: BlockResult) -> BlockResult | None:
        """Return a block that reads its draws when they are used; None as long as it cannot."""
        return None

    def close(self) -> None:
        """Write what is still to be written: the run is over, though it may be taken up again."""
