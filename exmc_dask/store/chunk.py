"""Chunks: a part of an array as bytes and back, and the array's zarr metadata.

This is zarr format 3 with the codecs "bytes" and "zstd", as its core specification has them
(https://zarr-specs.readthedocs.io/en/latest/v3/core/v3.0.html), written here because a chunk must
come into its place at once or not at all, with an error of ours where it is damaged. The frames of
zstd carry a checksum of what was compressed.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.store.layout import Array, Layout, Span
from exmc_dask.store.rows import Rows

# Levels of zstd by kind of number: random floats shrink by 4 % at most, and level 1 takes four
# times as long over that as -1 over nothing; counts and flags shrink by nine tenths.
_LEVELS = {"f": -1, "i": 1, "b": 1}


def metadata(array: Array, layout: Layout, n_rows: int) -> dict[str, Any]:
    """Return what ``zarr.json`` of an array says.

    Parameters
    ----------
    array : Array
    layout : Layout
    n_rows : int
        Length of the axis "draw".
    """
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [layout.chains, n_rows, *array.shape],
        "data_type": array.dtype,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": list(_chunk_shape(array, layout))},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": {"f": "NaN", "b": False}.get(np.dtype(array.dtype).kind, 0),
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": _level(array), "checksum": True}},
        ],
        "attributes": {},
        "dimension_names": ["chain", "draw", *array.dims],
        "storage_transformers": [],
    }


def key(array: Array, chain: int, span: Span) -> str:
    """Return the name of a chunk."""
    return "/".join([array.path, "c", str(chain), str(span.index), *("0" for _ in array.shape)])


def raw(array: Array, layout: Layout, span: Span, rows: Rows) -> bytes:
    """Return a chunk of rows before compression; places without one hold the fill value."""
    part = rows.cut(span.first, span.stop)
    column = getattr(part, array.source).reshape(len(part), -1)
    own = column[:, array.column : array.column + math.prod(array.shape)]
    return fill(array, layout, span, part.first, own)


def fill(array: Array, layout: Layout, span: Span, first: int, column: NDArray[Any]) -> bytes:
    """Return the same, given the values of rows from number ``first`` on, (rows, columns)."""
    shape = _chunk_shape(array, layout)
    dtype = np.dtype(array.dtype).newbyteorder("<")
    empty = np.nan if dtype.kind == "f" else 0
    filled = np.full((shape[1], math.prod(shape[2:])), empty, dtype)
    at = first - span.first
    filled[at : at + len(column)] = column
    return filled.tobytes()


def encode(content: bytes, array: Array) -> bytes:
    """Compress a chunk."""
    from numcodecs.zstd import Zstd

    packed: bytes = Zstd(level=_level(array), checksum=True).encode(content)
    return packed


def decode(packed: bytes, array: Array, layout: Layout) -> NDArray[Any]:
    """Return the rows of a chunk, (chunk_draws, columns).

    Raises
    ------
    ValueError
        It is damaged.
    """
    from numcodecs.zstd import Zstd

    shape = _chunk_shape(array, layout)
    try:
        content = Zstd().decode(packed)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    found: NDArray[Any] = np.frombuffer(content, np.dtype(array.dtype).newbyteorder("<"))
    return found.reshape(shape[1], math.prod(shape[2:]))


def _chunk_shape(array: Array, layout: Layout) -> tuple[int, ...]:
    return (1, layout.chunk_draws, *(max(1, extent) for extent in array.shape))


def _level(array: Array) -> int:
    return _LEVELS[np.dtype(array.dtype).kind]
