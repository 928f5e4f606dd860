"""One stage of sequential Monte Carlo: a population of particles is cooled, resampled and moved.

The density is prior times likelihood^beta, and beta is the last coordinate of every particle, so
that the derivative by it is the log-likelihood.

P. Del Moral, A. Doucet, A. Jasra, Sequential Monte Carlo samplers, JRSS B 68 (2006); A. Buchholz,
N. Chopin, P. Jacob, Adaptive tuning of Hamiltonian Monte Carlo within sequential Monte Carlo,
Bayesian Analysis 16 (2021), of which the metric is that of the particles; their step size is tuned
particle by particle, ours by the mean acceptance of a sweep. That a half moves by what the other
half is like: J. Goodman, J. Weare, Ensemble samplers with affine invariance, CAMCoS 5 (2010).
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types

from .chain import GRADIENTS, STOP, STOP_NOW
from .cloud import place
from .dense import cholesky
from .group import device
from .rng import SMC, fill_normal, uniform
from .run_cpu import LOGP_GRAD

RESAMPLE, MOMENTUM, ACCEPT, LENGTH = SMC + np.arange(4)  # purposes of random numbers
HMC, WALK, INDEPENDENT = np.arange(3)
# scalars of a population
BETA, LOG_EVIDENCE, LOG_STEP, FORGETTING = np.arange(4)
"""FORGETTING is the correlation that a sweep left in the stage before, 0 in the first."""
N_SCALARS = 4
# what is reported of a stage
COLUMNS = ("beta", "ess", "acceptance_rate", "sweeps", "step_size", "log_evidence")

_VECTOR, _MATRIX, _INTS = types.float64[::1], types.float64[:, ::1], types.int64[::1]
_MODEL = (_VECTOR, types.float32[::1], _INTS, _VECTOR)
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "cache": True}
_QUARTER_TURN = 0.5 * np.pi
_SWING_TARGET, _WALK_TARGET = 0.8, 0.25  # mean acceptance
_MAX_LOG_STEP = 2.0
_SLACK = 2.0  # times what was meant to be left, which lets a stage end where it was foreseen
_SPAN, _IDLE = 5, 0.9  # sweeps that have to lessen the correlation, and to what share
_MAX_LEAPS = 64
_BISECTIONS = 100
# rows of a move's work space
_NEW_Q, _NEW_GRAD, _SPEED, _FORCE = np.arange(4)


@cache
def stage() -> Callable[..., bool]:
    """Return the compiled ``stage(...) -> whether it came to its end``; see `_stage`."""
    population = (_MATRIX, _MATRIX, _VECTOR, _VECTOR, _VECTOR)
    settings = (types.int64, types.int64, types.int64, types.int64)
    limits = (types.float64, types.float64, types.int64)
    signature = types.boolean(LOGP_GRAD, *_MODEL, *population, *settings, *limits, _VECTOR, _INTS)
    compiled: Callable[..., bool] = njit(signature, **_OPTIONS)(_stage)
    return compiled


@cache
def weigh() -> Callable[..., None]:
    """Return the compiled ``weigh(...)``, which fills a population's grad, prior and lik."""
    signature = types.void(LOGP_GRAD, *_MODEL, _MATRIX, _MATRIX, _VECTOR, _VECTOR)
    compiled: Callable[..., None] = njit(signature, **_OPTIONS)(_weigh)
    return compiled


def _weigh(logp_grad, data, data32, index, work, q, grad, prior, lik):  # type: ignore[no-untyped-def]
    """Evaluate all particles where they are, at their beta."""
    last = q.shape[1] - 1
    for i in range(q.shape[0]):
        logp = logp_grad(q[i], grad[i], data, data32, index, work)
        lik[i] = grad[i, last] if np.isfinite(grad[i, last]) and logp > -np.inf else -np.inf
        prior[i] = logp - q[i, last] * lik[i] if lik[i] > -np.inf else logp


