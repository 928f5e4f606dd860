"""NUTS as a state machine that stops wherever it needs a gradient.

One trip is `before_gradient`, then logp and gradient at the position of the moving end, then
`after_gradient`. The driver of a target (``run_cpu``, ``run_cuda``) makes the trips; nothing here
calls a model. The phase in ``walk_i[PHASE]`` says what the gradient in between is for::

    TURN -> SEARCHING -+-> REFRESH -> DOUBLE -> LEAPFROG -+-> TURN   (the transition is over)
      |      ^  trial  |     ^          ^        ^  leaf  |
      |      +---------+     |          |        +--------+
      +----------------------+          +- subtree merged +

The shape of a trajectory is the business of `tree`, the warmup that of `adapt`.
"""

import numpy as np

from .adapt import learn, turn
from .chain import (
    CHAIN,
    DRAW,
    GRAD,
    LOG_STEP,
    LOG_STEP_BAR,
    LOGP,
    MAX_TREEDEPTH,
    SEARCH_DUE,
    SEED,
    STEP_SIZE_JITTER,
    TUNE,
    UPDATES,
    Q,
)
from .group import device, group_sync, inlined
from .metric import copy, drift, kick, kinetic, whiten
from .rng import JITTER, MOMENTUM, fill_normal, uniform
from .stepsize import begin_search, begin_trial, end_trial
from .tree import double, grow, merge, weigh
from .vecmath import exp
from .walk import (
    ACCEPT,
    ACCEPT_BOTH_WAYS,
    CAPPED,
    DEPTH,
    DIVERGING,
    DOUBLE,
    END_FORCE,
    END_Q,
    END_V,
    LEAPFROG,
    LEFT,
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
    PHASE,
    REFRESH,
    RIGHT,
    SEARCHING,
    SIDE,
    SIGN,
    START_ENERGY,
    STEP,
    SUM,
    TURN,
)

_FIRST_METRIC_TREEDEPTH = 8
"""Greatest depth before the metric was first estimated."""


@inlined
def before_gradient(
    chain_f: np.ndarray,
    chain_i: np.ndarray,
    vector: np.ndarray,
    spread: np.ndarray,
    option_f: np.ndarray,
    option_i: np.ndarray,
    walk: np.ndarray,
    walk_f: np.ndarray,
    walk_i: np.ndarray,
) -> None:
    """Go on to the next point that needs a gradient.

    Parameters
    ----------
    chain_f, chain_i : (5,) float64, (12,) int64
        SCALARS and INTS of `chain`.
    vector : (n, dim) float64
        Its VECTORS.
    spread : (n, dim) or (n, dim, dim) float64
        Its SPREADS.
    option_f, option_i : (2,) float64, (5,) int64
        Its OPTION_FLOATS and OPTION_INTS.
    walk, walk_f, walk_i : (n_rows, dim) float64, (11,) float64, (13,) int64
        The work space of `walk`. The point is ``walk[walk_i[SIDE]]``; the gradient belongs into
        ``walk[GRAD]``.
    """
    if walk_i[PHASE] == TURN:
        turn(chain_i, vector, spread, option_i)
        walk_i[PHASE] = REFRESH
        if chain_i[SEARCH_DUE]:
            begin_search(chain_f, chain_i, vector, spread, option_i, walk, walk_f, walk_i)
            walk_i[PHASE] = SEARCHING
    if walk_i[PHASE] == SEARCHING:
        begin_trial(vector, walk)
    if walk_i[PHASE] == REFRESH:
        _refresh(chain_f, chain_i, vector, spread, option_f, option_i, walk, walk_f, walk_i)
        walk_i[PHASE] = DOUBLE
    if walk_i[PHASE] == DOUBLE:
        double(chain_i, option_i, walk, walk_f, walk_i)
        walk_i[PHASE] = LEAPFROG
    end = walk_i[SIDE]
    time = walk_f[STEP] * walk_i[SIGN]
    kick(walk, end, 0.5 * time)
    drift(walk, end, time, spread)


