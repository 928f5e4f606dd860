"""Superchains: neighbouring chains that begin at one point."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import OptionError
from exmc_dask.sampler.checked import is_whole
from exmc_dask.sampler.settings import Settings


def shared(
    starts: Mapping[int, NDArray[np.float64]], settings: Settings
) -> dict[int, NDArray[np.float64]]:
    """Return starting points by chain, given those of superchains; a chain is one if none are."""
    size = settings.superchain_size or 1
    return {size * k + j: start for k, start in starts.items() for j in range(size)}


def grouped(settings: Settings, chains: int, superchains: int, initvals: Any) -> Settings:
    """Have so many superchains share starting points."""
    if not is_whole(superchains) or superchains < 2:
        raise OptionError(
            f"superchains={superchains!r} is not possible; give a whole number above 1, as it is "
            "superchains that R-hat compares"
        )
    if chains % superchains:
        raise OptionError(
            f"superchains={superchains} does not divide chains={chains}; each superchain has as "
            f"many chains, so let chains be {superchains * -(-chains // superchains)}"
        )
    if isinstance(initvals, Mapping):
        raise OptionError(
            f"initvals has one point for all superchains, which R-hat could then not tell apart; "
            f"give a sequence of {superchains}, one for each"
        )
    return replace(settings, superchain_size=chains // superchains)
