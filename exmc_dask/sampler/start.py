"""The start of a chain: a point with a finite log-density, and a first guess of the metric."""

import numpy as np

from exmc_dask.errors import BadStart
from exmc_dask.kernels import build
from exmc_dask.sampler.block import Bound, Kernel
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState, Floats

MAX_TRIES = 100


def start(
    kernel: Kernel,
    bound: Bound,
    settings: Settings,
    chain: int,
    support_point: Floats,
    initial: Floats | None = None,
) -> ChainState:
    """Return the state of a chain before its first draw.

    Parameters
    ----------
    kernel, bound
        The compiled model and its data.
    settings : Settings
        Of the run.
    chain : int
        Number of the chain.
    support_point : (dim,) float64
        A typical point, unconstrained. The chain starts at it plus U(-1, 1) times
        ``settings.init_jitter``, drawn anew up to 100 times until all is finite there. Chains of
        one superchain draw the same.
    initial : (dim,) or (n,) float64, optional
        Where the chain starts instead, exactly: a point, or all numbers ``f`` of a state of these
        settings before its first draw, of which everything but ``logp`` and ``grad`` is kept.

    Raises
    ------
    BadStart
        No point that was tried has a finite log-density and gradient. The error carries the last.
    """
    rng = build.runtime_module("rng")
    q = np.array(support_point if initial is None else initial, np.float64)
    warm = None
    if q.size != kernel.dim:
        warm = _warm(settings, chain, kernel.dim, q)
        q = np.array(warm.q)
    grad, u, work = np.zeros(kernel.dim), np.empty(kernel.dim), np.empty(bound.work_size)
    logp = np.nan
    leader = chain - chain % (settings.superchain_size or 1)
    for attempt in range(MAX_TRIES if initial is None else 1):
        if initial is None:
            rng.fill_uniform(settings.seed, leader, attempt, rng.INIT, u)
            q = support_point + settings.init_jitter * (2.0 * u - 1.0)
        logp = kernel.logp_grad(q, grad, bound.data, bound.data32, bound.index, work)
        if np.isfinite(logp) and np.isfinite(grad).all():
            if warm is not None:
                return warm.replace(grad=grad, logp=float(logp))
            return _state(settings, chain, q, grad, float(logp))
    raise BadStart(
        f"chain {chain} has no starting point: the log-density is {logp} and "
        f"{np.count_nonzero(~np.isfinite(grad))} of {kernel.dim} gradient entries are not finite "
        "at the last point that was tried; give initial values inside the support",
        q,
        grad,
        float(logp),
    )


def _warm(settings: Settings, chain: int, dim: int, f: Floats) -> ChainState:
    """Return the state with given numbers, which searches a step size if it has none."""
    blank = ChainState.blank(dim, settings.scheme, settings.metric, chain, n_step=1)
    warm = ChainState(f, blank.i)
    return warm.replace(search=int(np.isnan(warm["step_anchor"])))


def _state(settings: Settings, chain: int, q: Floats, grad: Floats, logp: float) -> ChainState:
    """Return the state with inverse mass 1/|gradient|, between 1e-10 and 1e6.

    It is 1 where the gradient is below 1e-6. The scheme "fisher" counts the start as a draw: in
    nuts-rs's words, the draw variance is taken as 1 until there is one.
    """
    with np.errstate(divide="ignore"):
        inv_mass = np.where(np.abs(grad) < 1e-6, 1.0, np.clip(1.0 / np.abs(grad), 1e-10, 1e6))
    scale = np.sqrt(inv_mass)
    factor = np.diag(scale) if settings.metric == "dense" else scale
    fields = {"q": q, "grad": grad, "logp": logp, "factor": factor, "search": 1}
    if settings.scheme == "fisher":
        fields |= {"n_front": 1, "n_back": 1}
        if settings.metric == "low_rank":
            fields |= {"history": [[q, grad]]}
        else:
            fields |= {"mean_q": q, "mean_grad": grad, "back_mean_q": q, "back_mean_grad": grad}
    return ChainState.blank(q.size, settings.scheme, settings.metric, chain, **fields)
