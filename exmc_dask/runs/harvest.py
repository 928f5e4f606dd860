"""Harvest: the accepted blocks of a run, which one thread brings in and others wait for."""

import json
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from exmc_dask.cluster.plan.moves import HOME, BlockResult
from exmc_dask.runs.stream import Draw, draws_of
from exmc_dask.runs.until import Until
from exmc_dask.sampler.pooling import Lesson
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import Past, State

_LOOKED_AT = 2**22  # numbers at a time, 32 MB


class Harvest:
    """What a run has drawn so far.

    Parameters
    ----------
    chains : int
    blocks : sequence of BlockResult
        What there is from an earlier process, in order per chain.
    states : mapping of int to State
        Where its chains go on.
    lessons : sequence of Lesson
        What groups of them had learnt.

    Attributes
    ----------
    news : threading.Condition
        Guards everything here, and tells when it changes. May be entered again by its owner.
    blocks : list of BlockResult
        In the order in which they came.
    states : dict of int to State
    lessons : list of Lesson
    is_over : bool
        No block comes, unless the run is taken up again.
    sure : float
        Number of draws of each chain, from the end of warmup, that are sure to be in the result.
    """

    def __init__(
        self,
        chains: int,
        blocks: Sequence[BlockResult],
        states: Mapping[int, State],
        lessons: Sequence[Lesson] = (),
    ) -> None:
        self.news = threading.Condition()
        self.blocks = list(blocks)
        self.states = {block.unit: block.state for block in blocks} | dict(states)
        self.lessons = list(lessons)
        self.is_over = False
        self.sure = inf
        self._chains = chains
        self._at_hand: dict[int, deque[int]] = {chain: deque() for chain in range(chains)}
        for place, block in enumerate(self.blocks):
            if block.draws.in_memory:
                self._at_hand[block.unit].append(place)

    def bring_in(self, result: BlockResult) -> None:
        """Take a block."""
        with self.news:
            self.states[result.unit] = result.state
            if result.draws.in_memory:
                self._at_hand[result.unit].append(len(self.blocks))
            else:  # of what is not at hand from the first the rest is not needed either
                result = replace(result, state=Past(result.state.draw), receipt=None)
            self.blocks.append(result)
            self.news.notify_all()

    def put_away(
        self, chains: Iterable[int], away: Callable[[BlockResult], BlockResult | None]
    ) -> None:
        """Let go of blocks that can be read back.

        Parameters
        ----------
        chains : iterable of int
            Those that may have such blocks.
        away : callable
            Returns a block that knows where to read its draws, None as long as there is none.
        """
        with self.news:
            for chain in chains:
                line = self._at_hand[chain]
                while line and (found := away(self.blocks[line[0]])) is not None:
                    self.blocks[line.popleft()] = found

    def rely_on(self, draws: float) -> None:
        """Take so many draws of each chain as sure."""
        self._set(draws, is_over=self.is_over)

    def begin(self, sure: float) -> None:
        """Tell those who wait that blocks come, of which so many draws are sure."""
        self._set(sure, is_over=False)

    def end(self) -> None:
        """Tell those who wait that nothing more comes."""
        self._set(self.sure, is_over=True)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing more comes, and tell whether that is so."""
        with self.news:
            return self.news.wait_for(lambda: self.is_over, timeout)

    def reached(self, chain: int) -> int:
        """Return how many draws a chain has, warmup included."""
        return self.states[chain].draw if chain in self.states else 0

    def kind(self, target: str) -> str:
        """Return the CPU class of the workers that drew last, "" where another target did."""
        with self.news:
            block = next((b for b in reversed(self.blocks) if b.worker != HOME), None)
        marks = json.loads(block.fingerprint) if block and block.fingerprint else {}
        return str(marks["cpu"]) if marks.get("target") == target else ""

    def by_chain(self) -> dict[int, list[BlockResult]]:
        """Return the blocks of each chain, in order."""
        found: dict[int, list[BlockResult]] = {chain: [] for chain in range(self._chains)}
        with self.news:
            for block in self.blocks:
                found[block.unit].append(block)
        return found

    def kept(self, settings: Settings, dropped: Collection[int]) -> dict[int, list[BlockResult]]:
        """Leave out chains that could not go on before they had all draws."""
        return {
            chain: blocks
            for chain, blocks in self.by_chain().items()
            if chain not in dropped or self.reached(chain) >= settings.total
        }

    def wanting(self, until: Until, draw: int, settings: Settings) -> str:
        """Say what the draws before one, warmup left out, do not have yet of what is asked for."""
        chains = [chain for chain in range(self._chains) if self.reached(chain) >= draw]
        n = len(chains) * len(range(0, draw - settings.tune, settings.thin))
        width = max(1, _LOOKED_AT // n)
        superchains, parts = settings.superchains(chains), []
        for low in range(0, len(until.columns), width):
            columns = slice(low, min(low + width, len(until.columns)))
            draws = self._before(draw, settings, chains, columns)
            parts.append(until.measure(draws, columns, superchains))
        return until.verdict(parts)

    def _before(
        self, draw: int, settings: Settings, chains: Collection[int], columns: slice
    ) -> NDArray[np.float64]:
        """Return some columns of the kept draws before one, (n_chains, n_draws, columns)."""
        by_chain = self.by_chain()
        n, width = len(range(0, draw - settings.tune, settings.thin)), columns.stop - columns.start
        found = np.empty((len(chains), n, width))
        for row, chain in zip(found, chains, strict=True):
            at = 0
            for block in by_chain[chain]:
                rows = block.draws.between(settings.tune, draw)
                part = block.draws.cut("values", rows, columns)
                row[at : at + len(part)] = part
                at += len(part)
        return found

    def stream(
        self, columns: Sequence[tuple[str, tuple[int, ...]]], tune: int, first: int
    ) -> Iterator[Draw]:
        """Go over the draws from number `first` on as soon as they are sure, until all is over."""
        owed: dict[int, int] = {}  # of each chain the first draw that was not handed on
        held: list[BlockResult] = []
        seen, high = 0, 0.0
        is_over = False
        while not is_over:
            with self.news:
                self._wait_past(seen, high)
                blocks = held + self.blocks[seen:]
                seen, high, is_over = len(self.blocks), self.sure, self.is_over
            held = [block for block in blocks if block.state.draw - tune > high]
            for block in blocks:
                low = owed.get(block.unit, first)
                yield from draws_of(block, columns, tune, low, high)
                done = min(block.state.draw - tune, high)
                owed[block.unit] = max(low, int(done))

    def _set(self, sure: float, *, is_over: bool) -> None:
        with self.news:
            self.sure, self.is_over = sure, is_over
            self.news.notify_all()

    def _wait_past(self, n_blocks: int, sure: float) -> None:
        """Wait until there is something that a stream which has seen so much may hand on."""
        self.news.wait_for(lambda: self.is_over or len(self.blocks) > n_blocks or self.sure > sure)
