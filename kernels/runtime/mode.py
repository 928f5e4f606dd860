"""The mode of a density and its curvature there, with a model behind a pointer."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types

from .chain import DRAWS, FINISHED, GO_ON, GRADIENTS, RUNNING, STATUS, STOP, STOP_NOW, STOPPED
from .dense import cholesky
from .group import device
from .lbfgs import (
    CLIMBING,
    EVALUATIONS,
    GRAD,
    LOGP,
    MOVE,
    NEXT_GRAD,
    NEXT_Q,
    Q,
    ascend,
    dot,
    inverse_times,
)
from .lbfgs import STATUS as CLIMB
from .run_cpu import LOGP_GRAD

_VECTOR, _MATRIX, _INTS = types.float64[::1], types.float64[:, ::1], types.int64[::1]
_MODEL = (_VECTOR, types.float32[::1], _INTS, _VECTOR)
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "cache": True}
_STRIDE = 1e-2  # between points whose gradients are compared, in standard deviations
_REFINEMENTS = 4


@cache
def climb() -> Callable[..., int]:
    """Return the compiled ``climb(..., n, tolerance, control) -> steps done``; see `_climb`."""
    path = (_MATRIX, _VECTOR, _INTS)
    signature = types.int64(LOGP_GRAD, *_MODEL, *path, types.int64, types.float64, _INTS)
    compiled: Callable[..., int] = njit(signature, **_OPTIONS)(_climb)
    return compiled


@cache
def curvature() -> Callable[..., bool]:
    """Return the compiled ``curvature(...) -> whether it is a maximum``; see `_curvature`."""
    path = (_MATRIX, _VECTOR, _INTS)
    signature = types.boolean(LOGP_GRAD, *_MODEL, *path, _MATRIX, _MATRIX, _INTS)
    compiled: Callable[..., bool] = njit(signature, **_OPTIONS)(_curvature)
    return compiled


def _climb(logp_grad, data, data32, index, work, path, reals, ints, n, tolerance, control):  # type: ignore[no-untyped-def]
    """Take at most `n` steps uphill, until at the peak, stuck, or asked to stop."""
    control[STATUS] = RUNNING
    before = ints[EVALUATIONS]
    for step in range(n):
        if control[STOP] != GO_ON:
            control[STATUS] = STOPPED
            return step
        ascend(logp_grad, data, data32, index, work, path, reals, ints, tolerance)
        control[GRADIENTS] = ints[EVALUATIONS] - before
        control[DRAWS] += 1
        if ints[CLIMB] != CLIMBING:
            break
    control[STATUS] = FINISHED
    return control[DRAWS]


def _curvature(logp_grad, data, data32, index, work, path, reals, ints, hessian, root, control):  # type: ignore[no-untyped-def]
    """Write the negative Hessian at the top of a climb and its Cholesky factor; refine the top.

    Each column is a difference of fourth order of four gradients, a hundredth and two hundredths of
    a standard deviation away: first as the climb's pairs estimate it, and where the column says
    that it is another, by that. With the factor Newton's method takes out what the climb left of
    the way to the peak.
    """
    dim = path.shape[1]
    for c in range(dim):
        for k in range(dim):
            path[MOVE, k] = 1.0 if k == c else 0.0
        inverse_times(path, ints, MOVE)
        stride = _STRIDE * np.sqrt(path[MOVE, c]) if path[MOVE, c] > 0.0 else _STRIDE
        for _ in range(3):
            if control[STOP] == STOP_NOW:
                return False
            _column(logp_grad, data, data32, index, work, path, c, stride, hessian)
            control[GRADIENTS] += 4
            better = _STRIDE / np.sqrt(hessian[c, c]) if hessian[c, c] > 0.0 else stride
            if 0.2 < better / stride < 5.0:
                break
            stride = better
    for r in range(dim):
        for c in range(r + 1):
            hessian[r, c] = 0.5 * (hessian[r, c] + hessian[c, r])
            hessian[c, r] = hessian[r, c]
            root[r, c] = hessian[r, c]
    if not cholesky(root):
        return False
    rise = _newton(path, root)
    for _ in range(_REFINEMENTS):
        for k in range(dim):
            path[NEXT_Q, k] = path[Q, k] + path[MOVE, k]
        logp = logp_grad(path[NEXT_Q], path[NEXT_GRAD], data, data32, index, work)
        control[GRADIENTS] += 1
        _swap(path)
        left = _newton(path, root)
        if not left < rise:
            _swap(path)  # no better than before
            break
        reals[LOGP], rise = logp, left
    return True


@device
def _column(logp_grad, data, data32, index, work, path, c, stride, hessian):  # type: ignore[no-untyped-def]
    """Write the derivative of the negative gradient along one coordinate."""
    for k in range(path.shape[1]):
        path[NEXT_Q, k] = path[Q, k]
        hessian[c, k] = 0.0
    for place in range(4):
        steps = place - 2 if place < 2 else place - 1
        weight = (8.0 if abs(steps) == 1 else -1.0) * (1.0 if steps < 0 else -1.0)
        path[NEXT_Q, c] = path[Q, c] + steps * stride
        logp_grad(path[NEXT_Q], path[NEXT_GRAD], data, data32, index, work)
        for k in range(path.shape[1]):
            hessian[c, k] += weight * path[NEXT_GRAD, k] / (12.0 * stride)


@device
def _newton(path: np.ndarray, root: np.ndarray) -> float:
    """Write Newton's move; return twice the rise it promises."""
    dim = path.shape[1]
    for r in range(dim):
        total = path[GRAD, r]
        for c in range(r):
            total -= root[r, c] * path[MOVE, c]
        path[MOVE, r] = total / root[r, r]
    for r in range(dim - 1, -1, -1):
        total = path[MOVE, r]
        for c in range(r + 1, dim):
            total -= root[c, r] * path[MOVE, c]
        path[MOVE, r] = total / root[r, r]
    return dot(path, GRAD, MOVE)


@device
def _swap(path: np.ndarray) -> None:
    """Exchange the point and the one that was tried, with their gradients."""
    for k in range(path.shape[1]):
        path[Q, k], path[NEXT_Q, k] = path[NEXT_Q, k], path[Q, k]
        path[GRAD, k], path[NEXT_GRAD, k] = path[NEXT_GRAD, k], path[GRAD, k]
