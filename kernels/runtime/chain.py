"""Where everything about one chain lies: the slots of the arrays that sampler and kernels share.

A chain between two draws is two flat arrays, ``f`` (float64) and ``i`` (int64). `INTS` and
`SCALARS` name their single slots; behind the scalars of ``f`` follow the metric, as spreads, and
vectors of length ``dim``. A spread is a vector for the diagonal metric and a row-major matrix for
the dense one. The metric of low rank has spreads of its own, and keeps the draws that it learns
from, and their gradients, as they are::

    diag, dense  f = | scalars | factor  m2_q  ...             | q  grad  mean_q  ...           |
    low_rank     f = | scalars | factor  stretch  directions   | q  grad | draw  gradient  ...  |

The other schemes need fewer vectors and spreads than "fisher"; they have the first of each list.
A change of any of these numbers is a new `VERSION`. They are NumPy's because numba would compile a
function anew for every Python literal that it is called with.
"""

import numpy as np

VERSION = 2

# --- slots of i ------------------------------------------------------------------------------
INTS = (
    "version",
    "dim",
    "adapt",  # index into ADAPTS
    "metric",  # index into METRICS
    "chain",
    "draw",  # number of the next draw, warmup included
    "search",  # 1: the next transition begins with a search for a step size
    "updates",  # metric updates so far
    "window",  # fisher: length of the current window of the main phase, 0 before it
    "n_front",  # draws in the foreground estimate (stan: in the only one; low_rank: kept draws)
    "n_back",  # draws in the background estimate: the last of them
    "n_step",  # 1 + updates of dual averaging since its restart
)
VERSION_, DIM, ADAPT, METRIC, CHAIN, DRAW, SEARCH_DUE, UPDATES, WINDOW, N_FRONT, N_BACK, N_STEP = (
    range(len(INTS))
)
ADAPTS = ("fisher", "stan", "step_size", "pooled")
FISHER, STAN, STEP_ONLY, POOLED = np.arange(len(ADAPTS))
METRICS = ("diag", "dense", "low_rank")
DIAG, DENSE, LOW_RANK = np.arange(len(METRICS))

# --- slots of f ------------------------------------------------------------------------------
SCALARS = (
    "logp",  # log-density of q
    "log_step",  # log of the step size that dual averaging proposes next
    "log_step_bar",  # log of its average: what sampling uses
    "step_anchor",  # mu of dual averaging, log(10 * step size) at its restart
    "step_error",  # H-bar of dual averaging: averaged target minus acceptance
)
LOGP, LOG_STEP, LOG_STEP_BAR, STEP_ANCHOR, STEP_ERROR = np.arange(len(SCALARS))

VECTORS = ("q", "grad", "mean_q", "mean_grad", "back_mean_q", "back_mean_grad")
Q, GRAD, MEAN_Q, MEAN_GRAD, BACK_MEAN_Q, BACK_MEAN_GRAD = np.arange(len(VECTORS))

SPREADS = ("factor", "m2_q", "m2_grad", "back_m2_q", "back_m2_grad")
"""`factor` F is the inverse mass matrix's root: a vector of scales or a lower triangle, with
inverse mass = F F'. The others are sums of squared (or outer) deviations from the means."""
FACTOR, M2_Q, M2_GRAD, BACK_M2_Q, BACK_M2_GRAD = np.arange(len(SPREADS))

LOW_RANK_SPREADS = ("factor", "stretch", "directions")
"""The inverse mass matrix's root is F = diag(`factor`) (1 + sum of stretch_r u_r u_r'), with
orthonormal `directions` u_r. A stretch of 0 ends the list of directions."""
STRETCH, DIRECTIONS = np.arange(1, 3)
MAX_RANK = 10

HISTORY = 2
"""Row of the first kept draw among the vectors of the metric of low rank; its gradient follows."""

N_SCALARS = len(SCALARS)
N_VECTORS = (6, 3, 2, 4)  # by scheme, in the order of ADAPTS
N_SPREADS = (5, 2, 1, 3)


def spread_shape(dim: int, adapt: int, metric: int) -> tuple[int, ...]:
    """Return the shape of all spreads; by the number of its axes compiled code knows the metric."""
    if metric == LOW_RANK:
        return (int(DIRECTIONS) + min(MAX_RANK, dim), 1, 1, dim)
    return (N_SPREADS[adapt], *((dim, dim) if metric == DENSE else (dim,)))


# --- what a run fixes for all its chains: in compiled code these follow INTS and SCALARS ---------
OPTION_INTS = ("seed", "tune", "thin", "max_treedepth", "store_unconstrained")
SEED, TUNE, THIN, MAX_TREEDEPTH, STORE_UNCONSTRAINED = len(INTS) + np.arange(len(OPTION_INTS))
OPTION_FLOATS = ("target_accept", "step_size_jitter")
TARGET_ACCEPT, STEP_SIZE_JITTER = len(SCALARS) + np.arange(len(OPTION_FLOATS))

# --- columns of the statistics of a draw -----------------------------------------------------
FLOAT_STATS = (
    "lp",
    "acceptance_rate",
    "step_size",
    "step_size_bar",
    "energy",
    "energy_error",
    "max_energy_error",
)
INT_STATS = (
    "tree_depth",
    "n_steps",
    "diverging",
    "reached_max_treedepth",
    "index_in_trajectory",
)

# --- the array through which a running block is watched and stopped ---------------------------
CONTROL = (
    "stop",  # written by the watcher: 0 go on, 1 stop after this transition, 2 stop now: drop it
    "gradients",  # evaluated since the block began
    "draws",  # finished since the block began
    "status",  # 0 not begun, 1 running, 2 all draws done, 3 stopped on request
    "divergences",  # after warmup, since the block began
    "step_size_bits",  # of the last finished draw: view the slot as float64
    "tree_depth",  # of the last finished draw
    "next_draw",  # number of the draw that is being made
    "launches",  # of a GPU since the block began, as the GPU counted them
)
STOP, GRADIENTS, DRAWS, STATUS, DIVERGENCES, STEP_SIZE_BITS, TREE_DEPTH, NEXT_DRAW = range(8)
LAUNCHES = 8
GO_ON, STOP_AFTER, STOP_NOW = range(3)
NOT_BEGUN, RUNNING, FINISHED, STOPPED = range(4)
