"""Harvest: the accepted blocks of a run, which one thread brings in and others wait for."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from exmc_dask.cluster.moves import BlockResult
from exmc_dask.sampler.pooling import Lesson
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import State
from exmc_dask.stream import Draw, draws_of


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

    def bring_in(self, result: BlockResult) -> None:
        """Take a block."""
        with self.news:
            self.blocks.append(result)
            self.states[result.unit] = result.state
            self.news.notify_all()

    def rely_on(self, draws: float) -> None:
        """Take so many draws of each chain as sure."""
        with self.news:
            self.sure = draws
            self.news.notify_all()

    def end(self, *, is_over: bool = True) -> None:
        """Tell those who wait that nothing more comes; or that it does again."""
        with self.news:
            self.is_over = is_over
            self.news.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing more comes, and tell whether that is so."""
        with self.news:
            return self.news.wait_for(lambda: self.is_over, timeout)

    def reached(self, chain: int) -> int:
        """Return how many draws a chain has, warmup included."""
        return self.states[chain].draw if chain in self.states else 0

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

    def before(
        self, draw: int, settings: Settings
    ) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
        """Return the kept draws before a draw of all chains that have it, without warmup.

        Returns
        -------
        ndarray
            float64, (n_chains, n_draws, columns).
        ndarray, optional
            int64, (n_chains,): their superchains, if there are any.
        """
        found = {}
        for chain, blocks in self.by_chain().items():
            if self.reached(chain) >= draw:
                rows = [
                    b.draws.values[(b.draws.numbers >= settings.tune) & (b.draws.numbers < draw)]
                    for b in blocks
                ]
                found[chain] = np.concatenate(rows)
        return np.stack(list(found.values())), settings.superchains(list(found))

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

    def _wait_past(self, n_blocks: int, sure: float) -> None:
        """Wait until there is something that a stream which has seen so much may hand on."""
        self.news.wait_for(lambda: self.is_over or len(self.blocks) > n_blocks or self.sure > sure)
