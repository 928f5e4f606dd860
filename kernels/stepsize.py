"""The step size: a search by doubling and halving, then dual averaging of its logarithm.

M. D. Hoffman, A. Gelman (2014), The No-U-Turn Sampler, JMLR 15: algorithm 4 and equation 6, with
the choices of nuts-rs: the search crosses the target acceptance and starts every trial from one
momentum, and counts of dual averaging start at 1.
"""

import math

import numpy as np

from .chain import (
    ADAPT,
    CHAIN,
    DRAW,
    FISHER,
    GRAD,
    LOG_STEP,
    LOG_STEP_BAR,
    LOGP,
    N_STEP,
    SEARCH_DUE,
    SEED,
    STEP_ANCHOR,
    STEP_ERROR,
    TARGET_ACCEPT,
    Q,
)
from .group import device
from .metric import copy, kinetic, whiten
from .rng import SEARCH, fill_normal
from .vecmath import exp, log, minimum
from .walk import (
    END_FORCE,
    END_Q,
    END_V,
    JOINT,
    NEW_GRAD,
    RIGHT,
    SIDE,
    SIGN,
    START_ENERGY,
    STEP,
    TRIAL,
)

MAX_TRIALS = 100
_FIRST_TRIAL = 0.1
_SMALLEST, _LARGEST = 1e-10, 1e5
_SHRINKAGE, _DELAY, _FORGETTING = 0.05, 10.0, 0.75  # gamma, t0, kappa
_STABLE = math.log(math.pi)  # no step is longer where the metric is right


@device
def restart(chain_f: np.ndarray, chain_i: np.ndarray, step: float) -> None:
    """Begin dual averaging anew at a step size."""
    chain_f[LOG_STEP] = log(step)
    chain_f[LOG_STEP_BAR] = chain_f[LOG_STEP]
    chain_f[STEP_ANCHOR] = log(10.0 * step)
    chain_f[STEP_ERROR] = 0.0
    chain_i[N_STEP] = 1


@device
def average(
    chain_f: np.ndarray, chain_i: np.ndarray, option_f: np.ndarray, acceptance: float
) -> None:
    """Let one transition's acceptance statistic change the step size."""
    n = chain_i[N_STEP]
    weight = 1.0 / (n + _DELAY)
    chain_f[STEP_ERROR] += weight * (option_f[TARGET_ACCEPT] - acceptance - chain_f[STEP_ERROR])
    log_step = chain_f[STEP_ANCHOR] - chain_f[STEP_ERROR] * math.sqrt(n) / _SHRINKAGE
    if chain_i[ADAPT] == FISHER:
        log_step = minimum(log_step, _STABLE)
    weight = exp(-_FORGETTING * log(float(n)))
    chain_f[LOG_STEP] = log_step
    chain_f[LOG_STEP_BAR] += weight * (log_step - chain_f[LOG_STEP_BAR])
    chain_i[N_STEP] = n + 1


@device
def begin_search(
    chain_f: np.ndarray,
    chain_i: np.ndarray,
    vector: np.ndarray,
    spread: np.ndarray,
    option_i: np.ndarray,
    walk: np.ndarray,
    walk_f: np.ndarray,
    walk_i: np.ndarray,
) -> None:
    """Draw the one momentum of the search; it waits in the row JOINT, its force in NEW_GRAD."""
    fill_normal(option_i[SEED], chain_i[CHAIN], chain_i[DRAW], SEARCH, walk, JOINT)
    whiten(vector, GRAD, walk, NEW_GRAD, spread)
    walk_f[START_ENERGY] = kinetic(walk, JOINT) - chain_f[LOGP]
    walk_f[STEP] = _FIRST_TRIAL
    walk_i[SIDE] = RIGHT
    walk_i[SIGN] = 1
    walk_i[TRIAL] = 0


@device
def begin_trial(vector: np.ndarray, walk: np.ndarray) -> None:
    """Go back to the start with the momentum of the search."""
    copy(vector, Q, walk, RIGHT + END_Q)
    copy(walk, JOINT, walk, RIGHT + END_V)
    copy(walk, NEW_GRAD, walk, RIGHT + END_FORCE)


@device
def end_trial(
    chain_f: np.ndarray,
    chain_i: np.ndarray,
    option_f: np.ndarray,
    walk_f: np.ndarray,
    walk_i: np.ndarray,
    energy: float,
) -> bool:
    """Compare one trial's acceptance with the target.

    The first trial decides whether to double or, backward in time, to halve. A trial that
    diverges counts as acceptance 0, so the search goes down; nuts-rs would give up.

    Returns
    -------
    bool
        Whether the search is over; dual averaging is then restarted at what it found.
    """
    gain = walk_f[START_ENERGY] - energy
    accept = exp(minimum(gain, 0.0)) if gain > -math.inf else 0.0
    above = accept > option_f[TARGET_ACCEPT]
    step = walk_f[STEP]
    walk_i[TRIAL] += 1
    if walk_i[TRIAL] == 1:
        walk_i[SIGN] = 1 if above else -1
    elif (
        above != (walk_i[SIGN] == 1)
        or not (step > _SMALLEST and step < _LARGEST)
        or walk_i[TRIAL] == MAX_TRIALS
    ):
        restart(chain_f, chain_i, step)
        chain_i[SEARCH_DUE] = 0
        return True
    walk_f[STEP] = 2.0 * step if walk_i[SIGN] == 1 else 0.5 * step
    return False
