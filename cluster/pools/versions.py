"""Which versions must agree between coordinator and workers for blocks to give the same bits."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

PACKAGES = ("exmc_dask", "numba", "numpy")
"""What to ask a worker about; Python's own version Dask adds by itself."""


@cache
def here() -> dict[str, str]:
    """Return the versions here by package."""
    return {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}


def mismatch(ours: Mapping[str, str], theirs: Mapping[str, str | None]) -> str:
    """Say in what a worker differs; an empty string when it does not.

    Of Python only the minor version counts, as bytecode is the same within it.
    """
    differences = []
    for name, wanted in ours.items():
        found = theirs.get(name)
        parts = 2 if name == "python" else None
        if found is None or found.split(".")[:parts] != wanted.split(".")[:parts]:
            differences.append(f"{name} {found or 'not at all'} (here {wanted})")
    return ", ".join(differences)
