"""The metric of low rank, in plain formulas: what the kernel's loops are held to.

The inverse mass matrix is F F', F = diag(s) (1 + U diag(stretch) U') with orthonormal columns of
U. For draws X and scores G (gradients of the log-density) of a normal law, the geometric mean of
the covariance of X and the inverse covariance of G is the law's covariance, whatever X is [1]_.

References
----------
.. [1] A. Seyboldt, E. Carlson, B. Carpenter (2026), arXiv:2603.18845.
"""

import math

import numpy as np
import numpy.typing as npt

F8 = npt.NDArray[np.float64]
MAX_RANK = 10


def stride(dim: int, tune: int) -> int:
    """Return which draws are kept, every n-th, so that a draw and a score each fit into 64 MiB."""
    return 1 + 16 * dim * tune // 2**26


def root(factor: F8, stretch: F8, directions: F8) -> F8:
    """Return F, (dim, dim), from the fields of a state."""
    u = directions.T
    whole = np.eye(len(factor)) + u @ np.diag(stretch[: len(directions)]) @ u.T
    return np.asarray(np.diag(factor) @ whole)


def fit(history: F8, factor: F8) -> dict[str, F8]:
    """Return scales, stretches and directions for a window of draws.

    Parameters
    ----------
    history : (n, 2, dim) f8
        Draws and scores.
    factor : (dim,) f8
        Scales to begin with; they stay where a series stands still.

    Returns
    -------
    dict of str to array
        Fields of a state: factor (dim,), stretch (dim,) and directions (rank, dim), filled up
        with zeros.
    """
    n, _, dim = history.shape
    draws, scores = (history - history.mean(axis=0)).transpose(1, 2, 0)
    scale = np.array(factor)
    u, lengths = np.zeros((dim, 0)), np.zeros(0)
    few = dim <= 2 * MAX_RANK
    some = np.arange(MAX_RANK) * n // MAX_RANK
    longest, steepest = draws[:, some], scores[:, some]
    for _ in range(4):
        x, g = draws / scale[:, None], scores * scale[:, None]
        left_x, left_g = x + u * (1 / lengths - 1) @ u.T @ x, g + u * (lengths - 1) @ u.T @ g
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = left_x.var(axis=1) / left_g.var(axis=1)
        scale *= np.where((ratio > 0) & np.isfinite(ratio), ratio, 1.0) ** 0.25
        x, g = draws / scale[:, None], scores * scale[:, None]
        if not few:
            longest, steepest = orthonormal(x @ x.T @ longest, g @ g.T @ steepest)
        span = np.eye(dim) if few else np.hstack([longest, steepest])
        size = span.shape[1]
        prior = (size / n) ** 2 * np.eye(size)
        mean = geometric_mean(*(span.T @ y @ y.T @ span + prior for y in (x, g)))
        values, vectors = np.linalg.eigh(mean)
        order = np.argsort(-np.abs(np.log(values)))[:MAX_RANK]
        order = order[np.abs(np.log(values[order])) > math.log(2.0)]
        u, lengths = span @ vectors[:, order], np.sqrt(values[order])
    stretch, directions = np.zeros(dim), np.zeros((min(MAX_RANK, dim), dim))
    stretch[: len(lengths)], directions[: len(lengths)] = lengths - 1.0, u.T
    return {"factor": scale, "stretch": stretch, "directions": directions}


def orthonormal(first: F8, second: F8) -> tuple[F8, F8]:
    """Return bases of what two sets of columns span, the second without what the first has.

    Columns of which others leave less than 1e-8 are left out.
    """
    basis = np.zeros((len(first), 0))
    split = 0
    for number, column in enumerate(np.hstack([first, second]).T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > 1e-8 * np.linalg.norm(column):
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
        split = basis.shape[1] if number < first.shape[1] else split
    return basis[:, :split], basis[:, split:]


def geometric_mean(a: F8, b: F8) -> F8:
    """Return the positive definite S with S b S = a."""
    half, back = power(a, 0.5), power(a, -0.5)
    return np.asarray(half @ power(back @ np.linalg.inv(b) @ back, 0.5) @ half)


def power(matrix: F8, exponent: float) -> F8:
    """Return a power of a positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * values**exponent @ vectors.T)
