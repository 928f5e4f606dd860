"""The writer of a store: a thread that takes blocks in order and puts chunks, lessons, then tails.

Whoever runs the chains hands blocks over and goes on. What cannot be written stays here, in order,
and is tried again; the run does not notice, but for a note.
"""

import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exmc_dask.errors import StoreTaken
from exmc_dask.sampler.pooling import Lesson
from exmc_dask.sampler.settings import Settings
from exmc_dask.store import lessons as learnt
from exmc_dask.store.layout import Layout
from exmc_dask.store.line import InChunks, InPieces, Line, Published
from exmc_dask.store.manifest import OWNER, Owner
from exmc_dask.store.objects import Objects
from exmc_dask.store.pieces import Pieces
from exmc_dask.store.skeleton import Skeleton
from exmc_dask.store.tail import Tail, name_of

# Of the time, at most, that may go into tails, which are written again and again: of a processor's
# time, and of that of this thread, which waits for disks and networks.
_CPU_SHARE, _SHARE = 0.01, 0.1
# Of blocks that wait for this thread. Beyond, whoever brings one waits a moment with it, so that
# draws that are made faster than a disk takes them do not fill the memory.
_BACKLOG_BYTES, _PATIENCE_S = 2**25, 1.0
_FIRST_RETRY_S, _LAST_RETRY_S = 1.0, 60.0


@dataclass(frozen=True)
class _Aim:
    """How many draws are wanted from now on."""

    owner: Owner
    settings: Settings


