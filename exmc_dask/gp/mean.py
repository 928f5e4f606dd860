"""Mean functions of processes, by PyMC's names; called with places they give a vector."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from exmc_dask.expressions.ir import Node, as_float, as_node
from exmc_dask.gp.places import filled, places, zeros


class Mean(ABC):
    """Mean of a process at places; ``+`` and ``*`` make new ones."""

    def __call__(self, X: Any) -> Node:
        """Means at the rows of `X`: (n,)."""
        return self._at(places(X))

    @abstractmethod
    def _at(self, X: Node) -> Node:
        """Means at places."""

    def __add__(self, other: "Mean") -> "Mean":
        return Sum(self, other)

    def __mul__(self, other: "Mean") -> "Mean":
        return Product(self, other)


class Zero(Mean):
    """Zero(): 0 everywhere."""

    def _at(self, X: Node) -> Node:
        return zeros(X)


class Constant(Mean):
    """Constant(c=0): `c` everywhere."""

    def __init__(self, c: Any = 0.0) -> None:
        self.c = as_float(as_node(c))

    def _at(self, X: Node) -> Node:
        return filled(self.c, X)


class Linear(Mean):
    """Linear(coeffs, intercept=0): ``X @ coeffs + intercept``; a scalar for one column."""

    def __init__(self, coeffs: Any, intercept: Any = 0.0) -> None:
        self.coeffs = as_float(as_node(coeffs))
        self.intercept = as_float(as_node(intercept))

    def _at(self, X: Node) -> Node:
        slopes = self.coeffs if self.coeffs.ndim else self.coeffs.reshape(1)
        return X @ slopes + self.intercept


@dataclass(frozen=True, eq=False)
class Sum(Mean):
    """Sum of two mean functions."""

    left: Mean
    right: Mean

    def _at(self, X: Node) -> Node:
        return self.left._at(X) + self.right._at(X)


@dataclass(frozen=True, eq=False)
class Product(Mean):
    """Product of two mean functions."""

    left: Mean
    right: Mean

    def _at(self, X: Node) -> Node:
        return self.left._at(X) * self.right._at(X)
