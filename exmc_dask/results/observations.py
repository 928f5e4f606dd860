"""Log-likelihoods some observations at a time: all draws of those, and of no others in memory.

Draws come together and observations are wanted one by one. An array that is in memory is cut as
it lies; one that is read or calculated when it is used goes once through a file without a name,
draws in, observations out, as to calculate it anew for every few observations would cost more.
"""

import contextlib
import math
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from typing import IO, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from exmc_dask.errors import DataError

type Floats = NDArray[np.float64]

SAMPLE = ("chain", "draw")
AT_ONCE = 2**21  # numbers of a part of the observations that is handed out
READ = 2**25  # numbers that are read or calculated together


def parts(array: xr.DataArray) -> Iterator[Floats]:
    """Go over the observations of a log-likelihood, in order.

    Parameters
    ----------
    array : DataArray
        With the dimensions chain and draw, and others or none.

    Yields
    ------
    (chain, draw, m) float64
        All draws of the next m observations, of all dimensions laid out in rows.

    Raises
    ------
    DataError
        There is no room on disk for what does not fit into memory.
    """
    array = array.transpose(*SAMPLE, ...)
    n_chains, n_draws = array.shape[:2]
    n = math.prod(array.shape[2:])
    width = max(1, AT_ONCE // max(1, n_chains * n_draws))
    bounds = [*range(0, n, width), n]
    if array.variable._in_memory or array.size <= READ:
        values = array.to_numpy().reshape(n_chains, n_draws, n)
        yield from (values[:, :, low:stop] for low, stop in pairwise(bounds))
        return
    with _turned(array, bounds) as file:
        for low, stop in pairwise(bounds):
            yield _read(file, (n_chains, n_draws, n), low, stop)


def _turned(array: xr.DataArray, bounds: list[int]) -> IO[bytes]:
    """Return a file with observation by observation what comes draw by draw."""
    try:
        with contextlib.ExitStack() as closing:
            file = closing.enter_context(tempfile.TemporaryFile(buffering=0))
            _write(array, bounds, file)
            closing.pop_all()
            return file
    except OSError as error:
        raise DataError(
            f"the log-likelihood '{array.name}' is turned round in a file of "
            f"{array.nbytes / 1e9:.1g} GB in {tempfile.gettempdir()}, which failed: {error}; let "
            "TMPDIR name a folder with room for it"
        ) from error


def _write(array: xr.DataArray, bounds: list[int], file: IO[bytes]) -> None:
    """Write an array in the order (part, chain, draw, observation of the part)."""
    n_chains, n_draws = array.shape[:2]
    for chain in range(n_chains):
        for first, end in pairwise(_borders(array)):
            piece = array[chain, first:end].to_numpy().reshape(end - first, -1)
            for low, stop in pairwise(bounds):
                place = n_chains * n_draws * low + (chain * n_draws + first) * (stop - low)
                file.seek(8 * place)
                _put(file, np.ascontiguousarray(piece[:, low:stop], np.float64))


def _put(file: IO[bytes], values: Floats) -> None:
    """Write all of it; a file without a buffer may take less at a time."""
    left = memoryview(values).cast("B")
    while left:
        left = left[file.write(left) :]


def _borders(array: xr.DataArray) -> list[int]:
    """Return draws between which is read, where parts that are calculated together end."""
    row, n = math.prod(array.shape[2:]), array.sizes["draw"]
    calculated: Any = dict(array.chunksizes).get("draw", (1,) * n)
    borders = [0]
    at = 0
    for size in calculated:
        if (at + size - borders[-1]) * row > READ and at > borders[-1]:
            borders.append(at)
        at += size
    return [*borders, n]


def _read(file: IO[bytes], shape: tuple[int, int, int], low: int, stop: int) -> Floats:
    n_chains, n_draws, _ = shape
    file.seek(8 * n_chains * n_draws * low)
    found = np.fromfile(file, np.float64, n_chains * n_draws * (stop - low))
    return found.reshape(n_chains, n_draws, stop - low)
