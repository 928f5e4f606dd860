"""Pathfinder: normal laws along the way to a mode, and which of them is nearest to the density.

L. Zhang, B. Carpenter, A. Gelman, A. Vehtari, Pathfinder: parallel quasi-Newton variational
inference, JMLR 23 (2022), 306. `_spread` is their algorithm 3 after J. Ch. Gilbert, C. Lemarechal,
Mathematical Programming 45 (1989), `_factor` their algorithm 4 in the form for many dimensions. It
serves few as well: columns that depend on others are left out of the basis, where the paper has a
second form.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types

from .chain import DRAWS, FINISHED, GO_ON, GRADIENTS, RUNNING, STATUS, STOP, STOPPED
from .dense import cholesky
from .group import device
from .lbfgs import CLIMBING, EVALUATIONS, GRAD, N_PAIRS, NEXT_PAIR, PAIRS, Q, ascend, dot, pair
from .lbfgs import STATUS as CLIMB
from .rng import PATHFINDER, fill_normal
from .run_cpu import LOGP_GRAD

LOOK, DRAW = PATHFINDER + np.arange(2)  # purposes of random numbers

_VECTOR, _MATRIX, _INTS = types.float64[::1], types.float64[:, ::1], types.int64[::1]
_MODEL = (_VECTOR, types.float32[::1], _INTS, _VECTOR)
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "cache": True}
_DEPENDENT = 1e-8  # share of a column's length that others do not explain
_LOG_TWO_PI = 1.8378770664093453


@cache
def walk() -> Callable[..., int]:
    """Return the compiled ``walk(...) -> steps done``; see `_walk`."""
    path = (_MATRIX, _VECTOR, _INTS, _VECTOR)
    numbers = (types.int64, types.int64, types.int64, types.float64, types.int64, types.int64)
    signature = types.int64(
        LOGP_GRAD, *_MODEL, *path, _MATRIX, _INTS, _VECTOR, *numbers, _VECTOR, _INTS
    )
    compiled: Callable[..., int] = njit(signature, **_OPTIONS)(_walk)
    return compiled


@cache
def scatter() -> Callable[..., bool]:
    """Return the compiled ``scatter(...) -> whether there is a law``; see `_scatter`."""
    law = (_MATRIX, _INTS, _VECTOR)
    signature = types.boolean(
        *(LOGP_GRAD, *_MODEL, *law, types.int64, types.int64),
        *(_VECTOR, _MATRIX, _MATRIX, _MATRIX, _VECTOR, _VECTOR),
    )
    compiled: Callable[..., bool] = njit(signature, **_OPTIONS)(_scatter)
    return compiled


def _walk(  # type: ignore[no-untyped-def]
    logp_grad,
    data,
    data32,
    index,
    work,
    path,
    reals,
    ints,
    spread,
    best_path,
    best_ints,
    best_spread,
    first,
    n,
    n_looks,
    tolerance,
    seed,
    unit,
    elbos,
    control,
):
    """Take at most `n` steps uphill and estimate the ELBO of the normal law at each place.

    Parameters
    ----------
    path, reals, ints
        The climb, see `lbfgs`.
    spread : (dim,) float64
        Diagonal of the first guess of the covariance.
    best_path, best_ints, best_spread
        The same three at the place that is best so far; ``reals[-1]`` is its ELBO.
    first, n, n_looks : int64
        Steps done, steps to do, draws per estimate.
    tolerance : float64
    seed, unit : int64
    elbos : (n,) float64
        Where the estimates are written.
    """
    control[STATUS] = RUNNING
    before = ints[EVALUATIONS]
    looks, logp, logq = np.empty((n_looks, path.shape[1])), np.empty(n_looks), np.empty(n_looks)
    mean = np.empty(path.shape[1])
    room = path.shape[0] - PAIRS
    all_basis = np.empty((room, path.shape[1]))
    for step in range(n):
        if control[STOP] != GO_ON:
            control[STATUS] = STOPPED
            return step
        if first + step > 0:
            newest = ints[NEXT_PAIR]
            ascend(logp_grad, data, data32, index, work, path, reals, ints, tolerance)
            if ints[CLIMB] != CLIMBING:
                control[STATUS] = FINISHED
                elbos[step] = -np.inf
                return step + 1
            if ints[NEXT_PAIR] != newest or ints[N_PAIRS] == 1:
                _spread(path, ints, spread)
        number, size = (first + step) * n_looks, 2 * ints[N_PAIRS]
        basis, root = all_basis[:size], np.empty((size, size))
        elbo = -np.inf
        # fmt: off
        if _look(
            logp_grad, data, data32, index, work, path, ints, spread,
            seed, unit, number, LOOK, mean, basis, root, looks, logp, logq,
        ):
            elbo = 0.0
            for draw in range(n_looks):
                elbo += (logp[draw] - logq[draw]) / n_looks
        # fmt: on
        ints[EVALUATIONS] += n_looks
        elbos[step] = elbo if elbo > -np.inf else -np.inf
        if elbo > reals[reals.size - 1]:
            reals[reals.size - 1] = elbo
            _copy(path, ints, spread, best_path, best_ints, best_spread)
        control[GRADIENTS] = ints[EVALUATIONS] - before
        control[DRAWS] += 1
    control[STATUS] = FINISHED
    return n


def _scatter(  # type: ignore[no-untyped-def]
    logp_grad,
    data,
    data32,
    index,
    work,
    path,
    ints,
    spread,
    seed,
    unit,
    mean,
    basis,
    root,
    q,
    logp,
    logq,
):
    """Draw from the law at a place; write it, the draws and both log-densities of each.

    The law has `mean` and the covariance D^1/2 (1 + basis' (root root' - 1) basis) D^1/2, with
    D = `spread`, an orthonormal basis (2 pairs, dim) and a lower triangle (2 pairs, 2 pairs).
    """
    # fmt: off
    return _look(
        logp_grad, data, data32, index, work, path, ints, spread,
        seed, unit, 0, DRAW, mean, basis, root, q, logp, logq,
    )
    # fmt: on


@device
def _copy(  # type: ignore[no-untyped-def]
    path, ints, spread, to_path, to_ints, to_spread
):
    for row in range(path.shape[0]):
        for k in range(path.shape[1]):
            to_path[row, k] = path[row, k]
    for k in range(ints.size):
        to_ints[k] = ints[k]
    for k in range(spread.size):
        to_spread[k] = spread[k]


@device
def _look(  # type: ignore[no-untyped-def]
    logp_grad,
    data,
    data32,
    index,
    work,
    path,
    ints,
    spread,
    seed,
    unit,
    number,
    purpose,
    mean,
    basis,
    root,
    q,
    logp,
    logq,
):
    """Draw as `_scatter` says; False where the law's covariance is not positive definite."""
    dim, n = path.shape[1], 2 * ints[N_PAIRS]
    if not _factor(path, ints, spread, basis, root):
        return False
    norm = dim * _LOG_TWO_PI
    for k in range(dim):
        norm += np.log(spread[k])
        mean[k] = np.sqrt(spread[k]) * path[GRAD, k]
    for j in range(n):
        norm += 2.0 * np.log(root[j, j])
    inner, outer, grad = np.empty(n), np.empty(n), np.empty(dim)
    _stretch(basis, root, mean, inner, outer, True)
    for k in range(dim):
        mean[k] = path[Q, k] + np.sqrt(spread[k]) * mean[k]
    for draw in range(q.shape[0]):
        fill_normal(seed, unit, number + draw, purpose, q, draw)
        square = 0.0
        for k in range(dim):
            square += q[draw, k] * q[draw, k]
        _stretch(basis, root, q[draw], inner, outer, False)
        for k in range(dim):
            q[draw, k] = mean[k] + np.sqrt(spread[k]) * q[draw, k]
        logp[draw] = logp_grad(q[draw], grad, data, data32, index, work)
        logq[draw] = -0.5 * (square + norm)
    return True


