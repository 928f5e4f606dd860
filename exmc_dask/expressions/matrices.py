"""Matrix operations in NumPy: products, factors and triangles, the large ones in little memory."""

from collections.abc import Iterator

import numpy as np

TALL = 16384  # rows of a matrix that are multiplied together

_SMALL = 2**17  # numbers that `numpy.linalg.qr` is given at once
_ROWS, _PANEL = 128, 8  # of a larger one: no product in between is worth a thread to OpenBLAS

Array = np.ndarray


def product(left: Array, right: Array) -> Array:
    """Multiply matrices; a left one that is kept in float32 is widened in stretches of rows."""
    right = right.astype(float, copy=False)
    tiles = [left] if left.dtype == np.float64 else stretches(left, TALL)
    parts = [np.matmul(tile.astype(float, copy=False), right) for tile in tiles]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-2)


def stretches(matrix: Array, rows: int) -> Iterator[Array]:
    """Return views of a matrix, so many rows each; one of none where there are none."""
    return (matrix[..., i : i + rows, :] for i in range(0, max(1, matrix.shape[-2]), rows))


def cholesky(x: Array) -> Array:
    """Factor each matrix; one that is not positive definite has a factor of NaN."""
    factors = [_factor(matrix) for matrix in x.reshape(-1, *x.shape[-2:]).astype(float)]
    return np.array(factors).reshape(x.shape)


def _factor(matrix: Array) -> Array:
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.nan)


def solve_lower(lower: Array, b: Array, *, transposed: bool) -> Array:
    """Solve with lower triangles or their transposes by substitution, row by row."""
    x = np.zeros_like(b)
    rows = range(b.shape[-2])
    for i in reversed(rows) if transposed else rows:
        others = slice(i + 1, None) if transposed else slice(0, i)
        row = lower[..., others, i] if transposed else lower[..., i, others]
        known = np.matmul(row[..., None, :], x[..., others, :])[..., 0, :]
        x[..., i, :] = (b[..., i, :] - known) / lower[..., i, i, None]
    return x


def triangle(*blocks: Array) -> Array:
    """Return R of the QR factors of blocks side by side, its diagonal made positive.

    A large matrix goes stretch by stretch, each below the triangle of those before: Demmel et al.
    (2012), "Communication-optimal parallel and sequential QR and LU", section 2. Stretches stay in
    the cache, and are so small that OpenBLAS does not share them among threads, which on a busy
    machine wait for each other for longer than they work.
    """
    rows, columns = len(blocks[0]), sum(block.shape[1] for block in blocks)
    found = np.zeros((columns, columns), order="F")
    if rows * columns <= _SMALL:
        whole = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        some = np.linalg.qr(whole.astype(np.float64, copy=False), mode="r")
        found[: len(some)] = some
    else:
        from scipy.linalg.lapack import dtpqrt  # slow to import

        below = np.empty((_ROWS, columns), order="F")
        for tiles in zip(*(stretches(block, _ROWS) for block in blocks), strict=True):
            part = below[: len(tiles[0])]
            np.concatenate(tiles, axis=1, out=part)
            found = dtpqrt(0, min(_PANEL, columns), found, part, overwrite_a=1, overwrite_b=1)[0]
    return found * np.where(np.diagonal(found) < 0.0, -1.0, 1.0)[:, None]
