"""Numbers of expressions, and derivatives by finite differences."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.expressions.arrays import Inline
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.grad import gradient
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import FLOAT, Op
from exmc_dask.math import sum as sum_of

type Array = NDArray[np.float64]


def leaf(name: str, value: Any) -> Node:
    """Return a variable of the shape of `value`."""
    return make(Op.VAR, (), name, np.shape(value), FLOAT)


def inline(node: Node) -> dict[Node, Array]:
    """Arrays written into an expression."""
    return {
        data: data.arg.array
        for data in topological([node])
        if data.op is Op.DATA and isinstance(data.arg, Inline)
    }


def numbers(node: Node, leaves: Mapping[Node, object]) -> Array:
    """Value of one expression."""
    return np.asarray(evaluate([node], {**leaves, **inline(node)})[0])


def slopes(
    node: Node, leaves: Mapping[Node, object], fixed: Mapping[Node, object] | None = None
) -> list[Array]:
    """Gradient of the sum over `node` with respect to every leaf that is not fixed."""
    roots = gradient(sum_of(node), list(leaves))
    return [np.asarray(g) for g in evaluate(roots, {**leaves, **(fixed or {}), **inline(node)})]


def differences(
    node: Node, leaves: Mapping[Node, object], fixed: Mapping[Node, object] | None = None
) -> list[Array]:
    """Gradient of the sum over `node` by extrapolated central differences, error of order h^6."""
    total = sum_of(node)
    found = []
    for one, value in leaves.items():
        centre = np.array(value, dtype=float)
        result = np.empty(centre.shape)
        for place in np.ndindex(centre.shape):
            step = 2e-3 * max(1.0, abs(float(centre[place])))
            estimates = []
            for h in (step, step / 2, step / 4):
                ends = []
                for sign in (1, -1):
                    moved = centre.copy()
                    moved[place] += sign * h
                    ends.append(float(numbers(total, {**leaves, **(fixed or {}), one: moved})))
                estimates.append((ends[0] - ends[1]) / (2 * h))
            first = [(4 * b - a) / 3 for a, b in pairwise(estimates)]
            result[place] = (16 * first[1] - first[0]) / 15
        found.append(result)
    return found
