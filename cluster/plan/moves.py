"""What can happen to a run and what can be done about it: the events and commands of the plan.

Everything here is a frozen record without behaviour. ``Plan.step`` takes one event and returns
commands; ``Progress`` and ``Note`` are what those who watch a run are shown.
"""

import enum
from dataclasses import dataclass

from exmc_dask.errors import ExmcError
from exmc_dask.sampler.pooling import Lesson
from exmc_dask.sampler.receipt import Receipt
from exmc_dask.sampler.state import Draws, State

from .asks import Ask, Ending, Extend

HOME = "coordinator"
"""The name of the coordinator as a place where blocks can run, in child processes."""


class Phase(enum.StrEnum):
    """How far a unit has come."""

    COMPILING = "compiling"
    WARMUP = "warmup"
    SAMPLING = "sampling"
    DONE = "done"


class Stage(enum.IntEnum):
    """How far a block has come."""

    ARRIVED = 0
    """The worker has taken it up, and loads what runs it."""
    STARTED = 1
    COMPILING = 2
    DRAWING = 3


class Fault(enum.Enum):
    """Why a block did not end well."""

    RAISED = enum.auto()
    """It raised in Python; the same would happen anywhere."""
    DIED = enum.auto()
    """The child process it had to itself ended by a signal or an exit code."""
    GONE = enum.auto()
    """Its result got lost on the way; nothing is known about the block itself."""
    DEVICE = enum.auto()
    """The GPU it ran on failed, and cannot be relied on any more."""
    MEMORY = enum.auto()
    """It did not fit into the memory of the GPU."""


class Trouble(enum.StrEnum):
    """The kinds of notes, from the harmless to those that end a run."""

    GPU = "gpu"
    SIZE = "size"
    WORKER_LOST = "worker lost"
    WORKER_HUNG = "worker hung"
    WORKER_REFUSED = "worker refused"
    RESULT_LOST = "result lost"
    CHILD_DIED = "child died"
    GPU_FAILED = "GPU failed"
    FALLBACK = "fallback"
    OTHER_CLASS = "other CPU class"
    FINGERPRINT = "fingerprint changed"
    TIME = "time is up"
    UNMET = "until not reached"
    DROPPED = "chain dropped"
    STORE = "store"
    FAILED = "run failed"


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What a block made: the chain's next state and the draws on the way to it.

    Attributes
    ----------
    unit, first, attempt : int
        The chain, the draw number of the block's first row, and which try this was.
    state : State
        Everything the next block depends on.
    draws : Draws
    gradients, divergences : int
        Gradient evaluations; divergent transitions after warmup.
    step_size : float
        Of the last transition; nan when there was none.
    seconds, prepare_s : float
        Time spent drawing, and before it on compiling and data.
    fingerprint : str
        Target, CPU class and versions: blocks of one fingerprint agree to the last bit.
    worker : str
        Where it ran; written by the driver when it publishes the block.
    launches : int
        Of a GPU, as the GPU counted them: proof that it ran.
    receipt : Receipt or None
        Of draws that the worker has written to the run's store; ``draws`` are then none.
    unwritten : str
        Why it could not write them, where it was to; they are then here.
    """

    unit: int
    first: int
    attempt: int
    state: State
    draws: Draws
    gradients: int
    divergences: int
    step_size: float
    seconds: float
    prepare_s: float
    fingerprint: str
    worker: str = ""
    launches: int = 0
    receipt: Receipt | None = None
    unwritten: str = ""

    @property
    def n(self) -> int:
        """Number of transitions; thinning keeps fewer draws."""
        return self.state.draw - self.first


# What a run shows to those who watch it ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a chain is; counters include the block in flight.

    Attributes
    ----------
    unit, draw, total : int
        The chain, draws done and draws wanted, warmup included in both.
    phase : Phase
    step_size : float
    divergences, gradients : int
        Divergent transitions after warmup; gradient evaluations, warmup included.
    seconds : float
        Time spent drawing.
    worker : str
    attempt : int
        Of the block in flight; above 0 it is being run again.
    retries : int
        Attempts of all blocks of this chain that came to nothing.
    """

    unit: int
    draw: int
    total: int
    phase: Phase
    step_size: float
    divergences: int
    gradients: int
    seconds: float
    worker: str
    attempt: int
    retries: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something out of the ordinary, in words."""

    kind: Trouble
    message: str
    unit: int | None = None
    worker: str | None = None
    draw: int | None = None


# Events ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tick:
    """The time, in seconds since any fixed moment; said before what happened then."""

    now: float


@dataclass(frozen=True, slots=True)
class Due:
    """The plan's deadline has passed, and nothing that happened before it is still unsaid."""


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker that was asked what it is, and is still to be joined or refused."""

    worker: str


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker that was checked.

    Attributes
    ----------
    worker : str
    slots : int
        Blocks that it may be given at a time.
    kind : str
        CPU class: workers of one have equal bits; "" where that is not known.
    broken : str
        Why its GPU cannot be used, in a run that needs one; "" if it can.
    relief : bool
        It has a GPU that can be used, which a run goes on with that had to do without.
    """

    worker: str
    slots: int = 1
    kind: str = ""
    broken: str = ""
    relief: bool = False


