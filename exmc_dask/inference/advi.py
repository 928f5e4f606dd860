"""Automatic differentiation variational inference: one fit of a normal law, in blocks."""

import numpy as np

from exmc_dask.inference import pathfinder
from exmc_dask.inference.settings import AdviSettings
from exmc_dask.inference.state import FitState
from exmc_dask.inference.steps import first_point, model_arguments, reported
from exmc_dask.kernels import build
from exmc_dask.sampler.block import Bound, Kernel
from exmc_dask.sampler.state import Draws, Floats, Ints

COLUMNS = ("iteration", "elbo", "elbo_se", "rate")
"""What each window of iterations reports."""
FIRST_RATE = 0.25
ARRAYS = ("mean", "root", "mean_sum", "root_sum", "scalars", "ints")


def start(
    kernel: Kernel,
    bound: Bound,
    settings: AdviSettings,
    unit: int,
    support_point: Floats,
    initial: Floats | None = None,
) -> FitState:
    """Return the beginning of a path on which the first law is looked for.

    Raises
    ------
    BadStart
        The density is not finite anywhere near.
    """
    around = (settings.seed, settings.jitter, unit, support_point)
    point = first_point(kernel, bound, *around, initial)
    return pathfinder.begin(point, unit, settings.path)


def run(
    kernel: Kernel, bound: Bound, settings: AdviSettings, state: FitState, n: int, control: Ints
) -> tuple[FitState, Draws]:
    """Take the next steps: of Pathfinder, and from where it was best those of the fit.

    Returns
    -------
    FitState
        ``mean`` and ``root`` of the law; once the fit is finished their averages over its last
        window.
    Draws
        A row of COLUMNS for each window that ended.
    """
    if state.draw < settings.path.total:
        after, _ = pathfinder.run(kernel, bound, settings.path, state, n, control)
        if after.draw == settings.path.total:
            after = _first_law(after, settings)
        return after, reported(state.draw, np.empty((0, len(COLUMNS))))
    advi = build.runtime_module("advi")
    arrays = state.copies()
    n = min(n, settings.total - state.draw)
    rows = np.empty((n // 50 + 1, len(COLUMNS)))
    first = state.draw - settings.path.total
    n = advi.iterate()(
        *(kernel.logp_grad, *model_arguments(kernel, bound)),
        *(arrays[name] for name in ARRAYS),
        *(first, n, settings.gradient_draws, settings.seed, state.unit, rows, control),
    )
    reach, reports = state.draw + n, reported(state.draw, rows[: arrays["ints"][advi.N_ROWS]])
    arrays["ints"][advi.N_ROWS] = 0
    if arrays["ints"][advi.DONE]:
        arrays |= {"mean": arrays["mean_sum"], "root": arrays["root_sum"]}
        reach = settings.total
    return FitState(state.unit, reach, arrays), reports


def _first_law(path: FitState, settings: AdviSettings) -> FitState:
    """Return the fit that begins with the best law of a path, or with a narrow one if it has none.

    Without correlations a law is as wide as the other is where all other coordinates are fixed.
    """
    advi = build.runtime_module("advi")
    dim = len(path["mean"])
    mean, cov = path["foot"].copy(), 1e-4 * (np.eye(dim) if settings.full else np.ones(dim))
    if len(path["q"]):
        mean, cov = path["mean"].copy(), pathfinder.covariance(path, full=settings.full)
    root = np.linalg.cholesky(cov) if settings.full else np.sqrt(cov[None])
    scalars, ints = np.zeros(advi.N_SCALARS), np.zeros(advi.N_INTS, np.int64)
    # a triangle is known from all of its draws together only
    share = settings.gradient_draws / (2 * dim) if settings.full else 1.0
    scalars[advi.RATE], scalars[advi.BEFORE] = FIRST_RATE * min(1.0, share), -np.inf
    arrays = (mean, root, np.zeros(dim), np.zeros_like(root), scalars, ints)
    return FitState(path.unit, path.draw, dict(zip(ARRAYS, arrays, strict=True)))


def halted(state: FitState, settings: AdviSettings) -> tuple[FitState, Floats] | None:
    """Return the law of a fit that was interrupted; None while there is only a path."""
    if state.draw < settings.path.total:
        return None
    return state, np.empty((0, len(COLUMNS)))


def converged(state: FitState) -> bool:
    """Tell whether a finished fit came to where its ELBO stands still."""
    return bool(state["ints"][build.runtime_module("advi").DONE])


def prepare(settings: AdviSettings) -> None:
    """Compile what the first blocks would."""
    pathfinder.prepare(settings.path)
    with build.compiling("advi"):
        build.runtime_module("advi").iterate()
