"""The CPU driver: one compiled loop that makes a block of draws with a model behind a pointer.

NUTS is compiled once for a shape of metric and serves every model: logp_grad and expand come as
first-class functions. While the loop runs it holds no lock, and it is watched and stopped through
an array of nine integers, whose slots `chain` names in CONTROL.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types

from .chain import (
    ADAPT,
    DIM,
    DIVERGENCES,
    DRAW,
    DRAWS,
    FINISHED,
    GO_ON,
    GRADIENTS,
    HISTORY,
    LOG_STEP_BAR,
    LOW_RANK,
    MAX_TREEDEPTH,
    METRIC,
    N_FRONT,
    N_SCALARS,
    NEXT_DRAW,
    RUNNING,
    SEARCH_DUE,
    STATUS,
    STEP_SIZE_BITS,
    STOP,
    STOP_NOW,
    STOPPED,
    STORE_UNCONSTRAINED,
    THIN,
    TREE_DEPTH,
    TUNE,
    Q,
    spread_shape,
)
from .group import device
from .loops import borrowed
from .metric import copy
from .nuts import after_gradient, before_gradient
from .stepsize import MAX_TRIALS
from .vecmath import exp
from .walk import (
    ACCEPT,
    CAPPED,
    DEPTH,
    DIVERGING,
    LEVEL_ROWS,
    MAX_ERROR,
    N_INTS,
    N_REALS,
    N_STEPS,
    NEW_ENERGY,
    NEW_INDEX,
    NEW_LOGP,
    NEXT_GRAD,
    PHASE,
    SIDE,
    STACK,
    START_ENERGY,
    STEP,
    TURN,
)

_VECTOR, _MATRIX, _CUBE = types.float64[::1], types.float64[:, ::1], types.float64[:, :, ::1]
_SPREADS = (_MATRIX, _CUBE, types.float64[:, :, :, ::1])  # by metric, in the order of METRICS
_INTS, _INT_MATRIX = types.int64[::1], types.int64[:, ::1]
_MODEL = (_VECTOR, types.float32[::1], _INTS, _VECTOR)
LOGP_GRAD = types.FunctionType(types.float64(_VECTOR, _VECTOR, *_MODEL))
"""Type of ``logp_grad(q, grad, data, data32, index, work) -> float64``."""
EXPAND = types.FunctionType(types.void(_VECTOR, _VECTOR, *_MODEL))
"""Type of ``expand(q, out, data, data32, index, work)``."""


def run(
    logp_grad: Any,
    expand: Any,
    model: tuple[Any, Any, Any, Any],
    f: np.ndarray,
    i: np.ndarray,
    option_f: np.ndarray,
    option_i: np.ndarray,
    n: int,
    out: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    control: np.ndarray,
) -> np.ndarray:
    """Advance a chain in place, until it is done or asked to stop.

    Parameters
    ----------
    logp_grad, expand
        The compiled model.
    model : tuple
        Its data, data32, index and work.
    f, i : (n_f,) float64, (12,) int64
        The chain, as `chain` lays it out; changed.
    option_f, option_i : (2,) float64, (5,) int64
        OPTION_FLOATS and OPTION_INTS.
    n : int
        Transitions to make.
    out : tuple
        values (rows, n_out), q (rows, dim) or empty, stats_f and stats_i: one row is written for
        every draw that is kept.
    control : (9,) int64
        CONTROL. A transition that is dropped leaves no trace in chain and rows.

    Returns
    -------
    (n_f,) float64
        `f`, or in its place a longer or shorter array if the metric is of low rank: its window
        grows with the draws and is dropped when it has taught what it can.
    """
    dim, metric = int(i[DIM]), int(i[METRIC])
    shape = spread_shape(dim, int(i[ADAPT]), metric)
    begin = N_SCALARS + math.prod(shape)
    backed_up = f.size  # what a transition of warmup may have changed when it is dropped
    reals, ints = np.zeros(N_REALS), np.zeros(N_INTS, np.int64)
    reals[: N_SCALARS + option_f.size] = np.concatenate([f[:N_SCALARS], option_f])
    ints[: i.size + option_i.size] = np.concatenate([i, option_i])
    if metric == LOW_RANK:
        backed_up = begin + HISTORY * dim
        more = max(0, min(n, int(ints[TUNE] - ints[DRAW])))
        f = np.concatenate([f, np.empty(2 * more * dim)])
    spread, vector = f[N_SCALARS:begin].reshape(shape), f[begin:].reshape(-1, dim)
    walk = np.empty((STACK + LEVEL_ROWS * int(ints[MAX_TREEDEPTH]), dim))
    loop(metric)(
        *(logp_grad, expand, *model, f, reals, ints, vector, spread, walk),
        *(np.empty(backed_up), np.empty_like(reals), np.empty_like(ints)),
        *(n, *out, control, control.view(np.float64)),
    )
    f[:N_SCALARS] = reals[:N_SCALARS]
    i[:] = ints[: i.size]
    if metric == LOW_RANK:
        return f[: backed_up + 2 * int(i[N_FRONT]) * dim].copy()
    return f


@cache
def loop(metric: int) -> Callable[..., None]:
    """Return the compiled loop for one shape of metric; compile it, and only it, if need be."""
    spread = _SPREADS[metric]
    signature = types.void(
        *(LOGP_GRAD, EXPAND, *_MODEL, _VECTOR, _VECTOR, _INTS, _MATRIX, spread, _MATRIX),
        *(_VECTOR, _VECTOR, _INTS),
        *(types.int64, _MATRIX, _MATRIX, _MATRIX, _INT_MATRIX, _INTS, _VECTOR),
    )
    jit = njit(signature, nogil=True, error_model="numpy", cache=True)
    return jit(_transitions)


def _transitions(  # type: ignore[no-untyped-def]
    logp_grad,
    expand,
    data,
    data32,
    index,
    work,
    f,
    reals,
    ints,
    vector,
    spread,
    walk,
    start_f,
    start_reals,
    start_ints,
    n,
    values,
    q,
    stats_f,
    stats_i,
    control,
    control_f,
):
    data, data32, index, work = borrowed(data), borrowed(data32), borrowed(index), borrowed(work)
    f, reals, ints = borrowed(f), borrowed(reals), borrowed(ints)
    vector, spread, walk = borrowed(vector), borrowed(spread), borrowed(walk)
    start_f, start_reals, start_ints = (
        borrowed(start_f),
        borrowed(start_reals),
        borrowed(start_ints),
    )
    values, q, stats_f, stats_i = (
        borrowed(values),
        borrowed(q),
        borrowed(stats_f),
        borrowed(stats_i),
    )
    control, control_f = borrowed(control), borrowed(control_f)
    trips = MAX_TRIALS + (1 << ints[MAX_TREEDEPTH])
    row = 0
    control[STATUS] = RUNNING
    for _ in range(n):
        control[NEXT_DRAW] = ints[DRAW]
        if control[STOP] != GO_ON:
            control[STATUS] = STOPPED
            return
        # Before its last moment a transition of sampling writes nothing into the chain.
        changes = ints[DRAW] < ints[TUNE] or ints[SEARCH_DUE] == 1
        if changes:
            _copy_all(f, reals, ints, start_f, start_reals, start_ints)
        ints[PHASE] = TURN
        for _ in range(trips):
            if control[STOP] == STOP_NOW:
                if changes:
                    _copy_all(start_f, start_reals, start_ints, f, reals, ints)
                control[STATUS] = STOPPED
                return
            before_gradient(reals, ints, vector, spread, walk)
            point, grad = walk[ints[SIDE]], walk[NEXT_GRAD]
            logp = logp_grad(point, grad, data, data32, index, work)
            control[GRADIENTS] += 1
            if after_gradient(reals, ints, vector, spread, walk, logp):
                break
        draw = ints[DRAW] - 1
        if (draw - ints[TUNE]) % ints[THIN] == 0:
            expand(vector[Q], values[row], data, data32, index, work)
            if ints[STORE_UNCONSTRAINED]:
                copy(vector, Q, q, row)
            _record(reals, ints, stats_f[row], stats_i[row])
            row += 1
        control[DRAWS] += 1
        control[DIVERGENCES] += ints[DIVERGING] if draw >= ints[TUNE] else 0
        control[TREE_DEPTH] = ints[DEPTH]
        control_f[STEP_SIZE_BITS] = reals[STEP]
    control[NEXT_DRAW] = ints[DRAW]
    control[STATUS] = FINISHED


@device
def _copy_all(
    f: np.ndarray,
    reals: np.ndarray,
    ints: np.ndarray,
    to_f: np.ndarray,
    to_reals: np.ndarray,
    to_ints: np.ndarray,
) -> None:
    for k in range(min(f.size, to_f.size)):
        to_f[k] = f[k]
    for k in range(reals.size):
        to_reals[k] = reals[k]
    for k in range(ints.size):
        to_ints[k] = ints[k]


@device
def _record(reals: np.ndarray, ints: np.ndarray, floats: np.ndarray, whole: np.ndarray) -> None:
    """Write one draw's FLOAT_STATS and INT_STATS."""
    floats[0] = reals[NEW_LOGP]
    floats[1] = reals[ACCEPT] / ints[N_STEPS]
    floats[2] = reals[STEP]
    floats[3] = exp(reals[LOG_STEP_BAR])
    floats[4] = reals[NEW_ENERGY]
    floats[5] = reals[NEW_ENERGY] - reals[START_ENERGY]
    floats[6] = reals[MAX_ERROR]
    whole[0] = ints[DEPTH]
    whole[1] = ints[N_STEPS]
    whole[2] = ints[DIVERGING]
    whole[3] = ints[CAPPED]
    whole[4] = ints[NEW_INDEX]
