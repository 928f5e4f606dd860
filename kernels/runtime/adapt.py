"""Warmup: which draws teach the metric, when it changes, and what the step size is told.

What a draw teaches is taken in when its transition ends (`learn`); what follows from that for the
metric happens when the next one begins (`turn`), so that no border of blocks lies between.

Scheme "fisher" is nuts-rs's: inverse mass sqrt(var(draws) / var(gradients)), estimated over the
current and the previous window, changed after every draw, frozen for the last 15 %. Scheme "stan"
is Stan's windowed_adaptation: one estimate per window, shrunk. Both differ from their models in
the first metric, which the start takes from its gradient, and in which draws count (`_teaches`).
Scheme "step_size" leaves the metric as it is, and the step size is told as late in "fisher".

In the scheme "fisher" a metric that is not diagonal changes at the ends of windows only, but in the
main phase also every twenty draws while there are fewer than a hundred in the estimate. In both
schemes the metric of low rank learns from draws and gradients.
"""

import math

import numpy as np

from .chain import (
    ADAPT,
    BACK_MEAN_Q,
    DRAW,
    FACTOR,
    FISHER,
    GRAD,
    M2_GRAD,
    M2_Q,
    MEAN_GRAD,
    MEAN_Q,
    N_BACK,
    N_FRONT,
    POOLED,
    SEARCH_DUE,
    STAN,
    STEP_ONLY,
    TUNE,
    UPDATES,
    WINDOW,
    Q,
)
from .dense import fisher_factor, stan_factor
from .group import device, group_sync, lane, n_lanes
from .low_rank import fit, remember, stride
from .metric import forget, observe, succeed
from .stepsize import average
from .vecmath import maximum, minimum
from .walk import ACCEPT, ACCEPT_BOTH_WAYS, DIVERGING, DROPPED, N_STEPS, NEW_INDEX

_EARLY_WINDOW = 10
_MAIN_WINDOW = 80
_ENOUGH, _ENOUGH_DENSE = 3, 10  # draws before the metric first changes
_SHORTEST, _FIRST_SHARED = 20, 5  # warmup with windows; end of the first that chains share
_YOUNG, _OFTEN = 100, 20  # draws of a young estimate, and between changes of it
_OUTSIDE, _INSIDE, _LAST = range(3)


@device
def learn(reals: np.ndarray, ints: np.ndarray, vector: np.ndarray, spread: np.ndarray) -> None:
    """Take in what the transition of a warmup draw taught, before its number is counted up.

    The acceptance statistic of a transition is the mean over all its leaves, discarded ones
    included, a divergent leaf counting 0. It is min(1, w); late in the scheme "fisher", where the
    metric no longer changes much, it is 2 min(1, w) / (1 + w), which looks at both directions.
    """
    draw, tune = ints[DRAW], ints[TUNE]
    accept = reals[ACCEPT]
    if ints[ADAPT] == STEP_ONLY:
        accept = reals[ACCEPT_BOTH_WAYS]
    elif ints[ADAPT] == FISHER:
        if draw < _freeze(tune):
            if spread.ndim == 4:
                remember(ints, vector, _teaches(ints, False))
            elif _teaches(ints, False):
                _learn_fisher(ints, vector, spread)
        elif spread.ndim == 4:  # the window is not needed any more
            ints[N_FRONT], ints[N_BACK] = 0, 0
        if draw >= _early_end(tune) and ints[WINDOW] == 0:
            held = _held(ints, spread)
            ints[WINDOW] = held if held > _MAIN_WINDOW else _MAIN_WINDOW
        if draw >= _freeze(tune) or draw + _next_window(ints, draw, tune) > _freeze(tune):
            accept = reals[ACCEPT_BOTH_WAYS]
    elif _window(ints, draw) != _OUTSIDE:
        standing = ints[ADAPT] == STAN
        if spread.ndim == 4:
            remember(ints, vector, _teaches(ints, standing))
        elif _teaches(ints, standing):
            if ints[ADAPT] == POOLED:
                _learn_fisher(ints, vector, spread)
            else:
                ints[N_FRONT] += 1
                observe(vector, Q, MEAN_Q, spread, M2_Q, ints[N_FRONT])
    if ints[ADAPT] == POOLED and tune >= _SHORTEST and _shared_end(draw, tune) == _freeze(tune):
        accept = reals[ACCEPT_BOTH_WAYS]
    average(reals, ints, accept / ints[N_STEPS])


