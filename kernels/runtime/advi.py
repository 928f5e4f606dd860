"""Variational inference: a normal law follows the gradient of its ELBO, by natural steps.

With q = mean + F z and e = F' grad log p(q) + z, the gradient of log p - log q along the path of z
alone, E[e] is the ELBO's gradient by the mean and E[z e'] that by F, both in units of the law
itself; a natural gradient step is then mean += rate F E[e] and F := F (1 + rate S), with the lower
triangle S of the symmetric part of E[z e'], its diagonal halved. Steps are thus the same whatever
the scales of the parameters. e vanishes where the law is the density itself, so that estimates have
no noise there: G. Roeder, Y. Wu, D. Duvenaud, Sticking the landing, NIPS 2017. For natural
gradients in these coordinates see T. Glasmachers et al., Exponential natural evolution strategies,
GECCO 2010; for rates that are halved when the ELBO stands still, M. Welandawe et al., Robust,
automated, and accurate black-box variational inference, arXiv:2203.15945; the test is ours.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types

from .chain import DRAWS, FINISHED, GO_ON, GRADIENTS, RUNNING, STATUS, STOP, STOPPED
from .cloud import log_size, place
from .group import device
from .rng import ADVI, fill_normal
from .run_cpu import LOGP_GRAD

# scalars of a fit
RATE, BEFORE, TOTAL, SQUARES = np.arange(4)
"""Step size; ELBO of the window before; sums of this window's ELBOs and of their squares."""
N_SCALARS = 4
# ints
DONE_IN_WINDOW, N_ROWS, DONE = np.arange(3)
N_INTS = 3

_VECTOR, _MATRIX, _INTS = types.float64[::1], types.float64[:, ::1], types.int64[::1]
_MODEL = (_VECTOR, types.float32[::1], _INTS, _VECTOR)
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "cache": True}
_LAST_RATE = 0.01
_SHORTEST, _MEMORIES = 50, 4.0  # of a window: iterations, and times in which a step is forgotten
_FARTHEST = 1.0  # that the mean moves in a step, in units of the law, and its logarithm
_HALF_LOG_TWO_PI = 0.9189385332046727


@cache
def iterate() -> Callable[..., int]:
    """Return the compiled ``iterate(...) -> iterations done``; see `_iterate`."""
    law = (_VECTOR, _MATRIX, _VECTOR, _MATRIX, _VECTOR, _INTS)
    numbers = (types.int64, types.int64, types.int64, types.int64, types.int64)
    signature = types.int64(LOGP_GRAD, *_MODEL, *law, *numbers, _MATRIX, _INTS)
    compiled: Callable[..., int] = njit(signature, **_OPTIONS)(_iterate)
    return compiled


