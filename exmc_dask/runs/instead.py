"""How a run goes on whose GPUs cannot go on: in smaller batches, or on CPUs until others come.

Chains carry all that their next draw depends on, so either is the same recipe carried out
otherwise. Smaller batches change no bit. CPUs add up in another order than GPUs, so draws from
then on are as good but not those that a GPU would have made, and that is told with the first of
them; so it is when GPUs take over again.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby

from exmc_dask.cluster.plan.moves import Note, Trouble
from exmc_dask.cluster.plan.words import goes_on
from exmc_dask.errors import ClusterMismatch, DeviceFull, GpuError, OptionError
from exmc_dask.runs.recipe import Recipe
from exmc_dask.runs.units import Batches
from exmc_dask.sampler.state import State

MOST_RETURNS = 3
"""Times that a run goes back to GPUs, which may fail each time."""


def instead(
    recipe: Recipe, error: BaseException | None, states: Mapping[int, State]
) -> tuple[Recipe | None, list[Note]]:
    """Return the recipe by which a run goes on that an error has ended, and what is to be told.

    Parameters
    ----------
    recipe : Recipe
    error : exception or None
        What ended it; None where there are GPUs again.
    states : mapping of int to State
        Where its chains are.

    Returns
    -------
    Recipe or None
        None where it cannot go on.
    list of Note
    """
    units, share = recipe.units, recipe.share
    if error is None and recipe.returns:
        other = recipe.again_on_gpus(states)
        told = other_bits(states, "GPUs", "CPUs") if other.spec.target == "cuda" else ()
        return other, list(told)
    if share is None or not isinstance(units, Batches):
        return None, []
    if not isinstance(error, GpuError | DeviceFull | ClusterMismatch):
        return None, []
    smaller = _smaller(recipe, units) if isinstance(error, DeviceFull) else None
    if smaller is not None:
        words = f"batches of {units.largest} chains are too large and cut in two: {error}"
        other = recipe.in_batches(smaller, share.lanes, share.block, share.tile)
        return other, [Note(Trouble.FALLBACK, words)]
    if not recipe.else_cpus:
        return None, [Note(Trouble.FAILED, str(error))]
    returns = not isinstance(error, DeviceFull) and recipe.before.count("cuda") < MOST_RETURNS
    until = ", until a worker joins that has a GPU which works" if returns else ""
    words = f"the chains go on with CPUs{until}: {error}"
    other = recipe.on_cpus(states, returns=returns)
    return other, [Note(Trouble.FALLBACK, words), *other_bits(states, "CPUs", "GPUs")]


def _smaller(recipe: Recipe, units: Batches) -> Batches | None:
    """Return batches of half the size; None where the caller, or what learns together, forbids."""
    if not recipe.shrinks or units.largest == 1:
        return None
    if recipe.pooling is None:
        return units.halved()
    try:
        return units.in_groups(recipe.pooling, units.largest // 2)
    except OptionError:
        return None


def other_bits(states: Mapping[int, State], now: str, before: str) -> Iterator[Note]:
    """Say from which draw on chains have other bits; neighbours at one draw in one note."""
    begun = sorted((chain, state.draw) for chain, state in states.items() if state.draw)
    for draw, group in groupby(begun, key=lambda pair: pair[1]):
        chains = [chain for chain, _ in group]
        who = f"chain {chains[0]} goes" if len(chains) == 1 else f"{len(chains)} chains go"
        words = goes_on(who, draw, f"on {now} after {before}, under another fingerprint")
        yield Note(Trouble.FINGERPRINT, words, unit=chains[0], draw=draw)