class Writer:
    """Writes one run.

    Parameters
    ----------
    objects : Objects
        Where the manifest lies already.
    owner : Owner
        This process, as it stands there.
    layout : Layout
    settings : Settings
        With the number of draws that is wanted.
    skeleton : callable
        Returns the `Skeleton`, anew after each `aim`; it may take a while.
    tails : mapping of int to Tail
        Where chains go on that were begun earlier; none ends inside a chunk.
    seconds : float
        Time that the run took before.
    checkpoint_s : float
        Time between two tails of a chain, at least.
    on_trouble : callable
        Is told, from the writer's thread, when the store stops taking draws and when it does again.
    on_full : callable
        Is told, from there too, of a chain and the row up to which rows can be read back that came
        here.
    pieces : Pieces, optional
        Where draws lie in pieces, those that there are; told of those that are written here.
    """

    def __init__(
        self,
        objects: Objects,
        owner: Owner,
        layout: Layout,
        settings: Settings,
        skeleton: Callable[[], Skeleton],
        *,
        tails: Mapping[int, Tail] | None = None,
        seconds: float = 0.0,
        checkpoint_s: float = 10.0,
        on_trouble: Callable[[str], None] = lambda _: None,
        on_full: Callable[[int, int], None] = lambda _, __: None,
        pieces: Pieces | None = None,
    ) -> None:
        self.error: StoreTaken | None = None
        self.trouble: Exception | None = None
        self._objects, self._owner, self._layout = objects, owner, layout
        self._settings, self._make_skeleton = settings, skeleton
        self._skeleton: Skeleton | None = None
        self._written: dict[str, bytes] = {}  # of the skeleton
        self._checkpoint_s, self._on_trouble, self._on_full = checkpoint_s, on_trouble, on_full
        self._began = time.monotonic() - seconds
        begun = tails or {}
        new = {chain: Tail(chain, -layout.n_warmup) for chain in range(layout.chains)}
        self._lines: dict[int, Line] = {
            chain: InPieces(layout, settings, tail, pieces, secrets.token_hex(6))
            if pieces is not None
            else InChunks(layout, settings, tail)
            for chain, tail in {**new, **begun}.items()
        }
        self._codes: dict[str, int] = {}
        for tail in begun.values():
            for name in tail.workers:
                self._codes.setdefault(name, len(self._codes))
        self._lessons: deque[Lesson] = deque()  # that are not written yet
        self._inbox: queue.SimpleQueue[Published | Lesson | _Aim | int | None] = queue.SimpleQueue()
        self._backlog = 0  # bytes in it
        self._less = threading.Condition()  # of them
        self._aimed = True
        self._due = time.monotonic() + checkpoint_s
        self._retry_s = _FIRST_RETRY_S
        self._cost_s = 0.0  # how long the last tails ask us to wait before the next
        self._thread = threading.Thread(target=self._work, name="exmc-store", daemon=True)
        self._thread.start()

    # The run's side ------------------------------------------------------------------------------

    def take(self, block: Published) -> None:
        """Take a block, the next one of its chain; returns at once, unless many wait.

        Raises
        ------
        StoreTaken
            Another process has resumed the run.
        """
        if self.error is not None:
            raise self.error
        with self._less:
            self._backlog += _size(block)
            self._inbox.put(block)
            if self._backlog > _BACKLOG_BYTES and self.trouble is None:
                self._less.wait(_PATIENCE_S)

    def learn(self, lesson: Lesson) -> None:
        """Take what a group of chains learnt, before the blocks that began after it."""
        self._inbox.put(lesson)

    def drop(self, chain: int) -> None:
        """Take note that a chain was given up."""
        self._inbox.put(chain)

    def aim(self, owner: Owner, settings: Settings) -> None:
        """Take note that the run is to have another number of draws."""
        self._inbox.put(_Aim(owner, settings))

    def close(self) -> None:
        """Write all that was taken, the last chunk of a chain even if it is not full.

        Raises
        ------
        StoreTaken
            Another process has resumed the run.
        """
        if self._thread.is_alive():
            self._inbox.put(None)
            self._thread.join()
        if self.error is not None:
            raise self.error

    def tails(self) -> dict[int, Tail]:
        """Return where the chains stand, rows that could not be written included; after `close`."""
        return {number: self._tail(line) for number, line in self._lines.items()}

    def lessons(self) -> list[Lesson]:
        """Return those that could not be written; after `close`."""
        return list(self._lessons)

    # The writer's thread -------------------------------------------------------------------------

    def _work(self) -> None:
        open_ = True
        while open_:
            open_ = self._receive()
            if self.error is None and (not open_ or time.monotonic() >= self._due):
                self._cost_s = 0.0
                done = self._attempt(self._commit, last=not open_)
                pause = max(self._checkpoint_s, self._cost_s)
                if not done:
                    pause, self._retry_s = self._retry_s, min(2 * self._retry_s, _LAST_RETRY_S)
                self._due = time.monotonic() + pause

    def _receive(self) -> bool:
        """Take what has come, or wait for it until the next tails are due; False at the end."""
        try:
            item = self._inbox.get(timeout=max(self._due - time.monotonic(), 0.0))
        except queue.Empty:
            return True
        if item is None:
            return False
        if isinstance(item, _Aim):
            self._aimed, self._owner, self._settings = False, item.owner, item.settings
            self._skeleton, self._written = None, {}
            return True
        if isinstance(item, Lesson):
            self._lessons.append(item)
            return True
        if isinstance(item, int):
            self._lines[item].dropped = self._lines[item].changed = True
            return True
        self._sort_in(item)
        with self._less:
            self._backlog -= _size(item)
            self._less.notify()
        return True

    def _sort_in(self, item: Published) -> None:
        """Add a block to its chain, and write what is due with it."""
        line = self._lines[item.unit]
        line.take(item, self._codes.setdefault(item.worker, len(self._codes)))
        if self.trouble is None and self.error is None and line.is_due:
            self._attempt(self._put_rows, line)

    def _attempt(self, act: Callable[..., None], *args: object, last: bool = False) -> bool:
        """Do something that may fail, and say so when that is news and not the end of it."""
        try:
            act(*args, last)
        except StoreTaken as error:
            self.error = error
        except Exception as error:
            if self.trouble is None and not last:
                self._on_trouble(
                    f"the store {self._objects.root} takes no draws "
                    f"({type(error).__name__}: {error}); the run goes on, keeps them in memory, "
                    "and tries again"
                )
                self._retry_s = _FIRST_RETRY_S
                self._due = time.monotonic() + self._retry_s
            self.trouble = error
            return False
        else:
            if self.trouble is not None and act == self._commit:
                self._on_trouble(f"the store {self._objects.root} takes draws again")
                self.trouble = None
        return True

    def _commit(self, last: bool) -> None:
        """Bring the store to where the chains are; ``last``, and leave nothing in tails."""
        if not self._aimed:
            self._check_owner()
            self._objects.put(OWNER, self._owner.to_bytes())
            self._aimed = True
        if not self._written or last:
            self._put_skeleton()
        for line in self._lines.values():
            self._put_rows(line, last)
        while self._lessons:  # before the tails of chains that went on from them
            self._check_owner()
            lesson = self._lessons[0]
            self._objects.put(learnt.name_of(lesson.group, lesson.draw), learnt.to_bytes(lesson))
            self._lessons.popleft()
        began, cpu_began = time.monotonic(), time.thread_time()
        for number, line in self._lines.items():
            if line.changed:
                tail = self._tail(line)
                self._check_owner()
                self._objects.put(name_of(number), tail.to_bytes())
                line.changed = False
        took, cpu_took = time.monotonic() - began, time.thread_time() - cpu_began
        self._cost_s = max(took / _SHARE, cpu_took / _CPU_SHARE)

    def _put_skeleton(self) -> None:
        if self._skeleton is None:
            self._skeleton = self._make_skeleton()
        attrs = {"sampling_time": self._seconds, "ending": self._ending}
        found = self._skeleton.objects(attrs, list(self._codes))
        news = {n: content for n, content in found.items() if self._written.get(n) != content}
        self._check_owner()
        self._objects.put_all((self._layout.home + name, news[name]) for name in news)
        self._written = found

    def _put_rows(self, line: Line, last: bool) -> None:
        """Write what is due of a chain, and if it is the ``last`` all there is."""
        before = line.full
        try:
            for objects in line.steps(last=last):
                self._check_owner()
                self._objects.put_all(objects)
        finally:
            if line.full > before:
                self._on_full(line.number, int(line.full))

    def _check_owner(self) -> None:
        """Raise StoreTaken when another process writes here now.

        Between this look and the next write another may come. Both write the same draws, so the
        one that was overtaken can put back a tail at most, and never a wrong draw.
        """
        owner = Owner.read(self._objects)
        if owner.token != self._owner.token:
            raise StoreTaken(
                f"{self._objects.root} was taken over by {owner.host} (epoch {owner.epoch} after "
                f"{self._owner.epoch}), which goes on with this run; this process stops writing to "
                "it and ends"
            )

    @property
    def _ending(self) -> str:
        """What the result says of why there are no more draws."""
        wanted = -(-self._settings.draws // self._settings.thin)
        going = (line for line in self._lines.values() if not line.dropped)
        return "complete" if all(line.stop >= wanted for line in going) else ""

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _tail(self, line: Line) -> Tail:
        return line.tail(tuple(self._codes), self._seconds)


def _size(block: Published) -> int:
    draws = block.draws
    return sum(a.nbytes for a in (draws.values, draws.q, draws.stats_f, draws.stats_i))
