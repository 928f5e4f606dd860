"""Chains of the compiled kernel for the gates."""

import math

import numpy as np

from exmc_dask.sampler.block import run
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from tests.kernels.targets import F8, Target


def sample(
    target: Target, settings: Settings, chains: int = 4, initial: F8 | None = None
) -> tuple[F8, F8]:
    """Return the draws after warmup: values (chains, n, n_out) and stats_f (chains, n, ...)."""
    blocks = []
    for chain in range(chains):
        state = start(target, target.bound, settings, chain, np.zeros(target.dim), initial)
        blocks.append(run(target, target.bound, settings, state, settings.total)[1])
    kept = slice(-(settings.draws // settings.thin), None)
    return (
        np.stack([block.values[kept] for block in blocks]),
        np.stack([block.stats_f[kept] for block in blocks]),
    )


def sample_fixed(target: Target, step_size: float, draws: int, chains: int = 4) -> F8:
    """Return values (chains, draws, n_out) at one step size and unit metric, after 100 draws."""
    settings = Settings(seed=77, draws=100 + draws, tune=0, step_size_jitter=0.0)
    log_step = math.log(step_size)
    values = []
    for chain in range(chains):
        state = start(target, target.bound, settings, chain, np.zeros(target.dim))
        state = state.replace(
            factor=1.0, log_step=log_step, log_step_bar=log_step, search=0, draw=settings.tune
        )
        values.append(run(target, target.bound, settings, state, settings.total)[1].values[100:])
    return np.stack(values)
