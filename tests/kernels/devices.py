"""GPUs that are none: the device's own sources, run by numba on the CPU or by Python, lane by lane.

`Host` has numba compile them for the CPU, with one lane a chain. `Emulator` lets Python run the
lanes of a warp in turn, in an order that is shuffled anew for every round: where all lanes of a
group wait for each other, the next round begins. It raises where they do not, and a lane that reads
what another one has not yet written reads something else in another order.
"""

import ast
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from exmc_dask.kernels import build, gpu, on_gpu

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
def part(array, chain): return array[:, chain]
@device
def parts(array, chain): return array[:, :, chain]
"""
HOST = {
    "group.py": HOST_GROUP,
    "cuda.py": "from . import local\n",
    "local.py": (
        "import numpy as np\nfrom numba import njit\n"
        "@njit\ndef array(n, kind): return np.empty(n, kind)\n"
    ),
}


def host_sources() -> dict[str, str]:
    """Return the device's runtime for numba on the CPU; elementary functions are the CPU's."""
    return build.device_sources(1) | HOST | {"vecmath.py": build.sources()["vecmath.py"]}


class Host:
    """The device's sources compiled for this CPU, one lane a chain."""

    lanes, free_bytes = 1, 2**40

    def __init__(self, source: str, texts: dict[str, str] | None = None) -> None:
        self.module = build.load(source, build.runtime(texts or host_sources()))
        self.launches = 0

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


class Emulator(Host):
    """The device's sources run by Python, so many lanes a chain, a warp after the other."""

    def __init__(
        self, source: str, lanes: int, seed: int, edit: Callable[[str, str], str] | None = None
    ) -> None:
        self.lanes, self.launches, self.order = lanes, 0, random.Random(seed)
        self.answers: dict[int, dict[int, Any]] = {}
        texts = build.device_sources(lanes) | {"kernel.py": source}
        if edit is not None:
            texts = {name: edit(name, text) for name, text in texts.items()}
        self.module = Modules(texts, Cuda(self)).load("kernel")

    def launch(self, entry: str, groups: int, *args: Any) -> None:
        self.launches += 1
        self.call(getattr(self.module, entry), groups, *args)

    def call(self, function: Callable[..., None], groups: int, *args: Any) -> None:
        """Run a function of the device on all lanes of so many groups."""
        self.size = groups * self.lanes
        for first in range(0, self.size, 32):
            self._warp(lambda: function(*args), range(first, min(self.size, first + 32)))

    def _warp(self, function: Callable[[], None], threads: range) -> None:
        import greenlet

        def body() -> None:
            with np.errstate(all="ignore"):
                function()

        self.hub = greenlet.getcurrent()
        lanes = {thread: greenlet.greenlet(body) for thread in threads}
        alive = list(threads)
        self.waiting: dict[int, tuple[int, str, Any]] = {}
        while alive:
            self.order.shuffle(alive)
            ran = False
            for thread in list(alive):
                if thread in self.waiting:
                    continue
                ran, self.current = True, thread
                lanes[thread].switch()
                if lanes[thread].dead:
                    alive.remove(thread)
            ran = self._meet(threads.start) or ran
            if not ran:
                raise RuntimeError(f"lanes {sorted(self.waiting)} wait for others of their group")

    def _meet(self, first: int) -> bool:
        """Let groups go on all of whose lanes wait."""
        met = False
        for mask in {mask for mask, _, _ in self.waiting.values()}:
            group = [first + lane for lane in range(32) if mask >> lane & 1]
            if not all(self.waiting.get(lane, (0, "", 0))[0] == mask for lane in group):
                continue
            kinds = {self.waiting[lane][1] for lane in group}
            if len(kinds) > 1:
                raise RuntimeError(f"lanes {group} wait for different things: {sorted(kinds)}")
            values = {lane: self.waiting.pop(lane)[2] for lane in group}
            self.answers.update(dict.fromkeys(group, values))
            met = True
        return met

    def collective(self, mask: int, kind: str, value: Any) -> dict[int, Any]:
        me = self.current
        self.waiting[me] = (int(mask) & 0xFFFFFFFF, kind, value)
        self.hub.switch()
        return self.answers.pop(me)


class Cuda:
    """What `numba.cuda` is to the device's sources, for one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.local = self.libdevice = self.threadIdx = self

    def jit(self, function: Any, **options: Any) -> Any:
        return function

    @property
    def x(self) -> int:
        return self._emulator.current % 128

    def grid(self, ndim: int) -> int:
        return self._emulator.current

    def gridsize(self, ndim: int) -> int:
        return self._emulator.size

    def shfl_xor_sync(self, mask: int, value: float, distance: int) -> float:
        me = self._emulator.current
        return self._emulator.collective(mask, f"shuffle by {distance}", value)[me ^ distance]

    def syncwarp(self, mask: int) -> None:
        self._emulator.collective(mask, "barrier", None)

    def array(self, n: int, kind: type) -> np.ndarray:
        return np.full(n, -(2**60) if kind is np.int64 else np.nan, kind)

    def double_as_longlong(self, x: float) -> np.int64:
        return np.float64(x).view(np.int64)

    def longlong_as_double(self, i: int) -> np.float64:
        return np.int64(i).view(np.float64)

    def floor(self, x: float) -> float:
        return float(np.floor(x))


class Safe:
    """`math` with the answers of a device, where Python's raises."""

    inf, nan, pi = np.inf, np.nan, np.pi
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
