"""Glance: what the handle of a run says of itself where it is printed."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from exmc_dask.cluster.display.notebook import page
from exmc_dask.cluster.display.tally import Tally
from exmc_dask.cluster.plan.asks import Ending, Request
from exmc_dask.cluster.plan.moves import Note, Progress
from exmc_dask.language.model import ModelSpec
from exmc_dask.runs.harvest import Harvest
from exmc_dask.runs.leg import Legs
from exmc_dask.runs.recipe import Recipe

_NAMES = 6  # of variables that are listed
_ASKED = {None: "running", Request.PAUSE: "paused"}


@dataclass(frozen=True)
class Glance:
    """A run at one moment.

    Attributes
    ----------
    recipe : Recipe
    harvest : Harvest
    legs : Legs
    progress : sequence of Progress
        Where each chain is, as far as it was heard of.
    state : str
    seconds : float
        Time that the run has taken.
    place : str
        The store; empty where there is none.
    """

    recipe: Recipe
    harvest: Harvest
    legs: Legs
    progress: Sequence[Progress]
    state: str
    seconds: float
    place: str

    @property
    def lines(self) -> list[str]:
        """What is printed: the model and its run, and where it is kept."""
        recipe, heard = self.recipe, {row.unit: row.draw for row in self.progress}
        chains, total = recipe.chains, recipe.settings.total
        made = sum(max(heard.get(c, 0), self.harvest.reached(c)) for c in range(chains))
        draws = f"{made} of {chains * total} draws of {chains} chain{'s' * (chains > 1)}"
        first = f"Run of {_called(recipe.model.spec)}: {self.state}, {draws}, warmup included"
        return [first, f"kept in {self.place}"] if self.place else [first]

    @property
    def html(self) -> str:
        """The same above the table that notebooks show of a run."""
        recipe, settings = self.recipe, self.recipe.settings
        tally = Tally(recipe.chains, settings.total, settings.tune, spent_s=self.seconds)
        notes = self.legs.notes()
        events: list[Progress | Note] = [*self.progress, *notes]
        for event in events:
            tally.see(event)
        return f"<div>{'<br>'.join(map(escape, self.lines))}</div>{page(tally, notes)}"


class Shown(ABC):
    """What shows a glance of itself, in a console and in a notebook."""

    @abstractmethod
    def glance(self) -> Glance:
        """Say where it is."""

    def __repr__(self) -> str:
        return "\n".join(self.glance().lines)

    def _repr_html_(self) -> str:
        return self.glance().html


def state_of(wish: Request | None, ending: Ending | None, error: BaseException | None) -> str:
    """Say what a run does, given what was asked for last and, if it is over, what ended it."""
    if error is not None:
        return f"failed ({type(error).__name__}: {str(error).partition(chr(10))[0]:.200})"
    if ending is not None:
        return "done" if ending is Ending.COMPLETE else ending.outcome
    return _ASKED.get(wish, "stopping")


def _called(model: ModelSpec) -> str:
    """Call a model by its variables."""
    seen = [v.name for v in model.observed] + [o.name for o in model.observations]
    sampled = _listed([variable.name for variable in model.free])
    return f"{sampled} given {_listed(seen)}" if seen else sampled


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    shown = ", ".join(names[:_NAMES]) or "nothing"
    return f"{shown} and {more} more" if more > 0 else shown
