"""A block: some draws of one chain, a pure function of kernel, data, settings and state."""

from functools import cache
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from exmc_dask.kernels import build
from exmc_dask.kernels.runtime import chain as slots
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS, ChainState, Draws, Floats, Ints


class Kernel(Protocol):
    """What the sampler asks of a compiled model; see `exmc_dask.kernels.Kernel`."""

    @property
    def target(self) -> str:
        """Name of what it runs on: the driver is ``run_<target>``."""

    @property
    def dim(self) -> int:
        """Length of the unconstrained vector."""

    @property
    def logp_grad(self) -> Any:
        """``(q, grad, data, data32, index, work) -> logp``; writes grad."""

    @property
    def expand(self) -> Any:
        """``(q, out, data, data32, index, work)``; writes one draw's values."""


class Bound(Protocol):
    """The data of a run as its kernel reads them; see `exmc_dask.kernels.Bound`."""

    @property
    def data(self) -> Any:
        """All numbers, flat float64."""

    @property
    def data32(self) -> Any:
        """Arrays that are kept in float32, flat."""

    @property
    def index(self) -> Any:
        """Extents, offsets and index arrays, flat int64."""

    @property
    def work_size(self) -> int:
        """Doubles that one thread needs to work with."""

    @property
    def n_out(self) -> int:
        """Length of one draw's values."""


def run(
    kernel: Kernel,
    bound: Bound,
    settings: Settings,
    state: ChainState,
    n: int,
    control: Ints | None = None,
) -> tuple[ChainState, Draws]:
    """Make the next draws of a chain.

    Nothing that is passed in is changed, but for `control`, and where blocks begin and end leaves
    no trace in the draws: one block of 100 gives the bits of four blocks of 25.

    Parameters
    ----------
    kernel : Kernel
        The compiled model.
    bound : Bound
        Its data.
    settings : Settings
        Of the run.
    state : ChainState
        From `start` or from the block before.
    n : int
        Transitions to make; warmup counts.
    control : (9,) int64, optional
        To watch and stop the block from another thread: CONTROL of `kernels.runtime.chain`.
        Stopping "now" drops the transition under way, with the state as at its start.

    Returns
    -------
    ChainState
        After the last transition; ``draw`` says how far it came.
    Draws
        What was kept: the draws whose distance from the end of warmup is a multiple of ``thin``.
    """
    f, i = state.f.copy(), state.i.copy()
    first = state.draw + (settings.tune - state.draw) % settings.thin
    rows = len(range(first, state.draw + n, settings.thin))
    values = np.empty((rows, bound.n_out))
    q = np.empty((rows if settings.store_unconstrained else 0, kernel.dim))
    stats_f = np.empty((rows, len(FLOAT_STATS)))
    stats_i = np.empty((rows, len(INT_STATS)), np.int64)
    if control is None:
        control = np.zeros(len(slots.CONTROL), np.int64)
    model = (bound.data, bound.data32, bound.index, np.empty(bound.work_size))
    f = build.runtime_module(f"run_{kernel.target}").run(
        *(kernel.logp_grad, kernel.expand, model, f, i, *options(settings), n),
        *((values, q, stats_f, stats_i), control),
    )
    after = ChainState(f, i)
    rows = len(range(first, after.draw, settings.thin))
    kept = Draws(first, values[:rows], q[:rows], stats_f[:rows], stats_i[:rows], settings.thin)
    return after, kept


def compile_sampler(target: str, settings: Settings) -> None:
    """Make ready what else a chain's start and its first block would compile."""
    _compile_sampler(build.runtime(), target, settings.metric)


@cache
def _compile_sampler(package: ModuleType, target: str, metric: str) -> None:
    driver, rng = (build.runtime_module(name, package) for name in (f"run_{target}", "rng"))
    with build.compiling(f"run_{target}_{metric}", package):
        driver.loop(slots.METRICS.index(metric))
    with build.compiling("rng", package):
        rng.fill_uniform(0, 0, 0, rng.INIT, np.empty(0))


def options(settings: Settings) -> tuple[Floats, Ints]:
    """Return OPTION_FLOATS and OPTION_INTS of `exmc_dask.kernels.runtime.chain`."""
    floats = np.array([settings.target_accept, settings.jitter])
    flag = int(settings.store_unconstrained)
    ints = [settings.seed, settings.tune, settings.thin, settings.max_treedepth, flag]
    return floats, np.array(ints, np.int64)
