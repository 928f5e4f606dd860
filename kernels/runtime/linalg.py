"""Small dense linear algebra as plain loops: no BLAS, so bits and time do not depend on one.

Matrices are row-major stretches of flat arrays (`loops.view`). A data matrix that is multiplied
by vectors is kept column after column, so that the innermost loop of `times` and `transposed_times`
runs over consecutive rows. Data may be kept in float32; what is calculated from them is float64.
"""

import numpy as np
from numba import njit

from .loops import view
from .vecmath import FAST, accumulate

BLOCK = 512
_KEPT = ("f8", "f4")
_OPTIONS = {"cache": True, "error_model": "numpy", "fastmath": FAST, "nogil": True}


@njit([f"void({x}[::1], i8, i8, i8, i8, f8[::1], f8[::1])" for x in _KEPT], **_OPTIONS)
def times(X, n, k, start, m, b, out):  # type: ignore[no-untyped-def]
    """Write rows ``start`` to ``start + m`` of ``X @ b`` into `out`.

    Parameters
    ----------
    X : (k * n,) float64 or float32
        Matrix of `n` rows and `k` columns, column after column.
    b : (k,) float64
    out : (m,) float64
    """
    for i in range(m):
        out[i] = 0.0
    eights, quads = k // 8 * 8, k // 4 * 4
    for j in range(0, eights, 8):  # `out` is read and written once for eight columns
        b0, b1, b2, b3 = b[j], b[j + 1], b[j + 2], b[j + 3]
        b4, b5, b6, b7 = b[j + 4], b[j + 5], b[j + 6], b[j + 7]
        x0, x1 = view(X, j * n + start), view(X, (j + 1) * n + start)
        x2, x3 = view(X, (j + 2) * n + start), view(X, (j + 3) * n + start)
        x4, x5 = view(X, (j + 4) * n + start), view(X, (j + 5) * n + start)
        x6, x7 = view(X, (j + 6) * n + start), view(X, (j + 7) * n + start)
        for i in range(m):
            total = out[i] + (b0 * x0[i] + b1 * x1[i]) + (b2 * x2[i] + b3 * x3[i])
            out[i] = total + (b4 * x4[i] + b5 * x5[i]) + (b6 * x6[i] + b7 * x7[i])
    for j in range(eights, quads, 4):
        b0, b1, b2, b3 = b[j], b[j + 1], b[j + 2], b[j + 3]
        x0, x1 = view(X, j * n + start), view(X, (j + 1) * n + start)
        x2, x3 = view(X, (j + 2) * n + start), view(X, (j + 3) * n + start)
        for i in range(m):
            out[i] = out[i] + (b0 * x0[i] + b1 * x1[i]) + (b2 * x2[i] + b3 * x3[i])
    for j in range(quads, k):
        b0 = b[j]
        x0 = view(X, j * n + start)
        for i in range(m):
            out[i] += b0 * x0[i]


@njit([f"void({x}[::1], i8, i8, i8, i8, f8[::1], f8[::1])" for x in _KEPT], **_OPTIONS)
def transposed_times(X, n, k, start, m, r, out):  # type: ignore[no-untyped-def]
    """Add ``X[start:start + m].T @ r`` to `out`; parameters as in `times`, `r` has `m` elements."""
    quads = k // 4 * 4
    for j in range(0, quads, 4):
        x0, x1 = view(X, j * n + start), view(X, (j + 1) * n + start)
        x2, x3 = view(X, (j + 2) * n + start), view(X, (j + 3) * n + start)
        s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
        for i in range(m):
            s0 = accumulate(s0, x0[i] * r[i])
            s1 = accumulate(s1, x1[i] * r[i])
            s2 = accumulate(s2, x2[i] * r[i])
            s3 = accumulate(s3, x3[i] * r[i])
        out[j] += s0
        out[j + 1] += s1
        out[j + 2] += s2
        out[j + 3] += s3
    for j in range(quads, k):
        x0 = view(X, j * n + start)
        s0 = 0.0
        for i in range(m):
            s0 = accumulate(s0, x0[i] * r[i])
        out[j] += s0


