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
and the merge of a whole subtree with the trajectory is the same step once more. Of two single
leaves all three checks are one, so a leaf that waits needs one row.

Momenta are whitened (see `metric`), so no check knows the metric.
"""

import math

import numpy as np

from .chain import CHAIN, DRAW, SEED
from .group import device, group_sum, inlined, lane, n_lanes
from .metric import copy
from .rng import DIRECTION, LEAF, MERGE, uniform
from .vecmath import accumulate, exp, minimum
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
    LOG_UNIT,
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
    SUB_LOGP,
    SUB_Q,
    SUB_WEIGHT,
    SUM,
    TOTAL,
    WEIGHT,
)

MAX_ENERGY_ERROR = 1000.0
"""A leaf whose energy exceeds the start's by more has diverged."""
_LOG_LARGE = 500.0  # log of a weight that is too large: sums and products of weights stay finite


@inlined
def double(reals: np.ndarray, ints: np.ndarray, walk: np.ndarray) -> None:
    """Choose a direction and begin a subtree of as many leaves as the trajectory has."""
    u = uniform(ints[SEED], ints[CHAIN], ints[DRAW], DIRECTION, ints[DEPTH])
    ints[SIDE] = RIGHT if u < 0.5 else LEFT
    ints[SIGN] = 1 if u < 0.5 else -1
    ints[N_LEAVES] = 0
    reals[SUB_WEIGHT] = 0.0
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
    weight = exp(-error)
    accept = minimum(weight, 1.0)
    reals[ACCEPT] += accept
    reals[ACCEPT_BOTH_WAYS] += 2.0 * accept / (1.0 + weight)
    if -error > _LOG_LARGE or reals[LOG_UNIT] != 0.0:
        weight = _rescale(reals, error)
    total = reals[SUB_WEIGHT] + weight
    reals[SUB_WEIGHT] = total
    # the leaf wins with its share of all weights in the subtree so far
    u = uniform(ints[SEED], ints[CHAIN], ints[DRAW], LEAF, number)
    if not (u * total < weight or ints[N_LEAVES] == 1):
        return True
    end = ints[SIDE]
    copy(walk, end + END_Q, walk, SUB_Q)
    copy(walk, NEXT_GRAD, walk, SUB_GRAD)
    reals[SUB_LOGP] = logp
    reals[SUB_ENERGY] = energy
    merged = ints[N_LEFT] if end == LEFT else ints[N_RIGHT]
    ints[SUB_INDEX] = ints[SIGN] * (merged + ints[N_LEAVES])
    return True


@device
def _rescale(reals: np.ndarray, error: float) -> float:
    """Return the weight of a leaf where weights need a unit; it may become that of this leaf."""
    if -error - reals[LOG_UNIT] > _LOG_LARGE:
        shrink = exp(reals[LOG_UNIT] + error)
        reals[WEIGHT] *= shrink
        reals[SUB_WEIGHT] *= shrink
        reals[LOG_UNIT] = -error
    return exp(-error - reals[LOG_UNIT])


@inlined
def grow(ints: np.ndarray, walk: np.ndarray) -> bool:
    """Merge the parts of the subtree that the new leaf completes.

    Returns
    -------
    bool
        Whether none of them turns. What is complete then waits on the stack: at the level of its
        size, or, for the whole subtree, at level DEPTH.
    """
    leaf = ints[SIDE] + END_V
    number = ints[N_LEAVES] - 1
    height = 0
    for _ in range(ints[DEPTH]):
        if not (number >> height) & 1:
            break
        height += 1
    if height == 0:
        copy(walk, leaf, walk, STACK + FIRST)
        return True
    first = STACK + FIRST
    whole = STACK + LEVEL_ROWS * height
    if _leaves_turn(walk, first, leaf, whole + TOTAL):
        return False
    for level in range(1, height):
        part = STACK + LEVEL_ROWS * level
        if _turns(walk, part + FIRST, part + LAST, part + TOTAL, first, leaf, whole + TOTAL):
            return False
        first = part + FIRST
    copy(walk, first, walk, whole + FIRST)
    copy(walk, leaf, walk, whole + LAST)
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
    u = uniform(ints[SEED], ints[CHAIN], ints[DRAW], MERGE, depth)
    if u * reals[WEIGHT] < reals[SUB_WEIGHT]:
        copy(walk, SUB_Q, walk, NEW_Q)
        copy(walk, SUB_GRAD, walk, NEW_GRAD)
        reals[NEW_LOGP] = reals[SUB_LOGP]
        reals[NEW_ENERGY] = reals[SUB_ENERGY]
        ints[NEW_INDEX] = ints[SUB_INDEX]
    reals[WEIGHT] += reals[SUB_WEIGHT]
    if ints[SIDE] == LEFT:
        ints[N_LEFT] += ints[N_LEAVES]
    else:
        ints[N_RIGHT] += ints[N_LEAVES]
    ints[DEPTH] = depth + 1
    part = STACK + LEVEL_ROWS * depth
    if depth == 0:
        return not _leaves_turn(walk, JOINT, part + FIRST, SUM)
    far = LEFT + RIGHT - ints[SIDE] + END_V
    # seen backward in time of growth, so that SUM takes the sum
    return not _turns(walk, part + LAST, part + FIRST, part + TOTAL, JOINT, far, SUM)


@device
def _turns(
    walk: np.ndarray,
    first_a: int,
    last_a: int,
    total_a: int,
    first_b: int,
    last_b: int,
    total_b: int,
) -> bool:
    """Return whether two neighbouring parts turn; the sum of momenta of b becomes that of both.

    The span of both, a with the first leaf of b, and the last leaf of a with b: in each the sum of
    momenta, those of its ends counted half, has to point forward at both ends.
    """
    whole_first, whole_last = 0.0, 0.0
    near_first, near_last = 0.0, 0.0
    far_first, far_last = 0.0, 0.0
    for k in range(lane(), walk.shape[1], n_lanes()):
        sum_a, sum_b = walk[total_a, k], walk[total_b, k]
        begin_a, end_a = walk[first_a, k], walk[last_a, k]
        begin_b, end_b = walk[first_b, k], walk[last_b, k]
        total = sum_a + sum_b
        walk[total_b, k] = total
        whole = total - 0.5 * (begin_a + end_b)
        near = sum_a + 0.5 * (begin_b - begin_a)
        far = sum_b + 0.5 * (end_a - end_b)
        whole_first = accumulate(whole_first, whole * begin_a)
        whole_last = accumulate(whole_last, whole * end_b)
        near_first = accumulate(near_first, near * begin_a)
        near_last = accumulate(near_last, near * begin_b)
        far_first = accumulate(far_first, far * end_a)
        far_last = accumulate(far_last, far * end_b)
    return not (
        group_sum(whole_first) > 0.0
        and group_sum(whole_last) > 0.0
        and group_sum(near_first) > 0.0
        and group_sum(near_last) > 0.0
        and group_sum(far_first) > 0.0
        and group_sum(far_last) > 0.0
    )


@device
def _leaves_turn(walk: np.ndarray, a: int, b: int, total: int) -> bool:
    """Return whether two neighbouring leaves turn, and set the sum of their momenta."""
    first, last = 0.0, 0.0
    for k in range(lane(), walk.shape[1], n_lanes()):
        both = walk[a, k] + walk[b, k]
        first = accumulate(first, both * walk[a, k])
        last = accumulate(last, both * walk[b, k])
        walk[total, k] = both
    return not (group_sum(first) > 0.0 and group_sum(last) > 0.0)