@dataclass(frozen=True, slots=True)
class WorkerRefused:
    """A worker that must not be given work, and why; it may have been in use until now.

    ``store`` says that it is for want of the run's store.
    """

    worker: str
    why: str
    store: bool = False


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker that is gone; ``expected`` when it announced that it would go."""

    worker: str
    expected: bool = False


@dataclass(frozen=True, slots=True)
class BlockProgress:
    """What a running block says about itself; all counters begin with the block.

    ``stage`` is a Stage.
    """

    unit: int
    first: int
    attempt: int
    stage: int
    draw: int
    gradients: int
    divergences: int
    step_size: float
    seconds: float


@dataclass(frozen=True, slots=True)
class BlockDone:
    """A block that came back."""

    worker: str
    result: BlockResult


@dataclass(frozen=True, slots=True)
class BlockFailed:
    """A block that did not; ``error`` is what it raised, unless its process died."""

    worker: str
    unit: int
    first: int
    attempt: int
    fault: Fault
    message: str
    error: ExmcError | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What a Look came to; ``wanting`` says in words what is not good enough yet, if anything."""

    draw: int
    wanting: str = ""


Event = (
    Tick
    | Due
    | WorkerSeen
    | WorkerJoined
    | WorkerRefused
    | WorkerLost
    | BlockProgress
    | BlockDone
    | BlockFailed
    | Ask
    | Extend
    | Looked
)


# Commands ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunBlock:
    """Run ``n`` draws or fewer of a unit from draw ``first`` on one worker and on no other.

    ``state`` None means that the chain has not begun. ``isolated`` blocks run in a child process
    of the worker, so that it survives whatever they do; at ``HOME`` all blocks do.
    """

    worker: str
    unit: int
    first: int
    n: int
    attempt: int
    budget_s: float
    every_s: float
    state: State | None
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class StopBlock:
    """Let a block end after its present draw and send what it has."""

    worker: str
    unit: int
    first: int
    attempt: int


@dataclass(frozen=True, slots=True)
class CancelBlock:
    """Forget a block; whatever it still sends is not wanted."""

    worker: str
    unit: int
    first: int
    attempt: int


@dataclass(frozen=True, slots=True)
class StoreBlock:
    """Publish a result: the next draws of its unit, never seen before."""

    worker: str
    result: BlockResult


@dataclass(frozen=True, slots=True)
class Show:
    """Tell those who watch where a chain is."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell those who watch what went wrong."""

    note: Note


@dataclass(frozen=True, slots=True)
class Look:
    """Judge the draws before ``draw``, which all chains have, and say Looked."""

    draw: int


@dataclass(frozen=True, slots=True)
class Teach:
    """Keep what a group of chains has learnt: they go on from it, and so has a later life to."""

    lesson: Lesson


@dataclass(frozen=True, slots=True)
class Finish:
    """The run is over; ``error`` is what ended it if it failed."""

    error: ExmcError | None = None
    ending: Ending = Ending.COMPLETE


Command = RunBlock | StopBlock | CancelBlock | StoreBlock | Show | Warn | Look | Teach | Finish
