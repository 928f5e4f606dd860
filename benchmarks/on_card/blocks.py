"""Blocks of many chains: whether they are right, and how fast they are made."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask.kernels.cuda import run_cuda
from exmc_dask.kernels.runtime import chain as slots
from exmc_dask.processor import n_processors
from exmc_dask.sampler.block import options as options_of
from on_card.machine import Machine, Rates
from on_card.subject import Chains, Subject

TOLERANCE = 1e-8  # of the first draws, relative: what lanes in any order are held to in the tests
FIRST = 3  # draws
TRANSCENDENTAL = 20  # operations of an exponential function, as in gradient.py
_MOST_DRAWS = 20_000
_KEPT_BYTES = 1e9  # of a block at most
_PATIENCE = 4  # times the time it was to take after which a block is ended


@dataclass(frozen=True)
class Made:
    """A block that was made."""

    chains: Chains
    kept: dict[str, np.ndarray]
    launches: int
    gradients: int
    draws: int  # of each chain
    seconds: float


@dataclass(frozen=True)
class Right:
    """How blocks of a model compare with those of the CPU and with themselves."""

    model: str
    lanes: int
    difference: float  # of the first draws from those of the CPU, relative, the largest
    same_trees: bool
    same_bits: bool  # when it is run again, and in many launches

    @property
    def holds(self) -> bool:
        return self.difference <= TOLERANCE and self.same_trees and self.same_bits


@dataclass(frozen=True)
class Speed:
    """How fast many chains drew, all of them counted; lanes and block are 0 on the CPU."""

    model: str
    where: str
    dim: int
    chains: int
    lanes: int
    block: int
    draws: int
    launches: int
    seconds: float
    leapfrogs_per_s: float
    draws_per_s: float
    floor_per_s: float  # gradients that the peak rates allow

    @property
    def fraction(self) -> float:
        """Share of the floor that was reached."""
        return self.leapfrogs_per_s / self.floor_per_s


class Bench:
    """A machine, with a device for every kernel that was asked for."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._devices: dict[tuple[str, int, int], tuple[run_cuda.Device, Any]] = {}

    def make(
        self,
        subject: Subject,
        lanes: int,
        chains: Chains,
        n: int,
        *,
        limit_s: float = 60.0,
        launch_s: float = run_cuda.LAUNCH_S,
        block: int = 0,
    ) -> Made:
        """Make the next `n` draws of chains, or fewer in good order when time is up.

        `block`: threads of a block of the GPU; 0: as the machine has it.
        """
        key = (subject.name, lanes, block or self.machine.block)
        if key not in self._devices:
            kernel = subject.kernel(lanes)
            device = self.machine.device(kernel, key[2])
            self._devices[key] = device, kernel.bind(subject.data)
        device, bound = self._devices[key]
        control = np.zeros(len(slots.CONTROL), np.int64)
        timer = threading.Timer(limit_s, control.__setitem__, (slots.STOP, slots.STOP_AFTER))
        timer.daemon = True
        timer.start()
        began = time.perf_counter()
        try:
            f, i, kept, launches = run_cuda.run(
                *(device, bound, lanes, chains.f, chains.i),
                *(*options_of(subject.settings), n, control),
                in_step=bool(subject.tile),
                launch_s=launch_s,
            )
        finally:
            timer.cancel()
        seconds = time.perf_counter() - began
        counted = (int(control[slots.GRADIENTS]), int(control[slots.DRAWS]))
        return Made(Chains(f, i), kept, launches, *counted, seconds)

    def check(self, subject: Subject, lanes: int, chains: int, draws: int) -> Right:
        """Hold the first draws to the CPU's, and a block to itself."""
        starts = subject.starts(2)
        first = self.make(subject, lanes, starts, FIRST)
        difference, same_trees = 0.0, True
        for chain in range(2):
            _, wanted = subject.on_cpu(starts[chain], FIRST)
            found = first.kept["values"][chain]
            apart = np.abs(found - wanted.values) / np.maximum(np.abs(wanted.values), 1e-6)
            difference = max(difference, float(np.max(apart, initial=0.0)))
            same_trees &= np.array_equal(first.kept["stats_i"][chain], wanted.stats_i)
        many = subject.starts(chains)
        made = [
            self.make(subject, lanes, many, draws, launch_s=launch_s)
            for launch_s in (run_cuda.LAUNCH_S, run_cuda.LAUNCH_S, 0.0)
        ]
        same_bits = all(_same(made[0], other) for other in made[1:])
        return Right(subject.name, lanes, difference, same_trees, same_bits)

    def adapted(self, subject: Subject, lanes: int, chains: int) -> Chains:
        """Return chains after their warmup."""
        return self.make(subject, lanes, subject.starts(chains), subject.settings.tune).chains

    def speed(
        self,
        subject: Subject,
        lanes: int,
        chains: Chains,
        rates: Rates,
        seconds: float,
        *,
        block: int = 0,
    ) -> Speed:
        """Time a block of about so many seconds; `block` as `make` has it."""
        limit_s = _PATIENCE * seconds
        self.make(subject, lanes, chains, 0, block=block)  # what compiles is not timed
        made = self.make(subject, lanes, chains, 2, limit_s=limit_s, block=block)
        row = 8 * len(chains) * sum(each.shape[2] for each in made.kept.values())
        most = max(2, min(_MOST_DRAWS, int(_KEPT_BYTES / row)))
        while made.seconds < seconds / 2 and made.draws < most:
            more = min(20.0, seconds / made.seconds)  # what a first block takes says little
            n = min(most, int(made.draws * more) + 1)
            made = self.make(subject, lanes, chains, n, limit_s=limit_s, block=block)
        return Speed(
            model=subject.name,
            where=self.machine.name,
            dim=subject.host.dim,
            chains=len(chains),
            lanes=lanes,
            block=block or self.machine.block,
            draws=made.draws,
            launches=made.launches,
            seconds=made.seconds,
            leapfrogs_per_s=made.gradients / made.seconds,
            draws_per_s=len(chains) * made.draws / made.seconds,
            floor_per_s=floor_per_s(subject, rates),
        )


