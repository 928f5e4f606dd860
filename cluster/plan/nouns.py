"""What the units of a run are called, and what they make one after the other."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The words for a unit and for one of its steps; texts are written for chains and draws.

    Attributes
    ----------
    unit, step : str
        One of them.
    units : str
        Several units, where it is not ``unit`` with an s.
    drawn : bool
        Steps are draws, so that R-hat and ESS say something of them.
    bounds : tuple of int
        Units are batches: unit u has the chains from ``bounds[u]`` to ``bounds[u + 1]``.
    sets : tuple of str
        Units are chains of sets of data, which are called so: see `place_of`.
    """

    unit: str = "chain"
    step: str = "draw"
    units: str = ""
    drawn: bool = True
    bounds: tuple[int, ...] = ()
    sets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", tuple(self.bounds))  # a message brings a list
        object.__setattr__(self, "sets", tuple(self.sets))

    def __call__(self, text: str) -> str:
        """Return a text about chains and draws as one about these units and steps."""
        nouns = {
            "chain": self.unit,
            "chains": self.units or f"{self.unit}s",
            "draw": self.step,
            "draws": f"{self.step}s",
        }
        return _NOUNS.sub(lambda found: _like(found[0], nouns[found[0].lower()]), text)

    @property
    def called(self) -> dict[str, str]:
        """The words by those of NUTS."""
        return {"chain": self.unit, "draw": self.step}

    def chains(self, units: int) -> int:
        """Return how many chains all units have, each of which makes draws."""
        return self.bounds[-1] if self.bounds else units

    def name(self, unit: int) -> str:
        """Return how a unit is called; a batch by its chains, a set of data by its name."""
        if self.sets:
            k, chain = place_of(unit, len(self.sets))
            return f"chain {chain} of data set {self.sets[k]}"
        if not self.bounds:
            return f"{self.unit} {unit}"
        first, last = self.bounds[unit], self.bounds[unit + 1] - 1
        return f"chain {first}" if first == last else f"chains {first} to {last}"

    def does(self, unit: int, one: str, several: str) -> str:
        """Say what a unit does, given the words for one chain and for several."""
        name = self.name(unit)
        return f"{name} {several if name.startswith('chains') else one}"

    def at(self, unit: int, number: int) -> str:
        """Say which step of which unit is meant; a unit of a single step is one."""
        return self.name(unit) + (f", {self.step} {number}" if self.step != self.unit else "")

    def since(self, unit: int, first: int) -> str:
        """Say which steps of which unit are meant."""
        return self.name(unit) + (f", {self.step}s from {first}" if self.step != self.unit else "")

    def of_unit(self, message: str, unit: int) -> str | None:
        """Return a message that begins with a unit's name, be it a chain's; None if it does not."""
        if self.bounds:
            return message if message.startswith("chain") else None
        number = place_of(unit, len(self.sets))[1] if self.sets else unit  # a block knows its chain
        named = re.match(rf"({NUTS.unit}|{self.unit}) {number}\b", message)
        return self.name(unit) + message[named.end() :] if named else None


NUTS = Words()
WORDS: Mapping[str, Words] = {
    "batch:prepare": Words("batch", "draw", "batches"),
    "fit:mode": Words("climb", "step", drawn=False),
    "fit:pathfinder": Words("path", "step", drawn=False),
    "fit:smc": Words("population", "stage", drawn=False),
    "fit:advi": Words("fit", "step", drawn=False),
    "forward:prepare": Words("portion", "portion", drawn=False),
}
"""By engine of this package; the units of all others are chains."""

_NOUNS = re.compile(r"\b(?:chain|draw)s?\b", re.IGNORECASE)


def unit_of(k: int, chain: int, n_sets: int) -> int:
    """Return the unit that is a chain of set `k` of data."""
    return chain * n_sets + k


def place_of(unit: int, n_sets: int) -> tuple[int, int]:
    """Return the set and the chain that a unit is."""
    return unit % n_sets, unit // n_sets


def words_of(engine: str) -> Words:
    """Return what the units of an engine are called; it is named as `Spec` names it."""
    return WORDS.get(engine.removeprefix("exmc_dask.cluster.engines."), NUTS)


def _like(noun: str, other: str) -> str:
    return other.capitalize() if noun[0].isupper() else other
