"""A run as its store has it: what was asked for, who owns it, how far each chain has come."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import FormatError
from exmc_dask.sampler.settings import Settings
from exmc_dask.store.chunk import decode, key
from exmc_dask.store.layout import Array, Layout, Span
from exmc_dask.store.manifest import Manifest, Owner
from exmc_dask.store.objects import Objects
from exmc_dask.store.rows import Rows
from exmc_dask.store.tail import Tail, name_of


@dataclass(frozen=True, eq=False)
class Stored:
    """The records of a store; rows in chunks are read when they are asked for.

    Attributes
    ----------
    objects : Objects
    manifest : Manifest
    owner : Owner
    tails : mapping of int to Tail
        Of the chains that have one.
    """

    objects: Objects
    manifest: Manifest
    owner: Owner
    tails: Mapping[int, Tail]

    @classmethod
    def read(cls, objects: Objects) -> "Stored":
        """Read the records.

        Raises
        ------
        StoreError
            There is no store.
        FormatError
            One of them is damaged or of another version.
        """
        manifest = Manifest.read(objects)
        owner = Owner.read(objects)
        tails = {}
        for chain in range(manifest.layout.chains):
            content = objects.get(name_of(chain))
            if content is not None:
                tails[chain] = Tail.from_bytes(content, objects.where(name_of(chain)))
        return cls(objects, manifest, owner, tails)

    @property
    def settings(self) -> Settings:
        """The settings, with the number of draws that is wanted now."""
        return replace(Settings.from_dict(self.manifest.settings), draws=self.owner.draws)

    @property
    def workers(self) -> tuple[str, ...]:
        """Names of workers by code; codes are never used again, so the longest list is the last."""
        return max((tail.workers for tail in self.tails.values()), key=len, default=())

    @property
    def target(self) -> str:
        """What the chains were last drawn with: "cuda" only if all of them were."""
        marks = (json.loads(tail.fingerprint) for tail in self.tails.values() if tail.fingerprint)
        begun_with = self.manifest.run.get("target", "cpu")
        found = {mark["target"] for mark in marks} or {begun_with}
        return "cpu" if "cpu" in found else "cuda"

    @property
    def seconds(self) -> float:
        """Time that the run has taken so far."""
        return max((tail.seconds for tail in self.tails.values()), default=0.0)

    @property
    def ending(self) -> str:
        """What the result says of why there are no more draws."""
        wanted = -(-self.settings.draws // self.settings.thin)
        stops = [t.stop if t else -math.inf for t in map(self.tails.get, self.chains)]
        return "complete" if all(stop >= wanted for stop in stops) else ""

    @property
    def chains(self) -> list[int]:
        """The chains that were not given up."""
        every = range(self.manifest.layout.chains)
        return [c for c in every if c not in self.tails or not self.tails[c].dropped]

    def reopened(self) -> dict[int, Tail]:
        """Return the tails with the rows of a last chunk that is not full taken back into them."""
        return {chain: self._reopened(tail) for chain, tail in self.tails.items()}

    def _reopened(self, tail: Tail) -> Tail:
        layout, stop = self.manifest.layout, tail.stored
        if layout.in_pieces:
            return tail
        span = next(layout.spans(stop, stop + 1))
        if span.first == stop:
            return tail
        assert tail.rows is None  # such a chunk is written last of all
        rows = self.chunk_rows(tail.chain, span).cut(span.first, stop)
        return replace(tail, stored=span.first, rows=rows)

    def chunk_rows(self, chain: int, span: Span) -> Rows:
        """Return the rows of one chunk of every array; beyond the last they hold fill values."""
        layout = self.manifest.layout
        n = span.stop - span.first
        columns: dict[str, dict[int, NDArray[Any]]] = {}
        if span.warmup:  # of which no position is kept
            columns["q"] = dict.fromkeys(range(layout.n_q), np.full(n, np.nan))
        for array in layout.chunked(span.warmup):
            found = read_chunk(self.objects, layout, array, chain, span)[:n]
            own = columns.setdefault(array.source, {})
            own.update({array.column + j: column for j, column in enumerate(found.T)})

        def table(source: str, dtype: type) -> NDArray[Any]:
            own = columns.get(source, {})
            stacked: NDArray[Any] = np.empty((n, len(own)), dtype)
            for j, column in own.items():
                stacked[:, j] = column
            return stacked

        return Rows(
            span.first,
            table("values", np.float64),
            table("q", np.float64),
            table("stats_f", np.float64),
            table("stats_i", np.int64),
            table("worker", np.int16)[:, 0],
            table("attempt", np.int16)[:, 0],
        )


def read_chunk(
    objects: Objects, layout: Layout, array: Array, chain: int, span: Span
) -> NDArray[Any]:
    """Return one chunk that a tail vouches for, (chunk_draws, columns).

    Raises
    ------
    FormatError
        It is damaged or gone.
    """
    name = key(array, chain, span)
    content = objects.get(name)
    try:
        if content is None:
            raise ValueError("it is gone")
        return decode(content, array, layout)
    except ValueError as error:
        raise FormatError(
            f"{objects.where(name)} cannot be read ({error}); put it back from a copy, or delete "
            f"{objects.where(name_of(chain))} and resume: chain {chain} then begins again and "
            "makes the same draws"
        ) from error
