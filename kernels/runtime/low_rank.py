"""Metrics of low rank: a window of draws and gradients, and the directions that scales cannot mend.

The inverse mass matrix is F F' with F = D (1 + sum of stretch_r u_r u_r'), D diagonal, the u_r
orthonormal. It is fitted to draws and gradients of the log-density ("scores") as the dense one is:
for a normal posterior the geometric mean of draw covariance and inverse score covariance is the
posterior's covariance, whatever the draws are. A. Seyboldt, E. Carlson, B. Carpenter,
arXiv:2603.18845, section 4, have the form and the mean.

What differs from them and from nuts-rs is how the directions are found. They take the geometric
mean in the span of all draws and scores, which costs as much as a dense metric, and scale once by
the marginal standard deviations, in which the directions that are looked for already have a part.
Here a round improves both: the scales are those of what the directions found so far leave over,
and one step of the power method turns `MAX_RANK` directions towards those in which draws vary most
and as many towards those in which scores do. The geometric mean is taken in their span. Cost and
memory of a fit are linear in dim and in the draws.
"""

import math

import numpy as np

from .chain import (
    DIM,
    DIRECTIONS,
    DRAW,
    FACTOR,
    GRAD,
    HISTORY,
    MAX_RANK,
    N_BACK,
    N_FRONT,
    STRETCH,
    TUNE,
    Q,
)
from .dense import cholesky, eigen, geometric_mean
from .group import device, summing
from .metric import copy
from .vecmath import log
from .walk import DROPPED

_WINDOW_BYTES = 2**26
_ROUNDS = 4
_WORTH_IT = math.log(2.0)  # a direction's variance is to be off by this factor, up or down
_DEPENDENT = 1e-8  # part of a direction's length that others have to leave over


@device
def stride(ints: np.ndarray) -> int:
    """Return which draws are kept, every n-th, so that a warmup's fit into 64 MiB."""
    return 1 + 16 * ints[DIM] * ints[TUNE] // _WINDOW_BYTES


@device
def remember(ints: np.ndarray, vector: np.ndarray, teaches: bool) -> None:
    """Let what was dropped be overwritten, and keep the last draw if it teaches the metric."""
    n, dropped = 2 * ints[N_FRONT], 2 * ints[DROPPED]
    if dropped > 0:
        for row in range(HISTORY, HISTORY + n):
            copy(vector, row + dropped, vector, row)
        ints[DROPPED] = 0
    if teaches and ints[DRAW] % stride(ints) == 0:
        copy(vector, Q, vector, HISTORY + n)
        copy(vector, GRAD, vector, HISTORY + n + 1)
        ints[N_FRONT] += 1
        ints[N_BACK] += 1


@device
def fit(vector: np.ndarray, spread: np.ndarray, dropped: int, n: int) -> None:
    """Set scales, directions and stretches from the `n` draws of the window.

    Parameters
    ----------
    vector : (n_rows, dim) float64
        From row HISTORY on draws and gradients in turn.
    spread : (n_spreads, 1, 1, dim) float64
        Changed. A scale stays as it is where draws or scores stand still or are not finite.
    dropped : int
        Draws before those of the window.

    Notes
    -----
    The unit matrix counts in both covariances for (size of the span / n)^2 draws: next to nothing
    once there are enough of them.
    """
    dim = vector.shape[1]
    first = HISTORY + 2 * dropped
    mean = _means(vector, first, n)
    scale, stretch = np.empty(dim), np.ones(MAX_RANK)
    for k in range(dim):
        scale[k] = spread[FACTOR, 0, 0, k]
    found = np.zeros((MAX_RANK, dim))
    span = _first_span(vector, first, n, mean)
    whole, split, rank = span.shape[0] == dim, MAX_RANK, 0
    weights = np.empty((2, dim))
    for _ in range(_ROUNDS):
        _weigh(scale, weights)
        _rescale(vector, first, n, mean, weights, found, stretch, rank, scale)
        _weigh(scale, weights)
        if not whole:
            span, split = _sharpen(vector, first, n, mean, weights, span, split)
        a, b = _moments(vector, first, n, mean, weights, span)
        rank = _choose(a, b, n, span, found, stretch)
    for k in range(dim):
        spread[FACTOR, 0, 0, k] = scale[k]
        spread[STRETCH, 0, 0, k] = 0.0
        for r in range(spread.shape[0] - DIRECTIONS):
            spread[DIRECTIONS + r, 0, 0, k] = found[r, k]
    for r in range(rank):
        spread[STRETCH, 0, 0, r] = stretch[r] - 1.0


@device
def _means(vector: np.ndarray, first: int, n: int) -> np.ndarray:
    """Return the means of draws and of scores, (2, dim): of one that stands still, its value."""
    mean = np.zeros((2, vector.shape[1]))
    for row in range(2 * n):
        x = row % 2
        for k in range(vector.shape[1]):
            mean[x, k] += (vector[first + row, k] - vector[first + x, k]) / n
    for x in range(2):
        _add(1.0, vector, first + x, mean, x)
    return mean


