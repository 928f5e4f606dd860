"""The model that is open, into which families declare variables."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

from exmc_dask.errors import ModelError
from exmc_dask.expressions.ir import Node


class Declares(Protocol):
    """What a family needs of the model that is open."""

    @property
    def rv(self) -> Callable[..., Node]:
        """Function (name, dist, **options) that declares a variable."""
        ...

    @property
    def deterministic(self) -> Callable[..., Node]:
        """Function (name, expression) that names an expression."""
        ...


open_model: ContextVar[Declares | None] = ContextVar("open_model", default=None)


def current() -> Declares:
    """Return the model of the innermost ``with ed.Model()``."""
    model = open_model.get()
    if model is None:
        raise ModelError(
            "no model is open: declare variables inside `with ed.Model() as model:`, "
            "or use .dist() for a distribution without a variable"
        )
    return model
