"""Tiles of data matrices in the memory that the threads of a block share, on a GPU.

Without them each chain reads every row of a large matrix from far away by itself. With them a tile
comes from there once for all chains of a block, and they go on to the next one together.
"""

import numpy as np

from .blocks import block_sync, n_threads, thread
from .group import device

LINE = 32  # neighbouring threads, which read neighbouring rows of a column


@device
def fetch(X: np.ndarray, n: int, k: int, start: int, m: int, tile: np.ndarray, pitch: int) -> None:
    """Copy rows ``start`` to ``start + m`` of a matrix into a tile of the block.

    All threads of the block come here together. Four columns are read before the first of them is
    written, as a write would hold up the reads behind it.

    Parameters
    ----------
    X : (k * n,) float64 or float32
        Matrix of `n` rows and `k` columns, column after column.
    tile : (k * pitch,) of the same dtype
        Columns of the tile, each with room for `pitch` rows.
    """
    block_sync()  # until nobody reads any more what is there
    lines = n_threads() // LINE
    first = thread() // LINE
    for i in range(thread() % LINE, m, LINE):
        for j in range(first, k, 4 * lines):
            j1, j2, j3 = j + lines, j + 2 * lines, j + 3 * lines
            x0 = X[j * n + start + i]
            x1 = X[min(j1, k - 1) * n + start + i]
            x2 = X[min(j2, k - 1) * n + start + i]
            x3 = X[min(j3, k - 1) * n + start + i]
            tile[j * pitch + i] = x0
            if j1 < k:
                tile[j1 * pitch + i] = x1
            if j2 < k:
                tile[j2 * pitch + i] = x2
            if j3 < k:
                tile[j3 * pitch + i] = x3
    block_sync()  # until all of it is there
