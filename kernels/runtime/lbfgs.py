"""L-BFGS uphill, a step at a time: the way to a mode, and the path that Pathfinder looks along.

A climb is three arrays. ``path`` holds rows of length dim, ``reals`` and ``ints`` its scalars; the
names below are their slots. Moves are kept with the fall of the gradient along them, newest last in
time and anywhere in the rows, which are used in turn.

Notes
-----
The direction is that of J. Nocedal, S. J. Wright, Numerical Optimization (2nd ed.), algorithm 7.4,
with (7.20) for the first guess. The length of a step is found by halving and doubling until it
meets the weak Wolfe conditions: A. S. Lewis, M. L. Overton, Mathematical Programming 141 (2013),
algorithm 2.6. It needs no more than that a point is worse or better, so points outside the
support, which are worse than all others, cost it a halving.
"""

import numpy as np

from .group import device

# rows of path
Q, GRAD, NEXT_Q, NEXT_GRAD, MOVE, PAIRS = np.arange(6)
# reals
LOGP, SLOPE = np.arange(2)
"""SLOPE is g'Hg: twice what the log-density is thought to be below its peak."""
N_REALS = 2
# ints
N_PAIRS, NEXT_PAIR, STATUS, EVALUATIONS = np.arange(4)
N_INTS = 4
# values of STATUS
CLIMBING, AT_PEAK, STUCK = np.arange(3)

_ENOUGH = 1e-4  # share of the expected rise that a step has to bring
_FLATTER = 0.9  # share of the slope that may be left at its end
_TRIALS = 60  # of a step's length
_ROUNDING = 2e-15  # of the log-density, relative
_NEGLIGIBLE = 1e-6  # a rise that is lost in rounding and that nobody would miss


@device
def dot(rows: np.ndarray, a: int, b: int) -> float:
    """Return the inner product of two rows."""
    total = 0.0
    for k in range(rows.shape[1]):
        total += rows[a, k] * rows[b, k]
    return total


@device
def pair(ints: np.ndarray, history: int, age: int) -> int:
    """Return the first row of the move made `age` moves ago, 0 being the last one."""
    return PAIRS + 2 * ((ints[NEXT_PAIR] - 1 - age) % history)


@device
def inverse_times(path: np.ndarray, ints: np.ndarray, row: int) -> None:
    """Multiply a row by H, the estimate of the negative Hessian's inverse, in place."""
    dim, history = path.shape[1], (path.shape[0] - PAIRS) // 2
    n = ints[N_PAIRS]
    shares = np.empty(history)
    for age in range(n):
        s = pair(ints, history, age)
        shares[age] = dot(path, s, row) / dot(path, s, s + 1)
        for k in range(dim):
            path[row, k] -= shares[age] * path[s + 1, k]
    if n:
        s = pair(ints, history, 0)
        scale = dot(path, s, s + 1) / dot(path, s + 1, s + 1)
    else:
        scale = 1.0 / max(1.0, np.sqrt(dot(path, GRAD, GRAD)))
    for k in range(dim):
        path[row, k] *= scale
    for age in range(n - 1, -1, -1):
        s = pair(ints, history, age)
        excess = shares[age] - dot(path, s + 1, row) / dot(path, s, s + 1)
        for k in range(dim):
            path[row, k] += excess * path[s, k]


@device
def ascend(logp_grad, data, data32, index, work, path, reals, ints, tolerance):  # type: ignore[no-untyped-def]
    """Take one step, or notice that none is left to take.

    Parameters
    ----------
    tolerance : float64
        A peak is where the log-density is thought to be less than half of it below its greatest
        value.

    Returns
    -------
    bool
        Whether the position changed. If it did not, ``ints[STATUS]`` says why.
    """
    dim, history = path.shape[1], (path.shape[0] - PAIRS) // 2
    for k in range(dim):
        path[MOVE, k] = path[GRAD, k]
    inverse_times(path, ints, MOVE)
    reals[SLOPE] = dot(path, GRAD, MOVE)
    if not reals[SLOPE] > tolerance:
        ints[STATUS] = AT_PEAK
        return False
    slack = _ROUNDING * abs(reals[LOGP])
    low, high, length = 0.0, np.inf, 1.0
    for _ in range(_TRIALS):
        for k in range(dim):
            path[NEXT_Q, k] = path[Q, k] + length * path[MOVE, k]
        logp = logp_grad(path[NEXT_Q], path[NEXT_GRAD], data, data32, index, work)
        ints[EVALUATIONS] += 1
        slope = dot(path, NEXT_GRAD, MOVE)
        if not (logp >= reals[LOGP] + _ENOUGH * length * reals[SLOPE] - slack and slope < np.inf):
            high = length
        elif slope > _FLATTER * reals[SLOPE]:
            low = length
        else:
            _keep_pair(path, ints, history)
            for k in range(dim):
                path[Q, k] = path[NEXT_Q, k]
                path[GRAD, k] = path[NEXT_GRAD, k]
            reals[LOGP] = logp
            return True
        length = 0.5 * (low + high) if high < np.inf else 2.0 * low
    if ints[N_PAIRS]:  # what was learnt elsewhere may mislead here: begin anew
        ints[N_PAIRS] = 0
        return True
    ints[STATUS] = AT_PEAK if 0.5 * reals[SLOPE] < _NEGLIGIBLE else STUCK
    return False


@device
def _keep_pair(path: np.ndarray, ints: np.ndarray, history: int) -> None:
    """Keep a move and the fall of the gradient along it, if it fell."""
    s = PAIRS + 2 * ints[NEXT_PAIR]
    fall, size = 0.0, 0.0
    for k in range(path.shape[1]):
        moved, lost = path[NEXT_Q, k] - path[Q, k], path[GRAD, k] - path[NEXT_GRAD, k]
        fall += moved * lost
        size += lost * lost
    if not fall > 1e-12 * size:
        return
    for k in range(path.shape[1]):
        path[s, k] = path[NEXT_Q, k] - path[Q, k]
        path[s + 1, k] = path[GRAD, k] - path[NEXT_GRAD, k]
    ints[NEXT_PAIR] = (ints[NEXT_PAIR] + 1) % history
    ints[N_PAIRS] = min(ints[N_PAIRS] + 1, history)
