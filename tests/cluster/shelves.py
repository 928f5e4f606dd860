"""A toy that writes its draws to a store, and workers that die between writing and telling."""

import os
import signal
from functools import wraps
from pathlib import Path
from typing import Any

from exmc_dask.cluster.messages.wire import Spec
from exmc_dask.store import piece
from tests.cluster.toy import Toy


def dying(of: Spec) -> Toy:
    """Build the toy in a process that dies, once, when it has written the piece of a block."""
    write, unit, once = piece.write, of.settings["dies_after"], Path(of.settings["once"])

    def written(objects: Any, name: str, *rest: Any) -> Any:
        receipt = write(objects, name, *rest)
        if f"-u{unit}-" in name and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return receipt

    if not hasattr(write, "__wrapped__"):
        module: Any = piece
        module.write = wraps(write)(written)
    return Toy(of)
