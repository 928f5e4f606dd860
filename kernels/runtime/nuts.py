"""NUTS as a state machine that stops wherever it needs a gradient.

One trip is `before_gradient`, then logp and gradient at the position of the moving end, then
`after_gradient`. The driver of a target (``run_cpu``, ``run_cuda``) makes the trips; nothing here
calls a model. The phase in ``ints[PHASE]`` says what the gradient in between is for::

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
from .metric import arrive, copy, depart, kinetic, whiten
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
    WEIGHT,
)

_FIRST_METRIC_TREEDEPTH = 8
"""Greatest depth before the metric was first estimated."""


@inlined
def before_gradient(
    reals: np.ndarray, ints: np.ndarray, vector: np.ndarray, spread: np.ndarray, walk: np.ndarray
) -> None:
    """Go on to the next point that needs a gradient.

    Parameters
    ----------
    reals, ints : (18,) float64, (30,) int64
        All scalars: of the chain, of the run and of the transition.
    vector : (n, dim) float64
        VECTORS of `chain`.
    spread : (n, dim), (n, dim, dim) or (n, 1, 1, dim) float64
        SPREADS of `chain`.
    walk : (n_rows, dim) float64
        The work space. The point is ``walk[ints[SIDE]]``; the gradient belongs into
        ``walk[NEXT_GRAD]``.
    """
    if ints[PHASE] == TURN:
        turn(ints, vector, spread)
        ints[PHASE] = REFRESH
        if ints[SEARCH_DUE]:
            begin_search(reals, ints, vector, spread, walk)
            ints[PHASE] = SEARCHING
    if ints[PHASE] == SEARCHING:
        begin_trial(vector, walk)
    if ints[PHASE] == REFRESH:
        _refresh(reals, ints, vector, spread, walk)
        ints[PHASE] = DOUBLE
    if ints[PHASE] == DOUBLE:
        double(reals, ints, walk)
        ints[PHASE] = LEAPFROG
    end = ints[SIDE]
    time = reals[STEP] * ints[SIGN]
    depart(walk, end, time, spread)


@inlined
def after_gradient(
    reals: np.ndarray,
    ints: np.ndarray,
    vector: np.ndarray,
    spread: np.ndarray,
    walk: np.ndarray,
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
        of `walk`.
    """
    end = ints[SIDE]
    energy = arrive(walk, end, reals[STEP] * ints[SIGN], spread) - logp
    if ints[PHASE] == SEARCHING:
        if end_trial(reals, ints, energy):
            ints[PHASE] = REFRESH
        return False
    if not weigh(reals, ints, walk, logp, energy):
        ints[DIVERGING] = 1
    elif grow(ints, walk):
        if ints[N_LEAVES] < 1 << ints[DEPTH]:
            return False
        if merge(reals, ints, walk):
            if ints[DEPTH] < _depth_limit(ints):
                ints[PHASE] = DOUBLE
                return False
            ints[CAPPED] = 1
    _commit(reals, ints, vector, spread, walk)
    ints[PHASE] = TURN
    return True


@device
def _refresh(
    reals: np.ndarray, ints: np.ndarray, vector: np.ndarray, spread: np.ndarray, walk: np.ndarray
) -> None:
    """Draw step size and momentum; the trajectory is one point."""
    seed, chain, draw = ints[SEED], ints[CHAIN], ints[DRAW]
    log_step = reals[LOG_STEP] if draw < ints[TUNE] - 1 else reals[LOG_STEP_BAR]
    spin = 2.0 * uniform(seed, chain, draw, JITTER, 0) - 1.0
    reals[STEP] = exp(log_step) * (1.0 + reals[STEP_SIZE_JITTER] * spin)
    fill_normal(seed, chain, draw, MOMENTUM, walk, LEFT + END_V)
    whiten(vector, GRAD, walk, LEFT + END_FORCE, spread)
    copy(vector, Q, walk, LEFT + END_Q)
    for row in range(LEFT, RIGHT):
        copy(walk, row, walk, row + RIGHT - LEFT)
    copy(walk, LEFT + END_V, walk, SUM)
    energy = kinetic(walk, LEFT + END_V) - reals[LOGP]
    reals[START_ENERGY] = energy
    reals[NEW_ENERGY] = energy
    reals[NEW_LOGP] = reals[LOGP]
    reals[WEIGHT] = 1.0
    reals[LOG_UNIT] = 0.0
    reals[ACCEPT] = 0.0
    reals[ACCEPT_BOTH_WAYS] = 0.0
    reals[MAX_ERROR] = 0.0
    ints[DEPTH] = 0
    ints[N_STEPS] = 0
    ints[N_LEFT] = 0
    ints[N_RIGHT] = 0
    ints[NEW_INDEX] = 0
    ints[DIVERGING] = 0
    ints[CAPPED] = 0


@device
def _commit(
    reals: np.ndarray, ints: np.ndarray, vector: np.ndarray, spread: np.ndarray, walk: np.ndarray
) -> None:
    """Make the trajectory's proposal the chain's next draw."""
    if ints[NEW_INDEX] != 0:
        copy(walk, NEW_Q, vector, Q)
        copy(walk, NEW_GRAD, vector, GRAD)
        reals[LOGP] = reals[NEW_LOGP]
    group_sync()
    if ints[DRAW] < ints[TUNE]:
        learn(reals, ints, vector, spread)
    ints[DRAW] += 1


@device
def _depth_limit(ints: np.ndarray) -> int:
    """Return the greatest depth: a metric that is only guessed makes long trajectories a waste."""
    limit = ints[MAX_TREEDEPTH]
    if ints[DRAW] < ints[TUNE] and ints[UPDATES] == 0:
        return limit if limit < _FIRST_METRIC_TREEDEPTH else _FIRST_METRIC_TREEDEPTH
    return limit
