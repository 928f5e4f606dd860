"""The trajectory as a tree: doubling, weights, U-turns, merges.

Multinomial NUTS: M. Betancourt, A Conceptual Introduction to Hamiltonian Monte Carlo
(arXiv:1701.02434), appendix A, with Stan's additional U-turn checks between neighbouring subtrees.
A subtree that turns or diverges is discarded whole; its leaves count in the number of steps and in
the acceptance statistic only. In the sum of momenta that a U-turn is seen by, the two ends count
half: the sum is an integral over time, by the trapezoidal rule, and then what nuts-rs takes, the
distance between the ends. Whole ends would add |v|^2 / 2 to every check, in high dimensions enough
to hide a turn for a long time.

Recursion is replaced by a binary counter. Leaf n of a subtree completes one part of 2^h leaves for
each trailing one of n in base 2; such a part merges with its neighbour, which waits at level h of
the stack, and the result waits at the first level that is free. A part is known by the momenta of
its first and last leaf, counted from the joint with the old trajectory, and by their sum. The
three checks of a merge are symmetric in time, so parts that grow backward need no turning round;
and the merge of a whole subtree with the trajectory is the same step once more.

Momenta are whitened (see `metric`), so no check knows the metric.
"""

import math

import numpy as np

from .chain import CHAIN, DRAW, SEED
from .group import device, group_sum, inlined, lane, n_lanes, summing
from .metric import copy
from .rng import DIRECTION, LEAF, MERGE, uniform
from .vecmath import exp, log1p, maximum
from .walk import (
    ACCEPT,
    ACCEPT_BOTH_WAYS,
    DEPTH,
    END_Q,
    END_V,
    FIRST,
    JOINT,
    LAST,
    LEFT,
    LEVEL_ROWS,
    LOG_WEIGHT,
    MAX_ERROR,
    N_LEAVES,
    N_LEFT,
    N_RIGHT,
    N_STEPS,
    NEW_ENERGY,
    NEW_GRAD,
    NEW_INDEX,
    NEW_LOGP,
    NEW_Q,
    NEXT_GRAD,
    RIGHT,
    SIDE,
    SIGN,
    STACK,
    START_ENERGY,
    SUB_ENERGY,
    SUB_GRAD,
    SUB_INDEX,
    SUB_LOG_WEIGHT,
    SUB_LOGP,
    SUB_Q,
    SUB_SUM,
    SUM,
    TOTAL,
)

MAX_ENERGY_ERROR = 1000.0
"""A leaf whose energy exceeds the start's by more has diverged."""


@inlined
def double(ints: np.ndarray, walk: np.ndarray) -> None:
    """Choose a direction and begin a subtree of as many leaves as the trajectory has."""
    u = uniform(ints[SEED], ints[CHAIN], ints[DRAW], DIRECTION, ints[DEPTH])
    ints[SIDE] = RIGHT if u < 0.5 else LEFT
    ints[SIGN] = 1 if u < 0.5 else -1
    ints[N_LEAVES] = 0
    copy(walk, ints[SIDE] + END_V, walk, JOINT)


@inlined
def weigh(
    reals: np.ndarray, ints: np.ndarray, walk: np.ndarray, logp: float, energy: float
) -> bool:
    """Give the new leaf its weight and its chance to become the subtree's proposal.

    Returns
    -------
    bool
        Whether the leaf is valid; what is not finite is not.
    """
    number = ints[N_STEPS]
    ints[N_STEPS] = number + 1
    ints[N_LEAVES] += 1
    error = energy - reals[START_ENERGY]
    if math.fabs(error) > math.fabs(reals[MAX_ERROR]):
        reals[MAX_ERROR] = error
    if not (error <= MAX_ENERGY_ERROR and error > -math.inf):
        return False
    ratio = exp(-math.fabs(error))
    reals[ACCEPT] += ratio if error > 0.0 else 1.0
    reals[ACCEPT_BOTH_WAYS] += 2.0 * ratio / (1.0 + ratio)
    if ints[N_LEAVES] == 1:
        reals[SUB_LOG_WEIGHT] = -error
    else:  # the leaf wins with its share of all weights in the subtree so far
        old = reals[SUB_LOG_WEIGHT]
        ratio = exp(-math.fabs(old + error))
        reals[SUB_LOG_WEIGHT] = maximum(old, -error) + log1p(ratio)
        u = uniform(ints[SEED], ints[CHAIN], ints[DRAW], LEAF, number)
        if not u * (1.0 + ratio) < (1.0 if -error > old else ratio):
            return True
    end = ints[SIDE]
    copy(walk, end + END_Q, walk, SUB_Q)
    copy(walk, NEXT_GRAD, walk, SUB_GRAD)
    reals[SUB_LOGP] = logp
    reals[SUB_ENERGY] = energy
    merged = ints[N_LEFT] if end == LEFT else ints[N_RIGHT]
    ints[SUB_INDEX] = ints[SIGN] * (merged + ints[N_LEAVES])
    return True


