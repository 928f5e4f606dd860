"""Stored runs: gone on with, and looked at."""

import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

from exmc_dask.errors import OptionError
from exmc_dask.keeper import read, take_over
from exmc_dask.options import refuse
from exmc_dask.run import Run
from exmc_dask.store.objects import objects_at
from exmc_dask.terms import Terms

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
    progressbar: bool | str | Callable[[Any], None] = True,
    on_failure: Literal["raise", "drop"] | None = None,
    block_draws: int | None = None,
    max_time_s: float = math.inf,
    compute_convergence_checks: bool = True,
    checkpoint_s: float = 10.0,
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
    client, cluster, progressbar, block_draws, max_time_s, compute_convergence_checks, checkpoint_s
        As in `sample`; they may be others than before.
    on_failure : {"raise", "drop"}, optional
        As in `sample`; as before by default.
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
    found = take_over(store, draws, checkpoint_s)
    terms = Terms(
        client=client,
        cluster=cluster,
        progressbar=progressbar,
        on_failure=on_failure or found.on_failure,
        block_draws=block_draws,
        max_time_s=max_time_s,
        compute_convergence_checks=compute_convergence_checks,
    )
    run = Run(
        found.recipe,
        terms,
        keeper=found.keeper,
        states=found.states,
        blocks=found.blocks,
        lessons=found.lessons,
        seconds=found.seconds,
    )
    return run.wait() if blocking else run


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