@inlined
def after_gradient(
    chain_f: np.ndarray,
    chain_i: np.ndarray,
    vector: np.ndarray,
    spread: np.ndarray,
    option_f: np.ndarray,
    option_i: np.ndarray,
    walk: np.ndarray,
    walk_f: np.ndarray,
    walk_i: np.ndarray,
    logp: float,
) -> bool:
    """Finish the leapfrog step and decide what it means.

    Parameters
    ----------
    logp : float
        Log-density of the point; anything not finite makes the leaf diverge.

    Returns
    -------
    bool
        Whether the transition is over: the chain is then the next draw, its statistics are those
        of the work space.
    """
    end = walk_i[SIDE]
    whiten(walk, NEXT_GRAD, walk, end + END_FORCE, spread)
    kick(walk, end, 0.5 * walk_f[STEP] * walk_i[SIGN])
    energy = kinetic(walk, end + END_V) - logp
    if walk_i[PHASE] == SEARCHING:
        if end_trial(chain_f, chain_i, option_f, walk_f, walk_i, energy):
            walk_i[PHASE] = REFRESH
        return False
    if not weigh(chain_i, option_i, walk, walk_f, walk_i, logp, energy):
        walk_i[DIVERGING] = 1
    elif grow(walk, walk_i):
        if walk_i[N_LEAVES] < 1 << walk_i[DEPTH]:
            return False
        if merge(chain_i, option_i, walk, walk_f, walk_i):
            if walk_i[DEPTH] < _depth_limit(chain_i, option_i):
                walk_i[PHASE] = DOUBLE
                return False
            walk_i[CAPPED] = 1
    _commit(chain_f, chain_i, vector, spread, option_f, option_i, walk, walk_f, walk_i)
    walk_i[PHASE] = TURN
    return True


@device
def _refresh(
    chain_f: np.ndarray,
    chain_i: np.ndarray,
    vector: np.ndarray,
    spread: np.ndarray,
    option_f: np.ndarray,
    option_i: np.ndarray,
    walk: np.ndarray,
    walk_f: np.ndarray,
    walk_i: np.ndarray,
) -> None:
    """Draw step size and momentum; the trajectory is one point."""
    seed, chain, draw = option_i[SEED], chain_i[CHAIN], chain_i[DRAW]
    log_step = chain_f[LOG_STEP] if draw < option_i[TUNE] - 1 else chain_f[LOG_STEP_BAR]
    spin = 2.0 * uniform(seed, chain, draw, JITTER, 0) - 1.0
    walk_f[STEP] = exp(log_step) * (1.0 + option_f[STEP_SIZE_JITTER] * spin)
    fill_normal(seed, chain, draw, MOMENTUM, walk, LEFT + END_V)
    whiten(vector, GRAD, walk, LEFT + END_FORCE, spread)
    copy(vector, Q, walk, LEFT + END_Q)
    for row in range(LEFT, RIGHT):
        copy(walk, row, walk, row + RIGHT - LEFT)
    copy(walk, LEFT + END_V, walk, SUM)
    energy = kinetic(walk, LEFT + END_V) - chain_f[LOGP]
    walk_f[START_ENERGY] = energy
    walk_f[NEW_ENERGY] = energy
    walk_f[NEW_LOGP] = chain_f[LOGP]
    walk_f[LOG_WEIGHT] = 0.0
    walk_f[ACCEPT] = 0.0
    walk_f[ACCEPT_BOTH_WAYS] = 0.0
    walk_f[MAX_ERROR] = 0.0
    walk_i[DEPTH] = 0
    walk_i[N_STEPS] = 0
    walk_i[N_LEFT] = 0
    walk_i[N_RIGHT] = 0
    walk_i[NEW_INDEX] = 0
    walk_i[DIVERGING] = 0
    walk_i[CAPPED] = 0


@device
def _commit(
    chain_f: np.ndarray,
    chain_i: np.ndarray,
    vector: np.ndarray,
    spread: np.ndarray,
    option_f: np.ndarray,
    option_i: np.ndarray,
    walk: np.ndarray,
    walk_f: np.ndarray,
    walk_i: np.ndarray,
) -> None:
    """Make the trajectory's proposal the chain's next draw."""
    if walk_i[NEW_INDEX] != 0:
        copy(walk, NEW_Q, vector, Q)
        copy(walk, NEW_GRAD, vector, GRAD)
        chain_f[LOGP] = walk_f[NEW_LOGP]
    group_sync()
    if chain_i[DRAW] < option_i[TUNE]:
        learn(chain_f, chain_i, vector, spread, option_f, option_i, walk_f, walk_i)
    chain_i[DRAW] += 1


@device
def _depth_limit(chain_i: np.ndarray, option_i: np.ndarray) -> int:
    """Return the greatest depth: a metric that is only guessed makes long trajectories a waste."""
    limit = option_i[MAX_TREEDEPTH]
    if chain_i[DRAW] < option_i[TUNE] and chain_i[UPDATES] == 0:
        return limit if limit < _FIRST_METRIC_TREEDEPTH else _FIRST_METRIC_TREEDEPTH
    return limit
