"""The messages between coordinator and workers: frozen records to bytes and back, without pickle.

A message is ``b"EXMC"``, the schema version (u16), two bytes of padding, the length of the header
(u32), four more, the header in msgpack, and then the raw bytes of the arrays that the header
refers to, each at a multiple of 8. Arrays are read where they lie, without a copy, read-only.

What is large or used again travels as a *parcel*: bytes named by their SHA-256. A spec is a parcel
that names the parcels of its data, so a worker that has seen the data is not sent them again.
"""

import hashlib
import struct
from collections.abc import Buffer, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from exmc_dask import errors
from exmc_dask.errors import FormatError
from exmc_dask.inference.state import FitState, Made
from exmc_dask.sampler.batch import BatchState
from exmc_dask.sampler.receipt import Glimpse, Receipt
from exmc_dask.sampler.state import ChainState, Draws, State

from ..plan.moves import BlockFailed, BlockProgress, BlockResult, Fault
from ..plan.nouns import NUTS, Words, words_of
from .bulletin import Bulletin

VERSION = 4
"""Of the schema; raised when a record below changes."""

CHAIN_ENGINE = "exmc_dask.cluster.engines.nuts:prepare"
"""The engine whose units are chains on a CPU."""

_HEAD = struct.Struct("<4sHxxIxxxx")
_MAGIC = b"EXMC"
_ARRAY, _RECORD = 1, 2  # msgpack extension types


@dataclass(frozen=True, eq=False)
class Spec:
    """What a worker needs to run blocks of one run.

    Attributes
    ----------
    model : bytes
    options, settings : mapping
        How the model is lowered and how it is sampled; plain values.
    target : str
        "cpu" or "cuda".
    data : mapping of str to ndarray
        What the kernel reads, folded on the coordinator.
    support_point : (dim,) float64
        Where chains start, computed once so that all workers agree.
    engine : str
        The function that turns a spec into something that runs blocks, as "module:function";
        it returns an `exmc_dask.cluster.worker.worker.Engine`.
    columns : mapping of str to shape
        What a row of draws consists of, in order. Workers need not know; those who watch do.
    shelf : Shelf, optional
        Where workers put draws; by default they send them. It goes with each task, not with this.
    bounds : tuple of int
        Where batches of chains begin and end, if these are the units; nor need they know this.
    sets : tuple of str
        What sets of data are called, if units are chains of several; nor this.
    """

    model: bytes
    options: Mapping[str, Any]
    settings: Mapping[str, Any]
    target: str
    data: Mapping[str, NDArray[Any]]
    support_point: NDArray[np.float64]
    engine: str = CHAIN_ENGINE
    columns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    shelf: "Shelf | None" = None
    bounds: tuple[int, ...] = ()
    sets: tuple[str, ...] = ()

    @property
    def words(self) -> Words:
        """What the units of the run are called."""
        return replace(words_of(self.engine), bounds=self.bounds, sets=self.sets)

    @cached_property
    def order(self) -> "Order":
        """The spec with its data by name; these are not copied for it."""
        return Order(
            self.model,
            dict(self.options),
            dict(self.settings),
            self.target,
            {slot: digest(*_parts(Parcel(values))) for slot, values in self.data.items()},
            self.support_point,
            self.engine,
        )

    @cached_property
    def parcels(self) -> dict[str, bytes]:
        """The spec and its data as parcels by name; the spec is the last."""
        names = self.order.data
        data = {names[slot]: pack(Parcel(values)) for slot, values in self.data.items()}
        return data | {self.key: pack(self.order)}

    @cached_property
    def key(self) -> str:
        """The spec's name: equal specs, data included, have equal keys."""
        return digest(pack(self.order))


@dataclass(frozen=True)
class Shelf:
    """A store to which workers write draws themselves.

    Attributes
    ----------
    place : str
        An absolute path or a URL, which means the same everywhere.
    kept_from : int
        Number of the first draw that is kept, warmup included.
    """

    place: str
    kept_from: int


@dataclass(frozen=True, eq=False)
class Order:
    """A spec with the names of its data in place of the data."""

    model: bytes
    options: dict[str, Any]
    settings: dict[str, Any]
    target: str
    data: dict[str, str]
    support_point: NDArray[np.float64]
    engine: str


@dataclass(frozen=True, eq=False)
class Parcel:
    """One array of data."""

    values: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Task:
    """One block to run.

    Attributes
    ----------
    run, spec : str
        The run's name and the spec's key.
    unit, first, n, attempt : int
        ``n`` draws or fewer of chain ``unit`` from draw ``first``.
    budget_s : float
        Time after which the block ends at its present draw.
    every_s : float
        Distance of progress messages.
    isolated : bool
        Run it in a child process.
    state : ChainState, FitState, BatchState or None
        None: the unit begins.
    initial : (dim,) float64 or None
        Unconstrained starting point asked for by the user, if the chain begins; (chains, dim) for
        a batch.
    parcels : dict of str to bytes
        What the receiver is thought to lack.
    shelf : Shelf or None
        Where its draws are to be put; None: they are sent.
    """

    run: str
    spec: str
    unit: int
    first: int
    n: int
    attempt: int
    budget_s: float
    every_s: float
    isolated: bool
    state: State | None
    initial: NDArray[np.float64] | None
    parcels: dict[str, bytes] = field(default_factory=dict)
    shelf: Shelf | None = None

    @property
    def name(self) -> str:
        """The name of this attempt; no two attempts in the world share one."""
        return f"{self.run}-u{self.unit}-d{self.first}-a{self.attempt}"


