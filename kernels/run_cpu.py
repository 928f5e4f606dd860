"""The CPU driver: one compiled loop that makes a block of draws with a model behind a pointer.

NUTS is compiled once for a shape of metric and serves every model: logp_grad and expand come as
first-class functions. While the loop runs it holds no lock, and it is watched and stopped through
an array of eight integers, whose slots `exmc_dask.kernels.chain` names in CONTROL.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types

from .chain import (
    ADAPT,
    DENSE,
    DIM,
    DIVERGENCES,
    DRAW,
    DRAWS,
    FINISHED,
    GO_ON,
    GRADIENTS,
    LOG_STEP_BAR,
    MAX_TREEDEPTH,
    METRIC,
    N_SCALARS,
    N_VECTORS,
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
)
from .group import device
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
    N_FLOATS,
    N_INTS,
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
) -> None:
    """Advance a chain in place, until it is done or asked to stop.

    Parameters
    ----------
    logp_grad, expand
        The compiled model.
    model : tuple
        Its data, data32, index and work.
    f, i : (n_f,) float64, (12,) int64
        The chain, as `exmc_dask.kernels.chain` lays it out; changed.
    option_f, option_i : (2,) float64, (5,) int64
        OPTION_FLOATS and OPTION_INTS.
    n : int
        Transitions to make.
    out : tuple
        values (rows, n_out), q (rows, dim) or empty, stats_f and stats_i: one row is written for
        every draw that is kept.
    control : (8,) int64
        CONTROL. A transition that is dropped leaves no trace in chain and rows.
    """
    dim, adapt, metric = int(i[DIM]), i[ADAPT], int(i[METRIC])
    begin = N_SCALARS + N_VECTORS[adapt] * dim
    vector = f[N_SCALARS:begin].reshape(-1, dim)
    spread = f[begin:].reshape(-1, *((dim, dim) if metric == DENSE else (dim,)))
    walk = np.empty((STACK + LEVEL_ROWS * int(option_i[MAX_TREEDEPTH]), dim))
    loop(metric)(
        *(logp_grad, expand, *model, f, i, vector, spread, option_f, option_i),
        *(walk, np.zeros(N_FLOATS), np.zeros(N_INTS, np.int64), np.empty_like(f), np.empty_like(i)),
        *(n, *out, control, control.view(np.float64)),
    )


@cache
def loop(metric: int) -> Callable[..., None]:
    """Return the compiled loop for one shape of metric; compile it, and only it, if need be."""
    spread = _CUBE if metric == DENSE else _MATRIX
    signature = types.void(
        *(LOGP_GRAD, EXPAND, *_MODEL, _VECTOR, _INTS, _MATRIX, spread, _VECTOR, _INTS),
        *(_MATRIX, _VECTOR, _INTS, _VECTOR, _INTS),
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
    i,
    vector,
    spread,
    option_f,
    option_i,
    walk,
    walk_f,
    walk_i,
    start_f,
    start_i,
    n,
    values,
    q,
    stats_f,
    stats_i,
    control,
    control_f,
):
    trips = MAX_TRIALS + (1 << option_i[MAX_TREEDEPTH])
    row = 0
    control[STATUS] = RUNNING
    for _ in range(n):
        control[NEXT_DRAW] = i[DRAW]
        if control[STOP] != GO_ON:
            control[STATUS] = STOPPED
            return
        # Before its last moment a transition of sampling writes nothing into the chain.
        changes = i[DRAW] < option_i[TUNE] or i[SEARCH_DUE] == 1
        if changes:
            _copy_chain(f, i, start_f, start_i)
        walk_i[PHASE] = TURN
        for _ in range(trips):
            if control[STOP] == STOP_NOW:
                if changes:
                    _copy_chain(start_f, start_i, f, i)
                control[STATUS] = STOPPED
                return
            before_gradient(f, i, vector, spread, option_f, option_i, walk, walk_f, walk_i)
            point, grad = walk[walk_i[SIDE]], walk[NEXT_GRAD]
            logp = logp_grad(point, grad, data, data32, index, work)
            control[GRADIENTS] += 1
            if after_gradient(f, i, vector, spread, option_f, option_i, walk, walk_f, walk_i, logp):
                break
        draw = i[DRAW] - 1
        if (draw - option_i[TUNE]) % option_i[THIN] == 0:
            expand(vector[Q], values[row], data, data32, index, work)
            if option_i[STORE_UNCONSTRAINED]:
                copy(vector, Q, q, row)
            _record(f, walk_f, walk_i, stats_f[row], stats_i[row])
            row += 1
        control[DRAWS] += 1
        control[DIVERGENCES] += walk_i[DIVERGING] if draw >= option_i[TUNE] else 0
        control[TREE_DEPTH] = walk_i[DEPTH]
        control_f[STEP_SIZE_BITS] = walk_f[STEP]
    control[NEXT_DRAW] = i[DRAW]
    control[STATUS] = FINISHED


@device
def _copy_chain(f: np.ndarray, i: np.ndarray, to_f: np.ndarray, to_i: np.ndarray) -> None:
    for k in range(f.size):
        to_f[k] = f[k]
    for k in range(i.size):
        to_i[k] = i[k]


@device
def _record(  # type: ignore[no-untyped-def]
    chain_f, walk_f, walk_i, floats, ints
):
    """Write one draw's FLOAT_STATS and INT_STATS."""
    floats[0] = walk_f[NEW_LOGP]
    floats[1] = walk_f[ACCEPT] / walk_i[N_STEPS]
    floats[2] = walk_f[STEP]
    floats[3] = exp(chain_f[LOG_STEP_BAR])
    floats[4] = walk_f[NEW_ENERGY]
    floats[5] = walk_f[NEW_ENERGY] - walk_f[START_ENERGY]
    floats[6] = walk_f[MAX_ERROR]
    ints[0] = walk_i[DEPTH]
    ints[1] = walk_i[N_STEPS]
    ints[2] = walk_i[DIVERGING]
    ints[3] = walk_i[CAPPED]
    ints[4] = walk_i[NEW_INDEX]