@njit(
    [
        f"void({a}[::1], i8, i8, {b}[::1], i8, i8, f8[::1], i8, i8, i8)"
        for a, b in (("f8", "f8"), ("f4", "f8"), ("f8", "f4"))
    ],
    **_OPTIONS,
)
def matmul(a, a_row, a_column, b, b_row, b_column, out, n, k, m):  # type: ignore[no-untyped-def]
    """Write the product of an (n, k) and a (k, m) matrix into `out`.

    ``a_row`` is the distance of two rows of `a` in its memory, ``a_column`` that of two columns,
    so that a transposed matrix need not be copied. The innermost loop runs along the rows of `b`
    where they are contiguous, along its columns otherwise, and over at most `BLOCK` elements, which
    stay in the first-level cache.
    """
    if b_column == 1:
        for start in range(0, m, BLOCK):
            size = min(BLOCK, m - start)
            for i in range(n):
                row = view(out, i * m + start)
                for j in range(size):
                    row[j] = 0.0
                left = view(a, i * a_row)
                quads = k // 4 * 4
                for h in range(0, quads, 4):  # `row` is read and written once for four rows of `b`
                    f0, f1 = left[h * a_column], left[(h + 1) * a_column]
                    f2, f3 = left[(h + 2) * a_column], left[(h + 3) * a_column]
                    b0 = view(b, h * b_row + start)
                    b1 = view(b, (h + 1) * b_row + start)
                    b2 = view(b, (h + 2) * b_row + start)
                    b3 = view(b, (h + 3) * b_row + start)
                    for j in range(size):
                        row[j] = row[j] + (f0 * b0[j] + f1 * b1[j]) + (f2 * b2[j] + f3 * b3[j])
                for h in range(quads, k):
                    factor = left[h * a_column]
                    other = view(b, h * b_row + start)
                    for j in range(size):
                        row[j] += factor * other[j]
        return
    for place in range(n * m):
        out[place] = 0.0
    for start in range(0, k, BLOCK):
        size = min(BLOCK, k - start)
        for i in range(n):
            left = view(a, i * a_row + start * a_column)
            for j in range(m):
                right = view(b, start * b_row + j * b_column)
                s = 0.0
                if a_column == 1 and b_row == 1:
                    for h in range(size):
                        s = accumulate(s, left[h] * right[h])
                else:
                    for h in range(size):
                        s = accumulate(s, left[h * a_column] * right[h * b_row])
                out[i * m + j] += s


@njit("void(f8[::1], f8[::1], i8)", **_OPTIONS)
def cholesky(a, out, n):  # type: ignore[no-untyped-def]
    """Write the lower Cholesky factor of an (n, n) matrix into `out`, all NaN if there is none."""
    for i in range(n):
        row = view(out, i * n)
        for j in range(i + 1):
            other = view(out, j * n)
            s = 0.0
            for h in range(j):
                s = accumulate(s, row[h] * other[h])
            rest = a[i * n + j] - s
            if i == j and not rest > 0.0:
                for place in range(n * n):
                    out[place] = np.nan
                return
            row[j] = rest**0.5 if i == j else rest / other[j]
        for j in range(i + 1, n):
            row[j] = 0.0


@njit("void(f8[::1], f8[::1], f8[::1], i8, i8, b1)", **_OPTIONS)
def trisolve(lower, b, out, n, m, transposed):  # type: ignore[no-untyped-def]
    """Solve ``lower @ out = b``, or with ``lower.T``, for an (n, m) right side."""
    down, along = (n, 1) if transposed else (1, n)  # distances of unknowns and of equations
    for step in range(n):
        i = n - 1 - step if transposed else step
        first = i + 1 if transposed else 0  # of the unknowns that are known
        row = view(out, i * m)
        right, factors = view(b, i * m), view(lower, i * along)
        for j in range(m):
            row[j] = right[j]
        quads = first + step // 4 * 4
        for h in range(first, quads, 4):
            f0, f1 = factors[h * down], factors[(h + 1) * down]
            f2, f3 = factors[(h + 2) * down], factors[(h + 3) * down]
            x0, x1 = view(out, h * m), view(out, (h + 1) * m)
            x2, x3 = view(out, (h + 2) * m), view(out, (h + 3) * m)
            for j in range(m):
                row[j] = row[j] - (f0 * x0[j] + f1 * x1[j]) - (f2 * x2[j] + f3 * x3[j])
        for h in range(quads, first + step):
            factor, known = factors[h * down], view(out, h * m)
            for j in range(m):
                row[j] -= factor * known[j]
        diagonal = lower[i * n + i]
        for j in range(m):
            row[j] /= diagonal
