"""Leg: a recipe carried out by one driver, from where chains are; the legs of a run."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.plan.moves import Note, Progress
from exmc_dask.cluster.pools.pool import Pool
from exmc_dask.runs.harvest import Harvest
from exmc_dask.runs.recipe import Recipe
from exmc_dask.runs.terms import Terms
from exmc_dask.runs.units import Chains

_LEAST_S = 1e-3  # of what is left of max_time_s when it is over


@dataclass(frozen=True)
class Leg:
    """A driver and what its units are.

    Attributes
    ----------
    driver : Driver
    units : Chains
    """

    driver: Driver
    units: Chains

    @classmethod
    def of(
        cls,
        pool: Pool,
        recipe: Recipe,
        terms: Terms,
        spent_s: float,
        chains: Collection[int],
        harvest: Harvest,
        **hears: Any,
    ) -> "Leg":
        """Make the driver of some chains, which begins when it is told to.

        Parameters
        ----------
        pool : Pool
        recipe : Recipe
        terms : Terms
        spent_s : float
            What is gone already of their ``max_time_s``.
        chains : collection of int
        harvest : Harvest
            Where chains go on that were begun earlier, perhaps others than `chains` too, and what
            groups of them had learnt by then.
        **hears
            The callables that `Driver` takes, and what is told first.
        """
        units = recipe.units
        begun = {chain: state for chain, state in harvest.states.items() if chain in chains}
        driver = Driver(
            pool,
            recipe.spec,
            units=units.of(chains),
            total=recipe.settings.total,
            initials=units.initials(recipe.initials),
            states=units.states(begun),
            marks=recipe.looks,
            pooling=recipe.barriers,
            lessons=harvest.lessons,
            kind=harvest.kind(recipe.spec.target),
            gives_way=recipe.spec.target == "cuda",
            seeks=recipe.returns,
            keep=False,
            **terms.limits | {"max_time_s": max(terms.max_time_s - spent_s, _LEAST_S)},
            **hears,
        )
        return cls(driver, units)

    def dropped(self) -> set[int]:
        """Return the chains that were given up, so far."""
        return self.units.chains(self.driver.dropped())


class Legs(list[Leg]):
    """The legs of a run, one at a time: the last is under way or was the last."""

    def events(self) -> list[Progress | Note]:
        """Return what was shown of all of them, of each the last ten thousand at most."""
        return [event for leg in self for event in leg.driver.events()]

    def notes(self) -> list[Note]:
        """Return what was out of the ordinary, said of chains."""
        told = ((leg, event) for leg in self for event in leg.driver.events())
        return [n for leg, event in told if isinstance(event, Note) for n in leg.units.notes(event)]

    def dropped(self) -> set[int]:
        """Return the chains that were given up, so far."""
        return set().union(*(leg.dropped() for leg in self))

    def left(self, chains: int) -> set[int]:
        """Return those of all chains that were not given up."""
        return set(range(chains)) - self.dropped()