def on_cpu(subject: Subject, chains: Chains, rates: Rates, seconds: float) -> Speed:
    """Time the same chains on all processors of this machine, a chain each."""
    processors = n_processors()
    states = [chains.repeated(processors)[k] for k in range(processors)]

    def draw(n: int) -> tuple[float, int]:
        began = time.perf_counter()
        with ThreadPoolExecutor(processors) as pool:
            made = [*pool.map(lambda state: subject.on_cpu(state, n)[1], states)]
        taken = time.perf_counter() - began
        return taken, sum(int(draws.stats_i[:, _N_STEPS].sum()) for draws in made)

    n = 4
    taken, leapfrogs = draw(n)
    while taken < seconds / 2 and n < _MOST_DRAWS:
        n = min(_MOST_DRAWS, int(n * min(20.0, seconds / taken)) + 1)
        taken, leapfrogs = draw(n)
    return Speed(
        model=subject.name,
        where=f"{processors} processors",
        dim=subject.host.dim,
        chains=processors,
        lanes=0,
        block=0,
        draws=n,
        launches=0,
        seconds=taken,
        leapfrogs_per_s=leapfrogs / taken,
        draws_per_s=processors * n / taken,
        floor_per_s=processors * floor_per_s(subject, rates),
    )


_N_STEPS = slots.INT_STATS.index("n_steps")


def floor_per_s(subject: Subject, rates: Rates) -> float:
    """Return the gradients that the peak rates allow, by operations and by bytes."""
    cost = subject.cost
    operations = cost.flops + TRANSCENDENTAL * cost.transcendentals
    return min(rates.flops_per_s / operations, rates.bytes_per_s / max(8, cost.bytes))


def _same(one: Made, other: Made) -> bool:
    """Whether two blocks agree to the last bit."""
    pairs = [(one.chains.f, other.chains.f), (one.chains.i, other.chains.i)]
    pairs += [(rows, other.kept[name]) for name, rows in one.kept.items()]
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)