@device
def _learn_fisher(ints: np.ndarray, vector: np.ndarray, spread: np.ndarray) -> None:
    for window in range(spread.shape[0] // 2):
        ints[N_FRONT + window] += 1
        for x in (Q, GRAD):
            row = 2 * window + x
            n = ints[N_FRONT + window]
            observe(vector, x, MEAN_Q + row, spread, M2_Q + row, n)


@device
def _held(ints: np.ndarray, spread: np.ndarray) -> int:
    """Return the number of draws that the background estimate comes from."""
    if spread.ndim == 4:
        return ints[N_BACK] * stride(ints)
    return ints[N_BACK]


@device
def turn(ints: np.ndarray, vector: np.ndarray, spread: np.ndarray) -> None:
    """Change windows and metric, as the schedule says, after the warmup draw that was last."""
    last, tune = ints[DRAW] - 1, ints[TUNE]
    if last < 0 or last + 1 >= tune:
        return
    if ints[ADAPT] == FISHER:
        n = _turn_fisher(ints, vector, spread, last, tune)
    else:
        n = _turn_window(ints, vector, spread, last)
    if n > 0:
        if spread.ndim == 4:  # here, because it is compiled anew wherever it is called
            fit(vector, spread, ints[DROPPED], n)
        ints[UPDATES] += 1
        if ints[UPDATES] == 1 or ints[ADAPT] == STAN:
            ints[SEARCH_DUE] = 1


@device
def _freeze(tune: int) -> int:
    return tune - 15 * tune // 100


@device
def _early_end(tune: int) -> int:
    return 3 * tune // 10


@device
def _next_window(ints: np.ndarray, draw: int, tune: int) -> int:
    """Return the length of the window that a switch after this draw would begin."""
    if draw < _early_end(tune):
        return _EARLY_WINDOW
    return (3 * ints[WINDOW] + 1) // 2


@device
def _teaches(ints: np.ndarray, standing: bool) -> bool:
    """Return whether a draw may enter the estimate of the metric.

    After a divergence, only if the chain moved far along the trajectory; else a stuck chain would
    shrink the metric. Otherwise it must have moved, unless `standing` draws count.
    """
    if ints[DIVERGING]:
        return ints[NEW_INDEX] > 4 or ints[NEW_INDEX] < -4
    return standing or ints[NEW_INDEX] != 0


@device
def _turn_fisher(
    ints: np.ndarray, vector: np.ndarray, spread: np.ndarray, last: int, tune: int
) -> int:
    """Switch windows when the background is long enough and there is time for another one.

    Returns
    -------
    int
        Number of draws that the new metric comes from, 0 if it does not change.
    """
    freeze = _freeze(tune)
    if last >= freeze:
        return 0
    early = last < _early_end(tune)
    following = _next_window(ints, last, tune)
    window = _EARLY_WINDOW if early else ints[WINDOW]
    switch = _held(ints, spread) >= window and last + following <= freeze
    if switch:
        if spread.ndim == 4:
            ints[DROPPED] = ints[N_FRONT] - ints[N_BACK]
        else:
            for x in (Q, GRAD):
                succeed(vector, MEAN_Q + x, spread, M2_Q + x, BACK_MEAN_Q - MEAN_Q)
        ints[N_FRONT], ints[N_BACK] = ints[N_BACK], 0
        if not early:
            ints[WINDOW] = following
    n = ints[N_FRONT]
    if spread.ndim == 2:
        if n < _ENOUGH:
            return 0
        _fisher_scale(spread)
    else:
        young = not early and n < _YOUNG and last % _OFTEN == 0
        if n < _ENOUGH_DENSE or not (switch or young or last == freeze - 1):
            return 0
        if spread.ndim == 3:
            fisher_factor(spread, n)
    return n


@device
def _turn_window(ints: np.ndarray, vector: np.ndarray, spread: np.ndarray, last: int) -> int:
    """Take the metric from a window that has ended and forget its draws; return their number."""
    n, pooled = ints[N_FRONT], ints[ADAPT] == POOLED
    enough = _ENOUGH_DENSE if pooled and spread.ndim != 2 else _ENOUGH
    if _window(ints, last) != _LAST or n < enough:
        return 0
    if spread.ndim == 2:
        if pooled:
            _fisher_scale(spread)
        else:
            _stan_scale(spread, n)
    elif spread.ndim == 3:
        if pooled:
            fisher_factor(spread, n)
        else:
            stan_factor(spread, n)
    if spread.ndim != 4:
        forget(vector, MEAN_Q, spread, M2_Q)
        if pooled:
            forget(vector, MEAN_GRAD, spread, M2_GRAD)
    ints[N_FRONT], ints[N_BACK] = 0, 0
    return n


@device
def _fisher_scale(spread: np.ndarray) -> None:
    """Set inverse mass = sqrt(var(draws) / var(gradients)); keep what would not be positive."""
    for k in range(lane(), spread.shape[1], n_lanes()):
        ratio = spread[M2_Q, k] / spread[M2_GRAD, k]
        if ratio > 0.0 and ratio < math.inf:
            inv_mass = minimum(maximum(math.sqrt(ratio), 1e-20), 1e20)
            spread[FACTOR, k] = math.sqrt(inv_mass)
    group_sync()


@device
def _stan_scale(spread: np.ndarray, n: int) -> None:
    """Set inverse mass = n / (n + 5) * variance + 1e-3 * 5 / (n + 5)."""
    weight = n / (n + 5.0)
    for k in range(lane(), spread.shape[1], n_lanes()):
        variance = weight * spread[M2_Q, k] / (n - 1.0) + 1e-3 * (1.0 - weight)
        if variance < math.inf:
            spread[FACTOR, k] = math.sqrt(variance)
    group_sync()


@device
def _window(ints: np.ndarray, draw: int) -> int:
    """Return whether a draw lies outside of the scheme's windows, inside one, or is its last."""
    tune = ints[TUNE]
    if ints[ADAPT] == STAN:
        return _stan_window(draw, tune)
    if tune < _SHORTEST or draw >= _freeze(tune):
        return _OUTSIDE
    return _LAST if draw == _shared_end(draw, tune) - 1 else _INSIDE


@device
def _shared_end(draw: int, tune: int) -> int:
    """Return where the window of a draw ends that chains share: at 5, 10, 20, 40, ... or the last.

    A window whose successor would not fit takes in what is left.
    """
    end, stop = _FIRST_SHARED, _freeze(tune)
    while draw >= end and 2 * end <= stop:
        end *= 2
    return end if 2 * end <= stop else stop


@device
def _stan_window(draw: int, tune: int) -> int:
    """Return whether a draw lies outside of Stan's windows, inside one, or is the last of one.

    75 draws for the step size, windows of 25, 50, 100, ..., 50 draws for the step size again; a
    window whose successor would not fit takes in what is left. In a short warmup the parts are
    15, 75 and 10 %; below 20 draws the metric stays as it is.
    """
    first, length, stop = 75, 25, tune - 50
    if first + length > stop:
        first, stop = 15 * tune // 100, tune - tune // 10
        length = stop - first
    if tune < _SHORTEST or draw < first or draw >= stop:
        return _OUTSIDE
    end = first + length
    for _ in range(64):
        if draw < end:
            break
        length *= 2
        end += length
        if end != stop and end + 2 * length > stop:
            end = stop
    return _LAST if draw == end - 1 else _INSIDE
