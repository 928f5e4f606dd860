"""A model as it is sampled: what NUTS moves, and the terms by which data speak."""

from collections.abc import Iterator
from dataclasses import dataclass

from exmc_dask.expressions.axes import static_size
from exmc_dask.language.text import text
from exmc_dask.rewrite import Draft


@dataclass(frozen=True)
class Row:
    """One variable or term.

    Attributes
    ----------
    name : str
    numbers : int
        Elements of the unconstrained vector; 0 for what is not moved.
    law : str
        ``HalfNormal(5) by log``, ``mu + tau * Normal(0, 1)``; of a term, ``value ~ law``.
    """

    name: str
    numbers: int
    law: str


def sampled(draft: Draft) -> Iterator[Row]:
    """Rows of a model after its passes: free variables, those that data determine, terms."""
    for free in draft.free:
        yield Row(free.name, static_size(free.unconstrained), free.law)
    for leaf, value in draft.fixed:
        yield Row(str(leaf.arg), 0, f"= {text(value)}")
    for term in draft.terms:
        yield Row(term.name, 0, str(term))
