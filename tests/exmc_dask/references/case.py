"""A row of references: a distribution with numbers for its parameters, and its law."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask.dist import Dist, Param, family_of
from exmc_dask.expressions.ir import Node
from exmc_dask.language.slots import Slots
from exmc_dask.language.tracing import with_formulas
from tests.exmc_dask.slopes import leaf

REAL = np.array([-1e8, -40.0, -3.0, -1e-9, 0.0, 0.7, 5.0, 40.0, 1e8])
POSITIVE = np.array([1e-300, 1e-9, 0.3, 1.0, 2.5, 40.0, 1e4])
UNIT = np.array([1e-300, 1e-9, 0.2, 0.5, 0.9, 1 - 1e-12])
WHOLE = ("count", "whole")  # domains of parameters along which nothing moves
COUNTS = np.array([0.0, 1.0, 2.0, 7.0, 30.0, 1000.0])


@dataclass(frozen=True)
class Case:
    """A distribution with numbers for its parameters.

    `logp` is the reference; `law` a frozen distribution of scipy for draws of one element;
    `outside` a value that the support does not contain; `inner` values between the edges, where
    derivatives are taken; `element` the place of one element of an event, and its law by scipy;
    `tails` has logcdf and logsf; `slope` is the derivative of the sum over values with respect to a
    parameter, where finite differences are too coarse.
    """

    dist: Callable[..., Dist]
    params: dict[str, Any]
    values: np.ndarray
    logp: Callable[[np.ndarray], Any]
    law: Any = None
    outside: Any = None
    inner: Any = None
    element: Any = None
    slope: Callable[[str, np.ndarray], Any] | None = None
    tails: Any = None


def scipy_case(
    dist: Any, params: dict[str, Any], values: np.ndarray, law: Any, **more: Any
) -> Case:
    """Row of a family that scipy.stats has too, as the frozen distribution `law`."""
    density = law.logpdf if hasattr(law, "logpdf") else law.logpmf
    return Case(dist.dist, params, values, density, law, **more)


def posed(case: Case, value: Any) -> tuple[Dist, dict[Node, Any]]:
    """Return the distribution with variables for parameters, and their numbers and the value's."""
    leaves = {name: leaf(name, number) for name, number in case.params.items()}
    x = leaf("x", value)
    dist = with_formulas(Slots(), "x", case.dist(**leaves), x.shape)
    given = {
        leaf: number for leaf, number in zip(leaves.values(), case.params.values(), strict=True)
    }
    return dist, {x: value, **given}


def params_of(dist: Dist) -> Iterator[Param]:
    """Parameters of a distribution and of those in it."""
    yield from family_of(dist).takes
    for _, part in dist.inner():
        yield from params_of(part)