@device
def _stretch(
    basis: np.ndarray,
    root: np.ndarray,
    x: np.ndarray,
    inner: np.ndarray,
    outer: np.ndarray,
    twice: bool,
) -> None:
    """Multiply x by root in the span of the basis, or by root root'; leave the rest as it is."""
    n, dim = basis.shape
    for j in range(n):
        inner[j] = 0.0
        for k in range(dim):
            inner[j] += basis[j, k] * x[k]
    for j in range(n):
        outer[j] = inner[j]
        if twice:
            outer[j] = 0.0
            for i in range(j, n):
                outer[j] += root[i, j] * inner[i]
    for j in range(n):
        total = -inner[j]
        for i in range(j + 1):
            total += root[j, i] * outer[i]
        for k in range(dim):
            x[k] += total * basis[j, k]


@device
def _spread(path: np.ndarray, ints: np.ndarray, spread: np.ndarray) -> None:
    """Make the diagonal agree with the newest pair."""
    history = (path.shape[0] - PAIRS) // 2
    s = pair(ints, history, 0)
    z = s + 1
    a, c = 0.0, 0.0
    for k in range(path.shape[1]):
        a += path[z, k] * spread[k] * path[z, k]
        c += path[s, k] / spread[k] * path[s, k]
    b = dot(path, s, z)
    for k in range(path.shape[1]):
        moved, fall = path[s, k] / spread[k], path[z, k]
        spread[k] = 1.0 / (a / (b * spread[k]) + fall * fall / b - a * moved * moved / (b * c))


