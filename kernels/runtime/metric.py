"""The metric in motion: leapfrog halves in whitened momenta, and running moments of draws.

With inverse mass matrix F F' the momentum p ~ N(0, (F F')^-1) is carried as v = F'p ~ N(0, 1).
Then the kinetic energy is |v|^2 / 2, the velocity (F F') p is F v, the force on v is F' grad, and
the products of momenta and velocities in U-turn checks are plain dot products: only the functions
here know the metric. ``spread`` has two axes when it is diagonal (rows of scales), three when it
is dense (lower triangles) and four, two of them of length 1, when it is of low rank (scales and
directions); numba drops the other branches at compile time.

Vectors are named by an array and the number of a row: a view of a row would be counted and
released at run time, and make most of the machine code.
"""

import numpy as np

from .chain import DIRECTIONS, FACTOR, STRETCH
from .group import device, group_sum, group_sync, lane, n_lanes, summing
from .vecmath import accumulate
from .walk import END_FORCE, END_Q, END_V, NEXT_GRAD


@device
def copy(source: np.ndarray, a: int, target: np.ndarray, b: int) -> None:
    """Copy row `a` of one array to row `b` of another."""
    for k in range(lane(), source.shape[1], n_lanes()):
        target[b, k] = source[a, k]


@device
def whiten(rows: np.ndarray, grad: int, walk: np.ndarray, force: int, spread: np.ndarray) -> None:
    """Set force = F' grad."""
    dim = walk.shape[1]
    if spread.ndim == 2:
        for k in range(lane(), dim, n_lanes()):
            walk[force, k] = spread[FACTOR, k] * rows[grad, k]
    elif spread.ndim == 4:
        for k in range(lane(), dim, n_lanes()):
            walk[force, k] = spread[FACTOR, 0, 0, k] * rows[grad, k]
        for r in range(spread.shape[0] - DIRECTIONS):
            if spread[STRETCH, 0, 0, r] == 0.0:
                break
            along = spread[STRETCH, 0, 0, r] * _along(spread, r, walk, force)
            for k in range(lane(), dim, n_lanes()):
                walk[force, k] += along * spread[DIRECTIONS + r, 0, 0, k]
    else:
        for k in range(lane(), dim, n_lanes()):
            walk[force, k] = 0.0
        for r in range(dim):  # by rows, which lie together in memory
            for k in range(lane(), r + 1, n_lanes()):
                walk[force, k] += spread[FACTOR, r, k] * rows[grad, r]


@device
def depart(walk: np.ndarray, end: int, time: float, spread: np.ndarray) -> None:
    """Make the first half of an end's leapfrog step: half a kick, and the drift by F v."""
    dim, half = walk.shape[1], 0.5 * time
    if spread.ndim == 2:
        for k in range(lane(), dim, n_lanes()):
            v = walk[end + END_V, k] + half * walk[end + END_FORCE, k]
            walk[end + END_V, k] = v
            walk[end + END_Q, k] += time * (spread[FACTOR, k] * v)
    elif spread.ndim == 4:
        for k in range(lane(), dim, n_lanes()):
            v = walk[end + END_V, k] + half * walk[end + END_FORCE, k]
            walk[end + END_V, k] = v
            walk[end + END_Q, k] += time * (spread[FACTOR, 0, 0, k] * v)
        for r in range(spread.shape[0] - DIRECTIONS):
            if spread[STRETCH, 0, 0, r] == 0.0:
                break
            along = time * spread[STRETCH, 0, 0, r] * _along(spread, r, walk, end + END_V)
            for k in range(lane(), dim, n_lanes()):
                scale = spread[FACTOR, 0, 0, k]
                walk[end + END_Q, k] += along * (scale * spread[DIRECTIONS + r, 0, 0, k])
    else:
        for k in range(lane(), dim, n_lanes()):
            walk[end + END_V, k] += half * walk[end + END_FORCE, k]
        group_sync()  # a row meets the momenta of all lanes
        for r in range(lane(), dim, n_lanes()):
            walk[end + END_Q, r] += time * _velocity(spread, r, walk, end + END_V)
    group_sync()


