"""CuPy and numba's launches as far as `gpu` asks for them, with streams that run in any order.

What is begun here waits in the queue of its stream. Whenever the host calls, some of it is done, of
whichever stream chance picks, and only events and the host's own waiting hold it up: as on a GPU,
whose streams owe each other nothing else. Memory that is let go is given to the next who asks for
as much, whoever still reads it, as CuPy's pools do; so what is not waited for shows in the draws.
"""

import ctypes
import random
import weakref
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from exmc_dask.kernels import build
from exmc_dask.kernels.cuda import gpu
from tests.kernels.devices import host_sources

DEVICE_TO_HOST = 2


class Runtime:
    """Streams and memory, for one test.

    Parameters
    ----------
    seed : int
        Of the order.
    haste : float
        Chance that a stream goes on when the host calls; 0: only when somebody waits.
    """

    def __init__(self, seed: int, haste: float) -> None:
        self.order, self.haste = random.Random(seed), haste
        self.queues: dict[int, deque[Callable[[], bool]]] = defaultdict(deque)
        self.device, self.pinned = Pool(), Pool()
        self.current: list[Stream] = []
        self.copies = self.sent = 0

    def begin(self, stream: int, work: Callable[[], bool]) -> None:
        """Let a stream do something later; it is asked again for as long as it says False."""
        self.queues[stream].append(work)
        while self.order.random() < self.haste:
            self.step()

    def step(self) -> bool:
        """Do one thing, if there is one that nothing holds up."""
        streams = [stream for stream, queue in self.queues.items() if queue]
        self.order.shuffle(streams)
        for stream in streams:
            if self.queues[stream][0]():
                self.queues[stream].popleft()
                return True
        return False

    def wait(self, over: Callable[[], bool]) -> None:
        """Go on until something is over."""
        while not over():
            assert self.step(), "the host waits for what never comes"

    def memcpy2DAsync(  # noqa: N802  as CuPy calls it
        self,
        target: int,
        target_pitch: int,
        source: int,
        source_pitch: int,
        width: int,
        height: int,
        kind: int,
        stream: int,
    ) -> None:
        assert kind == DEVICE_TO_HOST
        assert 0 < width <= min(target_pitch, source_pitch)
        self.copies += 1

        def work() -> bool:
            for row in range(height):
                ctypes.memmove(target + row * target_pitch, source + row * source_pitch, width)
            return True

        self.begin(stream, work)

    def modules(self) -> dict[str, Any]:
        """Return what is imported as `cupy` and as `cupyx`."""
        names = SimpleNamespace(
            memcpy2DAsync=self.memcpy2DAsync,
            memcpyDeviceToHost=DEVICE_TO_HOST,
            memGetInfo=lambda: (2**34, 2**35),
        )
        cuda = SimpleNamespace(
            runtime=names, Stream=lambda non_blocking: Stream(self, len(self.queues) + 1)
        )
        pool = SimpleNamespace(free_all_blocks=lambda: None)
        return {
            "cupy": SimpleNamespace(
                cuda=cuda,
                empty=lambda shape, dtype: Array.new(self, shape, np.dtype(dtype)),
                get_default_memory_pool=lambda: pool,
            ),
            "cupyx": SimpleNamespace(empty_pinned=self.empty_pinned),
        }

    def empty_pinned(self, n: int, dtype: type) -> np.ndarray:
        assert n & (n - 1) == 0, "CuPy would keep memory of every size that was ever asked for"
        return Lent(self.pinned, n, 0).view(dtype)


class Pool:
    """Memory that was let go, by its size and the stream that it was for."""

    def __init__(self) -> None:
        self.free: dict[tuple[int, int], list[np.ndarray]] = defaultdict(list)
        self.made = 0

    def take(self, n: int, stream: int) -> np.ndarray:
        found = self.free[n, stream]
        if found:
            return found.pop()
        self.made += 1
        return np.full(n, 255, np.uint8)


class Lent(np.ndarray):
    """Bytes of a pool, which has them back when nobody holds them any more."""

    def __new__(cls, pool: Pool, n: int, stream: int) -> Any:
        block = pool.take(n, stream)
        found = np.ndarray.__new__(cls, n, np.uint8, block)
        weakref.finalize(found, pool.free[n, stream].append, block)
        return found


