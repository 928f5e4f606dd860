"""Pathfinder: one path to a mode, the best normal law along it, and draws from that."""

import numpy as np

from exmc_dask.inference import mode
from exmc_dask.inference.settings import PathfinderSettings
from exmc_dask.inference.state import FitState
from exmc_dask.inference.steps import first_point, model_arguments, reported
from exmc_dask.kernels import build
from exmc_dask.sampler.block import Bound, Kernel
from exmc_dask.sampler.state import ChainState, Draws, Floats, Ints


def start(
    kernel: Kernel,
    bound: Bound,
    settings: PathfinderSettings,
    unit: int,
    support_point: Floats,
    initial: Floats | None = None,
) -> FitState:
    """Return the beginning of a path.

    Raises
    ------
    BadStart
        The density is not finite anywhere near.
    """
    around = (settings.seed, settings.jitter, unit, support_point)
    point = first_point(kernel, bound, *around, initial, exact=False)
    return begin(point, unit, settings)


def begin(point: ChainState, unit: int, settings: PathfinderSettings) -> FitState:
    """Return the beginning of a path at a point."""
    arrays = mode.foot(point, settings.moves(point.dim))
    arrays["reals"] = np.append(arrays["reals"], -np.inf)  # the best ELBO
    spread = np.ones(point.dim)
    best = {"best_path": arrays["path"], "best_ints": arrays["ints"], "best_spread": spread}
    return FitState(unit, 0, arrays | {"spread": spread, "foot": point.q} | best)


def run(
    kernel: Kernel,
    bound: Bound,
    settings: PathfinderSettings,
    state: FitState,
    n: int,
    control: Ints,
) -> tuple[FitState, Draws]:
    """Take the next steps of a path.

    Returns
    -------
    FitState
        The climb and its best place so far. When it is finished instead ``elbo`` (1,), the law
        (``mean``, ``basis``, ``root``, ``spread`` of `kernels.runtime.pathfinder`), and draws
        from it: ``q`` (pool, dim), ``logp`` and ``logq`` (pool,). There are none if there was no
        place with a normal law whose draws all have a finite density.
    Draws
        One row a step: the ELBO there.
    """
    lbfgs, pathfinder = (build.runtime_module(name) for name in ("lbfgs", "pathfinder"))
    arrays = state.copies()
    model = model_arguments(kernel, bound)
    n = min(n, settings.max_iterations - state.draw)
    elbos = np.empty(n)
    path = [arrays[name] for name in ("path", "reals", "ints", "spread")]
    best = [arrays[name] for name in ("best_path", "best_ints", "best_spread")]
    n = pathfinder.walk()(
        *(kernel.logp_grad, *model, *path, *best, state.draw, n, settings.elbo_draws),
        *(settings.tolerance, settings.seed, state.unit, elbos, control),
    )
    done, rows = state.draw + n, reported(state.draw, elbos[:n, None])
    if arrays["ints"][lbfgs.STATUS] == lbfgs.CLIMBING and done < settings.max_iterations:
        return FitState(state.unit, done, arrays), rows
    size = settings.pool if arrays["reals"][-1] > -np.inf else 0
    n_columns = 2 * int(arrays["best_ints"][lbfgs.N_PAIRS])
    law = {
        "mean": np.empty(kernel.dim),
        "basis": np.empty((n_columns, kernel.dim)),
        "root": np.empty((n_columns, n_columns)),
    }
    cloud = {"q": np.empty((size, kernel.dim)), "logp": np.empty(size), "logq": np.empty(size)}
    if size:
        pathfinder.scatter()(
            *(kernel.logp_grad, *model, *best, settings.seed, state.unit),
            *(*law.values(), *cloud.values()),
        )
    law["spread"] = arrays["best_spread"]
    kept = {"elbo": arrays["reals"][-1:], "foot": arrays["foot"], **law, **cloud}
    return FitState(state.unit, settings.total, kept), rows


def halted(state: FitState, settings: PathfinderSettings) -> None:
    """Return None: half of a path is no law."""


def prepare(settings: PathfinderSettings) -> None:
    """Compile what the first block would."""
    pathfinder = build.runtime_module("pathfinder")
    with build.compiling("pathfinder"):
        pathfinder.walk()
        pathfinder.scatter()


def log_density(state: FitState, q: Floats) -> Floats:
    """Return the log-density of a finished path's law at rows of `q`, (n,)."""
    basis, root = state["basis"], state["root"]
    z = (q - state["mean"]) / np.sqrt(state["spread"])
    inside = z @ basis.T
    white = np.linalg.solve(root, inside.T).T if len(root) else inside
    square = (z**2).sum(axis=1) - (inside**2).sum(axis=1) + (white**2).sum(axis=1)
    size = np.log(state["spread"]).sum() + 2 * np.log(np.diag(root)).sum()
    return np.asarray(-0.5 * (square + size + q.shape[1] * np.log(2 * np.pi)))


def covariance(state: FitState, *, full: bool) -> Floats:
    """Return the covariance of a finished path's law, (dim, dim), or with all others fixed (dim,).

    The inverse is D^-1/2 (1 + basis' (W - 1) basis) D^-1/2 with W = (root root')^-1.
    """
    basis, root, sd = state["basis"], state["root"], np.sqrt(state["spread"])
    one = np.eye(len(root))
    if full:
        inside = basis.T @ (root @ root.T - one) @ basis
        return np.asarray((np.eye(len(sd)) + inside) * np.outer(sd, sd))
    inverse = np.linalg.inv(root) if len(root) else root
    precision = 1.0 + ((inverse.T @ inverse - one) @ basis * basis).sum(axis=0)
    return np.asarray(sd**2 / precision)
