"""GPUs that are none: the device's own sources, run by numba on the CPU or by Python, lane by lane.

`Host` has numba compile them for the CPU, where one thread does the work of all lanes of a chain.
`Emulator` lets Python run the threads of a block in turn, in an order that is shuffled anew for
every round, and some groups are slower than others. Where all lanes of a group wait for each other,
or all threads of the block, they go on in the next round. It raises where some never come, and a
thread that reads what another one has not yet written, or has written over, reads something else in
another order.
"""

import ast
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from exmc_dask.kernels import build
from exmc_dask.kernels.cuda import gpu, on_gpu

HOST_GROUP = """
import numpy as np
from numba import njit
from . import cuda

inlined = device = summing = njit(error_model="numpy", fastmath={"contract"})
entry = njit(error_model="numpy")

@device
def chains(n): return range(n)
@device
def lane(): return 0
@device
def n_lanes(): return 1
@device
def group_sum(x): return x
@device
def group_max(x): return x
@device
def group_sync(): pass
@device
def part(array, chain): return array[SIDE_BY_SIDE]
@device
def parts(array, chain): return array[:, SIDE_BY_SIDE]
"""
HOST_BLOCKS = """
from .group import device

@device
def places(n): return range(n)
@device
def thread(): return 0
@device
def n_threads(): return 1
@device
def block_sync(): pass
@device
def block_any(holds): return holds
"""
HOST_ARRAY = """
import numpy as np
from numba import njit

@njit
def array(n, kind): return np.empty(n, kind)
"""
HOST = {
    "blocks.py": HOST_BLOCKS,
    "cuda.py": "from . import local, shared\n",
    "local.py": HOST_ARRAY,
    "shared.py": HOST_ARRAY,
}


def host_sources(lanes: int = 1) -> dict[str, str]:
    """Return the device's runtime for numba on the CPU; elementary functions are the CPU's.

    The lanes are those for which chains are laid out in memory; there is one in any case.
    """
    texts = build.device_sources(lanes) | HOST | {"vecmath.py": build.sources()["vecmath.py"]}
    one, many = ("[:, chain]", "[:, :, chain]") if lanes == 1 else ("[chain]", "[chain]")
    group = HOST_GROUP.replace("[:, SIDE_BY_SIDE]", many).replace("[SIDE_BY_SIDE]", one)
    tiles = texts["tiles.py"].replace("\nLINE = 32 ", "\nLINE = 1 ")
    return texts | {"group.py": group, "tiles.py": tiles}


