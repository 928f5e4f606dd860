"""Joint log-density of a model at values on the user's own scale, calculated by NumPy."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from exmc_dask.errors import ShapeError, UnknownName
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import Op
from exmc_dask.language.model import ModelSpec
from exmc_dask.rewrite.draft import draft
from exmc_dask.rewrite.measurable import measurable
from exmc_dask.rewrite.terms import write


@lru_cache(maxsize=32)
def _terms(spec: ModelSpec) -> tuple[tuple[Node, ...], tuple[tuple[str, Node], ...]]:
    """PARAM leaves in the shapes of the variables, and the terms in them; no transforms."""
    declared = measurable(draft(spec))
    plain = replace(declared, free=tuple(replace(f, transform=None) for f in declared.free))
    written = write(plain)
    return written.params, written.terms


def joint(
    spec: ModelSpec, data: Mapping[str, np.ndarray], values: Mapping[str, Any]
) -> dict[str, float]:
    """Log-density of every variable, observation and potential.

    Parameters
    ----------
    spec : ModelSpec
    data : mapping
        Arrays of its slots.
    values : mapping
        Free variable -> value on its own scale; no Jacobian of a transform is added.

    Returns
    -------
    dict
        Name -> sum over the elements.

    Raises
    ------
    UnknownName, ShapeError
        A free variable has no value or one of another shape, or a value belongs to none.
    """
    params, terms = _terms(spec)
    leaves: dict[Any, Any] = {(Op.DATA, name): array for name, array in data.items()}
    wanted = {str(leaf.arg): leaf for leaf in params}
    for name in values.keys() ^ wanted.keys():
        what = "has no value" if name in wanted else "is not a free variable"
        raise UnknownName(f"'{name}' {what}; the free variables are {', '.join(wanted)}")
    for name, leaf in wanted.items():
        leaves[leaf] = np.asarray(values[name], dtype=np.float64)
        if leaves[leaf].shape != leaf.shape:
            raise ShapeError(f"'{name}' has shape {leaf.shape}, not {leaves[leaf].shape}")
    found = evaluate([node for _, node in terms], leaves)
    return {name: float(value) for (name, _), value in zip(terms, found, strict=True)}
