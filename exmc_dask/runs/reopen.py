"""Stored runs: gone on with, and looked at."""

import math
import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

from exmc_dask.errors import OptionError
from exmc_dask.options import refuse
from exmc_dask.runs.gpus import wish, within_reach
from exmc_dask.runs.instead import other_bits
from exmc_dask.runs.keeper import read
from exmc_dask.runs.recipe import Recipe, on_gpus
from exmc_dask.runs.run import Run
from exmc_dask.runs.shelf import check_writers, written_by_workers
from exmc_dask.runs.takeover import Resumed, take_over
from exmc_dask.runs.terms import Terms
from exmc_dask.store.objects import objects_at

if TYPE_CHECKING:
    import xarray as xr

# Options of sample that a run keeps as it was begun with them.
_FIXED = dict.fromkeys(
    ("tune", "chains", "random_seed", "target_accept", "initvals", "model", "thin", "until"),
    "a run goes on as it was begun; for another one call sample",
)


@overload
def resume(
    store: str | os.PathLike[str], *, blocking: Literal[True] = True, **options: Any
) -> "xr.DataTree": ...
@overload
def resume(store: str | os.PathLike[str], *, blocking: Literal[False], **options: Any) -> Run: ...
def resume(
    store: str | os.PathLike[str],
    *,
    draws: int = 0,
    client: Any = None,
    cluster: Any = None,
    target: Literal["auto", "cpu", "cuda"] = "auto",
    progressbar: bool | str | Callable[[Any], None] = True,
    on_failure: Literal["raise", "drop"] | None = None,
    block_draws: int | None = None,
    max_time_s: float = math.inf,
    compute_convergence_checks: bool = True,
    checkpoint_s: float = 10.0,
    store_writers: Literal["coordinator", "workers"] | None = None,
    blocking: bool = True,
    **unknown: Any,
) -> "xr.DataTree | Run":
    """Go on with a run that `sample` keeps, or kept, in a store.

    Each chain continues from where the store has it, and the result is that of a run that was
    never interrupted, bit for bit, wherever it goes on. The store needs nothing beside it. A
    process that still runs it stops when it writes next, with StoreTaken.

    Parameters
    ----------
    store : path or str
        As it was given to `sample`.
    draws : int
        Draws of each chain beyond those that were asked for before. The result is that of a run
        that was asked for all of them at once.
    target : {"auto", "cpu", "cuda"}
        "auto" goes on with what chains were drawn with before: with GPUs, if it was those and this
        process or the workers of the client or cluster have some, else with CPUs. Where it is
        another than before, draws are as good but not those of a run under one, and a note says
        from which draw on.
    client, cluster, progressbar, block_draws, max_time_s, compute_convergence_checks, checkpoint_s
        As in `sample`; they may be others than before.
    on_failure : {"raise", "drop"}, optional
        As in `sample`; as before by default.
    store_writers : {"coordinator", "workers"}, optional
        As in `sample`; as before by default. A run that workers have written can go on where they
        do not reach its store; one that its coordinator has written stays with that.
    blocking : bool
        Wait for the result. If not, the handle of the run is returned at once.

    Returns
    -------
    xarray.DataTree, or Run with ``blocking=False``

    Raises
    ------
    StoreError
        There is no run there, or it cannot be written.
    FormatError
        Something in the store is damaged or of another version; the message names it.
    OptionError, SamplingError, ClusterError
        As in `sample`.
    """
    refuse(resume, unknown, _FIXED)
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 0:
        raise OptionError(f"draws={draws!r} is not possible; give a whole number, 0 or above")
    wish("cpu" if target == "auto" else target, None, client, cluster)  # before it has a new owner
    if store_writers is not None:
        check_writers(store_writers, store)
    found = take_over(store, draws, checkpoint_s, store_writers)
    terms = Terms(
        client=client,
        cluster=cluster,
        progressbar=progressbar,
        on_failure=on_failure or found.on_failure,
        block_draws=block_draws,
        max_time_s=max_time_s,
        compute_convergence_checks=compute_convergence_checks,
    )
    recipe = _for_target(target, found, client, cluster)
    if found.keeper.in_pieces and store_writers != "coordinator":
        recipe = written_by_workers(recipe, store)
    run = Run(
        recipe,
        terms,
        keeper=found.keeper,
        states=found.states,
        blocks=found.blocks,
        lessons=found.lessons,
        seconds=found.seconds,
    )
    return run.wait() if blocking else run


def _for_target(target: str, found: Resumed, client: Any, cluster: Any) -> Recipe:
    """Return the recipe of a resumed run for what it goes on with, and say if that is another."""
    now = target
    if target == "auto":
        now = found.target if within_reach(client, cluster) else "cpu"
    recipe, asked = found.recipe, wish(now, None, client, cluster)
    if asked is not None:
        asked = replace(
            asked,
            lanes=found.lanes,
            block=found.block or asked.block,
            tile="auto" if found.lanes is None else found.tile or 0,
            else_cpus=target == "auto",
        )
        recipe = on_gpus(recipe, asked, found.states)
    if recipe.spec.target != found.target and found.states:
        recipe = recipe.after(found.target, found.states)
        names = {"cpu": "CPUs", "cuda": "GPUs"}
        notes = other_bits(found.states, names[recipe.spec.target], names[found.target])
        found.keeper.expect(list(notes))
    if recipe is not found.recipe:
        found.keeper.aim(recipe)
    return recipe


def open_store(store: str | os.PathLike[str]) -> "xr.DataTree":
    """Return what a store has of a run's result, whether the run is over, goes on or has died.

    Parameters
    ----------
    store : path or str
        As it was given to `sample`.

    Returns
    -------
    xarray.DataTree
        As from `sample`, with the draws that all chains have so far; arrays are read when they
        are used. Log-densities that were asked for are not in it: ``compute_log_likelihood`` and
        ``compute_log_prior`` make them.

    Raises
    ------
    StoreError
        There is no run there, or no draw yet.
    FormatError
        Something in the store is damaged or of another version; the message names it.
    """
    from exmc_dask.store.view import open_tree

    return open_tree(read(objects_at(store)))
