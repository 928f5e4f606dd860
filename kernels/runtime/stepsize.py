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
    POOLED,
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
def restart(reals: np.ndarray, ints: np.ndarray, step: float) -> None:
    """Begin dual averaging anew at a step size."""
    reals[LOG_STEP] = log(step)
    reals[LOG_STEP_BAR] = reals[LOG_STEP]
    reals[STEP_ANCHOR] = log(10.0 * step)
    reals[STEP_ERROR] = 0.0
    ints[N_STEP] = 1


@device
def average(reals: np.ndarray, ints: np.ndarray, acceptance: float) -> None:
    """Let one transition's acceptance statistic change the step size."""
    n = ints[N_STEP]
    weight = 1.0 / (n + _DELAY)
    reals[STEP_ERROR] += weight * (reals[TARGET_ACCEPT] - acceptance - reals[STEP_ERROR])
    log_step = reals[STEP_ANCHOR] - reals[STEP_ERROR] * math.sqrt(n) / _SHRINKAGE
    if ints[ADAPT] == FISHER or ints[ADAPT] == POOLED:
        log_step = minimum(log_step, _STABLE)
    weight = exp(-_FORGETTING * log(float(n)))
    reals[LOG_STEP] = log_step
    reals[LOG_STEP_BAR] += weight * (log_step - reals[LOG_STEP_BAR])
    ints[N_STEP] = n + 1


@device
def begin_search(
    reals: np.ndarray, ints: np.ndarray, vector: np.ndarray, spread: np.ndarray, walk: np.ndarray
) -> None:
    """Draw the one momentum of the search; it waits in the row JOINT, its force in NEW_GRAD."""
    fill_normal(ints[SEED], ints[CHAIN], ints[DRAW], SEARCH, walk, JOINT)
    whiten(vector, GRAD, walk, NEW_GRAD, spread)
    reals[START_ENERGY] = kinetic(walk, JOINT) - reals[LOGP]
    reals[STEP] = _FIRST_TRIAL
    ints[SIDE] = RIGHT
    ints[SIGN] = 1
    ints[TRIAL] = 0


@device
def begin_trial(vector: np.ndarray, walk: np.ndarray) -> None:
    """Go back to the start with the momentum of the search."""
    copy(vector, Q, walk, RIGHT + END_Q)
    copy(walk, JOINT, walk, RIGHT + END_V)
    copy(walk, NEW_GRAD, walk, RIGHT + END_FORCE)


@device
def end_trial(reals: np.ndarray, ints: np.ndarray, energy: float) -> bool:
    """Compare one trial's acceptance with the target.

    The first trial decides whether to double or, backward in time, to halve. A trial that
    diverges counts as acceptance 0, so the search goes down; nuts-rs would give up.

    Returns
    -------
    bool
        Whether the search is over; dual averaging is then restarted at what it found.
    """
    gain = reals[START_ENERGY] - energy
    accept = exp(minimum(gain, 0.0)) if gain > -math.inf else 0.0
    above = accept > reals[TARGET_ACCEPT]
    step = reals[STEP]
    ints[TRIAL] += 1
    if ints[TRIAL] == 1:
        ints[SIGN] = 1 if above else -1
    elif (
        above != (ints[SIGN] == 1)
        or not (step > _SMALLEST and step < _LARGEST)
        or ints[TRIAL] == MAX_TRIALS
    ):
        restart(reals, ints, step)
        ints[SEARCH_DUE] = 0
        return True
    reals[STEP] = 2.0 * step if ints[SIGN] == 1 else 0.5 * step
    return False
