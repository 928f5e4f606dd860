"""The result of a stored run as a lazy tree: chunks from the store, the rest from the tails."""

import json
import math
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import xarray as xr
from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)

from exmc_dask.errors import FormatError, StoreError
from exmc_dask.results.output import indexed
from exmc_dask.store.chunk import fill, key, raw
from exmc_dask.store.layout import WARMUP, Array, Span
from exmc_dask.store.pieces import Pieces
from exmc_dask.store.skeleton import ROOT
from exmc_dask.store.stored import Stored, read_chunk


def open_tree(stored: Stored) -> xr.DataTree:
    """Return the result as far as it has come.

    Chains of unequal length show the draws they have in common; chains that were given up or have
    no draw yet are left out. Arrays are read when they are used.

    Raises
    ------
    StoreError
        There is nothing to show yet.
    FormatError
        The store is damaged.
    """
    layout = stored.manifest.layout
    lengths = {c: t.stop for c, t in stored.tails.items() if not t.dropped}
    begun = [chain for chain, stop in lengths.items() if stop > -layout.n_warmup]
    chains = begun or sorted(lengths)
    if not chains or stored.objects.get(layout.home + ROOT) is None:
        raise StoreError(f"{stored.objects.root} holds no draws yet; try again later")
    stop = min(lengths[chain] for chain in chains)
    tree = xr.open_datatree(_Seen(stored), engine="zarr", chunks=None)  # type: ignore[arg-type]
    for name, node in tree.children.items():
        group = node.to_dataset()
        if name in layout.groups:
            rows = min(stop, 0) + layout.n_warmup if name.startswith(WARMUP) else max(stop, 0)
            group = group.isel(chain=chains, draw=slice(0, rows))
            group.attrs |= {"sampling_time": stored.seconds, "ending": stored.ending}
        if "worker" in group:
            group["worker"].attrs["names"] = list(stored.workers)
        labels = {dim: at for dim, at in stored.manifest.coords.items() if dim in group.dims}
        group = group.assign_coords(indexed(labels))  # as they were given, text in NumPy's form
        tree[name] = xr.DataTree(group)
    return tree


_UNLISTED = "a result is read by the names in its metadata"  # and zarr is told so


class _Seen(Store):
    """A store to read from, in which chunks are not compressed and every row has its chunk.

    zarr is told that arrays of draws have no compression: what lies in the store is decompressed
    here, where damage can be named, and what lies in tails needs none.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = False

    def __init__(self, stored: Stored) -> None:
        super().__init__(read_only=True)
        self._stored = stored
        self._chunks = dict(_chunks(stored))
        self._pieces = Pieces.of(stored.objects, stored.manifest.layout, stored.tails)

    def __eq__(self, other: object) -> bool:
        return self is other

    def _get(self, name: str) -> bytes | None:
        stored = self._stored
        if name in self._chunks:
            array, chain, span = self._chunks[name]
            layout, tail = stored.manifest.layout, stored.tails[chain]
            if layout.in_pieces:
                return self._from_pieces(array, chain, span)
            if span.first < tail.stored:
                return read_chunk(stored.objects, layout, array, chain, span).tobytes()
            assert tail.rows is not None
            return raw(array, layout, span, tail.rows)
        content = stored.objects.get(stored.manifest.layout.home + name)
        return content if name != ROOT or content is None else self._root(content)

    def _from_pieces(self, array: Array, chain: int, span: Span) -> bytes:
        stop = min(span.stop, self._stored.tails[chain].stop)
        columns = slice(array.column, array.column + math.prod(array.shape))
        column = self._pieces.read(chain, array.source, span.first, stop, columns)
        return fill(array, self._stored.manifest.layout, span, span.first, column)

    def _root(self, content: bytes) -> bytes:
        try:
            about = json.loads(content)
            nodes = about["consolidated_metadata"]["metadata"]
            for path in {array.path for array, _, _ in self._chunks.values()}:
                codecs = nodes[path]["codecs"]
                nodes[path]["codecs"] = [codec for codec in codecs if codec["name"] == "bytes"]
        except (ValueError, KeyError, TypeError) as error:
            where = self._stored.objects.where(self._stored.manifest.layout.home + ROOT)
            raise FormatError(f"{where} is damaged ({error}); resume writes it anew") from error
        return json.dumps(about).encode()

    async def get(self, key: str, prototype: Any, byte_range: ByteRequest | None = None) -> Any:
        content = self._get(key)
        if content is None:
            return None
        match byte_range:
            case RangeByteRequest(start, end):
                content = content[start:end]
            case OffsetByteRequest(offset):
                content = content[offset:]
            case SuffixByteRequest(suffix):
                content = content[-suffix:]
        return prototype.buffer.from_bytes(content)

    async def get_partial_values(
        self, prototype: Any, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Any]:
        return [await self.get(name, prototype, part) for name, part in key_ranges]

    async def exists(self, key: str) -> bool:
        return self._get(key) is not None

    async def set(self, key: str, value: Any) -> None:
        raise PermissionError("a result is read-only")

    async def delete(self, key: str) -> None:
        raise PermissionError("a result is read-only")

    def list(self) -> AsyncIterator[str]:
        raise PermissionError(_UNLISTED)

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        raise PermissionError(_UNLISTED)

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        raise PermissionError(_UNLISTED)


def _chunks(stored: Stored) -> Iterator[tuple[str, tuple[Array, int, Span]]]:
    """Yield the names of the chunks that hold rows, and what they are of."""
    layout = stored.manifest.layout
    for chain, tail in stored.tails.items():
        for span in layout.spans(-layout.n_warmup, tail.stop):
            for array in layout.chunked(span.warmup):
                yield key(array, chain, span), (array, chain, span)
