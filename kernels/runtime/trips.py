"""The GPU driver of NUTS on the device: each group of lanes makes trips with its own chain.

A trip is one gradient. No chain waits for the tree of another one: whoever is at the end of a
transition keeps its draw and begins the next, until the launch has made its trips or the chain has
come as far as it may. Between launches a chain lies in memory wherever it is, in the middle of a
tree as a rule.

What is kept of a draw goes to a row of a ring, (position, statistics); what it means on the user's
scale is worked out afterwards, by all groups at once.
"""

import math

import numpy as np

from .blocks import block_any
from .chain import DRAW, LOG_STEP_BAR, LOGP, THIN, TUNE, Q
from .group import device, group_sync, lane, n_lanes
from .metric import copy
from .nuts import after_gradient, before_gradient
from .tally import BROKEN, DIVERGENCES, GRADIENTS, LAUNCHES, N_SLOTS, TREE_DEPTH
from .vecmath import exp
from .walk import (
    ACCEPT,
    CAPPED,
    DEPTH,
    DIVERGING,
    END_Q,
    LEFT,
    MAX_ERROR,
    N_REALS,
    N_STEPS,
    NEW_ENERGY,
    NEW_INDEX,
    NEW_LOGP,
    NEXT_GRAD,
    PHASE,
    SIDE,
    START_ENERGY,
    STEP,
    TURN,
)


@device
def begin(
    saved_reals: np.ndarray, saved_ints: np.ndarray, reals: np.ndarray, ints: np.ndarray
) -> None:
    """Take the scalars of a chain from memory; every lane has a copy of its own."""
    for k in range(N_REALS):
        reals[k] = saved_reals[k]
    for k in range(N_SLOTS):
        ints[k] = saved_ints[k]
    ints[LAUNCHES] += 1


@device
def end(
    saved_reals: np.ndarray, saved_ints: np.ndarray, reals: np.ndarray, ints: np.ndarray
) -> None:
    """Put the scalars of a chain back."""
    group_sync()
    if lane() == 0:
        for k in range(N_REALS):
            saved_reals[k] = reals[k]
        for k in range(N_SLOTS):
            saved_ints[k] = ints[k]


@device
def advance(  # type: ignore[no-untyped-def]
    logp_grad,
    reals,
    ints,
    vector,
    spread,
    walk,
    work,
    data,
    data32,
    index,
    q,
    stats_f,
    stats_i,
    first,
    until,
    budget,
):
    """Make trips with one chain.

    Parameters
    ----------
    logp_grad : device function
        ``(q, grad, data, data32, index, work) -> logp``, the same bits on each lane.
    reals, ints : arrays of the lane's own
    vector, spread, walk : (n, dim) float64
        As `nuts` has them.
    q, stats_f, stats_i : (capacity, ...)
        The ring: draw number `first` goes to row 0.
    until : int
        Draw number at which the chain waits.
    budget : int
        Trips at most.
    """
    for _ in range(budget):
        if _waits(ints, until):
            return
        before_gradient(reals, ints, vector, spread, walk)
        logp = logp_grad(walk[ints[SIDE]], walk[NEXT_GRAD], data, data32, index, work)
        group_sync()  # until nobody reads the point any more; it moves next
        ints[GRADIENTS] += 1
        if after_gradient(reals, ints, vector, spread, walk, logp):
            _keep(reals, ints, vector, q, stats_f, stats_i, first)


@device
def advance_together(  # type: ignore[no-untyped-def]
    logp_grad,
    is_there,
    reals,
    ints,
    vector,
    spread,
    walk,
    work,
    data,
    data32,
    index,
    q,
    stats_f,
    stats_i,
    first,
    until,
    budget,
):
    """Make trips with one chain, in step with the other chains of the block.

    A gradient waits for the whole block again and again, so all groups come to it in every trip
    until none of them has anything to do. A chain that waits, or that is not there at all, has a
    gradient at a point that does not matter and drops it.

    Parameters
    ----------
    is_there : bool
        Whether the group has a chain. Without one, `walk` and `work` are its own nevertheless;
        `vector` is that of another chain, which does not move before the block has begun.
    others
        As `advance` has them.
    """
    moves = is_there and not _waits(ints, until)
    if not moves:
        copy(vector, Q, walk, LEFT + END_Q)
        group_sync()
    for _ in range(budget):
        if not block_any(moves):
            return
        point = LEFT + END_Q
        if moves:
            before_gradient(reals, ints, vector, spread, walk)
            point = ints[SIDE]
        logp = logp_grad(walk[point], walk[NEXT_GRAD], data, data32, index, work)
        group_sync()
        if moves:
            ints[GRADIENTS] += 1
            if after_gradient(reals, ints, vector, spread, walk, logp):
                _keep(reals, ints, vector, q, stats_f, stats_i, first)
                moves = not _waits(ints, until)


@device
def _waits(ints: np.ndarray, until: int) -> bool:
    """Tell whether a chain has come as far as it may."""
    return ints[PHASE] == TURN and (ints[DRAW] >= until or ints[BROKEN] != 0)


@device
def _keep(
    reals: np.ndarray,
    ints: np.ndarray,
    vector: np.ndarray,
    q: np.ndarray,
    stats_f: np.ndarray,
    stats_i: np.ndarray,
    first: int,
) -> None:
    """Put a finished draw into the ring, if it is one that is kept."""
    draw = ints[DRAW] - 1
    ints[TREE_DEPTH] = ints[DEPTH]
    if draw >= ints[TUNE]:
        ints[DIVERGENCES] += ints[DIVERGING]
    if not (math.fabs(reals[LOGP]) < math.inf and reals[STEP] > 0.0 and reals[STEP] < math.inf):
        ints[BROKEN] = 1
    if (draw - ints[TUNE]) % ints[THIN] != 0:
        return
    row = (draw - first) // ints[THIN] % q.shape[0]
    for k in range(lane(), q.shape[1], n_lanes()):
        q[row, k] = vector[Q, k]
    if lane() == 0:
        stats_f[row, 0] = reals[NEW_LOGP]
        stats_f[row, 1] = reals[ACCEPT] / ints[N_STEPS]
        stats_f[row, 2] = reals[STEP]
        stats_f[row, 3] = exp(reals[LOG_STEP_BAR])
        stats_f[row, 4] = reals[NEW_ENERGY]
        stats_f[row, 5] = reals[NEW_ENERGY] - reals[START_ENERGY]
        stats_f[row, 6] = reals[MAX_ERROR]
        stats_i[row, 0] = ints[DEPTH]
        stats_i[row, 1] = ints[N_STEPS]
        stats_i[row, 2] = ints[DIVERGING]
        stats_i[row, 3] = ints[CAPPED]
        stats_i[row, 4] = ints[NEW_INDEX]
