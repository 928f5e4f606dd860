"""Lines: what the writer of a store knows of a chain, and what it has to put for it.

One kind fills chunks, from rows that come to the coordinator. The other notes which pieces have
been written by workers, and writes those itself that they could not.
"""

import math
from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Buffer, Iterable, Iterator
from operator import attrgetter
from typing import Any, Protocol, override

from exmc_dask.sampler.receipt import Receipt
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState, State
from exmc_dask.store import piece
from exmc_dask.store.chunk import encode, key, raw
from exmc_dask.store.entry import Entry
from exmc_dask.store.layout import Layout, Span
from exmc_dask.store.pieces import Pieces
from exmc_dask.store.rows import Made, Rows
from exmc_dask.store.tail import Tail

Put = tuple[str, Buffer]


class Published(Made, Protocol):
    """A block as the run publishes it, in order per chain."""

    @property
    def unit(self) -> int:
        """The chain."""

    @property
    def state(self) -> State:
        """After the last draw."""

    @property
    def fingerprint(self) -> str:
        """Target, CPU class and versions."""

    @property
    def worker(self) -> str:
        """Where it ran."""

    @property
    def receipt(self) -> Receipt | None:
        """Of draws that are in the store already."""


class Line(ABC):
    """A chain in a store.

    Parameters
    ----------
    layout : Layout
    settings : Settings
    tail : Tail
        Where it stands.

    Attributes
    ----------
    stored : int
        The rows before it are in the store, or among those that wait to be made pieces.
    full : float
        The rows before it can be read back from now on, if they came to the coordinator.
    state : ChainState or None
    fingerprint : str
    dropped, changed : bool
        The chain was given up; something happened since the last tail.
    """

    def __init__(self, layout: Layout, settings: Settings, tail: Tail) -> None:
        self.layout, self.tune, self.number = layout, settings.tune, tail.chain
        self.stored, self.state, self.fingerprint = tail.stored, tail.state, tail.fingerprint
        self.dropped, self.changed, self.full = False, False, -math.inf

    def take(self, block: Published, code: int) -> None:
        """Take the next block; ``code`` is that of its worker."""
        self._sort_in(block, code)
        assert isinstance(block.state, ChainState)
        self.state, self.fingerprint, self.changed = block.state, block.fingerprint, True

    @abstractmethod
    def _sort_in(self, block: Published, code: int) -> None: ...

    @property
    @abstractmethod
    def stop(self) -> int:
        """Number of the row after the last."""

    @property
    @abstractmethod
    def is_due(self) -> bool:
        """Whether there is something to put before the next tail is."""

    @abstractmethod
    def steps(self, *, last: bool) -> Iterator[Iterable[Put]]:
        """Go over what is to be put; a step is done when the next is asked for.

        Parameters
        ----------
        last : bool
            Nothing follows, so nothing may be left to wait.
        """

    @abstractmethod
    def tail(self, workers: tuple[str, ...], seconds: float) -> Tail:
        """Return where the chain stands."""

    def _tail(self, workers: tuple[str, ...], seconds: float, **rows: Any) -> Tail:
        return Tail(
            chain=self.number,
            stored=self.stored,
            state=self.state,
            fingerprint=self.fingerprint,
            workers=workers,
            seconds=seconds,
            dropped=self.dropped,
            **rows,
        )


class InChunks(Line):
    """Its rows wait until they fill a chunk."""

    def __init__(self, layout: Layout, settings: Settings, tail: Tail) -> None:
        super().__init__(layout, settings, tail)
        self._parts = [] if tail.rows is None else [tail.rows]  # from ``stored`` on

    @override
    def _sort_in(self, block: Published, code: int) -> None:
        rows = Rows.of(block, self.tune, code, self.layout.n_q)
        rows = rows.cut(max(rows.first, self.stop), rows.stop)
        if len(rows):
            self._parts.append(rows)

    @property
    @override
    def stop(self) -> int:
        return self._parts[-1].stop if self._parts else self.stored

    @property
    @override
    def is_due(self) -> bool:
        span = next(self.layout.spans(self.stored, self.stored + 1))
        return self.stop >= span.stop

    @override
    def steps(self, *, last: bool) -> Iterator[Iterable[Put]]:
        for span in list(self.layout.spans(self.stored, self.stop)):
            if self.stop < span.stop and not last:
                return
            rows = Rows.join(self._parts)
            self._parts = [rows]
            yield self._chunks(span, rows)
            if self.stop >= span.stop:
                self.full = span.stop
            self._leave(min(span.stop, self.stop))

    @override
    def tail(self, workers: tuple[str, ...], seconds: float) -> Tail:
        rows = Rows.join(self._parts) if self._parts else None
        return self._tail(workers, seconds, rows=rows)

    def _chunks(self, span: Span, rows: Rows) -> Iterator[Put]:
        for array in self.layout.chunked(span.warmup):
            content = encode(raw(array, self.layout, span, rows), array)
            yield key(array, self.number, span), content

    def _leave(self, stored: int) -> None:
        """Forget the rows below ``stored``, which are in chunks now."""
        rest = [rows.cut(stored, rows.stop) for rows in self._parts if rows.stop > stored]
        self._parts, self.stored, self.changed = rest, stored, True


class InPieces(Line):
    """Its rows are in pieces; those that came to the coordinator wait to be made one.

    Parameters
    ----------
    pieces : Pieces
        Is told of those that are written here.
    life : str
        Unlike that of any other writer of the store, for their names.
    """

    def __init__(
        self, layout: Layout, settings: Settings, tail: Tail, pieces: Pieces, life: str
    ) -> None:
        super().__init__(layout, settings, tail)
        self._entries, self._waiting = list(tail.pieces), list(tail.waiting)
        self._pieces, self._life, self._thin = pieces, life, settings.thin

    @override
    def _sort_in(self, block: Published, code: int) -> None:
        receipt = block.receipt
        if receipt is None:
            rows = Rows.of(block, self.tune, code, self.layout.n_q)
            rows = rows.cut(max(rows.first, self.stored), rows.stop)
            if len(rows):
                self._waiting.append(rows)
                self.stored = rows.stop
        elif receipt.kept:
            self._entries.append(Entry.of(self.stored, receipt, code, block.attempt))
            self.stored += receipt.kept

    @property
    @override
    def stop(self) -> int:
        return self.stored

    @property
    @override
    def is_due(self) -> bool:
        return bool(self._waiting)

    @override
    def steps(self, *, last: bool) -> Iterator[Iterable[Put]]:
        while self._waiting:
            rows = self._waiting[0]
            name = f"{self._life}-u{self.number}-r{rows.first + self.layout.n_warmup}"
            content, receipt = piece.lay(rows.draws(self.tune, self._thin), name)
            yield [(f"{piece.FOLDER}/{name}", content)]
            entry = Entry.of(rows.first, receipt, int(rows.worker[0]), int(rows.attempt[0]))
            insort(self._entries, entry, key=attrgetter("first"))
            self._pieces.add(self.number, entry)
            self._waiting.pop(0)
            self.full, self.changed = rows.stop, True

    @override
    def tail(self, workers: tuple[str, ...], seconds: float) -> Tail:
        entries, waiting = tuple(self._entries), tuple(self._waiting)
        return self._tail(workers, seconds, pieces=entries, waiting=waiting)
