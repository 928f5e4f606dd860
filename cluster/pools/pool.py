"""Pools: what can run blocks, behind one small interface."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..messages.wire import Spec, Stop, Task
from ..plan.moves import Event, Note

if TYPE_CHECKING:
    from ..dashboard.herald import Herald

Post = Callable[[Sequence[Event]], None]
"""Takes events that happened together; may be called from any thread."""


@dataclass(frozen=True)
class Order:
    """A task and the worker that is to run it, and no other."""

    worker: str
    task: Task


class Pool(ABC):
    """Something that runs blocks, for one run at a time.

    A pool says by events which workers it has and what became of the blocks it was given. Apart
    from ``post``, everything is called from one thread.

    Attributes
    ----------
    grace_s : float
        Time without workers after which it is no use to wait for one.
    gpu_grace_s : float
        The same for workers whose GPU works, where a run has to have one.
    seeks_gpus : bool
        A run for CPUs wants to know of workers that have a GPU which works (`WorkerJoined.relief`);
        set before it is attached.
    """

    grace_s: float = 5.0
    gpu_grace_s: float = 0.0
    seeks_gpus: bool = False

    @abstractmethod
    def attach(self, run: str, spec: Spec, post: Post) -> None:
        """Begin to serve a run: announce workers from now on."""

    @abstractmethod
    def start(self, orders: Sequence[Order]) -> None:
        """Start blocks."""

    @abstractmethod
    def stop(self, stops: Sequence[tuple[str, Stop]]) -> None:
        """Let blocks end, given the worker of each; of dropped ones no answer is wanted."""

    def want(self, n: int) -> None:  # noqa: B027  most have what they have
        """Hear how many blocks could run at once from now on."""

    def heed(self, note: Note) -> None:  # noqa: B027  most have nothing of their own to mend
        """Hear of trouble, and mend what the pool itself has opened; nothing else."""

    @abstractmethod
    def detach(self) -> None:
        """End the service; the pool may be attached again."""

    def herald(self, n_units: int, total: int) -> "Herald | None":
        """Return who tells others than the caller of the run, if there is anywhere to tell it."""
        return None

    def close(self) -> None:  # noqa: B027  most have opened nothing
        """Give back what the pool itself has opened."""
