"""Runs that keep moments: what takes their blocks, and what there is not together with it."""

import math
from collections import deque
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from exmc_dask.cluster.plan.moves import BlockResult
from exmc_dask.errors import OptionError
from exmc_dask.results.fold import BESIDE, FoldedDraws, Folding
from exmc_dask.runs.recipe import Recipe
from exmc_dask.runs.terms import Keeper
from exmc_dask.sampler.state import Past


class MomentKeeper(Keeper):
    """Keeps moments, in memory.

    Parameters
    ----------
    recipe : Recipe
    """

    def __init__(self, recipe: Recipe) -> None:
        k = len(BESIDE) + sum(math.prod(shape) for _, shape in recipe.columns)
        self._tune = recipe.settings.tune
        self._chains = [Folding(k, recipe.chains) for _ in range(recipe.chains)]
        self._news: deque[int] = deque()

    def block(self, result: BlockResult) -> BlockResult:
        """Take an accepted block; for others it is as it was."""
        chain, draws = self._chains[result.unit], result.draws
        after = draws.between(self._tune, draws.first + draws.thin * len(draws))
        chain.now = chain.now.add(draws, after)
        self._news.append(result.unit)
        return result

    def stored(self) -> Collection[int]:
        """Return the chains that had blocks since this was asked last."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def away(self, block: BlockResult) -> BlockResult:
        """Return a block without its draws."""
        draws, chain = block.draws, self._chains[block.unit]
        gone = FoldedDraws(draws.first, draws.thin, len(draws), chain)
        return replace(block, draws=gone, state=Past(block.state.draw))


def check_kept(keep: Any, **asked: Any) -> None:
    """Refuse what there is not together with ``keep="moments"``.

    Parameters
    ----------
    keep : {"draws", "moments"}
    **asked
        Other options; one that is neither None nor False is asked for.

    Raises
    ------
    OptionError
    """
    if keep not in ("draws", "moments"):
        raise OptionError(f"keep={keep!r} is not possible; use 'draws' or 'moments'")
    for option, value in asked.items():
        if keep == "moments" and value is not None and value is not False:
            raise OptionError(f"keep='moments' and {option}: {_WHY[option]}")


_WHY = {
    "store": "a store keeps draws, and they leave the memory without keep= once they are in it; "
    "leave out one of the two",
    "until": "its criteria are made of ranks of draws, and none are kept; leave out one of the two",
    "discard_tuned_samples": "no draw of the warmup is kept; leave discard_tuned_samples= out",
    "store_unconstrained": "no position is kept; leave store_unconstrained= out",
    "log_likelihood": "log-densities are made of draws, and none are kept; leave it out",
    "log_prior": "log-densities are made of draws, and none are kept; leave it out",
}