class Host:
    """The device's sources compiled for this CPU, a chain after the other."""

    label, capability, free_bytes = "a stand-in", "9.0", 2**40

    def __init__(self, source: str, lanes: int = 1) -> None:
        self.lanes, self.launches = lanes, 0
        self.module = build.load(source, build.runtime(host_sources(lanes)))

    def put(self, array: np.ndarray) -> np.ndarray:
        return np.array(array)

    def empty(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        return np.full(shape, -(2**60) if dtype is np.int64 else np.nan, dtype)

    def launch(self, entry: str, groups: int, *args: Any) -> None:
        self.launches += 1
        getattr(self.module, entry)(*args)

    def fetch(self, array: np.ndarray) -> np.ndarray:
        return array.copy()

    def begin_copy(self, array: np.ndarray, rows: Any) -> np.ndarray:
        return array[rows]

    def end_copy(self, copy: np.ndarray) -> np.ndarray:
        return copy


WARP = 32


class Emulator(Host):
    """The device's sources run by Python, so many lanes a chain, a block after the other."""

    def __init__(
        self,
        source: str,
        lanes: int,
        seed: int,
        edit: Callable[[str, str], str] | None = None,
        block: int = WARP,
    ) -> None:
        self.lanes, self.launches, self.order = lanes, 0, random.Random(seed)
        self.block = block
        self.answers: dict[int, dict[int, Any]] = {}
        self.shared: dict[Any, np.ndarray] = {}
        texts = build.device_sources(lanes) | {"kernel.py": source}
        if edit is not None:
            texts = {name: edit(name, text) for name, text in texts.items()}
        self.module = Modules(texts, Cuda(self)).load("kernel")

    def launch(self, entry: str, groups: int, *args: Any) -> None:
        self.launches += 1
        blocks = -(-groups * self.lanes // self.block)
        self._run(lambda: getattr(self.module, entry)(*args), blocks * self.block)

    def call(self, function: Callable[..., None], groups: int, *args: Any) -> None:
        """Run a function of the device on all lanes of so many groups."""
        self._run(lambda: function(*args), groups * self.lanes)

    def _run(self, function: Callable[[], None], n_threads: int) -> None:
        self.size = n_threads
        for first in range(0, n_threads, self.block):
            self._run_block(function, range(first, min(n_threads, first + self.block)))

    def _run_block(self, function: Callable[[], None], threads: range) -> None:
        import greenlet

        def body() -> None:
            with np.errstate(all="ignore"):
                function()

        self.hub, self.threads = greenlet.getcurrent(), tuple(threads)
        self.shared.clear()
        lanes = {thread: greenlet.greenlet(body) for thread in threads}
        groups = range(threads.start // self.lanes, -(-threads.stop // self.lanes))
        pace = {group: self.order.uniform(0.2, 1.0) for group in groups}
        pace[self.order.choice(groups)] = 1.0
        alive = list(threads)
        self.waiting: dict[int, tuple[tuple[int, ...], str, Any]] = {}
        while alive:
            self.order.shuffle(alive)
            ready = [thread for thread in alive if thread not in self.waiting]
            rest = {group for group in groups if self.order.random() > pace[group]}
            for thread in ready:
                if thread // self.lanes in rest:
                    continue
                self.current = thread
                lanes[thread].switch()
                if lanes[thread].dead:
                    alive.remove(thread)
            if not self._meet() and not ready:
                raise RuntimeError(
                    f"threads {sorted(self.waiting)} wait for others that never come"
                )

    def _meet(self) -> bool:
        """Let those go on who all wait for each other."""
        met = False
        for scope in {scope for scope, _, _ in self.waiting.values()}:
            if not all(self.waiting.get(each, ((), "", 0))[0] == scope for each in scope):
                continue
            kinds = {self.waiting[each][1] for each in scope}
            if len(kinds) > 1:
                raise RuntimeError(f"threads {scope} wait for different things: {sorted(kinds)}")
            values = {each: self.waiting.pop(each)[2] for each in scope}
            self.answers.update(dict.fromkeys(scope, values))
            met = True
        return met

    def collective(self, mask: int, kind: str, value: Any) -> dict[int, Any]:
        """Wait for the lanes of a mask, and return what each of them brought."""
        first = self.current // WARP * WARP
        return self._wait(tuple(first + k for k in range(WARP) if int(mask) >> k & 1), kind, value)

    def of_block(self, kind: str, value: Any) -> dict[int, Any]:
        """Wait for all threads of the block, those too that have ended."""
        return self._wait(self.threads, kind, value)

    def _wait(self, scope: tuple[int, ...], kind: str, value: Any) -> dict[int, Any]:
        me = self.current
        self.waiting[me] = (scope, kind, value)
        self.hub.switch()
        return self.answers.pop(me)


class Cuda:
    """What `numba.cuda` is to the device's sources, for one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.local = self.libdevice = self.threadIdx = self
        self.shared, self.blockDim = Shared(emulator), Names(x=emulator.block)

    def jit(self, function: Any, **options: Any) -> Any:
        return function

    @property
    def x(self) -> int:
        return self._emulator.current % self._emulator.block

    def grid(self, ndim: int) -> int:
        return self._emulator.current

    def gridsize(self, ndim: int) -> int:
        return self._emulator.size

    def shfl_xor_sync(self, mask: int, value: float, distance: int) -> float:
        me = self._emulator.current
        return self._emulator.collective(mask, f"shuffle by {distance}", value)[me ^ distance]

    def syncwarp(self, mask: int) -> None:
        self._emulator.collective(mask, "barrier", None)

    def syncthreads(self) -> None:
        self._emulator.of_block("barrier of the block", None)

    def syncthreads_or(self, holds: int) -> int:
        return int(any(self._emulator.of_block("question to the block", holds).values()))

    def array(self, n: int, kind: type) -> np.ndarray:
        return np.full(n, -(2**60) if kind is np.int64 else np.nan, kind)

    def double_as_longlong(self, x: float) -> np.int64:
        return np.float64(x).view(np.int64)

    def longlong_as_double(self, i: int) -> np.float64:
        return np.int64(i).view(np.float64)

    def floor(self, x: float) -> float:
        return float(np.floor(x))


class Shared:
    """`cuda.shared`: an array for each line that asks for one, the same for a whole block."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def array(self, n: int, kind: type) -> np.ndarray:
        asks = sys._getframe(1)
        line = (asks.f_code.co_filename, asks.f_lineno)
        return self._emulator.shared.setdefault(line, np.full(n, np.nan, kind))


class Safe:
    """`math` with the answers of a device, where Python's raises."""

    inf, nan, pi, isfinite = np.inf, np.nan, np.pi, np.isfinite
    exp, expm1, log, log1p, tanh = np.exp, np.expm1, np.log, np.log1p, np.tanh
    sin, cos, atan, fabs, sqrt = np.sin, np.cos, np.arctan, np.abs, np.sqrt
    pow, frexp, ldexp = np.float_power, np.frexp, np.ldexp


class Modules:
    """Sources as modules of their own, whose imports of each other and of numba are ours."""

    def __init__(self, texts: dict[str, str], cuda: Cuda) -> None:
        self.texts = texts
        self.made: dict[str, Any] = {}
        self.known: dict[str, Any] = {"numba": Names(cuda=cuda, njit=_plain), "math": Safe}

    def load(self, name: str) -> Any:
        if name not in self.made:
            tree = ast.parse(self.texts[f"{name}.py"])
            scope: dict[str, Any] = {}
            for node in list(tree.body):
                if isinstance(node, ast.ImportFrom) and (node.level or node.module in self.known):
                    assert node.module is not None
                    source = self.load(node.module) if node.level else self.known[node.module]
                    for each in node.names:
                        scope[each.asname or each.name] = getattr(source, each.name)
                    tree.body.remove(node)
                elif isinstance(node, ast.Import) and node.names[0].name == "math":
                    scope["math"] = Safe
                    tree.body.remove(node)
            exec(compile(tree, f"{name}.py", "exec"), scope)
            self.made[name] = Names(**scope)
        return self.made[name]


class Names:
    """A namespace."""

    def __init__(self, **names: Any) -> None:
        self.__dict__.update(names)


def _plain(*args: Any, **options: Any) -> Any:
    return lambda function: function


def stand_in[Device: Host](
    monkeypatch: pytest.MonkeyPatch, make: Callable[[on_gpu.GpuKernel, int], Device]
) -> list[Device]:
    """Let numba on the CPU be the GPU; return the devices that were opened."""
    opened: list[Device] = []

    def open_device(kernel: on_gpu.GpuKernel, block: int) -> Device:
        opened.append(make(kernel, block))
        return opened[-1]

    monkeypatch.setattr(gpu, "missing", lambda: "")
    monkeypatch.setattr(on_gpu.GpuKernel, "device", open_device)
    return opened
