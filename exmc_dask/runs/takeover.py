"""Stored runs that are taken up again, by whatever process."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from exmc_dask.cluster.plan.moves import BlockResult
from exmc_dask.errors import OptionError, StoreError
from exmc_dask.language.builder import Model
from exmc_dask.runs.keeper import StoreKeeper, here, reach, read
from exmc_dask.runs.past import earlier_blocks
from exmc_dask.runs.recipe import Recipe, write
from exmc_dask.runs.until import Until
from exmc_dask.runs.warmstart import Earlier
from exmc_dask.sampler.pooling import Lesson
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState
from exmc_dask.store.lessons import read_lessons
from exmc_dask.store.manifest import OWNER
from exmc_dask.store.orphans import delete_orphans
from exmc_dask.store.stored import Stored


@dataclass(frozen=True, eq=False)
class Resumed:
    """A run to go on with: arguments of `Run`, how it was told to fail, its target.

    ``target`` is what chains were last drawn with, ``lanes``, ``block`` and ``tile`` are those of
    its GPUs.
    """

    recipe: Recipe
    keeper: StoreKeeper
    states: Mapping[int, ChainState]
    blocks: list[BlockResult]
    lessons: list[Lesson]
    seconds: float
    on_failure: Literal["raise", "drop"]
    target: str
    lanes: int | None
    block: int | None
    tile: int | None


def take_over(
    place: str | os.PathLike[str], draws: int, checkpoint_s: float, writers: str | None = None
) -> Resumed:
    """Become the owner of a stored run, whoever owned it before.

    Parameters
    ----------
    place : path or str
    draws : int
        Draws wanted of each chain beyond those that were wanted before.
    checkpoint_s : float
    writers : {"coordinator", "workers"}, optional
        Who is to write from now on.

    Raises
    ------
    OptionError
        It cannot be taken so.
    StoreError, FormatError
        There is no run, it is damaged, or cannot be written.
    """
    objects = reach(place, checkpoint_s)
    before = read(objects)
    owner = before.owner
    if draws and owner.until and before.ending != "complete":
        raise OptionError("until= decides when this run ends; resume it without draws= first")
    if writers == "workers" and not before.manifest.layout.in_pieces:
        raise OptionError(
            "store_writers='workers' is not possible for this run: its coordinator has written the "
            "store so far, and goes on with that; leave it out"
        )
    owner = replace(
        owner,
        epoch=owner.epoch + 1,
        token=secrets.token_hex(8),
        draws=owner.draws + draws,
        until=owner.until and not draws,
        host=here(),
    )
    try:
        objects.put(OWNER, owner.to_bytes())
    except Exception as error:  # of whatever file system it is
        raise StoreError(
            f"{objects.root} cannot be written, so it cannot be resumed: "
            f"{type(error).__name__}: {error}"
        ) from error
    stored = read(objects)  # again: now nobody else writes
    if stored.manifest.layout.in_pieces:
        with contextlib.suppress(Exception):  # they cost room only, and the end tries again
            delete_orphans(objects, stored.tails.values())
    recipe = _recipe(stored)
    states = {chain: tail.state for chain, tail in stored.tails.items() if tail.state is not None}
    lessons = list(read_lessons(objects, recipe.pooling, states))
    keeper = StoreKeeper(stored, recipe, checkpoint_s)
    return Resumed(
        recipe,
        keeper,
        states,
        [
            block
            for tail in stored.reopened().values()
            if tail.state is not None
            for block in earlier_blocks(stored, tail, recipe, keeper.source)
        ],
        lessons,
        stored.seconds,
        stored.manifest.run["on_failure"],
        stored.target,
        *(stored.manifest.run.get(name) for name in ("lanes", "block", "tile")),
    )


def earlier(place: str | os.PathLike[str]) -> Earlier:
    """Return what other runs may begin from; raises as `read` does."""
    stored = read(reach(place, 0.0))
    recipe = _recipe(stored)
    states = {c: tail.state for c, tail in stored.tails.items() if tail.state is not None}
    return Earlier(recipe.density, recipe.settings.tune, states)


def _recipe(stored: Stored) -> Recipe:
    """Write the recipe anew from what the store has of it."""
    manifest, run = stored.manifest, stored.manifest.run
    model = Model()
    model.__setstate__({"spec": manifest.model, "data": manifest.data, "coords": manifest.coords})
    recipe = write(
        model,
        Settings.from_dict(manifest.settings),
        manifest.layout.chains,
        **manifest.options,
        warmup=run["warmup"],
        log_likelihood=run["log_likelihood"],
        log_prior=run["log_prior"],
    )
    until = None
    if stored.owner.until:
        limits = {name: np.array(limits) for name, limits in run["until"].items()}
        until = Until(limits, tuple(run["columns"]))
    before, changes = _past_targets(stored)
    recipe = replace(recipe, initials=manifest.initials, before=before, changes=changes)
    return recipe.to_draw(stored.owner.draws, until)


def _past_targets(stored: Stored) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the targets before the last one, and how they changed.

    A change after which the store was given no draw has not been, for who goes on with it.
    """
    targets = list(stored.owner.targets)
    while targets and targets[-1] != stored.target:
        targets.pop()
    before = tuple(targets[:-1])
    return before, tuple(map(tuple, stored.owner.changes))[: len(before)]
