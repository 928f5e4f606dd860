"""What the parts of every method share: where they begin, and rows that they report."""

import numpy as np

from exmc_dask.errors import BadStart
from exmc_dask.sampler.block import Bound, Kernel
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import ChainState, Draws, Floats


def first_point(
    kernel: Kernel,
    bound: Bound,
    seed: int,
    jitter: float,
    unit: int,
    support_point: Floats,
    initial: Floats | None,
    exact: bool = True,
) -> ChainState:
    """Return a point with its gradient: that asked for, or near the support point.

    With `exact` the first unit begins at the support point itself if the density is finite there.

    Raises
    ------
    BadStart
        No point that was tried has a finite log-density and gradient.
    """
    settings = Settings(seed=seed, init_jitter=jitter)
    if exact and initial is None and unit == 0:
        try:
            return start(kernel, bound, settings, unit, support_point, support_point)
        except BadStart:
            settings = Settings(seed=seed, init_jitter=jitter or 1.0)
    return start(kernel, bound, settings, unit, support_point, initial)


def reported(first: int, rows: Floats) -> Draws:
    """Return rows of numbers as the draws of a block: (n, k), one a step or a stage."""
    n = len(rows)
    return Draws(first, rows, np.empty((0, 0)), np.empty((n, 0)), np.empty((n, 0), np.int64))


def model_arguments(kernel: Kernel, bound: Bound) -> tuple[Floats, ...]:
    """Return what compiled code passes on to a model: data, data32, index, work."""
    return (bound.data, bound.data32, bound.index, np.empty(bound.work_size))
