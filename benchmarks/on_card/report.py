"""What was found so far, the time that is left, and the versions of what takes part."""

import contextlib
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import exmc_dask as ed
from exmc_dask.errors import GpuError
from exmc_dask.kernels.cuda import gpu_trouble

_PACKAGES = ("numba", "numba-cuda", "cupy-cuda13x", "numpy", "jax", "numpyro", "blackjax")
DONE, UNDER_WAY = "done", "under way"  # sections with what was tried in them, in the file
PATIENCE = "patience_s"  # how long what is under way may go on without a word, in the file
_PATIENCE_S = 100.0


class Poisoned(Exception):
    """A GPU has failed, and CUDA lets this process use it no more."""


@dataclass
class Report:
    """Rows by section; in a file as well where there is one, written anew with every row."""

    file: Path | None
    content: dict[str, Any] = field(default_factory=dict)

    def add(self, section: str, row: dict[str, Any]) -> None:
        self.content.setdefault(section, []).append(row)
        self.write()

    def write(self) -> None:
        if self.file is not None:
            part = self.file.with_suffix(".part")
            part.write_text(json.dumps(self.content, indent=1))
            part.replace(self.file)

    @contextlib.contextmanager
    def attempt(self, section: str, what: str, patience_s: float = _PATIENCE_S) -> Iterator[None]:
        """Count what raises as wrong, and go on: the rest is worth knowing, too.

        What is under way stands in the file, so that it is known what a process died of, and when
        one that has written nothing since is taken to hang.

        Raises
        ------
        Poisoned
            The GPU failed, and is of no more use to this process.
        """
        self.content |= {UNDER_WAY: [section, what], PATIENCE: patience_s}
        self.write()
        try:
            yield
        except Exception as error:
            self.fail(section, what, repr(error))
            if isinstance(gpu_trouble.of(error) or error, GpuError):
                raise Poisoned(what) from error
        self.content[UNDER_WAY] = None
        self.content.setdefault(DONE, []).append([section, what])
        self.write()

    def fail(self, section: str, what: str, why: str) -> None:
        """Count something as wrong, and as done."""
        self.content[UNDER_WAY] = None
        self.content.setdefault(DONE, []).append([section, what])
        self.add(section, {"of": what, "error": why, "holds": False})
        print(f"{what}: {why}  WRONG", flush=True)

    def is_new(self, section: str, what: str) -> bool:
        """Tell whether something was not tried yet, be it by a process before this one."""
        return [section, what] not in self.content.get(DONE, [])

    def is_wrong(self, section: str, what: str) -> bool:
        """Tell whether something was tried and raised."""
        return any(row.get("of") == what for row in self.content.get(section, []))

    @classmethod
    def go_on(cls, file: Path | None) -> "Report":
        """Return the report that a file has, or an empty one."""
        text = file.read_text() if file is not None and file.exists() else ""
        return cls(file, json.loads(text) if text else {})

    @property
    def checks(self) -> list[bool]:
        """Which of the rows that check something hold."""
        sections = (rows for rows in self.content.values() if isinstance(rows, list))
        return [row["holds"] for rows in sections for row in rows if "holds" in row]


@dataclass
class Budget:
    """The time that there is, and what there was none for."""

    seconds: float
    began: float = field(default_factory=time.monotonic)
    left_out: list[str] = field(default_factory=list)

    @property
    def spent_s(self) -> float:
        return time.monotonic() - self.began

    @property
    def left_s(self) -> float:
        return self.seconds - self.spent_s

    def allows(self, what: str, seconds: float) -> bool:
        """Tell whether there is time for something; note it if not."""
        if self.left_s >= seconds:
            return True
        self.left_out.append(what)
        return False


def versions() -> dict[str, str]:
    """Return the versions of all that is installed and takes part."""
    found = {"exmc_dask": ed.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
