"""The GPU driver on the host: launches until every chain of a batch has made its draws.

A launch makes a number of trips, so that it takes some tenths of a second whatever the model; while
the next one runs, what the last one left in the ring is copied away. Chains that are ahead wait at
the end of the ring or of the block, so all end at one draw number, and a block ends between two
transitions of every chain: its states are those of the target "cpu".

All that touches a GPU is behind `Device` (`gpu` has the real one).
"""

import time
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from exmc_dask.errors import SamplingError

from ..runtime.chain import (
    CHAIN,
    DRAW,
    FINISHED,
    FLOAT_STATS,
    GO_ON,
    INT_STATS,
    INTS,
    NEXT_DRAW,
    RUNNING,
    STATUS,
    STEP_SIZE_BITS,
    STOP,
    STOP_NOW,
    STOPPED,
    THIN,
    TUNE,
)
from ..runtime.chain import DIVERGENCES as SEEN_DIVERGENCES
from ..runtime.chain import DRAWS as SEEN_DRAWS
from ..runtime.chain import GRADIENTS as SEEN_GRADIENTS
from ..runtime.chain import LAUNCHES as SEEN_LAUNCHES
from ..runtime.chain import TREE_DEPTH as SEEN_DEPTH
from ..runtime.tally import BROKEN, DIVERGENCES, GRADIENTS, LAUNCHES, TREE_DEPTH
from ..runtime.walk import PHASE, STEP, TURN
from .batch import Plan, pack, unpack

LAUNCH_S = 0.1
"""What a launch is to take: long against its overhead, short for who waits for progress."""
_FIRST_BUDGET, _LEAST_BUDGET, _GROWTH = 64, 16, 4
_RING_BYTES = 2**28
_LEAST_ROWS = 4


class Device(Protocol):
    """What the driver asks of a GPU.

    Attributes
    ----------
    label : str
        What it is called, and which of its machine's it is.
    capability: str
        Its compute capability, "9.0": what code is compiled for.
    """

    label: str
    capability: str

    @property
    def free_bytes(self) -> int:
        """Memory that is free on the device."""

    def put(self, array: np.ndarray) -> Any:
        """Return an array of the device with these elements."""

    def empty(self, shape: tuple[int, ...], dtype: type) -> Any:
        """Return an array of the device."""

    def launch(self, entry: str, groups: int, *args: Any) -> None:
        """Begin an entry point of the kernel, after all that was begun before."""

    def fetch(self, array: Any) -> np.ndarray:
        """Wait for what was begun and return an array's elements."""

    def begin_copy(self, array: Any, rows: slice | tuple[slice, ...]) -> Any:
        """Begin to copy a part of an array beside launches to come; for `end_copy`."""

    def end_copy(self, copy: Any) -> np.ndarray:
        """Wait for a copy and return it."""


