"""What is handed to a worker: a chain, or a batch of chains that a GPU runs together."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from math import nan

import numpy as np
from numpy.typing import NDArray

from exmc_dask.cluster.plan.batches import chain_by_chain
from exmc_dask.cluster.plan.moves import BlockResult, Note, Progress, Trouble
from exmc_dask.cluster.plan.nouns import Words
from exmc_dask.errors import OptionError
from exmc_dask.sampler.batch import BatchState
from exmc_dask.sampler.pooling import Pooling
from exmc_dask.sampler.state import State

type Floats = NDArray[np.float64]

MOST = 8192
"""Chains of a batch where nobody says otherwise."""
_LEAST = 256


class Chains:
    """Every chain is a unit of its own, under its own number."""

    def of(self, chains: Iterable[int]) -> list[int]:
        """Return the units that have one of these chains."""
        return sorted(chains)

    def chains(self, units: Iterable[int]) -> set[int]:
        """Return the chains of units."""
        return set(units)

    def initials(self, initials: Mapping[int, Floats]) -> Mapping[int, Floats]:
        """Return starting points by unit, given those of chains."""
        return initials

    def states(self, states: Mapping[int, State]) -> Mapping[int, State]:
        """Return states by unit, given those of chains."""
        return states

    def results(self, result: BlockResult) -> Iterator[BlockResult]:
        """Go over what a unit's block means for its chains."""
        yield result

    def progress(self, progress: Progress) -> Iterator[Progress]:
        """Go over what a unit's progress means for its chains."""
        yield progress

    def notes(self, note: Note) -> Iterator[Note]:
        """Go over what a note about a unit means for its chains."""
        yield note


CHAINS = Chains()


def standing(states: Mapping[int, State]) -> Iterator[tuple[str, int]]:
    """Go over neighbours that stand before one draw, in words, and that draw; begun ones only."""
    begun = sorted((chain, state.draw) for chain, state in states.items() if state.draw)
    ranks = enumerate(begun)
    for (draw, _), group in groupby(ranks, key=lambda pair: (pair[1][1], pair[1][0] - pair[0])):
        chains = [chain for _, (chain, _) in group]
        bounds = (chains[0], chains[-1] + 1)
        yield Words(bounds=bounds).name(0), draw


@dataclass(frozen=True)
class Batches(Chains):
    """Unit u has the chains from ``bounds[u]`` to ``bounds[u + 1]``."""

    bounds: tuple[int, ...]

    @classmethod
    def for_gpus(
        cls, chains: int, gpus: int, most: int = MOST, states: Mapping[int, State] | None = None
    ) -> "Batches":
        """Return batches of `most` chains at most for so many GPUs, fewer than would be small.

        Chains of a batch stand before one draw: where they go on from `states` and do not, there
        are more batches.
        """
        n = max(1, min(gpus, chains // _LEAST), -(-chains // most))
        bounds = {int(x) for x in np.linspace(0, chains, n + 1).round()}
        at = [states[c].draw if c in states else 0 for c in range(chains)] if states else []
        bounds |= {c for c in range(1, len(at)) if at[c] != at[c - 1]}
        return cls(tuple(sorted(bounds)))

    @property
    def largest(self) -> int:
        """Chains of the largest batch."""
        return max(map(len, map(self._of, range(len(self.bounds) - 1))))

    def in_groups(self, pooling: Pooling, most: int = MOST) -> "Batches":
        """Return as many batches, or more, none of which parts chains that learn together.

        Raises
        ------
        OptionError
            A group is larger than a batch may be.
        """
        size = -(-pooling.chains // pooling.groups)
        if size > most:
            raise OptionError(
                f"pool= makes groups of {size} chains, and on a GPU a group is part of a batch, of "
                f"{most} chains at most; let pool be {most // 2} or less, or batches larger"
            )
        fewest = -(-pooling.groups // (most // size))
        n = min(max(fewest, len(self.bounds) - 1), pooling.groups)
        groups = np.linspace(0, pooling.groups, n + 1).round()
        return Batches(tuple(pooling.first(int(group)) for group in groups))

    def stand_together(self, states: Mapping[int, State]) -> bool:
        """Tell whether the chains of each batch stand before one draw."""
        at = [states[c].draw if c in states else 0 for c in range(self.bounds[-1])]
        return all(len(set(at[first:end])) == 1 for first, end in pairwise(self.bounds))

    def halved(self) -> "Batches":
        """Return batches of which each is half of one of these, or a single chain."""
        halves = {(first + end) // 2 for first, end in pairwise(self.bounds)}
        return Batches(tuple(sorted({*self.bounds, *halves})))

    def of(self, chains: Iterable[int]) -> list[int]:
        """Return the units that have one of these chains."""
        starts = np.asarray(self.bounds)
        return sorted({int(np.searchsorted(starts, chain, "right")) - 1 for chain in chains})

    def chains(self, units: Iterable[int]) -> set[int]:
        """Return the chains of units."""
        return {chain for unit in units for chain in self._of(unit)}

    def _of(self, unit: int) -> range:
        return range(self.bounds[unit], self.bounds[unit + 1])

    def initials(self, initials: Mapping[int, Floats]) -> Mapping[int, Floats]:
        """Return starting points by unit, a row a chain, with NaN behind what there is of each."""
        if not initials:
            return {}
        longest = max(map(len, initials.values()))
        rows = np.full((self.bounds[-1], longest), nan)
        for chain, initial in initials.items():
            rows[chain, : len(initial)] = initial
        return {unit: rows[first:end] for unit, (first, end) in enumerate(pairwise(self.bounds))}

    def states(self, states: Mapping[int, State]) -> Mapping[int, State]:
        """Return states by unit, of those all of whose chains have one."""
        whole = [unit for unit in self.of(states) if all(c in states for c in self._of(unit))]
        return {unit: BatchState.of([states[c] for c in self._of(unit)]) for unit in whole}  # type: ignore[misc]

    def results(self, result: BlockResult) -> Iterator[BlockResult]:
        """Go over the blocks of a batch's chains; what was counted is told with the first."""
        assert isinstance(result.state, BatchState)
        own = chain_by_chain(result, self.bounds[result.unit])
        for k, (state, block) in enumerate(zip(result.state, own, strict=True)):
            yield replace(
                block,
                state=state,
                gradients=result.gradients if k == 0 else 0,
                divergences=result.divergences if k == 0 else 0,
                launches=result.launches if k == 0 else 0,
                step_size=state.step_size,
            )

    def progress(self, progress: Progress) -> Iterator[Progress]:
        """Go over the progress of a batch's chains; what was counted is told with the first."""
        for k, chain in enumerate(self._of(progress.unit)):
            gradients, divergences = (
                (progress.gradients, progress.divergences) if k == 0 else (0, 0)
            )
            yield replace(progress, unit=chain, gradients=gradients, divergences=divergences)

    def notes(self, note: Note) -> Iterator[Note]:
        """Go over what a note about a batch means: all of its chains are dropped, or none."""
        if note.unit is None:
            yield note
            return
        chains = self._of(note.unit)
        for chain in chains if note.kind is Trouble.DROPPED else chains[:1]:
            yield replace(note, unit=chain)