def _stage(  # type: ignore[no-untyped-def]
    logp_grad,
    data,
    data32,
    index,
    work,
    q,
    grad,
    prior,
    lik,
    scalars,
    moves,
    seed,
    unit,
    number,
    threshold,
    correlation,
    max_sweeps,
    row,
    control,
):
    """Cool a population as far as its weights allow, resample it and move its particles.

    Parameters
    ----------
    q, grad : (n, dim + 1) float64
        Particles and gradients; the last column is beta and the log-likelihood.
    prior, lik : (n,) float64
        Logarithms of both factors at the particles.
    scalars : (4,) float64
        BETA, LOG_EVIDENCE, LOG_STEP, FORGETTING; changed, like all of these.
    moves, seed, unit, number : int64
        Kind of moves; words of the random counter, the third being the stage.
    threshold : float64
        Effective share of the particles that the weights of a stage leave.
    correlation : float64
        Sweeps are so many that particles correlate less than that with where the stage began.
    max_sweeps : int64
    row : (6,) float64
        COLUMNS, written.
    control : (9,) int64
        Of it STOP_NOW alone is heard: a stage is not stopped and gone on with.
    """
    n, dim = q.shape[0], q.shape[1] - 1
    weights = np.empty(n)
    step = _step(lik, threshold * n, 1.0 - scalars[BETA], weights)
    scalars[LOG_EVIDENCE] += _weights(lik, step, weights)
    row[1] = _effective(weights)
    beta = 1.0 if scalars[BETA] + step > 1.0 - 1e-12 else scalars[BETA] + step
    scalars[BETA] = beta
    parents = _systematic(weights, uniform(seed, unit, number, RESAMPLE, 0))
    _inherit(q, grad, parents)
    for i in range(n):
        q[i, dim] = beta
        logp = logp_grad(q[i], grad[i], data, data32, index, work)
        lik[i] = grad[i, dim]
        prior[i] = logp - beta * lik[i]
    control[GRADIENTS] += n
    begun, now = q.copy(), np.empty((n, 1))
    was = lik.copy().reshape((n, 1))
    space, noise = np.empty((4, dim + 1)), np.empty((2, dim))
    accepted, sweeps, left = 0.0, 0, np.empty(max_sweeps)
    # How many is foreseen from the stage before. To stop as soon as these very particles look as
    # if they had forgotten favours some of them: evidences of ten dimensions were off by 20 / n.
    known = scalars[FORGETTING] > 0.0
    foreseen = np.log(correlation) / np.log(scalars[FORGETTING]) if known else 0.0
    enough = correlation * (_SLACK if known else 1.0)
    for sweep in range(max_sweeps):
        accepted = 0.0
        # Half of the particles move by the metric of the other half. By one that they had shaped
        # themselves they would not leave the density invariant, and evidences of ten dimensions
        # were off by 50 / n. Parents come in order, so the halves hardly share any.
        mean, root = _shape(q[n // 2 :])
        for i in range(n):
            if i == n // 2:
                mean, root = _shape(q[: n // 2])
            if control[STOP] == STOP_NOW:
                return False
            words = (unit * n + i, number * max_sweeps + sweep)
            fill_normal(seed, words[0], words[1], MOMENTUM, noise, 0)
            rate = 0.0
            if moves == HMC:
                turn = uniform(seed, words[0], words[1], LENGTH, 0)
                angle, step_size = (0.8 + 0.4 * turn) * _QUARTER_TURN, np.exp(scalars[LOG_STEP])
                leaps = min(int(angle / step_size) + 1, _MAX_LEAPS)
                step_size = min(step_size, angle / leaps)
                energy = _swing(
                    logp_grad, data, data32, index, work, q[i], grad[i], root, noise, space,
                    leaps, step_size,
                )  # fmt: skip
                control[GRADIENTS] += leaps
                rate = np.exp(min(0.0, energy - prior[i] - beta * lik[i]))
            else:
                shift = _propose(moves, q[i], mean, root, noise, space, np.exp(scalars[LOG_STEP]))
                logp = logp_grad(space[_NEW_Q], space[_NEW_GRAD], data, data32, index, work)
                control[GRADIENTS] += 1
                rate = np.exp(min(0.0, logp + shift - prior[i] - beta * lik[i]))
            if not (rate >= 0.0 and np.isfinite(space[_NEW_GRAD, dim])):
                rate = 0.0
            accepted += rate / n
            if uniform(seed, words[0], words[1], ACCEPT, 0) < rate:
                logp = space[_FORCE, dim] if moves == HMC else logp
                for k in range(dim + 1):
                    q[i, k], grad[i, k] = space[_NEW_Q, k], space[_NEW_GRAD, k]
                lik[i] = grad[i, dim]
                prior[i] = logp - beta * lik[i]
        sweeps += 1
        if moves == HMC:
            scalars[LOG_STEP] += accepted - _SWING_TARGET
        elif moves == WALK:
            scalars[LOG_STEP] += 2.0 * (accepted - _WALK_TARGET)
        scalars[LOG_STEP] = min(scalars[LOG_STEP], _MAX_LOG_STEP)
        for i in range(n):
            now[i, 0] = lik[i]
        # Other swings than a quarter turn leave a particle about as far from the mode as it was,
        # and it is that which the next weights hang on.
        left[sweep] = max(_correlation(begun, q, dim), _correlation(was, now, 1))
        if sweeps >= foreseen and left[sweep] < enough:
            break
        if sweep >= _SPAN and left[sweep] > _IDLE * left[sweep - _SPAN]:
            break  # what is left is the mode that a particle is in, which moves do not change
    scalars[FORGETTING] = min(max(left[sweeps - 1], 1e-3) ** (1.0 / sweeps), 0.999)
    row[0], row[2], row[3] = beta, accepted, sweeps
    row[4], row[5] = np.exp(scalars[LOG_STEP]), scalars[LOG_EVIDENCE]
    return True


@device
def _swing(  # type: ignore[no-untyped-def]
    logp_grad, data, data32, index, work, q, grad, root, noise, space, leaps, step_size
):
    """Leapfrog from a particle; return the log-density there minus the kinetic energy gained.

    The new point and its gradient are left in `space`, its log-density in the last place of
    ``space[_FORCE]``.
    """
    dim = q.size - 1
    kinetic, logp = 0.0, 0.0
    for k in range(dim):
        space[_SPEED, k] = noise[0, k]
        kinetic += 0.5 * noise[0, k] * noise[0, k]
        space[_NEW_Q, k], space[_NEW_GRAD, k] = q[k], grad[k]
    space[_NEW_Q, dim] = q[dim]
    _force(root, space, dim)
    for _ in range(leaps):
        for k in range(dim):
            space[_SPEED, k] += 0.5 * step_size * space[_FORCE, k]
            noise[1, k] = step_size * space[_SPEED, k]
        place(space[_NEW_Q, :dim], root, noise, 1)
        for k in range(dim):
            space[_NEW_Q, k] = noise[1, k]
        logp = logp_grad(space[_NEW_Q], space[_NEW_GRAD], data, data32, index, work)
        _force(root, space, dim)
        for k in range(dim):
            space[_SPEED, k] += 0.5 * step_size * space[_FORCE, k]
    space[_FORCE, dim] = logp
    for k in range(dim):
        kinetic -= 0.5 * space[_SPEED, k] * space[_SPEED, k]
    return logp + kinetic


@device
def _force(root: np.ndarray, space: np.ndarray, dim: int) -> None:
    """Multiply the gradient by the root's transpose."""
    for k in range(dim):
        if root.shape[0] == 1:
            space[_FORCE, k] = root[0, k] * space[_NEW_GRAD, k]
            continue
        total = 0.0
        for r in range(k, dim):
            total += root[r, k] * space[_NEW_GRAD, r]
        space[_FORCE, k] = total


@device
def _propose(  # type: ignore[no-untyped-def]
    moves, q, mean, root, noise, space, step_size
):
    """Write a random-walk or an independent proposal; return what it adds to the log-ratio."""
    dim = q.size - 1
    shift = 0.0
    if moves == WALK:
        for k in range(dim):
            noise[0, k] *= step_size
        place(q[:dim], root, noise, 0)
    else:
        for k in range(dim):
            shift += 0.5 * noise[0, k] * noise[0, k]
            noise[1, k] = q[k] - mean[k]
        for r in range(dim):
            if root.shape[0] == 1:
                noise[1, r] /= root[0, r]
            else:
                for c in range(r):
                    noise[1, r] -= root[r, c] * noise[1, c]
                noise[1, r] /= root[r, r]
            shift -= 0.5 * noise[1, r] * noise[1, r]
        place(mean, root, noise, 0)
    for k in range(dim):
        space[_NEW_Q, k] = noise[0, k]
    space[_NEW_Q, dim] = q[dim]
    return shift


@device
def _weights(lik: np.ndarray, step: float, weights: np.ndarray) -> float:
    """Write normalised weights exp(step lik); return the logarithm of their mean."""
    top = -np.inf
    for i in range(lik.size):
        top = max(top, lik[i])
    total = 0.0
    for i in range(lik.size):
        weights[i] = np.exp(step * (lik[i] - top)) if lik[i] > -np.inf else 0.0
        total += weights[i]
    for i in range(lik.size):
        weights[i] /= total
    return step * top + np.log(total / lik.size)


@device
def _effective(weights: np.ndarray) -> float:
    total = 0.0
    for i in range(weights.size):
        total += weights[i] * weights[i]
    return 1.0 / total


@device
def _step(lik: np.ndarray, wanted: float, most: float, weights: np.ndarray) -> float:
    """Return the largest rise of beta, `most` at most, that leaves the wanted effective number."""
    _weights(lik, most, weights)
    if _effective(weights) >= wanted:
        return most
    low, high = 0.0, most
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        _weights(lik, middle, weights)
        if _effective(weights) >= wanted:
            low = middle
        else:
            high = middle
    return high


@device
def _systematic(weights: np.ndarray, u: float) -> np.ndarray:
    """Return a parent for each particle: G. Kitagawa, JCGS 5 (1996)."""
    n = weights.size
    parents = np.empty(n, np.int64)
    place, reached = 0, weights[0]
    for i in range(n):
        while reached < (i + u) / n and place < n - 1:
            place += 1
            reached += weights[place]
        parents[i] = place
    return parents


@device
def _inherit(q: np.ndarray, grad: np.ndarray, parents: np.ndarray) -> None:
    """Put the parents in the particles' places; `grad` is used to hold them meanwhile."""
    for i in range(q.shape[0]):
        for k in range(q.shape[1]):
            grad[i, k] = q[parents[i], k]
    for i in range(q.shape[0]):
        for k in range(q.shape[1]):
            q[i, k] = grad[i, k]


@device
def _shape(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the particles' mean, and a root of their covariance, diagonal if they are few."""
    n, dim = q.shape[0], q.shape[1] - 1
    mean = np.zeros(dim)
    for i in range(n):
        for k in range(dim):
            mean[k] += q[i, k] / n
    full = n >= 4 * dim
    root = np.zeros((dim, dim) if full else (1, dim))
    spread = np.zeros((1, dim))
    for i in range(n):
        for r in range(dim):
            off = (q[i, r] - mean[r]) / n
            spread[0, r] += off * (q[i, r] - mean[r])
            if full:
                for c in range(r + 1):
                    root[r, c] += off * (q[i, c] - mean[c])
    for k in range(dim):
        spread[0, k] = np.sqrt(spread[0, k]) + 1e-300
        if full:
            root[k, k] *= 1.0 + 1e-6
    if full and cholesky(root):
        return mean, root
    return mean, spread


@device
def _correlation(before: np.ndarray, after: np.ndarray, dim: int) -> float:
    """Return the mean over coordinates of the correlation's size between two populations."""
    n, mean = before.shape[0], 0.0
    for k in range(dim):
        a, b = 0.0, 0.0
        for i in range(n):
            a += before[i, k] / n
            b += after[i, k] / n
        ab, aa, bb = 0.0, 0.0, 0.0
        for i in range(n):
            x, y = before[i, k] - a, after[i, k] - b
            ab += x * y
            aa += x * x
            bb += y * y
        mean += abs(ab) / np.sqrt(aa * bb) / dim
    return mean
