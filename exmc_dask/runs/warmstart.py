"""warm_start=: where chains of a new run begin when an earlier run has been near there.

As in eXMC's streaming use: new data have come, the posterior has moved a little, and what an
earlier run has learnt about it, its positions, metric and step size, is still about right. A few
draws for the step size are then enough, and the metric stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import OptionError, UnknownName
from exmc_dask.kernels.runtime.chain import LOW_RANK_SPREADS
from exmc_dask.language.builder import Model
from exmc_dask.lowering.density import LogDensity
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState

N_READ = 200  # draws of a trace, of all chains together, from which its metric is estimated

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Earlier:
    """A run that others may begin from.

    Attributes
    ----------
    density : LogDensity
    tune : int
    states : mapping of int to ChainState
    """

    density: LogDensity
    tune: int
    states: Mapping[int, ChainState]


def from_run(
    earlier: Earlier, density: LogDensity, settings: Settings, chains: int
) -> dict[int, Floats]:
    """Return what chains start from that take over position, metric and step size of others.

    Parameters
    ----------
    earlier : Earlier
        Its chains that are behind their warmup serve the new ones in turn.
    density : LogDensity
    settings : Settings
        Of the new run; ``adapt`` is "step_size".
    chains : int

    Raises
    ------
    OptionError
        It has no such chain, another metric, or is of another model.
    """
    before = earlier.density
    if (before.variables, before.binding.starts) != (density.variables, density.binding.starts):
        raise OptionError(
            "warm_start: the earlier run is of another model, or moves its variables otherwise "
            "(ncp=); give its trace, of which variables are found by name"
        )
    states = (earlier.states[unit] for unit in sorted(earlier.states))
    given = [state for state in states if state.draw >= earlier.tune]
    if not given:
        raise OptionError("warm_start: no chain of the earlier run is behind its warmup yet")
    for state in given:
        if state.metric != settings.metric:
            raise OptionError(
                f"warm_start: the earlier run has metric={state.metric!r}; use the same"
            )
    names = LOW_RANK_SPREADS if settings.metric == "low_rank" else ("factor",)
    starts = {}
    for chain in range(chains):
        state = given[chain % len(given)]
        log_step = np.log(state.step_size)
        taken = {name: state[name] for name in names}
        starts[chain] = numbers(state.q, settings, chain, log_step=log_step, **taken)
    return starts


def from_trace(
    trace: Any, model: Model, density: LogDensity, settings: Settings, chains: int
) -> dict[int, Floats]:
    """Return what chains start from: the last draws of a trace, and a metric from their spread.

    Any trace with the model's variables will do, one of PyMC or Stan too. The inverse mass matrix
    is the variance of up to 200 unconstrained draws, shrunk as in Stan's warmup; a step size is
    searched.

    Raises
    ------
    UnknownName, ShapeError, SupportError
        A variable of the model is not in the trace, or does not fit.
    """
    from exmc_dask.predictive.trace import read

    found = read(trace).variables
    names = [str(variable.name) for variable in model.spec.free]
    for name in names:
        if name not in found:
            raise UnknownName(
                f"warm_start: the trace has no {name!r}, a variable of the model; it has "
                f"{', '.join(found)}"
            )
    n_chains, n_draws = found[names[0]].shape[:2]
    if not n_draws:
        raise OptionError("warm_start: the trace has no draws")

    def point(chain: int, draw: int) -> Floats:
        values = {name: found[name].values[chain, draw] for name in names}
        return density.support_point(model.data, values)

    per_chain = min(n_draws, -(-N_READ // n_chains))
    rows = np.unique(np.linspace(n_draws - 1, 0, per_chain).astype(int))
    draws = np.array([point(chain, row) for chain in range(n_chains) for row in rows])
    lasts = [point(chain, n_draws - 1) for chain in range(min(chains, n_chains))]
    factor = _factor(draws, settings.metric)
    return {
        chain: numbers(lasts[chain % len(lasts)], settings, chain, factor=factor)
        for chain in range(chains)
    }


def _factor(draws: Floats, metric: str) -> Floats:
    """Return the root of the variance of draws, (dim,) or (dim, dim)."""
    n, dim = draws.shape
    return root(np.atleast_2d(np.cov(draws.T)) if n > 1 else np.eye(dim), n, metric)


def root(cov: Floats, n: float, metric: str) -> Floats:
    """Return the root of a covariance, (dim,) or (dim, dim), that `n` draws have told, shrunk.

    Stan Reference Manual, 15.2: n / (n + 5) times the variance plus 5 / (n + 5) times 1e-3. A
    matrix is first drawn towards its diagonal, the more so the fewer the draws; Stan does not.
    """
    dim, weight = len(cov), 1.0 / (1.0 + 5.0 / n)
    shrunk = weight * np.diag(cov) + 1e-3 * (1.0 - weight)
    if metric != "dense":
        return np.asarray(np.sqrt(shrunk))
    off = cov / (1.0 + (dim + 5.0) / n)
    off[np.diag_indices(dim)] = shrunk
    return np.asarray(np.linalg.cholesky(off))


def numbers(
    q: Floats, settings: Settings, chain: int, *, log_step: float | None = None, **spreads: Any
) -> Floats:
    """Return the numbers of a state that begins at a point with a metric and a step size."""
    spreads["step_anchor"] = np.nan  # a step size is searched
    if log_step is not None:
        spreads |= {"log_step": log_step, "log_step_bar": log_step}
        spreads["step_anchor"] = log_step + np.log(10.0)
    blank = ChainState.blank(q.size, settings.scheme, settings.metric, chain)
    return np.asarray(blank.replace(q=q, **spreads).f)
