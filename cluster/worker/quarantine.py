"""What a process knows of its GPU: why it is given nothing any more, until the process ends.

CUDA lets a process use a GPU no more on which a launch has failed, so the record lies where it is
true, in the memory of the worker itself: whichever client asks is told, and a worker that is
started anew knows of nothing. Nothing heavy is imported, as workers are asked before they are given
work.
"""

from exmc_dask.errors import ExmcError
from exmc_dask.processor import cpu_class

_why = ""


def remember(why: str) -> None:
    """Take note of a failure; the first one is kept, as others follow from it."""
    global _why
    _why = _why or why


def why() -> str:
    """Say what has failed; nothing if nothing has."""
    return _why


def about() -> dict[str, str]:
    """Return what a worker is asked before it is given work.

    Returns
    -------
    dict of str to str
        ``kind``, its CPU class; ``broken``, as `why` says; ``cannot``, why it can compile nothing.
    """
    try:
        return {"kind": cpu_class(), "broken": _why, "cannot": ""}
    except ExmcError as error:
        return {"kind": "", "broken": _why, "cannot": str(error)}
