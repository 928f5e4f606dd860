"""Chains of the compiled kernel for the gates."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from exmc_dask.sampler.block import run
from exmc_dask.sampler.pooling import Pooling
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS, ChainState, Draws
from tests.kernels.targets import F8, Target

Stats = dict[str, npt.NDArray[Any]]


def sample(
    target: Target, settings: Settings, chains: int = 4, initial: F8 | None = None
) -> tuple[F8, Stats]:
    """Return the draws after warmup: values (chains, n, n_out) and stats by name (chains, n)."""
    blocks = []
    for chain in range(chains):
        state = start(target, target.bound, settings, chain, np.zeros(target.dim), initial)
        blocks.append(run(target, target.bound, settings, state, settings.total)[1])
    return _after(blocks, settings.tune)


def sample_together(target: Target, settings: Settings, chains: int) -> tuple[F8, Stats]:
    """Return the same of chains that share what their warmup teaches them."""
    pooling = Pooling.of(settings, chains)
    assert pooling is not None
    zero = np.zeros(target.dim)
    states = [start(target, target.bound, settings, chain, zero) for chain in range(chains)]
    for mark in pooling.marks:
        states = [run(target, target.bound, settings, s, mark - s.draw)[0] for s in states]
        groups: dict[int, list[ChainState]] = {}
        for state in states:
            groups.setdefault(pooling.group(state.chain), []).append(state)
        lessons = [pooling.learn(group) for group in groups.values()]
        states = [lessons[pooling.group(state.chain)].give(state) for state in states]
    left = settings.total - pooling.marks[-1]
    blocks = [run(target, target.bound, settings, state, left)[1] for state in states]
    return _after(blocks, settings.tune)


def sample_fixed(target: Target, step_size: float, draws: int, chains: int = 4) -> F8:
    """Return values (chains, draws, n_out) at one step size and unit metric, after 100 draws."""
    settings = Settings(seed=77, draws=100 + draws, tune=0, step_size_jitter=0.0)
    log_step = math.log(step_size)
    fixed = {"factor": 1.0, "log_step": log_step, "log_step_bar": log_step, "search": 0}
    blocks = []
    for chain in range(chains):
        state = start(target, target.bound, settings, chain, np.zeros(target.dim))
        state = state.replace(**fixed)
        blocks.append(run(target, target.bound, settings, state, settings.total)[1])
    return _after(blocks, 100)[0]


def _after(blocks: list[Draws], first: int) -> tuple[F8, Stats]:
    kept = blocks[0].numbers >= first
    values = np.stack([block.values[kept] for block in blocks])
    names = (*FLOAT_STATS, *INT_STATS)
    return values, {name: np.stack([block.stat(name)[kept] for block in blocks]) for name in names}
