"""until=: what draws have to be worth for a run to end, and when that is looked at.

A run is looked at after 200, 300, 450, ... draws of each chain, each time half as many again, and
at the end. It ends with the first look at which every criterion holds for every variable, and its
result is the draws up to that look. Stopping so is a choice made by the draws: the numbers that
were asked for are better at the end than in a run of fixed length, because looks at which they were
worse by chance were passed over. Measured, the largest R-hat says 0.002 less, and neither means nor
their errors are touched (docs/decisions/0027).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import OptionError, UnknownName
from exmc_dask.results.convergence import ess_bulk, ess_tail, mcse_mean, rhat, rhat_nested

FIRST_LOOK = 200

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Criterion:
    """A number that a variable's draws have, and whether it has to be small or large."""

    statistic: Callable[[Array], Array]
    small: bool
    low: float
    """What the wanted number has to be above."""


CRITERIA = {
    "rhat": Criterion(rhat, small=True, low=1.0),
    "ess_bulk": Criterion(ess_bulk, small=False, low=0.0),
    "ess_tail": Criterion(ess_tail, small=False, low=0.0),
    "mcse": Criterion(mcse_mean, small=True, low=0.0),
}


@dataclass(frozen=True, eq=False)
class Until:
    """What has to hold, criterion by criterion.

    Attributes
    ----------
    wanted : mapping of str to (k,) float64
        For each column of draws; NaN where nothing is asked.
    columns : tuple of str
        What the columns are called.
    """

    wanted: Mapping[str, Array]
    columns: tuple[str, ...]

    def wanting(self, draws: Array, superchains: NDArray[np.int64] | None = None) -> str:
        """Say what does not hold yet, the worst column of each criterion; "" for nothing.

        Parameters
        ----------
        draws : (n_chains, n_draws, k) float64
            A column that cannot be judged, because it never changes or has a NaN, does not count;
            if none can be, the criterion does not hold.
        superchains : (n_chains,) int64, optional
            To which each chain belongs: "rhat" is then the nested one.
        """
        return self.verdict([self.measure(draws, slice(None), superchains)])

    def measure(
        self, draws: Array, columns: slice, superchains: NDArray[np.int64] | None
    ) -> dict[str, Array]:
        """Return the statistic of each criterion for some columns, NaN where nothing is asked.

        Parameters
        ----------
        draws : (n_chains, n_draws, k) float64
            These columns only.
        columns : slice
        superchains : (n_chains,) int64 or None
        """
        found = {}
        for name, wanted in self.wanted.items():
            asked = np.isfinite(wanted[columns])
            found[name] = np.full(len(asked), math.nan)
            statistic = CRITERIA[name].statistic
            if name == "rhat" and superchains is not None:
                statistic = partial(rhat_nested, superchains=superchains)
            if asked.any():
                found[name][asked] = statistic(draws if asked.all() else draws[:, :, asked])
        return found

    def verdict(self, measures: Sequence[Mapping[str, Array]]) -> str:
        """Say what does not hold, given what `measure` returned for all columns, in parts."""
        joined = {name: np.concatenate([part[name] for part in measures]) for name in self.wanted}
        return ", ".join(filter(None, (self._lacks(name, joined[name]) for name in joined)))

    def _lacks(self, name: str, found: Array) -> str:
        wanted = self.wanted[name]
        excess = found / wanted if CRITERIA[name].small else wanted / found
        if np.isnan(excess).all():
            return f"{name} is not defined"
        worst = int(np.nanargmax(excess))
        if excess[worst] <= 1:
            return ""
        return f"{name} is {found[worst]:.4g} of {self.columns[worst]}, not {wanted[worst]:.4g}"


def read(
    given: Any, outputs: Sequence[tuple[str, tuple[int, ...]]], draws: int, chains: int
) -> Until:
    """Read what the user asked for.

    Parameters
    ----------
    given : mapping
        Criterion -> number, or for "mcse" also variable -> number.
    outputs : sequence of (str, tuple of int)
        Names and shapes of the variables that are kept, in the order of their columns.
    draws, chains : int
        Kept draws of each chain at most, and chains.

    Raises
    ------
    OptionError, UnknownName
        A criterion does not exist or cannot be reached, or a variable is not kept.
    """
    if not isinstance(given, Mapping) or not given:
        raise OptionError(
            f"until={given!r} is not possible; give criteria and their limits, such as "
            "{'rhat': 1.01, 'ess_bulk': 400}"
        )
    wanted = {}
    for name, limit in given.items():
        if name not in CRITERIA:
            raise OptionError(f"until has no criterion {name!r}; there are {', '.join(CRITERIA)}")
        each = limit if name == "mcse" and isinstance(limit, Mapping) else None
        for value in [limit] if each is None else each.values():
            _check(name, value, draws, chains)
        wanted[name] = _columns(limit if each is None else each, outputs)
    return Until(wanted, tuple(label for output in outputs for label in _labels(*output)))


def looks(draws: int) -> tuple[int, ...]:
    """Return after how many draws a run of at most so many is looked at."""
    found = []
    k = FIRST_LOOK
    while k < draws:
        found.append(k)
        k = k * 3 // 2
    return (*found, draws)


def _check(name: str, value: Any, draws: int, chains: int) -> None:
    low = CRITERIA[name].low
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not low < value < math.inf:
        raise OptionError(f"until: {name}={value!r} is not possible; give a number above {low:g}")
    if name == "rhat" and chains < 2:
        raise OptionError("until: rhat compares chains, and there is one; use chains=2 or more")
    size = chains * draws
    most = size * max(math.log10(size), 1.0)
    if name.startswith("ess") and value > most:
        raise OptionError(
            f"until: {name}={value:g} cannot be reached: {chains} chains of {draws} kept draws are "
            f"worth {most:.0f} at most; ask for less or raise draws="
        )


def _columns(limit: Any, outputs: Sequence[tuple[str, tuple[int, ...]]]) -> Array:
    """Spread limits over the columns of the variables."""
    if isinstance(limit, Mapping):
        names = [name for name, _ in outputs]
        for name in limit:
            if name not in names:
                raise UnknownName(f"until: no variable {name!r} is kept; there are {names}")
        each = [limit.get(name, math.nan) for name, _ in outputs]
    else:
        each = [limit] * len(outputs)
    return np.repeat(np.array(each, float), [math.prod(shape) for _, shape in outputs])


def _labels(name: str, shape: tuple[int, ...]) -> list[str]:
    if not shape:
        return [f"'{name}'"]
    return [f"'{name}{list(index)}'".replace(" ", "") for index in np.ndindex(shape)]
