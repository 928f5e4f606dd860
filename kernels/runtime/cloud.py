"""Clouds of points: draws from a normal law, and what a model makes of rows of positions."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types

from .group import device
from .rng import fill_normal
from .run_cpu import EXPAND, LOGP_GRAD

_VECTOR, _MATRIX, _INTS = types.float64[::1], types.float64[:, ::1], types.int64[::1]
_MODEL = (_VECTOR, types.float32[::1], _INTS, _VECTOR)
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "cache": True}
_LOG_TWO_PI = 1.8378770664093453


@cache
def scatter() -> Callable[..., None]:
    """Return the compiled ``scatter(...)``; see `_scatter`."""
    numbers = (types.int64, types.int64, types.int64)
    signature = types.void(
        LOGP_GRAD, *_MODEL, _VECTOR, _MATRIX, *numbers, _MATRIX, _VECTOR, _VECTOR
    )
    compiled: Callable[..., None] = njit(signature, **_OPTIONS)(_scatter)
    return compiled


@cache
def unfold() -> Callable[..., None]:
    """Return the compiled ``unfold(expand, ..., q, values)``: values of each row of `q`."""
    signature = types.void(EXPAND, *_MODEL, _MATRIX, _MATRIX)
    compiled: Callable[..., None] = njit(signature, **_OPTIONS)(_unfold)
    return compiled


def _scatter(  # type: ignore[no-untyped-def]
    logp_grad, data, data32, index, work, mean, root, seed, unit, purpose, q, logp, logq
):
    """Draw from Normal(mean, root root') and write both log-densities of each draw.

    Parameters
    ----------
    mean : (dim,) float64
    root : (1, dim) or (dim, dim) float64
        Standard deviations, or a lower triangle.
    seed, unit, purpose : int64
        Words of the random counter; the third is the number of the draw.
    q : (n, dim) float64
        Where the draws are written.
    logp, logq : (n,) float64
        Log-densities of the model, as it is normalised, and of the normal law.
    """
    grad = np.empty(mean.size)
    norm = 0.5 * mean.size * _LOG_TWO_PI + log_size(root)
    for draw in range(q.shape[0]):
        fill_normal(seed, unit, draw, purpose, q, draw)
        square = 0.0
        for k in range(mean.size):
            square += q[draw, k] * q[draw, k]
        place(mean, root, q, draw)
        logp[draw] = logp_grad(q[draw], grad, data, data32, index, work)
        logq[draw] = -0.5 * square - norm


def _unfold(expand, data, data32, index, work, q, values):  # type: ignore[no-untyped-def]
    for draw in range(q.shape[0]):
        expand(q[draw], values[draw], data, data32, index, work)


@device
def log_size(root: np.ndarray) -> float:
    """Return the log-determinant of a root."""
    total = 0.0
    for k in range(root.shape[1]):
        total += np.log(abs(root[k, k] if root.shape[0] > 1 else root[0, k]))
    return total


@device
def place(mean: np.ndarray, root: np.ndarray, rows: np.ndarray, row: int) -> None:
    """Turn a row z into mean + root z."""
    if root.shape[0] == 1:
        for k in range(mean.size):
            rows[row, k] = mean[k] + root[0, k] * rows[row, k]
        return
    for r in range(mean.size - 1, -1, -1):
        total = mean[r]
        for c in range(r + 1):
            total += root[r, c] * rows[row, c]
        rows[row, r] = total
