"""Orphans: pieces that no tail names, of workers that died, or were overtaken, before they told.

Nobody ever reads them. They are deleted when nothing is under way, because only then is a piece
that no tail names one that none will.
"""

from collections.abc import Iterable

from exmc_dask.store import piece
from exmc_dask.store.objects import Objects
from exmc_dask.store.tail import Tail

PROBES = "exmc/probes"
"""Where workers show that they reach the store; nothing of it outlives a run."""


def delete_orphans(objects: Objects, tails: Iterable[Tail]) -> int:
    """Delete what lies beside the pieces that tails name, and return how many pieces that were.

    Parameters
    ----------
    objects : Objects
    tails : iterable of Tail
        All that anybody may still read by.
    """
    named = {entry.receipt.name for tail in tails for entry in tail.pieces}
    there = objects.names(piece.FOLDER)
    orphans = [name for name in there if name.rpartition("/")[2] not in named]
    for name in [*orphans, *objects.names(PROBES)]:
        objects.delete(name)
    return len(orphans)
