"""What covariance functions have in common: they are called, added, multiplied and scaled."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, override

from exmc_dask import math
from exmc_dask.errors import ModelError, OptionError
from exmc_dask.expressions.ir import Node, as_float, as_node
from exmc_dask.gp.places import filled, places, zeros


class Covariance(ABC):
    """Covariance of a process between places.

    ``cov(X)`` is the (n, n) matrix between the rows of `X`, ``cov(X, Xs)`` the (n, m) matrix
    between those of `X` and `Xs`, ``cov(X, diag=True)`` the n variances. Hyperparameters may be
    numbers, arrays or expressions of variables. ``+`` and ``*`` with another one, a number or a
    scalar expression, and ``**`` with a number, make new ones.
    """

    __array_ufunc__ = None  # a NumPy number on the left leaves the operation to us

    def __call__(self, X: Any, Xs: Any = None, diag: bool = False) -> Node:
        """Covariance matrix, or the variances alone."""
        if diag:
            return self._variance(places(X))
        first = places(X)
        return self._between(first, first if Xs is None else places(Xs), same=Xs is None)

    @abstractmethod
    def _between(self, X: Node, Xs: Node, same: bool) -> Node:
        """Matrix between places; `same` where they are the same ones, not only equal ones."""

    @abstractmethod
    def _variance(self, X: Node) -> Node:
        """Variances at places."""

    def power_spectral_density(self, omega: Node) -> Node:
        """Spectral density at frequencies `omega`, a row each; for `HSGP`."""
        raise ModelError(
            f"{type(self).__name__} has no power spectral density here; HSGP takes ExpQuad, "
            "Matern12, Matern32 and Matern52, their sums, and numbers times them"
        )

    def __add__(self, other: Any) -> "Covariance":
        return Sum(self, as_covariance(other))

    def __radd__(self, other: Any) -> "Covariance":
        return Sum(as_covariance(other), self)

    def __mul__(self, other: Any) -> "Covariance":
        return Product(self, as_covariance(other))

    def __rmul__(self, other: Any) -> "Covariance":
        return Product(as_covariance(other), self)

    def __pow__(self, exponent: Any) -> "Covariance":
        return Power(self, number(exponent, "an exponent"))


def number(value: Any, what: str) -> Node:
    """Scalar expression of `value`."""
    node = as_float(as_node(value))
    if node.ndim:
        raise OptionError(f"{what} of a covariance function has to be a scalar, not {node!r}")
    return node


def as_covariance(value: Any) -> Covariance:
    """`value`, or the covariance that is this number everywhere."""
    return value if isinstance(value, Covariance) else Constant(value)


class Constant(Covariance):
    """Constant(c): `c` between all places."""

    def __init__(self, c: Any) -> None:
        self.c = number(c, "the value")

    def _between(self, X: Node, Xs: Node, same: bool) -> Node:
        return filled(self.c, X, Xs)

    def _variance(self, X: Node) -> Node:
        return filled(self.c, X)


class WhiteNoise(Covariance):
    """WhiteNoise(sigma): noise of standard deviation `sigma`; nothing between different places."""

    def __init__(self, sigma: Any) -> None:
        self.sigma = as_float(as_node(sigma))

    def _between(self, X: Node, Xs: Node, same: bool) -> Node:
        if not same:
            return zeros(X, Xs)
        diagonal = math.identity_like(zeros(X, X))
        return math.where(diagonal, math.expand_dims(self._variance(X), 1), 0.0)

    def _variance(self, X: Node) -> Node:
        return filled(math.square(self.sigma), X)


@dataclass(frozen=True, eq=False)
class Sum(Covariance):
    """Covariance of the sum of two independent processes."""

    left: Covariance
    right: Covariance

    def _between(self, X: Node, Xs: Node, same: bool) -> Node:
        return self.left._between(X, Xs, same) + self.right._between(X, Xs, same)

    def _variance(self, X: Node) -> Node:
        return self.left._variance(X) + self.right._variance(X)

    @override
    def power_spectral_density(self, omega: Node) -> Node:
        left, right = self.left, self.right
        return left.power_spectral_density(omega) + right.power_spectral_density(omega)


@dataclass(frozen=True, eq=False)
class Product(Covariance):
    """Covariance of the product of two independent processes of mean 0."""

    left: Covariance
    right: Covariance

    def _between(self, X: Node, Xs: Node, same: bool) -> Node:
        return self.left._between(X, Xs, same) * self.right._between(X, Xs, same)

    def _variance(self, X: Node) -> Node:
        return self.left._variance(X) * self.right._variance(X)

    @override
    def power_spectral_density(self, omega: Node) -> Node:
        match self.left, self.right:
            case (Constant(c=c), other) | (other, Constant(c=c)):
                return c * other.power_spectral_density(omega)
        return super().power_spectral_density(omega)


@dataclass(frozen=True, eq=False)
class Power(Covariance):
    """Elementwise power of a covariance."""

    base: Covariance
    exponent: Node

    def _between(self, X: Node, Xs: Node, same: bool) -> Node:
        return self.base._between(X, Xs, same) ** self.exponent

    def _variance(self, X: Node) -> Node:
        return self.base._variance(X) ** self.exponent
