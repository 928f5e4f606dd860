"""Passes in order: first on the model, each named, then on the graph of its density.

A pass on models takes a `Draft` and the options and returns a `Draft` of the same posterior. What
the graph passes do is composed in ``density.lower``: axes unified, algebra simplified, data folded.
"""

from collections.abc import Callable

from exmc_dask.language.model import ModelSpec
from exmc_dask.rewrite.constrain import constrain
from exmc_dask.rewrite.draft import Draft, draft
from exmc_dask.rewrite.measurable import measurable
from exmc_dask.rewrite.reparam import Choice, reparam

__all__ = ["PASSES", "Choice", "Draft", "changes", "run"]

type Pass = Callable[[Draft, Choice], Draft]

PASSES: tuple[tuple[str, Pass], ...] = (
    ("measurable", lambda draft, ncp: measurable(draft)),
    ("constrain", lambda draft, ncp: constrain(draft)),
    ("reparam", reparam),
)


def run(spec: ModelSpec, ncp: Choice = "auto") -> Draft:
    """Apply every pass to a model."""
    current = draft(spec)
    for _, step in PASSES:
        current = step(current, ncp)
    return current


def changes(spec: ModelSpec, ncp: Choice = "auto") -> list[tuple[str, list[str]]]:
    """Name what each pass changed, a line for each variable or term."""
    found: list[tuple[str, list[str]]] = []
    current = draft(spec)
    for name, step in PASSES:
        before, current = current, step(current, ncp)
        old = before.lines()
        found.append(
            (name, [line for key, line in current.lines().items() if line != old.get(key)])
        )
    return found
