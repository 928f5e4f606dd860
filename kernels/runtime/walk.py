"""Slots of the work space of one transition: what is thrown away when it ends or is dropped.

``walk`` holds rows of length dim. The scalars follow those of chain and run in ``reals`` and
``ints``. On a device the lanes of a chain share the rows, and each lane has its own copy of the
scalars, all with the same bits.

The numbers are NumPy's because numba would compile a function anew for every Python literal that
it is called with.
"""

import numpy as np

from .chain import INTS, OPTION_FLOATS, OPTION_INTS, SCALARS

# --- rows of walk ----------------------------------------------------------------------------
(
    LEFT,  # the two ends of the trajectory: three rows each
    _,
    _,
    RIGHT,
    _,
    _,
    NEXT_GRAD,  # where logp_grad writes
    JOINT,  # momentum of the end that is being extended, as it was before
    SUM,  # of all momenta in the trajectory
    SUB_Q,  # the subtree's proposal
    SUB_GRAD,
    NEW_Q,  # the trajectory's
    NEW_GRAD,
    STACK,  # level h: three rows for a complete part of 2^h leaves that waits for its neighbour
) = np.arange(14)
END_ROWS = 3
(
    END_Q,  # place in an end's rows
    END_V,  # whitened momentum: v = F'p, with inverse mass = F F', so v ~ N(0, 1)
    END_FORCE,  # whitened: F' times the gradient
) = np.arange(END_ROWS)
LEVEL_ROWS = 3
(
    FIRST,  # place in a level's rows: momentum of the leaf nearest to the joint
    LAST,
    TOTAL,
) = np.arange(LEVEL_ROWS)

# --- slots of reals ---------------------------------------------------------------------------
(
    STEP,  # step size of this transition, jitter included
    START_ENERGY,
    WEIGHT,  # sum of w = exp(start energy - energy) over the trajectory, in units of exp(LOG_UNIT)
    SUB_WEIGHT,  # over the subtree
    LOG_UNIT,  # 0 unless a weight is too large for a float64
    SUB_LOGP,
    SUB_ENERGY,
    NEW_LOGP,
    NEW_ENERGY,
    ACCEPT,  # sum over all leaves of min(1, w)
    ACCEPT_BOTH_WAYS,  # sum of 2 min(1, w) / (1 + w)
    MAX_ERROR,  # the energy error that is largest in size
) = len(SCALARS) + len(OPTION_FLOATS) + np.arange(12)
N_REALS = len(SCALARS) + len(OPTION_FLOATS) + 12

# --- slots of ints ----------------------------------------------------------------------------
(
    PHASE,
    SIDE,  # first row of the end that moves
    SIGN,  # +1 or -1: direction in time
    DEPTH,  # doublings merged so far
    N_LEAVES,  # finished in the subtree
    N_STEPS,  # leaves finished in the transition, discarded ones included
    N_LEFT,  # leaves merged before and behind the start
    N_RIGHT,
    SUB_INDEX,  # place in time of the proposals; the start is 0
    NEW_INDEX,
    DIVERGING,
    CAPPED,  # the greatest depth ended the trajectory
    TRIAL,  # evaluations done by the step size search
    DROPPED,  # low_rank: kept draws that left the window when the transition began
) = len(INTS) + len(OPTION_INTS) + np.arange(14)
N_INTS = len(INTS) + len(OPTION_INTS) + 14

# values of PHASE: what the next gradient is for
TURN, SEARCHING, REFRESH, DOUBLE, LEAPFROG = np.arange(5)
