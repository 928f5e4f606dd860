"""How large the draws of a run will be: told before it begins."""

from exmc_dask.cluster.plan.moves import Note, Trouble
from exmc_dask.kernels.cuda.gpu import size

LARGE = 4_000_000_000
"""Bytes from which on it is told: more than a minute of what one process takes from its workers."""


def large(n_bytes: int, place: str | None, *, at_most: bool) -> Note | None:
    """Say how much a run will draw if that is much, and how to have less of it.

    Parameters
    ----------
    n_bytes : int
    place : str, optional
        The store, if workers write to it.
    at_most : bool
        Whether the run may end before.
    """
    if n_bytes < LARGE:
        return None
    about = f"{'at most' if at_most else 'about'} {size(n_bytes)} of draws"
    if place is not None:
        words = f"workers will write {about} to {place}; thin= and keep='moments' make it less"
    else:
        words = (
            f"{about} will be sent to this process, which takes some 50 MB each second: thin= and "
            "keep='moments' make it less, and with store= and store_writers='workers' it is "
            "workers that write them"
        )
    return Note(Trouble.SIZE, words)


def crowded(n_bytes: int, free: int | None, root: str) -> Note | None:
    """Say that so much will not fit into a store; ``free`` is None where nobody knows."""
    if free is None or n_bytes <= free:
        return None
    words = (
        f"the run will make {size(n_bytes)} of draws, and where its store {root} is there are "
        f"{size(free)} free; thin= makes it less"
    )
    return Note(Trouble.SIZE, words)