def _iterate(  # type: ignore[no-untyped-def]
    logp_grad,
    data,
    data32,
    index,
    work,
    mean,
    root,
    mean_sum,
    root_sum,
    scalars,
    ints,
    first,
    n,
    n_draws,
    seed,
    unit,
    rows,
    control,
):
    """Take at most `n` steps, until the rate is at its end or something asks to stop.

    Parameters
    ----------
    mean : (dim,) float64
    root : (1, dim) or (dim, dim) float64
        The law: standard deviations, or a lower triangle; changed.
    mean_sum, root_sum
        Sums over the window. When ``ints[DONE]`` is 1 they are the averages, which are the result.
    scalars, ints
        See above.
    first, n, n_draws, seed, unit : int64
        Iterations done and to do, draws a gradient, words of the random counter.
    rows : (n, 4) float64
        Of each window that ends: iterations, mean ELBO, its standard error, rate.
    """
    dim, full = mean.size, root.shape[0] > 1
    z, grad, e = np.empty((2, dim)), np.empty(dim), np.empty(dim)
    slope, tilt = np.empty(dim), np.empty((dim if full else 1, dim))
    ints[N_ROWS] = 0
    control[STATUS] = RUNNING
    for step in range(n):
        if control[STOP] != GO_ON:
            control[STATUS] = STOPPED
            return step
        norm = log_size(root) + dim * _HALF_LOG_TWO_PI
        elbo, n_finite = 0.0, 0
        for k in range(dim):
            slope[k] = 0.0
            for r in range(tilt.shape[0]):
                tilt[r, k] = 0.0
        for draw in range(n_draws):
            fill_normal(seed, unit, (first + step) * n_draws + draw, ADVI, z, 0)
            square = 0.0
            for k in range(dim):
                z[1, k] = z[0, k]
                square += z[0, k] * z[0, k]
            place(mean, root, z, 1)
            logp = logp_grad(z[1], grad, data, data32, index, work)
            finite = _pull(root, grad, z, e) and np.isfinite(logp)
            if finite:
                elbo += logp + 0.5 * square + norm
                n_finite += 1
            for c in range(dim):
                e[c] = e[c] if finite else -z[0, c]  # away from where there is no density
                slope[c] += e[c] / n_draws
            for c in range(dim):
                if not full:
                    tilt[0, c] += z[0, c] * e[c] / n_draws
                    continue
                for r in range(c, dim):
                    tilt[r, c] += 0.5 * (z[0, r] * e[c] + z[0, c] * e[r]) / n_draws
        elbo = elbo / n_finite if n_finite else -1e300
        _move(mean, root, slope, tilt, scalars[RATE])
        _remember(mean, root, mean_sum, root_sum)
        scalars[TOTAL] += elbo
        scalars[SQUARES] += elbo * elbo
        ints[DONE_IN_WINDOW] += 1
        control[GRADIENTS] += n_draws
        control[DRAWS] += 1
        size = ints[DONE_IN_WINDOW]
        if size >= max(_SHORTEST, _MEMORIES / scalars[RATE]):
            now = scalars[TOTAL] / size
            spread = max(0.0, scalars[SQUARES] / size - now * now)
            error = np.sqrt(spread / size)
            row = ints[N_ROWS]
            rows[row, 0], rows[row, 1], rows[row, 2] = first + step + 1, now, error
            rows[row, 3] = scalars[RATE]
            ints[N_ROWS] += 1
            stands = now <= scalars[BEFORE] + max(2.0 * error, 1e-9 * abs(now))
            if stands and scalars[RATE] < _LAST_RATE:
                for k in range(dim):
                    mean_sum[k] /= size
                    for r in range(root.shape[0]):
                        root_sum[r, k] /= size
                ints[DONE] = 1
                control[STATUS] = FINISHED
                return step + 1
            if stands:
                scalars[RATE] *= 0.5
            scalars[BEFORE] = now
            scalars[TOTAL], scalars[SQUARES] = 0.0, 0.0
            ints[DONE_IN_WINDOW] = 0
            for k in range(dim):
                mean_sum[k] = 0.0
                for r in range(root.shape[0]):
                    root_sum[r, k] = 0.0
    control[STATUS] = FINISHED
    return n


@device
def _pull(root: np.ndarray, grad: np.ndarray, z: np.ndarray, e: np.ndarray) -> bool:
    """Write e = F' grad + z; return whether it is finite."""
    finite = True
    for k in range(grad.size):
        if root.shape[0] == 1:
            e[k] = root[0, k] * grad[k] + z[0, k]
        else:
            e[k] = z[0, k]
            for r in range(k, grad.size):
                e[k] += root[r, k] * grad[r]
        finite = finite and np.isfinite(e[k])
    return finite


@device
def _move(
    mean: np.ndarray, root: np.ndarray, slope: np.ndarray, tilt: np.ndarray, rate: float
) -> None:
    """Take a natural step, and where it is far to go one of bounded length."""
    dim = mean.size
    far, wide = 0.0, 0.0
    for k in range(dim):
        far += slope[k] * slope[k]
        for r in range(tilt.shape[0]):
            wide += tilt[r, k] * tilt[r, k]
    far = rate * min(1.0, _FARTHEST / (rate * np.sqrt(far) + 1e-300))
    wide = rate * min(1.0, _FARTHEST / (rate * np.sqrt(wide) + 1e-300))
    if root.shape[0] == 1:
        for k in range(dim):
            mean[k] += far * root[0, k] * slope[k]
            root[0, k] *= np.exp(0.5 * wide * tilt[0, k])
        return
    for r in range(dim - 1, -1, -1):
        for c in range(r + 1):
            mean[r] += far * root[r, c] * slope[c]
    for c in range(dim):
        for r in range(c, dim):
            tilt[r, c] = np.exp(0.5 * wide * tilt[r, c]) if r == c else wide * tilt[r, c]
    for r in range(dim):
        for c in range(r + 1):
            total = 0.0
            for k in range(c, r + 1):
                total += root[r, k] * tilt[k, c]
            root[r, c] = total


@device
def _remember(
    mean: np.ndarray, root: np.ndarray, mean_sum: np.ndarray, root_sum: np.ndarray
) -> None:
    for k in range(mean.size):
        mean_sum[k] += mean[k]
        for r in range(root.shape[0]):
            root_sum[r, k] += root[r, k]
