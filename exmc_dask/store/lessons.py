"""What groups of chains learnt together in warmup, as a store keeps it: an object for each time.

A chain that stood before a barrier when its process died, and others of its group behind it, cannot
learn again what they have learnt together. So a lesson is written before any tail of a chain that
went on from it.
"""

from collections.abc import Iterator, Mapping

from exmc_dask.errors import FormatError
from exmc_dask.sampler.pooling import Lesson, Pooling
from exmc_dask.sampler.state import ChainState
from exmc_dask.store.objects import Objects
from exmc_dask.store.tail import VERSION, archive, unarchive


def name_of(group: int, draw: int) -> str:
    """Return the name of a lesson in the store."""
    return f"exmc/lessons/{group:06}-{draw:06}.npz"


def to_bytes(lesson: Lesson) -> bytes:
    """Return a lesson as the bytes of a file."""
    about = {"version": VERSION, "n": lesson.n}
    return archive(about, lesson.fields)


def read_lessons(
    objects: Objects, pooling: Pooling | None, states: Mapping[int, ChainState]
) -> Iterator[Lesson]:
    """Read what there is.

    Parameters
    ----------
    objects : Objects
    pooling : Pooling or None
    states : mapping of int to ChainState
        Where chains go on.

    Raises
    ------
    FormatError
        One of them is damaged; or one is gone from which some chains of its group went on and
        others have not yet.
    """
    if pooling is None:
        return
    at: dict[int, list[int]] = {}
    for chain in range(pooling.chains):
        draw = states[chain].draw if chain in states else 0
        at.setdefault(pooling.group(chain), []).append(draw)
    for group, draws in at.items():
        for mark in pooling.marks:
            name = name_of(group, mark)
            content = objects.get(name)
            if content is None and min(draws) <= mark < max(draws):
                first = pooling.first(group)
                raise FormatError(
                    f"{objects.where(name)} is gone; put it back from a copy, or delete the tails "
                    f"of chains {first} to {first + len(draws) - 1} in "
                    f"{objects.where('exmc/tails')} and resume: they then begin again and make the "
                    "same draws"
                )
            if content is None:
                continue
            about, fields = unarchive(content, objects.where(name))
            if "n" not in about:
                raise FormatError(f"{objects.where(name)} is damaged: it lacks 'n'")
            yield Lesson(group, mark, about["n"], fields)