@inlined
def grow(ints: np.ndarray, walk: np.ndarray) -> bool:
    """Merge the parts of the subtree that the new leaf completes.

    Returns
    -------
    bool
        Whether none of them turns. What is complete then waits on the stack: at the level of its
        size, or, for the whole subtree, at level DEPTH.
    """
    last = ints[SIDE] + END_V
    first, total = last, last
    number = ints[N_LEAVES] - 1
    level = 0
    for _ in range(ints[DEPTH]):
        if not (number >> level) & 1:
            break
        part = STACK + LEVEL_ROWS * level
        if _turns(walk, part + FIRST, part + LAST, part + TOTAL, first, last, total):
            return False
        _add(walk, part + TOTAL, total, SUB_SUM)
        first, total = part + FIRST, SUB_SUM
        level += 1
    part = STACK + LEVEL_ROWS * level
    copy(walk, first, walk, part + FIRST)
    copy(walk, last, walk, part + LAST)
    copy(walk, total, walk, part + TOTAL)
    return True


@inlined
def merge(reals: np.ndarray, ints: np.ndarray, walk: np.ndarray) -> bool:
    """Join a valid subtree to the trajectory; its proposal wins with min(1, w_new / w_old).

    Returns
    -------
    bool
        Whether the longer trajectory does not turn.
    """
    depth = ints[DEPTH]
    old, new = reals[LOG_WEIGHT], reals[SUB_LOG_WEIGHT]
    ratio = exp(-math.fabs(new - old))
    reals[LOG_WEIGHT] = maximum(old, new) + log1p(ratio)
    u = uniform(ints[SEED], ints[CHAIN], ints[DRAW], MERGE, depth)
    if new >= old or u < ratio:
        copy(walk, SUB_Q, walk, NEW_Q)
        copy(walk, SUB_GRAD, walk, NEW_GRAD)
        reals[NEW_LOGP] = reals[SUB_LOGP]
        reals[NEW_ENERGY] = reals[SUB_ENERGY]
        ints[NEW_INDEX] = ints[SUB_INDEX]
    if ints[SIDE] == LEFT:
        ints[N_LEFT] += ints[N_LEAVES]
    else:
        ints[N_RIGHT] += ints[N_LEAVES]
    ints[DEPTH] = depth + 1
    part = STACK + LEVEL_ROWS * depth
    far = LEFT + RIGHT - ints[SIDE] + END_V
    turning = _turns(walk, far, JOINT, SUM, part + FIRST, part + LAST, part + TOTAL)
    _add(walk, part + TOTAL, SUM, SUM)
    return not turning


@summing
def _turns(
    walk: np.ndarray,
    first_a: int,
    last_a: int,
    total_a: int,
    first_b: int,
    last_b: int,
    total_b: int,
) -> bool:
    """Return whether two neighbouring parts, a nearer to the start in time of growth, turn.

    The span of both, a with the first leaf of b, and the last leaf of a with b: in each the sum of
    momenta, those of its ends counted half, has to point forward at both ends.
    """
    whole_first, whole_last = 0.0, 0.0
    near_first, near_last = 0.0, 0.0
    far_first, far_last = 0.0, 0.0
    for k in range(lane(), walk.shape[1], n_lanes()):
        whole = walk[total_a, k] + walk[total_b, k] - 0.5 * (walk[first_a, k] + walk[last_b, k])
        near = walk[total_a, k] + 0.5 * (walk[first_b, k] - walk[first_a, k])
        far = walk[total_b, k] + 0.5 * (walk[last_a, k] - walk[last_b, k])
        whole_first += whole * walk[first_a, k]
        whole_last += whole * walk[last_b, k]
        near_first += near * walk[first_a, k]
        near_last += near * walk[first_b, k]
        far_first += far * walk[last_a, k]
        far_last += far * walk[last_b, k]
    return not (
        group_sum(whole_first) > 0.0
        and group_sum(whole_last) > 0.0
        and group_sum(near_first) > 0.0
        and group_sum(near_last) > 0.0
        and group_sum(far_first) > 0.0
        and group_sum(far_last) > 0.0
    )


@device
def _add(walk: np.ndarray, a: int, b: int, total: int) -> None:
    for k in range(lane(), walk.shape[1], n_lanes()):
        walk[total, k] = walk[a, k] + walk[b, k]
