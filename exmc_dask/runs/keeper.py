"""Runs that are kept in a store: begun in a new one, and what keeps them."""

import math
import os
import secrets
import socket
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from exmc_dask import __version__
from exmc_dask.cluster.plan.moves import BlockResult, Note, Trouble
from exmc_dask.cluster.plan.words import goes_on, under_another
from exmc_dask.errors import ExmcError, OptionError, StoreError
from exmc_dask.runs.bulk import crowded
from exmc_dask.runs.past import fits_chunk, put_away, written
from exmc_dask.runs.recipe import Recipe
from exmc_dask.runs.terms import Keeper
from exmc_dask.sampler.pooling import Lesson
from exmc_dask.store.layout import lay_out
from exmc_dask.store.manifest import MANIFEST, OWNER, Manifest, Owner
from exmc_dask.store.objects import Objects, objects_at
from exmc_dask.store.orphans import delete_orphans
from exmc_dask.store.pieces import Pieces
from exmc_dask.store.readback import Chunks
from exmc_dask.store.skeleton import Skeleton, row_numbers
from exmc_dask.store.stored import Stored
from exmc_dask.store.writer import Writer

if TYPE_CHECKING:
    import xarray as xr


class StoreKeeper(Keeper):
    """Writes to a store; its owner and the run's thread may call it at once.

    Parameters
    ----------
    stored : Stored
        As the store is after this process has become its owner.
    recipe : Recipe
    checkpoint_s : float

    Attributes
    ----------
    source : Chunks or Pieces
        Where draws that are not in memory are read.
    """

    def __init__(self, stored: Stored, recipe: Recipe, checkpoint_s: float) -> None:
        self._stored, self._recipe, self._checkpoint_s = stored, recipe, checkpoint_s
        objects, layout = stored.objects, stored.manifest.layout
        self.place = objects.root
        self._pieces = Pieces.of(objects, layout, stored.tails) if layout.in_pieces else None
        self.source = self._pieces or Chunks(objects, layout)
        self._unable: set[str] = set()  # workers that could not write
        self._fingerprints = {c: t.fingerprint for c, t in stored.tails.items() if t.fingerprint}
        self._notes: deque[Note] = deque()
        self._lessons: list[Lesson] = []  # that are still to be written
        self._full: dict[int, int] = {}  # of a chain, the row at which its full chunks end
        self._news: deque[int] = deque()  # chains of which more are full
        self._lock = threading.RLock()  # there is one writer at a time
        self._writer: Writer | None = None
        self._open()  # here and not with the first block, which the run's own thread brings

    @property
    def in_pieces(self) -> bool:
        """Whether workers can write to the store."""
        return self._pieces is not None

    def block(self, result: BlockResult) -> BlockResult:
        """Take an accepted block, and return it with draws that can be read.

        Raises
        ------
        StoreTaken
            Another process has resumed the run.
        """
        before = self._fingerprints.pop(result.unit, result.fingerprint)
        if before != result.fingerprint:
            how = under_another(result.fingerprint, before)
            self._note(Trouble.FINGERPRINT, goes_on(f"chain {result.unit} goes", result.first, how))
        with self._lock:
            self._open().take(result)
        if result.receipt is None:
            self._heed(result)
            return result
        assert self._pieces is not None
        self._unable.discard(result.worker)
        return written(result, result.receipt, self._recipe.settings, self._pieces)

    def lesson(self, lesson: Lesson) -> None:
        """Take what a group of chains learnt."""
        with self._lock:
            self._open().learn(lesson)

    def aim(self, recipe: Recipe) -> None:
        """Take note that the run is to have another number of draws, or another target."""
        draws, until = recipe.settings.draws, recipe.until is not None
        with self._lock:
            self._recipe = recipe
            owner = replace(
                self._stored.owner,
                draws=draws,
                until=until,
                targets=recipe.targets,
                changes=recipe.changes,
            )
            self._stored = replace(self._stored, owner=owner)
            self._open().aim(owner, recipe.settings)

    def see(self, note: Note) -> None:
        """Take note of a chain that was given up."""
        if note.kind is Trouble.DROPPED and note.unit is not None:
            with self._lock:
                self._open().drop(note.unit)

    def expect(self, notes: Sequence[Note]) -> None:
        """Say with the first block what there is to say, and nothing of other fingerprints."""
        self._fingerprints = {}
        self._notes.extend(notes)

    def notes(self) -> list[Note]:
        """Return what went wrong since the last time this was asked."""
        return [self._notes.popleft() for _ in range(len(self._notes))]

    def stored(self) -> list[int]:
        """Return the chains of which more can be read back than when this was asked last."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def away(self, block: BlockResult) -> BlockResult | None:
        """Return a block without its draws, which lie in the store now; None if they do not."""
        settings = self._recipe.settings
        if fits_chunk(settings, self._stored.manifest.layout):
            return None
        return put_away(block, settings, self._full.get(block.unit, -math.inf), self.source)

    def close(self) -> None:
        """Write what is still to be written; the next block opens the store again.

        Raises
        ------
        StoreTaken
            Another process has resumed the run.
        """
        with self._lock:
            writer = self._open()
            self._writer = None
            writer.close()
            self._stored = replace(self._stored, tails=writer.tails())
            self._lessons = writer.lessons()
            if self._pieces is not None:
                self._clean()
        if writer.trouble is not None:
            self._note(
                Trouble.STORE,
                f"the store {self._stored.objects.root} lacks draws: {writer.trouble}; the result "
                "has all of them, and what the store has can be resumed",
            )

    def _open(self) -> Writer:
        if self._writer is None:
            stored, layout = self._stored, self._stored.manifest.layout
            self._writer = Writer(
                stored.objects,
                stored.owner,
                layout,
                self._recipe.settings,
                lambda: Skeleton(_empty(self._recipe), layout, self._recipe.settings),
                tails=stored.reopened(),
                seconds=stored.seconds,
                checkpoint_s=self._checkpoint_s,
                on_trouble=lambda message: self._note(Trouble.STORE, message),
                on_full=self._filled,
                pieces=self._pieces,
            )
            for lesson in self._lessons:
                self._writer.learn(lesson)
        return self._writer

    def _heed(self, result: BlockResult) -> None:
        """Say once of a worker that it could not write what it drew."""
        if result.unwritten and result.worker not in self._unable:
            self._unable.add(result.worker)
            self._note(
                Trouble.STORE,
                f"worker {result.worker} cannot write to the store {self._stored.objects.root} "
                f"({result.unwritten}); its draws are sent here and written from here",
            )

    def _clean(self) -> None:
        objects = self._stored.objects
        try:
            delete_orphans(objects, self._stored.tails.values())
        except Exception as error:  # of whatever file system it is; they cost room and nothing else
            self._note(
                Trouble.STORE,
                f"pieces that nobody needs could not be deleted from the store {objects.root} "
                f"({type(error).__name__}: {error}); the next run of it tries again",
            )

    def _filled(self, chain: int, stop: int) -> None:
        self._full[chain] = stop
        self._news.append(chain)

    def _note(self, kind: Trouble, message: str) -> None:
        self._notes.append(Note(kind, message))


def begin(
    place: str | os.PathLike[str],
    recipe: Recipe,
    on_failure: str,
    checkpoint_s: float,
) -> StoreKeeper:
    """Begin a run in a new store.

    Raises
    ------
    OptionError
        No store can be there, or zarr is not installed.
    StoreError
        There is something already, or nothing can be written.
    """
    objects = reach(place, checkpoint_s)
    if objects.get(MANIFEST) is not None:
        raise StoreError(
            f"store={objects.root!r} holds a run already: ed.resume({objects.root!r}) goes on with "
            "it; for a new one give another path or delete that one"
        )
    settings = recipe.settings
    groups = {n: node.to_dataset() for n, node in _empty(recipe).children.items()}
    n_warmup = len(row_numbers(settings, True)) if recipe.warmup else 0
    n_draws = len(row_numbers(settings, False))
    until = recipe.until
    manifest = Manifest(
        model=recipe.spec.model,
        data=recipe.model.data,
        coords=recipe.model.coords,
        initials=recipe.initials,
        options=recipe.spec.options,
        settings=recipe.spec.settings,
        run={
            "warmup": recipe.warmup,
            "log_likelihood": recipe.log_likelihood,
            "log_prior": recipe.log_prior,
            "on_failure": on_failure,
            "until": until and {name: list(limits) for name, limits in until.wanted.items()},
            "columns": until and until.columns,
            "target": recipe.spec.target,
            "lanes": recipe.share and recipe.share.lanes,
            "block": recipe.share and recipe.share.block,
            "tile": recipe.share and recipe.share.tile,
        },
        spec=recipe.spec.key,
        layout=lay_out(
            groups,
            recipe.chains,
            n_warmup,
            n_draws,
            in_pieces=recipe.spec.shelf is not None,
        ),
        release=__version__,
    )
    token, draws = secrets.token_hex(8), settings.draws
    owner = Owner(1, token, draws, until is not None, here(), recipe.targets)
    content = manifest.objects()
    try:
        if not objects.is_empty():
            raise StoreError(f"store={objects.root!r} is not empty, and what is there is no run")
        objects.create()
        objects.put_all([*content[:-1], (OWNER, owner.to_bytes()), content[-1]])
        note = crowded(recipe.expected_bytes, objects.free_bytes(), objects.root)
    except ExmcError:
        raise
    except Exception as error:  # of whatever file system it is
        raise StoreError(
            f"store={objects.root!r} cannot be written: {type(error).__name__}: {error}"
        ) from error
    keeper = StoreKeeper(Stored(objects, manifest, owner, {}), recipe, checkpoint_s)
    keeper.expect([note] if note else [])
    return keeper


def read(objects: Objects) -> Stored:
    """Read a store, whose owner may write meanwhile.

    Raises
    ------
    StoreError, FormatError
        There is no run, or it is damaged.
    """
    try:
        return Stored.read(objects)
    except OSError as error:
        raise StoreError(f"{objects.root} cannot be read: {error}") from error


def reach(place: str | os.PathLike[str], checkpoint_s: float) -> Objects:
    """Return the objects of a place that may be a store; check both options."""
    if find_spec("zarr") is None:
        raise OptionError("store= needs zarr, which is not installed: pip install exmc-dask[store]")
    if not isinstance(checkpoint_s, int | float) or not checkpoint_s >= 0:
        raise OptionError(f"checkpoint_s={checkpoint_s!r} is not possible; give seconds, 0 or more")
    return objects_at(place)


def _empty(recipe: Recipe) -> "xr.DataTree":
    """Return the result without draws."""
    return recipe.tree({chain: [] for chain in range(recipe.chains)}, {})


def here() -> str:
    """Name this process, for people."""
    return f"{socket.gethostname()}, process {os.getpid()}"
