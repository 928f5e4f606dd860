"""Many chains as one unit of work: their states side by side, all before the same draw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from exmc_dask.errors import FormatError
from exmc_dask.kernels.runtime import chain as slots
from exmc_dask.sampler.state import ChainState, Draws, Floats, Ints


@dataclass(frozen=True, eq=False)
class BatchState:
    """Chains between two draws; each row is the state of one, as a ChainState has it.

    Parameters
    ----------
    f : (chains, n) float64
    i : (chains, 12) int64

    Raises
    ------
    FormatError
        The chains are not before one and the same draw.
    """

    f: Floats
    i: Ints

    def __post_init__(self) -> None:
        if len(set(self.i[:, slots.DRAW].tolist())) != 1:
            raise FormatError("the chains of a batch have to stand before one draw, all of them")

    @classmethod
    def of(cls, states: Sequence[ChainState]) -> "BatchState":
        """Put chains together."""
        return cls(np.stack([state.f for state in states]), np.stack([state.i for state in states]))

    @property
    def draw(self) -> int:
        """Number of the next draw of every chain, from 0, warmup included."""
        return int(self.i[0, slots.DRAW])

    def __len__(self) -> int:
        """Return the number of chains."""
        return len(self.f)

    def __iter__(self) -> Iterator[ChainState]:
        """Go over the chains' own states; a CPU can go on with each of them."""
        return map(ChainState, self.f, self.i)


def part(draws: Draws) -> Iterator[Draws]:
    """Go over the draws of each chain of a batch, whose arrays have chains as second axis."""
    for chain in range(draws.values.shape[1]):
        yield replace(
            draws,
            values=draws.values[:, chain],
            q=draws.q[:, chain],
            stats_f=draws.stats_f[:, chain],
            stats_i=draws.stats_i[:, chain],
        )