@dataclass(frozen=True)
class Missing:
    """The answer of a worker that lacks parcels; the task did not begin."""

    unit: int
    first: int
    attempt: int
    names: list[str]


@dataclass(frozen=True)
class Failure:
    """The answer of a worker whose block did not end well.

    Attributes
    ----------
    unit, first, attempt : int
    fault : str
        Name of a `Fault`.
    draw : int
        Number of the draw that was being made.
    kind, message : str
        The class of the exception and what it said.
    trace : str
        The traceback or the end of the process's log, for people.
    """

    unit: int
    first: int
    attempt: int
    fault: str
    draw: int
    kind: str
    message: str
    trace: str

    def event(self, worker: str, words: Words = NUTS) -> BlockFailed:
        """Say to the plan what happened; errors of ours keep their class."""
        where = words.at(self.unit, self.draw)
        own = getattr(errors, self.kind, None)
        if own in (errors.GpuError, errors.DeviceFull):
            where = f"the GPU of worker {worker}"
        error: errors.ExmcError
        if isinstance(own, type) and issubclass(own, errors.ExmcError):
            error = own(words.of_unit(self.message, self.unit) or f"{where}: {self.message}")
        else:
            error = errors.BlockError(f"{where}: {self.kind}: {self.message}")
        error.add_note(f"Where the block ran:\n{self.trace}")
        fault = Fault[self.fault]
        return BlockFailed(worker, self.unit, self.first, self.attempt, fault, self.message, error)


@dataclass(frozen=True)
class Stop:
    """Let the block of this name end: after its present draw, or at once and without answer."""

    name: str
    drop: bool


_RECORDS = (
    ChainState,
    Draws,
    Order,
    Parcel,
    Task,
    BlockResult,
    BlockProgress,
    Missing,
    Failure,
    Stop,
    FitState,
    Bulletin,
    BatchState,
    Made,
    Words,
    Receipt,
    Glimpse,
    Shelf,
)
_TAGS = {record: tag for tag, record in enumerate(_RECORDS)}


def digest(*parts: Buffer) -> str:
    """Return the name of a parcel, given whole or in parts."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


def pack(record: Any) -> bytes:
    """Return a record as bytes.

    Raises
    ------
    FormatError
        It holds something that has no place in a message.
    """
    return b"".join(_parts(record))


def _parts(record: Any) -> list[Buffer]:
    """Return what the bytes of a record consist of; its arrays are not copied."""
    arrays: list[NDArray[Any]] = []
    header = _packb(record, partial(_extend, arrays))
    parts: list[Buffer] = [_HEAD.pack(_MAGIC, VERSION, len(header)), header]
    size = _HEAD.size + len(header)
    for array in arrays:
        parts += [bytes(-size % 8), array.reshape(-1).view(np.uint8)]
        size += -size % 8 + array.nbytes
    return parts


def _extend(arrays: list[NDArray[Any]], value: Any) -> msgpack.ExtType:
    """Write what msgpack has no word for, and put arrays aside.

    A function of its own, as one that were closed over itself and the arrays would hold them until
    Python looks for circles.
    """
    extend = partial(_extend, arrays)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        value = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape)
        arrays.append(value)
        return msgpack.ExtType(_ARRAY, msgpack.packb((value.dtype.str, value.shape)))
    if type(value) in _TAGS:
        items = [getattr(value, f.name) for f in fields(value)]
        return msgpack.ExtType(_RECORD, _packb((_TAGS[type(value)], items), extend))
    raise FormatError(f"a {type(value).__name__} cannot be sent: {value!r:.80}")


def unpack(message: bytes) -> Any:
    """Return the record that `pack` wrote.

    Raises
    ------
    FormatError
        The bytes are damaged or were written under another schema.
    """
    if len(message) < _HEAD.size or message[:4] != _MAGIC:
        raise FormatError("these bytes are not a message of exmc_dask")
    _, version, length = _HEAD.unpack_from(message)
    if version != VERSION:
        raise FormatError(
            f"a message of schema {version} cannot be read by schema {VERSION}; "
            "install one version of exmc_dask everywhere"
        )
    at = _HEAD.size + length
    try:
        return _unpackb(message[_HEAD.size : at], _Arrays(message, at))
    except (ValueError, TypeError, IndexError, msgpack.UnpackException) as e:
        raise FormatError(f"this message is damaged: {e}") from e


class _Arrays:
    """Reads what `_extend` wrote, arrays in the order in which they were put aside."""

    def __init__(self, message: bytes, at: int) -> None:
        self._message, self._at = message, at

    def __call__(self, code: int, body: bytes) -> Any:
        if code == _ARRAY:
            dtype, shape = msgpack.unpackb(body)
            self._at += -self._at % 8
            count = int(np.prod(shape, dtype=np.int64))
            array: NDArray[Any] = np.frombuffer(self._message, dtype, count, self._at)
            self._at += array.nbytes
            return array.reshape(shape)
        tag, items = _unpackb(body, self)
        return _RECORDS[tag](*items)


def _packb(value: Any, extend: Any) -> bytes:
    packed: bytes = msgpack.packb(value, default=extend)
    return packed


def _unpackb(body: bytes, resolve: Any) -> Any:
    return msgpack.unpackb(body, ext_hook=resolve, strict_map_key=False)
