"""What is known of one chain of a run: how far it is, where its block is, what went wrong."""

from dataclasses import dataclass, field
from math import nan

from exmc_dask.errors import BlockError, PoisonModelError
from exmc_dask.sampler.state import State

from .moves import BlockProgress, BlockResult, Phase, Progress, Stage
from .nouns import NUTS, Words

_MAX_LOSSES = 4  # of one block, with its worker or on its way, before it stays at home
_MAX_CHILD_DEATHS = 3  # of children under one block, wherever they were
_MAX_BARREN = 3  # answers to one block that hold no draw


@dataclass(slots=True)
class Flight:
    """A block on its way.

    Attributes
    ----------
    place : str
    isolated : bool
        It runs in a child process.
    sent_at, moved_at : float
        When it was sent; when it was last heard to have evaluated another gradient.
    stage : int or None
        A Stage; None before anything was heard of it.
    gradients : int
        Evaluations it was heard of.
    """

    place: str
    isolated: bool
    sent_at: float
    moved_at: float
    stage: int | None = None
    gradients: int = 0


@dataclass(slots=True)
class Chain:
    """A chain's line in the books; the plan writes it.

    Attributes
    ----------
    unit, total, tune : int
    words : Words
        What it is called.
    state : State or None
        Where the next block begins; None before the first.
    next : int
        Its draw number, and so with ``unit`` its name.
    dropped : bool
        It cannot go on.
    flight : Flight or None
    attempt, deaths, losses, barren : int
        Of the next block: tries that came to nothing, workers that died under it, results that
        got lost, results without a draw.
    child_deaths : list of str
        Places where the next block's child process died.
    fingerprint : str
        Of the last block; empty before it.
    """

    unit: int
    total: int
    tune: int
    words: Words = NUTS
    state: State | None = None
    next: int = 0
    dropped: bool = False
    flight: Flight | None = None
    attempt: int = 0
    deaths: int = 0
    losses: int = 0
    barren: int = 0
    child_deaths: list[str] = field(default_factory=list)
    fingerprint: str = ""
    _retries: int = 0
    _divergences: int = 0
    _gradients: int = 0
    _seconds: float = 0.0
    _step_size: float = nan

    @property
    def name(self) -> str:
        """What it is called where something is said of it."""
        return self.words.name(self.unit)

    def does(self, one: str, several: str) -> str:
        """Say what it does, as `Words.does`."""
        return self.words.does(self.unit, one, several)

    @property
    def complete(self) -> bool:
        """All draws are there."""
        return self.next >= self.total

    @property
    def over(self) -> bool:
        """No further block will be sent, unless the run is extended."""
        return self.dropped or self.complete

    @property
    def suspect(self) -> bool:
        """Something died under the next block, so it gets a process of its own."""
        return bool(self.deaths or self.child_deaths)

    @property
    def stays_home(self) -> bool:
        """The next block was lost so often that only the coordinator may try it."""
        return self.deaths + self.losses >= _MAX_LOSSES

    @property
    def poisonous(self) -> bool:
        """Children died under the next block in two places, or too often in one."""
        return len(set(self.child_deaths)) > 1 or len(self.child_deaths) >= _MAX_CHILD_DEATHS

    @property
    def comes_to_nothing(self) -> bool:
        """The next block was answered so often without a draw that it never will be."""
        return self.barren >= _MAX_BARREN

    def fail(self) -> None:
        """Count a try that came to nothing."""
        self.attempt += 1
        self._retries += 1

    def publish(self, result: BlockResult) -> None:
        """Move on to the block after a result."""
        self.fingerprint = result.fingerprint
        self.state, self.next = result.state, self.next + result.n
        self.attempt = self.deaths = self.losses = self.barren = 0
        self.child_deaths.clear()
        self._divergences += result.divergences
        self._gradients += result.gradients
        self._seconds += result.seconds
        self._step_size = result.step_size

    def progress(self, worker: str, block: BlockProgress | None = None) -> Progress:
        """Say where the chain is, with what a running block says about itself."""
        draw = self.next + (block.draw if block else 0)
        if draw >= self.total:
            phase = Phase.DONE
        elif block is not None and block.stage == Stage.COMPILING:
            phase = Phase.COMPILING
        else:
            phase = Phase.WARMUP if draw < self.tune else Phase.SAMPLING
        return Progress(
            unit=self.unit,
            draw=draw,
            total=self.total,
            phase=phase,
            step_size=block.step_size if block else self._step_size,
            divergences=self._divergences + (block.divergences if block else 0),
            gradients=self._gradients + (block.gradients if block else 0),
            seconds=self._seconds + (block.seconds if block else 0.0),
            worker=worker,
            attempt=self.attempt,
            retries=self._retries,
        )

    def poison(self, message: str) -> PoisonModelError:
        """Name what condemned the model."""
        return PoisonModelError(
            f"{self.words.since(self.unit, self.next)}: every process that ran this block died "
            f"({', '.join(self.child_deaths)}; the last one: {message}). The model or its data "
            "kill the process; run it with a part of the data to find out what does"
        )

    def nothing(self) -> BlockError:
        """Name the block that makes no draw."""
        step = self.words.step
        return BlockError(
            f"{self.does('gets', 'get')} no further than {step} {self.next}: {self.barren} blocks "
            f"from there on came back without a {step}, though nobody had stopped them; a defect "
            "of what runs them, please report it"
        )

    def invariants(self) -> None:
        """Raise AssertionError unless the counters are possible."""
        assert 0 <= self.next <= self.total
        assert not (self.over and self.flight)
        assert self.attempt >= self.deaths + self.losses + len(self.child_deaths) - self.dropped
        assert len(self.child_deaths) <= _MAX_CHILD_DEATHS