@device
def _factor(
    path: np.ndarray, ints: np.ndarray, spread: np.ndarray, basis: np.ndarray, root: np.ndarray
) -> bool:
    """Write the covariance as D^1/2 (1 + basis' (root root' - 1) basis) D^1/2, with D = spread.

    It is D + B G B' with B = (D Z, S); rows of `basis` are orthonormal, or 0 where a column of
    D^-1/2 B depends on those before it.
    """
    dim, n = path.shape[1], ints[N_PAIRS]
    history = (path.shape[0] - PAIRS) // 2
    rise, falls = np.zeros((n, n)), np.zeros((n, n))  # R and Z'DZ, oldest pair first
    for i in range(n):
        s = pair(ints, history, n - 1 - i)
        for k in range(dim):
            basis[i, k] = np.sqrt(spread[k]) * path[s + 1, k]
            basis[n + i, k] = path[s, k] / np.sqrt(spread[k])
        for j in range(n):
            if j >= i:
                rise[i, j] = dot(path, s, pair(ints, history, n - 1 - j) + 1)
    for i in range(n):
        for j in range(n):
            for k in range(dim):
                falls[i, j] += basis[i, k] * basis[j, k]
    inverse = _upper_inverse(rise)
    for i in range(n):
        falls[i, i] += rise[i, i]
    gain = np.zeros((2 * n, 2 * n))
    corner = _congruent(inverse, falls)
    for i in range(n):
        for j in range(n):
            gain[i, n + j] = -inverse[i, j]
            gain[n + j, i] = -inverse[i, j]
            gain[n + i, n + j] = corner[i, j]
    triangle = np.zeros((2 * n, 2 * n))  # the columns in terms of the basis
    _orthonormal(basis, triangle)
    turned = np.zeros((2 * n, 2 * n))
    for r in range(2 * n):
        for c in range(r, 2 * n):
            turned[c, r] = triangle[r, c]
    whole = _congruent(turned, gain)
    for r in range(2 * n):
        for c in range(2 * n):
            root[r, c] = whole[r, c] + (1.0 if r == c else 0.0)
    return cholesky(root)


@device
def _congruent(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a' b a."""
    n = a.shape[0]
    half, whole = np.zeros((n, n)), np.zeros((n, n))
    for r in range(n):
        for c in range(n):
            for k in range(n):
                half[r, c] += b[r, k] * a[k, c]
    for r in range(n):
        for c in range(n):
            for k in range(n):
                whole[r, c] += a[k, r] * half[k, c]
    return whole


@device
def _upper_inverse(upper: np.ndarray) -> np.ndarray:
    n = upper.shape[0]
    inverse = np.zeros((n, n))
    for c in range(n):
        inverse[c, c] = 1.0 / upper[c, c]
        for r in range(c - 1, -1, -1):
            total = 0.0
            for k in range(r + 1, c + 1):
                total += upper[r, k] * inverse[k, c]
            inverse[r, c] = -total / upper[r, r]
    return inverse


@device
def _orthonormal(basis: np.ndarray, triangle: np.ndarray) -> None:
    """Make rows orthonormal by Gram and Schmidt, twice; they were triangle' times the new ones."""
    for c in range(basis.shape[0]):
        length = np.sqrt(dot(basis, c, c))
        for _ in range(2):
            for r in range(c):
                share = dot(basis, r, c)
                triangle[r, c] += share
                for k in range(basis.shape[1]):
                    basis[c, k] -= share * basis[r, k]
        rest = np.sqrt(dot(basis, c, c))
        kept = rest > _DEPENDENT * length
        triangle[c, c] = rest if kept else 0.0
        for k in range(basis.shape[1]):
            basis[c, k] = basis[c, k] / rest if kept else 0.0
