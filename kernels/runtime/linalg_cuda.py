"""Small dense linear algebra by the lanes of a chain; `linalg` has these functions for CPUs.

Arguments are the same. All functions begin and end with every lane seeing what every lane wrote.
"""

import math

import numpy as np

from .group import device, group_sum, group_sync, lane, n_lanes


@device
def times(
    X: np.ndarray, n: int, k: int, start: int, m: int, b: np.ndarray, out: np.ndarray
) -> None:
    """Write rows ``start`` to ``start + m`` of ``X @ b`` into `out`; each lane has its rows."""
    group_sync()
    i = lane()
    while i < m:
        total, place, j = 0.0, start + i, 0
        while j < k:
            total += b[j] * X[place]
            place += n
            j += 1
        out[i] = total
        i += n_lanes()
    group_sync()


@device
def transposed_times(
    X: np.ndarray, n: int, k: int, start: int, m: int, r: np.ndarray, out: np.ndarray
) -> None:
    """Add ``X[start:start + m].T @ r`` to `out`.

    Four columns at a time, so that loads overlap and an element of `r` serves all of them; where
    there are not four left, the last one is there again, and its sum is dropped.
    """
    group_sync()
    j = 0
    while j < k:
        last = k - 1
        j1, j2, j3 = min(j + 1, last), min(j + 2, last), min(j + 3, last)
        s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
        i = lane()
        row = start + i
        at, at1, at2, at3 = j * n + row, j1 * n + row, j2 * n + row, j3 * n + row
        while i < m:
            ri = r[i]
            s0 += X[at] * ri
            s1 += X[at1] * ri
            s2 += X[at2] * ri
            s3 += X[at3] * ri
            i += n_lanes()
            at += n_lanes()
            at1 += n_lanes()
            at2 += n_lanes()
            at3 += n_lanes()
        s0, s1, s2, s3 = group_sum(s0), group_sum(s1), group_sum(s2), group_sum(s3)
        if lane() == 0:
            out[j] += s0
            if j1 > j:
                out[j1] += s1
            if j2 > j1:
                out[j2] += s2
            if j3 > j2:
                out[j3] += s3
        j += 4
    group_sync()


@device
def matmul(
    a: np.ndarray,
    a_row: int,
    a_column: int,
    b: np.ndarray,
    b_row: int,
    b_column: int,
    out: np.ndarray,
    n: int,
    k: int,
    m: int,
) -> None:
    """Write the product of an (n, k) and a (k, m) matrix into `out`; each lane has its elements."""
    group_sync()
    for place in range(lane(), n * m, n_lanes()):
        i = place // m
        j = place - i * m
        total = 0.0
        for h in range(k):
            total += a[i * a_row + h * a_column] * b[h * b_row + j * b_column]
        out[place] = total
    group_sync()


@device
def cholesky(a: np.ndarray, out: np.ndarray, n: int) -> None:
    """Write the lower Cholesky factor of an (n, n) matrix into `out`, all NaN if there is none.

    Column by column: every lane finds the same diagonal element, then its own rows below it.
    """
    group_sync()
    for j in range(n):
        rest = a[j * n + j]
        for h in range(j):
            rest -= out[j * n + h] * out[j * n + h]
        if not rest > 0.0:
            group_sync()
            for place in range(lane(), n * n, n_lanes()):
                out[place] = math.nan
            group_sync()
            return
        root = math.sqrt(rest)
        for i in range(lane(), n, n_lanes()):
            if i < j:
                out[i * n + j] = 0.0
            elif i == j:
                out[i * n + j] = root
            else:
                total = a[i * n + j]
                for h in range(j):
                    total -= out[i * n + h] * out[j * n + h]
                out[i * n + j] = total / root
        group_sync()


@device
def trisolve(
    lower: np.ndarray, b: np.ndarray, out: np.ndarray, n: int, m: int, transposed: bool
) -> None:
    """Solve ``lower @ out = b``, or with ``lower.T``, for an (n, m) right side.

    Each lane has its columns; of a single column, each has its part of every product.
    """
    group_sync()
    for step in range(n):
        i = n - 1 - step if transposed else step
        begin, end = (i + 1, n) if transposed else (0, i)
        diagonal = lower[i * n + i]
        if m == 1:
            total = 0.0
            for other in range(begin + lane(), end, n_lanes()):
                factor = lower[other * n + i] if transposed else lower[i * n + other]
                total += factor * out[other]
            total = group_sum(total)
            if lane() == 0:
                out[i] = (b[i] - total) / diagonal
            group_sync()
        else:
            for j in range(lane(), m, n_lanes()):
                total = b[i * m + j]
                for other in range(begin, end):
                    factor = lower[other * n + i] if transposed else lower[i * n + other]
                    total -= factor * out[other * m + j]
                out[i * m + j] = total / diagonal
    group_sync()
