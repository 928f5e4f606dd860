"""What runs where the blocks run: parcels and engines kept between blocks, and the block itself.

The same code serves threads of the coordinator, Dask workers and child processes. A process keeps
the data and compiled models that it has seen, the least recently used ones going first.
"""

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import DeviceFull, GpuError
from exmc_dask.kernels.runtime import chain
from exmc_dask.sampler.receipt import Receipt
from exmc_dask.sampler.state import Draws, State
from exmc_dask.store import piece
from exmc_dask.store.objects import objects_at

from ..messages.wire import Failure, Missing, Order, Parcel, Spec, Stop, Task, pack, unpack
from ..plan.moves import BlockResult, Fault
from . import quarantine, watch
from .watch import Report, Watch

_MAX_BLOCK_BYTES = 4_000_000
_MAX_SHELF_BYTES = 500_000_000
_MAX_ENGINES = 8
_FAULTS: dict[type[Exception], Fault] = {GpuError: Fault.DEVICE, DeviceFull: Fault.MEMORY}


class Engine(Protocol):
    """Something that runs blocks; several threads use it at once.

    Attributes
    ----------
    fingerprint : str
        Target, CPU class and versions: equal fingerprints, equal bits.
    row_bytes : int
        Size of one draw with its statistics.
    """

    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def row_bytes(self) -> int: ...  # noqa: D102

    def start(self, unit: int, initial: NDArray[np.float64] | None) -> State:
        """Return the state before a unit's first draw."""
        ...

    def run(self, state: State, n: int, control: NDArray[np.int64]) -> tuple[State, Draws]:
        """Draw ``n`` times, or fewer if ``control`` says so."""
        ...


def prepare(spec: Spec) -> Engine:
    """Build the engine that a spec names; slow, as it may compile."""
    module, _, function = spec.engine.partition(":")
    engine: Engine = getattr(import_module(module), function)(spec)
    return engine


def run_block(engine: Callable[[], Engine], task: Task, seen: Watch) -> BlockResult | Failure:
    """Run one block; whatever it raises becomes a Failure.

    Parameters
    ----------
    engine : callable
        Returns the engine; may take long.
    task : Task
    seen : Watch
        Entered by the caller.
    """
    asked_at = time.monotonic()
    first = task.first
    try:
        ready = engine()
        state = task.state if task.state is not None else ready.start(task.unit, task.initial)
        n = min(task.n, max(1, _MAX_BLOCK_BYTES // ready.row_bytes))
        begun_at = time.monotonic()
        seen.begin()
        state, draws = ready.run(state, n, seen.control)
    except Exception as error:
        if isinstance(error, GpuError):
            quarantine.remember(str(error))
        return Failure(
            unit=task.unit,
            first=first,
            attempt=task.attempt,
            fault=_FAULTS.get(type(error), Fault.RAISED).name,
            draw=first + int(seen.control[chain.DRAWS]),
            kind=type(error).__name__,
            message=str(error),
            trace=traceback.format_exc(),
        )
    seconds = time.monotonic() - begun_at
    receipt, unwritten = (None, "") if seen.dropped else put(task, draws)
    control = seen.control
    return BlockResult(
        unit=task.unit,
        first=first,
        attempt=task.attempt,
        state=state,
        draws=draws if receipt is None else none_of(draws),
        gradients=int(control[chain.GRADIENTS]),
        divergences=int(control[chain.DIVERGENCES]),
        step_size=float(control.view(np.float64)[chain.STEP_SIZE_BITS]),
        seconds=seconds,
        prepare_s=begun_at - asked_at,
        fingerprint=ready.fingerprint,
        launches=int(control[chain.LAUNCHES]),
        receipt=receipt,
        unwritten=unwritten,
    )


def put(task: Task, draws: Draws) -> tuple[Receipt | None, str]:
    """Write draws where the task wants them; return a receipt, or why there is none.

    What cannot be written is sent, so whatever a file system raises costs no draw.
    """
    if task.shelf is None:
        return None, ""
    try:
        objects = objects_at(task.shelf.place)
        return piece.write(objects, task.name, draws, task.shelf.kept_from), ""
    except Exception as error:  # of whatever file system it is
        return None, f"{type(error).__name__}: {error}"


def none_of(draws: Draws) -> Draws:
    """Return draws without rows, of which nothing is kept alive."""
    return replace(
        draws,
        values=draws.values[:0].copy(),
        q=draws.q[:0].copy(),
        stats_f=draws.stats_f[:0].copy(),
        stats_i=draws.stats_i[:0].copy(),
    )


class Stock:
    """The parcels and engines of this process; for use by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parcels: OrderedDict[str, bytes] = OrderedDict()
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._building: dict[str, threading.Lock] = {}

    def put(self, parcels: Mapping[str, bytes]) -> None:
        """Keep parcels, and let the oldest go when there are too many."""
        with self._lock:
            self._parcels.update(parcels)
            for name in parcels:
                self._parcels.move_to_end(name)
            size = sum(map(len, self._parcels.values()))
            while size > _MAX_SHELF_BYTES and len(self._parcels) > len(parcels):
                size -= len(self._parcels.popitem(last=False)[1])

    def lacks(self, spec: str) -> list[str]:
        """Return the names of the parcels without which a spec's engine cannot be built."""
        with self._lock:
            if spec in self._engines:
                return []
            if spec not in self._parcels:
                return [spec]
            order: Order = unpack(self._parcels[spec])
            return [name for name in order.data.values() if name not in self._parcels]

    def get(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return parcels by name, those that are there."""
        with self._lock:
            return {name: self._parcels[name] for name in names if name in self._parcels}

    def engine(self, spec: str) -> Engine:
        """Return the engine of a spec, built once however many ask for it."""
        with self._lock:
            building = self._building.setdefault(spec, threading.Lock())
        with building:
            with self._lock:
                if spec in self._engines:
                    self._engines.move_to_end(spec)
                    return self._engines[spec]
                order: Order = unpack(self._parcels[spec])
                data = {slot: self._parcels[name] for slot, name in order.data.items()}
            arrays: dict[str, Parcel] = {slot: unpack(parcel) for slot, parcel in data.items()}
            engine = prepare(
                Spec(
                    model=order.model,
                    options=order.options,
                    settings=order.settings,
                    target=order.target,
                    data={slot: parcel.values for slot, parcel in arrays.items()},
                    support_point=order.support_point,
                    engine=order.engine,
                )
            )
            with self._lock:
                self._engines[spec] = engine
                while len(self._engines) > _MAX_ENGINES:
                    self._engines.popitem(last=False)
            return engine


_stock = Stock()


def install(parcels: Mapping[str, bytes]) -> None:
    """Keep parcels for the blocks to come."""
    _stock.put(parcels)


def lacking(spec: str) -> list[str]:
    """Return the names of the parcels of a spec that are not here."""
    return _stock.lacks(spec)


def parcels(names: Sequence[str]) -> dict[str, bytes]:
    """Return parcels that are kept here by name."""
    return _stock.get(names)


def stop(messages: list[bytes]) -> None:
    """Stop the blocks that Stop messages name, if they run in this process."""
    for message in messages:
        order: Stop = unpack(message)
        watch.stop(order)


def serve(task: Task, report: Report, wanted: Callable[[], bool] | None = None) -> bytes:
    """Run a task in this process and return the answer: Missing, Failure or BlockResult."""
    _stock.put(task.parcels)
    if names := _stock.lacks(task.spec):
        return pack(Missing(task.unit, task.first, task.attempt, names))
    with Watch(task, report, wanted) as seen:
        return pack(run_block(lambda: _stock.engine(task.spec), task, seen))
