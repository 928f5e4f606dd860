"""The sampler: settings, the state of a chain, its start, and blocks of draws."""

from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS, ChainState, Draws

__all__ = ["FLOAT_STATS", "INT_STATS", "ChainState", "Draws", "Settings"]