def ring_rows(plan_bytes: int, rows: int) -> int:
    """Return the rows of a ring for draws that take so many bytes, over all chains."""
    return max(_LEAST_ROWS, min(rows, _RING_BYTES // max(1, plan_bytes)))


def plan(
    lanes: int,
    i: np.ndarray,
    option_i: np.ndarray,
    work_size: int,
    n_out: int,
    n: int,
    *,
    in_step: bool = False,
) -> Plan:
    """Return the sizes of a batch that is to make `n` draws; `in_step` as `Plan.of` has it."""
    tune, thin = (int(option_i[slot - len(INTS)]) for slot in (TUNE, THIN))
    kept = len(kept_draws(int(i[0, DRAW]), n, tune, thin))
    one = Plan.of(lanes, i, option_i, work_size, n_out, 1)
    row_bytes = 8 * (one.dim + n_out + len(FLOAT_STATS) + len(INT_STATS)) * len(i)
    rows = ring_rows(row_bytes, max(1, kept))
    return Plan.of(lanes, i, option_i, work_size, n_out, rows, in_step=in_step)


def kept_draws(draw: int, n: int, tune: int, thin: int) -> range:
    """Return the numbers of the draws, of the `n` from `draw` on, that are kept."""
    return range(draw + (tune - draw) % thin, draw + n, thin)


def run(
    device: Device,
    bound: Any,
    lanes: int,
    f: np.ndarray,
    i: np.ndarray,
    option_f: np.ndarray,
    option_i: np.ndarray,
    n: int,
    control: np.ndarray,
    *,
    in_step: bool = False,
    launch_s: float = LAUNCH_S,
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], int]:
    """Make the next `n` draws of each chain of a batch.

    Parameters
    ----------
    device : Device
        Holds the compiled kernel.
    bound : Bound
        The data of the run.
    lanes : int
        That share a chain.
    f, i : (chains, n_f) float64, (chains, 12) int64
        The states, all at one draw number; not changed.
    option_f, option_i
        OPTION_FLOATS and OPTION_INTS of `chain`.
    n : int
        Transitions; 0 only has everything compiled.
    control : (9,) int64
        CONTROL of `chain`. "Stop after this transition" ends the block where the chain is that has
        come furthest; "stop now" gives the states back as they were, with no draws.
    in_step : bool
        The chains of a block share tiles of data (`on_gpu.GpuKernel.tile`).
    launch_s : float
        What a launch is to take.

    Returns
    -------
    f, i
        The states afterwards.
    kept : dict of str to ndarray
        ``values``, ``q``, ``stats_f``, ``stats_i``, each (chains, rows, ...).
    launches : int
        As the device counted them.

    Raises
    ------
    SamplingError
        A chain holds something that is not finite.
    """
    sizes = plan(lanes, i, option_i, bound.work_size, bound.n_out, n, in_step=in_step)
    draw = int(i[0, DRAW])
    tune, thin = (int(option_i[slot - len(INTS)]) for slot in (TUNE, THIN))
    arrays: dict[str, Any] = {
        name: device.put(array) for name, array in pack(sizes, f, i, option_f, option_i).items()
    }
    for name in sizes.shapes:
        if name not in arrays:
            kind = np.int64 if name == "stats_i" else np.float64
            arrays[name] = device.empty(sizes.shape(name), kind)
    model = [device.put(_some(each)) for each in (bound.data, bound.data32, bound.index)]
    first = draw + (tune - draw) % thin
    goal = draw + n
    kept: dict[str, list[np.ndarray]] = {name: [] for name in ("values", "q", "stats_f", "stats_i")}
    copies: dict[str, list[Any]] = {}
    safe, copied = 0, 0
    budget, gradients = _FIRST_BUDGET, np.zeros(sizes.chains, np.int64)
    control[STATUS] = RUNNING
    while True:
        until = min(goal, first + (safe + sizes.rows) * thin)
        began = time.perf_counter()
        device.launch(
            "sample",
            sizes.chains,
            *(arrays[name] for name in ("reals", "ints", "vector", "spread", "walk", "work")),
            *model,
            *(arrays[name] for name in ("q", "stats_f", "stats_i")),
            *(sizes.chains, first, until, budget),
        )
        _collect(device, sizes, copies, kept)  # while the device works
        safe = copied
        ints = sizes.read(device.fetch(arrays["ints"]))
        seconds = time.perf_counter() - began
        _look(ints, sizes, control, draw)
        slowest = int(ints[:, DRAW].min())
        made = len(range(first, slowest, thin))
        if made > copied or n == 0:
            device.launch(
                *("outputs", sizes.chains, arrays["q"], arrays["values"], arrays["work"], *model),
                *(sizes.chains, copied, made - copied),
            )
            copies = {name: _begin(device, sizes, arrays[name], copied, made) for name in kept}
            copied = made
        if slowest >= goal:
            break
        if control[STOP] == STOP_NOW:
            _collect(device, sizes, copies, kept)  # none may write to memory that is let go
            control[STATUS] = STOPPED
            nothing = {name: np.empty((sizes.chains, 0, sizes.shapes[name][1])) for name in kept}
            return f, i, nothing, int(ints[0, LAUNCHES])
        if control[STOP] != GO_ON:
            goal = min(goal, int((ints[:, DRAW] + (ints[:, PHASE] != TURN)).max()))
        trips, gradients = int((ints[:, GRADIENTS] - gradients).max()), ints[:, GRADIENTS].copy()
        budget = _next_budget(trips, launch_s / max(seconds, 1e-9))
    _collect(device, sizes, copies, kept)
    names = ("reals", "ints", "spread", "vector")
    f, i = unpack(sizes, {name: device.fetch(arrays[name]) for name in names})
    reals = sizes.read(device.fetch(arrays["reals"]))
    control.view(np.float64)[STEP_SIZE_BITS] = float(np.median(reals[:, STEP]))
    control[NEXT_DRAW] = goal
    control[STATUS] = STOPPED if goal < draw + n else FINISHED
    whole = {
        name: np.concatenate(parts, axis=1)
        if parts
        else np.empty((sizes.chains, 0, sizes.shapes[name][1]))
        for name, parts in kept.items()
    }
    return f, i, whole, int(ints[0, LAUNCHES])


def _some(array: np.ndarray) -> np.ndarray:
    """Return an array, or a number that nobody reads: arrays without memory travel badly.

    They have no address, by which the libraries between here and a launch ask whose they are.
    """
    return array if array.size else np.zeros(1, array.dtype)


def _next_budget(trips: int, ratio: float) -> int:
    """Return the trips of the next launch, from those that the last one made.

    Not from what it might have made: where the ring is full before time is up, that would grow with
    every launch, and a stop would be heard late when draws take longer.
    """
    return int(max(_LEAST_BUDGET, trips * min(_GROWTH, max(1 / _GROWTH, ratio))))


def _look(ints: np.ndarray, sizes: Plan, control: np.ndarray, draw: int) -> None:
    """Say how far the chains are; raise if one cannot go on."""
    broken = np.flatnonzero(ints[:, BROKEN])
    if broken.size:
        at = broken[0]
        raise SamplingError(
            f"chain {ints[at, CHAIN]} holds a log-density or a step size that is not finite after "
            f"draw {ints[at, DRAW] - 1} ({broken.size} of {sizes.chains} chains on the GPU do); "
            "run it with target='cpu' to see more"
        )
    control[SEEN_GRADIENTS] = ints[:, GRADIENTS].sum()
    control[SEEN_DIVERGENCES] = ints[:, DIVERGENCES].sum()
    control[SEEN_DRAWS] = ints[:, DRAW].min() - draw
    control[NEXT_DRAW] = ints[:, DRAW].min()
    control[SEEN_DEPTH] = ints[:, TREE_DEPTH].max()
    control[SEEN_LAUNCHES] = ints[0, LAUNCHES]


def _begin(device: Device, sizes: Plan, array: Any, first: int, end: int) -> list[Any]:
    """Begin to copy rows of a ring; where they go over its end, in two pieces."""
    pieces = []
    while first < end:
        at = first % sizes.rows
        stop = min(sizes.rows, at + end - first)
        rows = slice(at, stop)
        where = rows if sizes.lanes == 1 else (slice(None), rows)
        pieces.append(device.begin_copy(array, where))
        first += stop - at
    return pieces


def _collect(
    device: Device,
    sizes: Plan,
    copies: dict[str, list[Any]],
    kept: Mapping[str, list[np.ndarray]],
) -> None:
    """Take what was copied."""
    for name, pieces in copies.items():
        kept[name] += [sizes.read(device.end_copy(piece)).copy() for piece in pieces]
    copies.clear()
