"""Modes: climbs to the peak of a density, and the curvature there (Laplace's approximation)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.inference.settings import ModeSettings
from exmc_dask.inference.state import FitState
from exmc_dask.inference.steps import first_point, model_arguments, reported
from exmc_dask.kernels import build
from exmc_dask.sampler.block import Bound, Kernel
from exmc_dask.sampler.state import ChainState, Draws, Floats, Ints

COLUMNS = ("logp", "rise")
"""Of the one row that a finished climb reports: the log-density at the top, and what is thought to
be missing to the peak."""


def start(
    kernel: Kernel,
    bound: Bound,
    settings: ModeSettings,
    unit: int,
    support_point: Floats,
    initial: Floats | None = None,
) -> FitState:
    """Return the foot of a climb.

    Raises
    ------
    BadStart
        The density is not finite anywhere near.
    """
    point = first_point(kernel, bound, settings.seed, settings.jitter, unit, support_point, initial)
    return FitState(unit, 0, foot(point, settings.history))


def foot(point: ChainState, history: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a climb that begins at a point: path, reals, ints."""
    lbfgs = build.runtime_module("lbfgs")
    path = np.zeros((int(lbfgs.PAIRS) + 2 * history, point.dim))
    path[lbfgs.Q], path[lbfgs.GRAD] = point.q, point["grad"]
    reals, ints = np.zeros(lbfgs.N_REALS), np.zeros(lbfgs.N_INTS, np.int64)
    reals[lbfgs.LOGP] = point["logp"]
    return {"path": path, "reals": reals, "ints": ints}


def run(
    kernel: Kernel, bound: Bound, settings: ModeSettings, state: FitState, n: int, control: Ints
) -> tuple[FitState, Draws]:
    """Take the next steps of a climb.

    Returns
    -------
    FitState
        ``path`` and its scalars as in `kernels.runtime.lbfgs`; when it is finished also ``q``
        (dim,), and where the curvature is wanted ``hessian`` (dim, dim) of the negative
        log-density, and ``peak``, whether it is positive definite.
    Draws
        A row of COLUMNS once it is finished.
    """
    lbfgs, mode = (build.runtime_module(name) for name in ("lbfgs", "mode"))
    arrays = state.copies()
    path, reals, ints = arrays["path"], arrays["reals"], arrays["ints"]
    model = model_arguments(kernel, bound)
    left = settings.max_iterations - state.draw
    done = state.draw + mode.climb()(
        *(kernel.logp_grad, *model, path, reals, ints),
        *(min(n, left), settings.tolerance, control),
    )
    if ints[lbfgs.STATUS] == lbfgs.CLIMBING and done < settings.max_iterations:
        return FitState(state.unit, done, arrays), reported(state.draw, np.empty((0, 2)))
    if settings.curvature:
        hessian, root = np.zeros((2, kernel.dim, kernel.dim))
        peak = mode.curvature()(kernel.logp_grad, *model, path, reals, ints, hessian, root, control)
        arrays |= {"hessian": hessian, "peak": np.array(peak)}
    arrays["q"] = path[lbfgs.Q].copy()
    row = [[reals[lbfgs.LOGP], 0.5 * reals[lbfgs.SLOPE]]]
    return FitState(state.unit, settings.total, arrays), reported(state.draw, np.array(row))


def halted(state: FitState, settings: ModeSettings) -> tuple[FitState, Floats] | None:
    """Return what a climb comes to that was interrupted, as `run` would; no curvature, though."""
    if settings.curvature:
        return None
    lbfgs = build.runtime_module("lbfgs")
    row = [[state["reals"][lbfgs.LOGP], 0.5 * state["reals"][lbfgs.SLOPE]]]
    arrays = {**state.arrays, "q": state["path"][lbfgs.Q]}
    return FitState(state.unit, state.draw, arrays), np.array(row)


def arrived(state: FitState) -> bool:
    """Tell whether a finished climb reached a peak."""
    lbfgs = build.runtime_module("lbfgs")
    return int(state["ints"][lbfgs.STATUS]) == int(lbfgs.AT_PEAK)


def ran_out(state: FitState) -> bool:
    """Tell whether a finished climb was still on its way."""
    lbfgs = build.runtime_module("lbfgs")
    return int(state["ints"][lbfgs.STATUS]) == int(lbfgs.CLIMBING)


def prepare(settings: ModeSettings) -> None:
    """Compile what the first block would."""
    mode = build.runtime_module("mode")
    with build.compiling("mode"):
        mode.climb()
        if settings.curvature:
            mode.curvature()
