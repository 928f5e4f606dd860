"""A plan told as a story: events go in, and the books are looked at after each."""

from typing import Any

import numpy as np

from exmc_dask.cluster.plan.asks import Options
from exmc_dask.cluster.plan.moves import (
    BlockDone,
    BlockFailed,
    BlockProgress,
    BlockResult,
    Command,
    Due,
    Event,
    Fault,
    RunBlock,
    Stage,
    StoreBlock,
    Tick,
    Trouble,
    Warn,
)
from exmc_dask.cluster.plan.plan import Plan
from exmc_dask.errors import BlockError, DeviceFull
from exmc_dask.sampler.state import ChainState, Draws


def state(unit: int, draw: int) -> ChainState:
    return ChainState.blank(1, "fisher", "diag", unit, draw=draw)


def result(block: RunBlock, n: int | None = None, fingerprint: str = "cpu") -> BlockResult:
    n = block.n if n is None else n
    draws = Draws(
        block.first,
        np.zeros((n, 1)),
        np.zeros((0, 1)),
        np.zeros((n, 7)),
        np.zeros((n, 5), np.int64),
    )
    return BlockResult(
        unit=block.unit,
        first=block.first,
        attempt=block.attempt,
        state=state(block.unit, block.first + n),
        draws=draws,
        gradients=3 * n,
        divergences=1,
        step_size=0.5,
        seconds=0.1,
        prepare_s=0.0,
        fingerprint=fingerprint,
    )


class Story:
    """A plan whose books are looked at after each event, and whose draws must come in order."""

    def __init__(self, n_units: int = 2, total: int = 100, **options: Any) -> None:
        states = options.pop("states", None)
        self.plan = Plan(range(n_units), Options(total=total, **options), states)
        self.have = {u: s.draw for u, s in (states or {}).items()}
        self.log: list[Command] = []

    def tell(self, *events: Event) -> list[Command]:
        """Return the commands that follow from some events."""
        commands = []
        for event in events:
            commands += self.plan.step(event)
            self.plan.invariants()
            if isinstance(event, Tick) and event.now >= self.plan.deadline:
                commands += self.plan.step(Due())
                self.plan.invariants()
        for command in commands:
            if isinstance(command, StoreBlock):
                stored = command.result
                assert stored.first == self.have.get(stored.unit, 0)
                self.have[stored.unit] = stored.first + stored.n
        self.log += commands
        return commands

    def blocks(self, *events: Event) -> list[RunBlock]:
        """Return the blocks that some events set off."""
        return [c for c in self.tell(*events) if isinstance(c, RunBlock)]

    def only(self, *events: Event) -> RunBlock:
        (block,) = self.blocks(*events)
        return block

    def done(self, block: RunBlock, n: int | None = None, **kw: Any) -> BlockDone:
        return BlockDone(block.worker, result(block, n, **kw))

    def notes(self) -> list[Trouble]:
        return [c.note.kind for c in self.log if isinstance(c, Warn)]


def failed(block: RunBlock, fault: Fault) -> BlockFailed:
    errors = {Fault.RAISED: BlockError("boom"), Fault.MEMORY: DeviceFull("full")}
    return BlockFailed(
        block.worker, block.unit, block.first, block.attempt, fault, fault.name, errors.get(fault)
    )


def of(kind: type, commands: list[Command]) -> list[Any]:
    return [c for c in commands if isinstance(c, kind)]


def report(block: RunBlock, stage: Stage = Stage.DRAWING) -> BlockProgress:
    return BlockProgress(block.unit, block.first, block.attempt, int(stage), 1, 3, 0, 0.1, 0.1)
