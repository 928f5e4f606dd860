"""Who writes the draws of a run that is kept in a store: its coordinator, or its workers."""

import os
from dataclasses import replace

from exmc_dask.cluster.messages.wire import Shelf
from exmc_dask.errors import OptionError
from exmc_dask.runs.recipe import Recipe
from exmc_dask.store.objects import everywhere

WRITERS = ("coordinator", "workers")


def check_writers(writers: str, store: object) -> None:
    """Check the option ``store_writers`` of `exmc_dask.sample`.

    Raises
    ------
    OptionError
        There is no such writer, or nothing to write to.
    """
    if writers not in WRITERS:
        raise OptionError(
            f"store_writers={writers!r} is not possible; use 'coordinator' or 'workers'"
        )
    if writers == "workers" and store is None:
        raise OptionError(
            "store_writers='workers' needs store=, a folder or URL that workers reach as well"
        )


def written_by_workers(recipe: Recipe, store: str | os.PathLike[str]) -> Recipe:
    """Return the same recipe for workers that put their draws in a store themselves."""
    shelf = Shelf(everywhere(store), 0 if recipe.warmup else recipe.settings.tune)
    return replace(recipe, spec=replace(recipe.spec, shelf=shelf))