@device
def _first_span(vector: np.ndarray, first: int, n: int, mean: np.ndarray) -> np.ndarray:
    """Return all unit vectors if they are few, else rows for `_sharpen`: draws, then scores."""
    dim = vector.shape[1]
    if dim <= 2 * MAX_RANK:
        return np.eye(dim)
    span = np.empty((2 * MAX_RANK, dim))
    for r in range(2 * MAX_RANK):
        x = r // MAX_RANK
        row = first + 2 * ((r % MAX_RANK) * n // MAX_RANK) + x
        for k in range(dim):
            span[r, k] = vector[row, k] - mean[x, k]
    return span


@device
def _weigh(scale: np.ndarray, weights: np.ndarray) -> None:
    """Set what draws and scores are multiplied by where the metric is the unit matrix."""
    for k in range(scale.size):
        weights[0, k] = 1.0 / scale[k]
        weights[1, k] = scale[k]


@device
def _read(
    vector: np.ndarray, row: int, x: int, mean: np.ndarray, weights: np.ndarray, out: np.ndarray
) -> None:
    """Set out[0] to a draw (x = 0) or a score (x = 1), centred and scaled."""
    for k in range(vector.shape[1]):
        out[0, k] = (vector[row, k] - mean[x, k]) * weights[x, k]


@device
def _rescale(
    vector: np.ndarray,
    first: int,
    n: int,
    mean: np.ndarray,
    weights: np.ndarray,
    found: np.ndarray,
    stretch: np.ndarray,
    rank: int,
    scale: np.ndarray,
) -> None:
    """Change the scales so that draws and scores vary alike once the directions are taken out."""
    dim = vector.shape[1]
    square, out = np.zeros((2, dim)), np.empty((1, dim))
    for row in range(2 * n):
        x = row % 2
        _read(vector, first + row, x, mean, weights, out)
        for r in range(rank):
            factor = stretch[r] if x == 1 else 1.0 / stretch[r]
            _add((factor - 1.0) * _dot(found, r, out, 0), found, r, out, 0)
        for k in range(dim):
            square[x, k] += out[0, k] * out[0, k]
    for k in range(dim):
        ratio = square[0, k] / square[1, k]
        if ratio > 0.0 and ratio < math.inf:
            scale[k] *= math.sqrt(math.sqrt(ratio))


@device
def _sharpen(
    vector: np.ndarray,
    first: int,
    n: int,
    mean: np.ndarray,
    weights: np.ndarray,
    span: np.ndarray,
    split: int,
) -> tuple[np.ndarray, int]:
    """Turn the first `split` directions towards the draws' longest, the others to the scores'."""
    dim = vector.shape[1]
    image, out = np.zeros(span.shape), np.empty((1, dim))
    for row in range(2 * n):
        x = row % 2
        _read(vector, first + row, x, mean, weights, out)
        for r in range(0 if x == 0 else split, split if x == 0 else span.shape[0]):
            _add(_dot(span, r, out, 0), out, 0, image, r)
    size, new_split = 0, 0
    for r in range(span.shape[0]):
        length = math.sqrt(_dot(image, r, image, r))
        for _ in range(2):  # the second time for what rounding left of the others
            for other in range(size):
                _add(-_dot(image, other, image, r), image, other, image, r)
        rest = math.sqrt(_dot(image, r, image, r))
        if rest > _DEPENDENT * length:
            for k in range(dim):
                image[size, k] = image[r, k] / rest
            size += 1
            if r < split:
                new_split = size
    return image[:size], new_split


@device
def _moments(
    vector: np.ndarray,
    first: int,
    n: int,
    mean: np.ndarray,
    weights: np.ndarray,
    span: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of products of draws' and of scores' components in the span."""
    size = span.shape[0]
    a, b = np.zeros((size, size)), np.zeros((size, size))
    part, out = np.empty(size), np.empty((1, vector.shape[1]))
    for row in range(2 * n):
        _read(vector, first + row, row % 2, mean, weights, out)
        for r in range(size):
            part[r] = _dot(span, r, out, 0)
        target = a if row % 2 == 0 else b
        for r in range(size):
            for c in range(size):
                target[r, c] += part[r] * part[c]
    return a, b


@device
def _choose(
    a: np.ndarray,
    b: np.ndarray,
    n: int,
    span: np.ndarray,
    found: np.ndarray,
    stretch: np.ndarray,
) -> int:
    """Take the directions in which the geometric mean is furthest from 1; return how many."""
    size = span.shape[0]
    for r in range(size):
        a[r, r] += (size / n) ** 2
        b[r, r] += (size / n) ** 2
    if not cholesky(b):
        return 0
    mean, vectors = geometric_mean(a, b), np.empty((size, size))
    eigen(mean, vectors)
    rank = 0
    found[:] = 0.0
    for _ in range(min(MAX_RANK, size)):
        best, distance = -1, _WORTH_IT
        for e in range(size):
            positive = mean[e, e] > 0.0 and mean[e, e] < math.inf
            if positive and math.fabs(log(mean[e, e])) > distance:
                best, distance = e, math.fabs(log(mean[e, e]))
        if best < 0:
            break
        for c in range(size):
            _add(vectors[best, c], span, c, found, rank)
        stretch[rank] = math.sqrt(mean[best, best])
        mean[best, best] = 1.0
        rank += 1
    return rank


@summing
def _dot(a: np.ndarray, r: int, b: np.ndarray, s: int) -> float:
    """Return the product of two rows."""
    total = 0.0
    for k in range(a.shape[1]):
        total += a[r, k] * b[s, k]
    return total


@device
def _add(weight: float, a: np.ndarray, r: int, b: np.ndarray, s: int) -> None:
    """Add a multiple of a row to another one."""
    for k in range(a.shape[1]):
        b[s, k] += weight * a[r, k]
