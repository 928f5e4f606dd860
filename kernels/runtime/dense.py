"""Dense metrics: Cholesky factors, eigenvectors by Jacobi, the geometric mean of two matrices.

Plain loops instead of LAPACK, so that the bits do not depend on which library is installed. It
runs a few times in a warmup, on a CPU only.
"""

import numpy as np

from .chain import FACTOR, M2_GRAD, M2_Q
from .group import device

_SWEEPS = 60  # of Jacobi's method; it needs 6 to 12


@device
def cholesky(a: np.ndarray) -> bool:
    """Replace the lower triangle of a matrix by its Cholesky factor, the upper one by zeros.

    Returns
    -------
    bool
        Whether the matrix was positive definite; if not, what is left is of no use.
    """
    for r in range(a.shape[0]):
        for c in range(r + 1):
            total = a[r, c]
            for k in range(c):
                total -= a[r, k] * a[c, k]
            if c < r:
                a[r, c] = total / a[c, c]
            elif total > 0.0 and total < np.inf:
                a[r, r] = np.sqrt(total)
            else:
                return False
        for c in range(r + 1, a.shape[0]):
            a[r, c] = 0.0
    return True


@device
def eigen(a: np.ndarray, vectors: np.ndarray) -> None:
    """Diagonalise a symmetric matrix by cyclic Jacobi rotations.

    Parameters
    ----------
    a : (d, d) float64
        Becomes diagonal: the eigenvalues.
    vectors : (d, d) float64
        Set to the eigenvectors, in rows: ``vectors.T @ diag(a) @ vectors`` is what `a` was.

    Notes
    -----
    G. H. Golub, C. F. Van Loan, Matrix Computations (4th ed.), algorithms 8.5.1 and 8.5.3; both
    triangles are kept, so that rows can be rotated where columns would be far apart in memory.
    """
    d = a.shape[0]
    for r in range(d):
        for c in range(d):
            vectors[r, c] = 1.0 if r == c else 0.0
    for _ in range(_SWEEPS):
        off, size = 0.0, 0.0
        for r in range(d):
            for c in range(d):
                size += a[r, c] * a[r, c]
                if r != c:
                    off += a[r, c] * a[r, c]
        if not off > 1e-30 * size:
            return
        for p in range(d - 1):
            for q in range(p + 1, d):
                _rotate(a, vectors, p, q)


@device
def _rotate(a: np.ndarray, vectors: np.ndarray, p: int, q: int) -> None:
    """Make ``a[p, q]`` zero."""
    if a[p, q] == 0.0:
        return
    tau = (a[q, q] - a[p, p]) / (2.0 * a[p, q])
    t = 1.0 / (abs(tau) + np.sqrt(1.0 + tau * tau))
    if tau < 0.0:
        t = -t
    c = 1.0 / np.sqrt(1.0 + t * t)
    s = t * c
    app, aqq, apq = a[p, p], a[q, q], a[p, q]
    for k in range(a.shape[0]):
        x, y = a[p, k], a[q, k]
        a[p, k] = c * x - s * y
        a[q, k] = s * x + c * y
        x, y = vectors[p, k], vectors[q, k]
        vectors[p, k] = c * x - s * y
        vectors[q, k] = s * x + c * y
    a[p, p], a[q, q] = app - t * apq, aqq + t * apq
    a[p, q], a[q, p] = 0.0, 0.0
    for k in range(a.shape[0]):
        if k not in (p, q):
            a[k, p] = a[p, k]
            a[k, q] = a[q, k]


@device
def stan_factor(spread: np.ndarray, n: int) -> None:
    """Set `factor` from the shrunk covariance of draws, as Stan's covar_adaptation does.

    The covariance is n / (n + 5) * sample covariance + 1e-3 * 5 / (n + 5) * identity. The factor
    stays as it is when that is not positive definite.
    """
    d = spread.shape[1]
    cov = np.zeros((d, d))
    weight = n / (n + 5.0)
    for r in range(d):
        for c in range(r + 1):
            cov[r, c] = weight * spread[M2_Q, r, c] / (n - 1.0)
        cov[r, r] += 1e-3 * (1.0 - weight)
    if cholesky(cov):
        _set_factor(spread, cov)


@device
def fisher_factor(spread: np.ndarray, n: int) -> None:
    """Set `factor` from the geometric mean of draw covariance A and inverse score covariance B^-1.

    Coordinates are scaled first, by the diagonal rule, so that A and B have one diagonal D; then
    D counts in each for (dim / n)^2 draws. That is next to nothing once n > dim, where the mean
    needs no help: for a normal posterior it then is the covariance, whatever the draws. The factor
    stays as it is when a matrix is not positive definite.

    Notes
    -----
    S = A # B^-1 solves S B S = A. With B = R R' and R'A R = U' L U it is Y Y' with
    Y = R'^-1 U' L^(1/4): A. Seyboldt, E. Carlson, B. Carpenter, arXiv:2603.18845, with Cholesky
    factors in place of matrix square roots and a full in place of a low-rank basis.
    """
    d = spread.shape[1]
    scale = np.empty(d)
    for r in range(d):
        scale[r] = (spread[M2_Q, r, r] / spread[M2_GRAD, r, r]) ** 0.25
    a, root = np.empty((d, d)), np.empty((d, d))
    weight = 1.0 / (n + (d / n) ** 2)
    for r in range(d):
        for c in range(r + 1):
            shrink = weight if c < r else 1.0 / n
            a[r, c] = shrink * spread[M2_Q, r, c] / (scale[r] * scale[c])
            a[c, r] = a[r, c]
            root[r, c] = shrink * spread[M2_GRAD, r, c] * (scale[r] * scale[c])
    if not cholesky(root):
        return
    mean = geometric_mean(a, root)
    for r in range(d):
        for c in range(r + 1):
            mean[r, c] *= scale[r] * scale[c]
    if cholesky(mean):
        _set_factor(spread, mean)


@device
def geometric_mean(a: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return A # (R R')^-1 for a lower triangular R."""
    d = a.shape[0]
    half, inner, vectors = np.empty((d, d)), np.empty((d, d)), np.empty((d, d))
    for r in range(d):  # half = (A R)', inner = R'A R
        for c in range(d):
            total = 0.0
            for k in range(r, d):
                total += root[k, r] * a[k, c]
            half[r, c] = total
    for r in range(d):
        for c in range(r + 1):
            total = 0.0
            for k in range(c, d):
                total += half[r, k] * root[k, c]
            inner[r, c] = total
            inner[c, r] = total
    eigen(inner, vectors)
    for e in range(d):  # rows of `vectors` become rows of Y': solve R'y = u L^(1/4)
        weight = np.sqrt(np.sqrt(max(inner[e, e], 0.0)))
        for r in range(d - 1, -1, -1):
            total = weight * vectors[e, r]
            for k in range(r + 1, d):
                total -= root[k, r] * vectors[e, k]
            vectors[e, r] = total / root[r, r]
    for r in range(d):
        for c in range(r + 1):
            total = 0.0
            for e in range(d):
                total += vectors[e, r] * vectors[e, c]
            half[r, c] = total
            half[c, r] = total
    return half


@device
def _set_factor(spread: np.ndarray, lower: np.ndarray) -> None:
    for r in range(lower.shape[0]):
        for c in range(lower.shape[0]):
            spread[FACTOR, r, c] = lower[r, c]