class Stream:
    """A stream that does not wait for the default one."""

    def __init__(self, runtime: Runtime, number: int) -> None:
        self.runtime, self.ptr = runtime, number
        runtime.queues[number].clear()

    def __enter__(self) -> None:
        self.runtime.current.append(self)

    def __exit__(self, *_: object) -> None:
        self.runtime.current.pop()

    def synchronize(self) -> None:
        self.runtime.wait(lambda: not self.runtime.queues[self.ptr])

    def record(self) -> "Event":
        event = Event(self.runtime)
        self.runtime.begin(self.ptr, event.happen)
        return event

    def wait_event(self, event: "Event") -> None:
        self.runtime.begin(self.ptr, lambda: event.happened)


class Event:
    """A point of a stream."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.happened = runtime, False

    def happen(self) -> bool:
        self.happened = True
        return True

    def synchronize(self) -> None:
        self.runtime.wait(lambda: self.happened)


class Array:
    """An array of the device, or a part of one: the host may not look into it."""

    def __init__(self, runtime: Runtime, held: Any, content: np.ndarray) -> None:
        self._runtime, self._held, self.content = runtime, held, content
        self.shape, self.dtype, self.nbytes = content.shape, content.dtype, content.nbytes
        self.strides, self.flags = content.strides, content.flags
        self.data = SimpleNamespace(ptr=content.ctypes.data)

    @classmethod
    def new(cls, runtime: Runtime, shape: tuple[int, ...], dtype: np.dtype) -> "Array":
        n = int(np.prod(shape)) * dtype.itemsize
        held = Lent(runtime.device, n, runtime.current[-1].ptr)
        return cls(runtime, held, np.ndarray(shape, dtype, _memory(held)))

    def __len__(self) -> int:
        return len(self.content)

    def __getitem__(self, place: Any) -> "Array":
        return Array(self._runtime, self._held, self.content[place])

    def set(self, array: np.ndarray, stream: Stream) -> None:
        source, target, runtime = array.copy(), self.content, self._runtime
        assert source.dtype == target.dtype
        runtime.sent += 1

        def work() -> bool:
            runtime.sent -= 1
            return _copied(source, target)

        runtime.begin(stream.ptr, work)

    def get(self, stream: Stream, out: np.ndarray, blocking: bool = True) -> None:
        assert self.flags.c_contiguous
        assert out.flags.c_contiguous
        assert (self.shape, self.dtype) == (out.shape, out.dtype)
        source, target = self.content, np.ndarray(out.shape, out.dtype, _memory(out))
        self._runtime.begin(stream.ptr, lambda: _copied(source, target))
        if blocking:
            stream.synchronize()


def _memory(array: np.ndarray) -> Any:
    """Return the bytes of an array, which they do not keep alive."""
    return (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)


def _copied(source: np.ndarray, target: np.ndarray) -> bool:
    target[...] = source
    return True


class Entry:
    """A kernel's entry point, launched as numba launches one."""

    def __init__(self, runtime: Runtime, function: Callable[..., None], threads: int) -> None:
        self.runtime, self.function, self.threads = runtime, function, threads

    def __getitem__(self, grid: tuple[int, int, int]) -> Callable[..., None]:
        blocks, block, stream = grid
        assert blocks * block >= self.threads

        def launch(*args: Any) -> None:
            assert self.runtime.current[-1].ptr == stream
            assert not self.runtime.sent, "what was sent may be gone before it is read"
            assert all(each.nbytes for each in args if isinstance(each, Array)), "no address"
            plain = [each.content if isinstance(each, Array) else each for each in args]
            self.runtime.begin(stream, lambda: self.function(*plain) is None)

        return launch


def open_gpu(
    monkeypatch: pytest.MonkeyPatch, runtime: Runtime, source: str, lanes: int, chains: int
) -> gpu.Gpu:
    """Return `gpu.Gpu` itself on such a runtime; numba on the CPU does what is launched."""
    for name, module in runtime.modules().items():
        monkeypatch.setitem(__import__("sys").modules, name, module)
    cuda = SimpleNamespace(external_stream=lambda pointer: pointer)
    monkeypatch.setattr(gpu, "missing", lambda: "")
    monkeypatch.setattr(gpu, "numba_cuda", lambda: cuda)
    monkeypatch.setattr(gpu, "plain_indices", nullcontext)
    monkeypatch.setattr(gpu, "label", lambda: "a stand-in")
    monkeypatch.setattr(gpu, "capability", lambda: "9.0")
    module = build.load(source, build.runtime(host_sources(lanes)))
    kernel = ModuleType("entries")
    for name in ("sample", "outputs"):
        setattr(kernel, name, Entry(runtime, getattr(module, name), chains * lanes))
    return gpu.Gpu(kernel, lanes)