@device
def arrive(walk: np.ndarray, end: int, time: float, spread: np.ndarray) -> float:
    """Make the second half, half a kick by the force of NEXT_GRAD, and return |v|^2 / 2."""
    half, total = 0.5 * time, 0.0
    if spread.ndim == 2:
        for k in range(lane(), walk.shape[1], n_lanes()):
            force = spread[FACTOR, k] * walk[NEXT_GRAD, k]
            v = walk[end + END_V, k] + half * force
            walk[end + END_FORCE, k] = force
            walk[end + END_V, k] = v
            total = accumulate(total, v * v)
    else:
        whiten(walk, NEXT_GRAD, walk, end + END_FORCE, spread)
        for k in range(lane(), walk.shape[1], n_lanes()):
            v = walk[end + END_V, k] + half * walk[end + END_FORCE, k]
            walk[end + END_V, k] = v
            total = accumulate(total, v * v)
    return 0.5 * group_sum(total)


@summing
def _velocity(spread: np.ndarray, r: int, walk: np.ndarray, v: int) -> float:
    total = 0.0
    for k in range(r + 1):
        total += spread[FACTOR, r, k] * walk[v, k]
    return total


@summing
def _along(spread: np.ndarray, r: int, walk: np.ndarray, x: int) -> float:
    """Return the component of a row along a direction of the metric of low rank."""
    total = 0.0
    for k in range(lane(), walk.shape[1], n_lanes()):
        total += spread[DIRECTIONS + r, 0, 0, k] * walk[x, k]
    return group_sum(total)


@summing
def kinetic(walk: np.ndarray, v: int) -> float:
    """Return |v|^2 / 2."""
    total = 0.0
    for k in range(lane(), walk.shape[1], n_lanes()):
        total += walk[v, k] * walk[v, k]
    return 0.5 * group_sum(total)


@device
def observe(vector: np.ndarray, x: int, mean: int, spread: np.ndarray, m2: int, n: int) -> None:
    """Add row `x`, the `n`-th observation, to a running mean and sum of squared deviations.

    Welford's update; the squares are outer products when the metric is dense. nuts-rs adds d * d
    without the factor (n - 1) / n, which cancels in its ratio of two series but not in a variance.
    """
    weight = (n - 1.0) / n
    group_sync()
    if spread.ndim == 2:
        for k in range(lane(), vector.shape[1], n_lanes()):
            d = vector[x, k] - vector[mean, k]
            spread[m2, k] += weight * d * d
    else:
        for r in range(vector.shape[1]):
            d = weight * (vector[x, r] - vector[mean, r])
            for k in range(lane(), r + 1, n_lanes()):
                spread[m2, r, k] += d * (vector[x, k] - vector[mean, k])
        group_sync()
    for k in range(lane(), vector.shape[1], n_lanes()):
        vector[mean, k] += (vector[x, k] - vector[mean, k]) / n
    group_sync()


@device
def forget(vector: np.ndarray, mean: int, spread: np.ndarray, m2: int) -> None:
    """Set a running mean and its deviations to zero."""
    for k in range(lane(), vector.shape[1], n_lanes()):
        vector[mean, k] = 0.0
        if spread.ndim == 2:
            spread[m2, k] = 0.0
        else:
            for r in range(vector.shape[1]):
                spread[m2, r, k] = 0.0
    group_sync()


@device
def succeed(vector: np.ndarray, mean: int, spread: np.ndarray, m2: int, offset: int) -> None:
    """Take over mean and deviations from those `offset` rows further, which are forgotten."""
    for k in range(lane(), vector.shape[1], n_lanes()):
        vector[mean, k] = vector[mean + offset, k]
        if spread.ndim == 2:
            spread[m2, k] = spread[m2 + offset, k]
        else:
            for r in range(vector.shape[1]):
                spread[m2, r, k] = spread[m2 + offset, r, k]
    forget(vector, mean + offset, spread, m2 + offset)
