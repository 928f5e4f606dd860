"""What does an event cost the coordinator, and what a chain? The real plan, a simulated cluster.

Time is simulated: a block takes ten seconds, give or take, and reports on the way as real ones do.
Only what the plan itself takes is measured, in processor time: of each event, ticks included, as
the driver tells them. Some workers die and come back, so recovery is part of it.
"""

import argparse
import gc
import heapq
import json
import platform
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from exmc_dask.cluster.plan.asks import Options
from exmc_dask.cluster.plan.moves import (
    BlockDone,
    BlockProgress,
    BlockResult,
    CancelBlock,
    Command,
    Due,
    Event,
    Finish,
    RunBlock,
    Stage,
    StoreBlock,
    Tick,
    WorkerJoined,
    WorkerLost,
)
from exmc_dask.cluster.plan.plan import Plan
from exmc_dask.sampler.state import ChainState, Draws

BLOCK_S, BLOCK_DRAWS, JOURNEY_S = 10.0, 100, 0.02
NONE = np.zeros((0, 1))
NO_DRAWS = Draws(0, NONE, NONE, NONE, np.zeros((0, 1), np.int64))


@dataclass(frozen=True)
class Cost:
    """What a run cost its coordinator; times in processor time."""

    chains: int
    workers: int
    blocks: int
    events: int
    us_per_event: float
    us_per_block: float
    core_share: float
    bytes_per_chain: float


class Simulation:
    """Blocks that are on their way in simulated time, and workers that die now and then."""

    def __init__(self, chains: int, workers: int, blocks: int, deaths: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._state = ChainState.blank(10, "fisher", "diag", 0)
        self._due: list[tuple[float, int, Callable[[], Event]]] = []
        self._n = 0
        self._dropped: set[tuple[int, int, int]] = set()
        self.plan = Plan(range(chains), Options(total=blocks * BLOCK_DRAWS))
        self.now, self.events, self.stored, self.spent_s = 0.0, 0, 0, 0.0
        for worker in range(workers):
            self._at(0.0, partial(WorkerJoined, f"w{worker}"))
        for death in range(deaths):
            name, at = f"w{death % workers}", BLOCK_S * (1.5 + death / deaths)
            self._at(at, partial(WorkerLost, name))
            self._at(at + 2.0, partial(WorkerJoined, name))

    def run(self) -> None:
        """Go on until the plan says that the run is over."""
        while not self.plan.finished:
            self.now = max(self._due[0][0], self.now)
            events: list[Event] = []
            while self._due and self._due[0][0] <= self.now + 0.010:  # as a gathering collects
                events.append(heapq.heappop(self._due)[2]())
            began = time.process_time()
            commands = self.plan.step(Tick(self.now))
            for event in events:
                commands += self.plan.step(event)
            if self.now >= self.plan.deadline:
                commands += self.plan.step(Due())
            self.spent_s += time.process_time() - began
            self.events += len(events) + 1
            for command in commands:
                self._obey(command)

    def _obey(self, command: Command) -> None:
        match command:
            case RunBlock():
                self._send(command)
            case StoreBlock():
                self.stored += 1
            case CancelBlock():
                self._dropped.add((command.unit, command.first, command.attempt))
            case Finish(error):
                assert error is None

    def _send(self, block: RunBlock) -> None:
        """Let a block speak when it begins, on its way and at its end."""
        took_s = BLOCK_S * self._rng.uniform(0.8, 1.2)
        began = self.now + JOURNEY_S / 2

        def said(stage: Stage, share: float) -> Event:
            draws = int(share * BLOCK_DRAWS)
            name = (block.unit, block.first, block.attempt)
            return BlockProgress(*name, int(stage), draws, 7 * draws, 0, 0.5, share * took_s)

        def ended() -> Event:
            if (block.unit, block.first, block.attempt) in self._dropped:
                return said(Stage.DRAWING, 1.0)  # a block that was cancelled sends no result
            n = min(block.n, BLOCK_DRAWS)
            state = self._state.replace(chain=block.unit, draw=block.first + n)
            name = (block.unit, block.first, block.attempt)
            made = BlockResult(*name, state, NO_DRAWS, 7 * n, 0, 0.5, took_s, 0.0, "simulated")
            return BlockDone(block.worker, made)

        self._at(began, partial(said, Stage.ARRIVED, 0.0))
        self._at(began, partial(said, Stage.STARTED, 0.0))
        for at in np.arange(block.every_s, took_s, block.every_s):
            self._at(began + at, partial(said, Stage.DRAWING, at / took_s))
        self._at(began + took_s + JOURNEY_S / 2, ended)

    def _at(self, when: float, what: Callable[[], Event]) -> None:
        self._n += 1
        heapq.heappush(self._due, (when, self._n, what))


def measure(chains: int, workers: int, blocks: int, deaths: int, seed: int) -> Cost:
    """Time one run, and weigh what a plan keeps."""
    simulation = Simulation(chains, workers, blocks, deaths, seed)
    gc.collect()
    simulation.run()
    assert simulation.stored == chains * blocks
    return Cost(
        chains=chains,
        workers=workers,
        blocks=simulation.stored,
        events=simulation.events,
        us_per_event=1e6 * simulation.spent_s / simulation.events,
        us_per_block=1e6 * simulation.spent_s / simulation.stored,
        core_share=simulation.spent_s / simulation.now,
        bytes_per_chain=weigh(chains),
    )


def weigh(chains: int) -> float:
    """Return the bytes a plan keeps for each of its chains, a state of ten dimensions included."""
    state = ChainState.blank(10, "fisher", "diag", 0)
    tracemalloc.start()
    states = {unit: state.replace(chain=unit, draw=1, q=state.q.copy()) for unit in range(chains)}
    plan = Plan(range(chains), Options(total=100), states)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not plan.finished
    return size / chains


def main() -> None:
    """Print the table and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--chains", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--blocks", type=int, default=5, help="of each chain")
    parser.add_argument("--deaths", type=int, default=100, help="of workers, each for 2 s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, blocks of {BLOCK_S:g} s")
    heads = "chains workers blocks events us/event us/block core B/chain"
    print("".join(f"{head:>10}" for head in heads.split()))
    costs = []
    for chains in options.chains:
        cost = measure(chains, options.workers, options.blocks, options.deaths, options.seed)
        costs.append(cost)
        print(
            f"{cost.chains:10}{cost.workers:10}{cost.blocks:10}{cost.events:10}"
            f"{cost.us_per_event:10.1f}{cost.us_per_block:10.1f}{cost.core_share:10.2%}"
            f"{cost.bytes_per_chain:10.0f}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=1))


if __name__ == "__main__":
    main()
