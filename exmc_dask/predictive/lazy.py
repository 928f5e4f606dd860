"""Arrays too large to be made at once, as Dask arrays that are calculated when they are read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dask
import dask.array
import numpy as np

from exmc_dask.predictive.portions import Chunk

da: Any = dask.array  # its types are unfinished


def lazily(
    part: Callable[[Mapping[str, np.ndarray], int], np.ndarray],
    blocks: Sequence[tuple[Chunk, Mapping[str, np.ndarray]]],
    shape: tuple[int, ...],
) -> Any:
    """Make a float64 array of `shape` whose blocks are calculated one by one.

    Parameters
    ----------
    part : function (values, n) -> ndarray
        ``(n, ...)`` for the values of variables in `n` draws. With a current Dask client it runs
        on the cluster's workers.
    blocks : sequence of (Chunk, values)
        In order of rows and draws.
    shape : tuple of int
        ``(row, draw, ...)``.
    """
    rows: list[list[Any]] = [[] for _ in range(shape[0])]
    call = dask.delayed(part, pure=False)  # type: ignore[attr-defined]
    for chunk, values in blocks:
        made = call(values, chunk.n)
        rows[chunk.row].append(da.from_delayed(made, (chunk.n, *shape[2:]), np.float64))
    return da.stack([da.concatenate(row) for row in rows])
