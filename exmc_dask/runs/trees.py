"""The result of a run as far as it has come: what all chains have, or all that each has."""

import threading
from collections.abc import Collection, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from exmc_dask.runs.harvest import Harvest
from exmc_dask.runs.recipe import Recipe

if TYPE_CHECKING:
    import xarray as xr


def load_beside() -> None:
    """Import what results are made of beside other work."""
    threading.Thread(target=import_module, args=("exmc_dask.results.output",), daemon=True).start()


def common(
    recipe: Recipe,
    harvest: Harvest,
    dropped: Collection[int],
    attrs: Mapping[str, Any],
    *,
    begun: bool = False,
) -> "xr.DataTree":
    """Return the draws that all chains have.

    Parameters
    ----------
    recipe : Recipe
    harvest : Harvest
    dropped : collection of int
        Chains that could not go on: left out unless they have all their draws.
    attrs : mapping
        Further attributes.
    begun : bool
        Leave out chains that have drawn nothing.
    """
    kept = harvest.kept(recipe.settings, dropped).items()
    return recipe.tree({chain: blocks for chain, blocks in kept if blocks or not begun}, attrs)


def ragged(recipe: Recipe, harvest: Harvest, attrs: Mapping[str, Any]) -> "dict[int, xr.DataTree]":
    """Return all draws of each chain, whatever the others have."""
    by_chain = harvest.by_chain()
    reached = max(map(harvest.reached, by_chain)) - recipe.settings.tune
    recipe = recipe.to_draw(max(reached, 1))
    return {chain: recipe.tree({chain: blocks}, attrs) for chain, blocks in by_chain.items()}
