"""Covariance functions of the distance between places, divided by a length scale.

Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, chapter 4, with PyMC's names
and parametrisation; equation numbers below are theirs. Spectral densities as functions of angular
frequency: Riutort-Mayol et al. (2022), Practical Hilbert space approximate Bayesian Gaussian
processes for probabilistic programming, section 2.1.
"""

import math as numbers
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from exmc_dask import math
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.ir import Node, as_float, as_node, const
from exmc_dask.gp.covariance import Covariance, number
from exmc_dask.gp.places import chosen, columns, filled


class Stationary(Covariance):
    """Covariance that depends on differences of places only.

    Parameters
    ----------
    input_dim : int
        Columns of X.
    ls : number, array or expression
        Length scale: a scalar, or one for each column that is looked at.
    active_dims : sequence of int, optional
        Columns that are looked at; all by default.
    """

    def __init__(self, input_dim: int, ls: Any, active_dims: Sequence[int] | None = None) -> None:
        self.input_dim = input_dim
        self.active_dims = chosen(input_dim, active_dims)
        self.ls = as_float(as_node(ls))
        if self.ls.ndim > 1:
            raise ShapeError("ls is a scalar or a vector with a length scale for each column")

    def _between(self, X: Node, Xs: Node, same: bool) -> Node:
        first, second = (columns(Z, self.input_dim, self.active_dims) for Z in (X, Xs))
        return self._of_difference(math.expand_dims(first, 1) - math.expand_dims(second, 0))

    def _variance(self, X: Node) -> Node:
        return filled(const(1.0), X)

    @abstractmethod
    def _of_difference(self, difference: Node) -> Node:
        """Covariance of places that differ by vectors along the last axis."""

    def squared(self, difference: Node) -> Node:
        """Squared distance in length scales.

        Apart from the length scale where that is one for all columns: it is then data only and
        calculated once.
        """
        if self.ls.ndim:
            return math.sum(math.square(difference / self.ls), axis=-1)
        return math.sum(math.square(difference), axis=-1) / math.square(self.ls)

    def distance(self, difference: Node) -> Node:
        """Distance in length scales; its gradient at 0 is 0, not infinite."""
        if self.ls.ndim:
            return _root(math.sum(math.square(difference / self.ls), axis=-1))
        return _root(math.sum(math.square(difference), axis=-1)) / self.ls

    def volume(self) -> Node:
        """Product of the length scales of all columns."""
        return math.exp(math.sum(math.log(self.ls))) if self.ls.ndim else self.ls**self.input_dim

    def scaled(self, omega: Node) -> Node:
        """Squared length of frequencies times length scales, a row each."""
        if self.active_dims is not None or omega.shape[-1] != self.input_dim:
            raise ShapeError(
                f"{type(self).__name__} has input_dim={self.input_dim}, but frequencies "
                f"have {omega.shape[-1]} columns: for HSGP, m has a number for each column of X, "
                "input_dim is their count, and X holds only columns that are looked at"
            )
        return math.sum(math.square(omega * self.ls), axis=-1)


def _root(x: Node) -> Node:
    return math.where(x > 0.0, math.sqrt(x), 0.0)  # a choice whose gradient is 0, not infinite


class ExpQuad(Stationary):
    """ExpQuad(input_dim, ls): ``exp(-r**2 / 2)`` of the distance r in length scales (eq. 4.9)."""

    def _of_difference(self, difference: Node) -> Node:
        return math.exp(-0.5 * self.squared(difference))

    def power_spectral_density(self, omega: Node) -> Node:
        """``(2 pi)**(d / 2) prod(ls) exp(-sum(ls**2 omega**2) / 2)``."""
        scale = numbers.pow(2 * numbers.pi, self.input_dim / 2) * self.volume()
        return scale * math.exp(-0.5 * self.scaled(omega))


class RatQuad(Stationary):
    """RatQuad(input_dim, alpha, ls): ``(1 + r**2 / (2 alpha))**-alpha`` (eq. 4.19)."""

    def __init__(
        self, input_dim: int, alpha: Any, ls: Any, active_dims: Sequence[int] | None = None
    ) -> None:
        super().__init__(input_dim, ls, active_dims)
        self.alpha = number(alpha, "alpha")

    def _of_difference(self, difference: Node) -> Node:
        spread = math.log1p(0.5 * self.squared(difference) / self.alpha)
        return math.exp(-self.alpha * spread)


class Matern(Stationary):
    """Matérn covariance of smoothness `nu` (eq. 4.14 to 4.17)."""

    nu: ClassVar[float]

    def power_spectral_density(self, omega: Node) -> Node:
        """Eq. 4.15 in angular frequency.

        ``2**d pi**(d / 2) G(nu + d / 2) (2 nu)**nu / G(nu) prod(ls)
        (2 nu + sum(ls**2 omega**2))**-(nu + d / 2)``, G the gamma function.
        """
        n, nu = self.input_dim, self.nu
        scale = numbers.pow(4 * numbers.pi, n / 2) * numbers.pow(2 * nu, nu)
        scale *= numbers.gamma(nu + n / 2) / numbers.gamma(nu)
        return scale * self.volume() * (2 * nu + self.scaled(omega)) ** -(nu + n / 2)


class Matern12(Matern):
    """Matern12(input_dim, ls): ``exp(-r)``."""

    nu = 0.5

    def _of_difference(self, difference: Node) -> Node:
        return math.exp(-self.distance(difference))


class Matern32(Matern):
    """Matern32(input_dim, ls): ``(1 + a) exp(-a)`` with ``a = sqrt(3) r``."""

    nu = 1.5

    def _of_difference(self, difference: Node) -> Node:
        a = numbers.sqrt(3) * self.distance(difference)
        return (1.0 + a) * math.exp(-a)


class Matern52(Matern):
    """Matern52(input_dim, ls): ``(1 + a + a**2 / 3) exp(-a)`` with ``a = sqrt(5) r``."""

    nu = 2.5

    def _of_difference(self, difference: Node) -> Node:
        a = numbers.sqrt(5) * self.distance(difference)
        return (1.0 + a + math.square(a) / 3.0) * math.exp(-a)


class Exponential(Stationary):
    """Exponential(input_dim, ls): ``exp(-r / 2)``, PyMC's half of the exponent of `Matern12`."""

    def _of_difference(self, difference: Node) -> Node:
        return math.exp(-0.5 * self.distance(difference))


class Cosine(Stationary):
    """Cosine(input_dim, ls): ``cos(2 pi r)``."""

    def _of_difference(self, difference: Node) -> Node:
        return math.cos(2 * numbers.pi * self.distance(difference))


class Periodic(Stationary):
    """Periodic(input_dim, period, ls): ``exp(-sum(sin(pi (x - x') / period)**2 / ls**2) / 2)``.

    PyMC's form of eq. 4.31, which is ``exp(-2 sin(...)**2 / ls**2)``: `ls` is twice the book's.
    """

    def __init__(
        self, input_dim: int, period: Any, ls: Any, active_dims: Sequence[int] | None = None
    ) -> None:
        super().__init__(input_dim, ls, active_dims)
        self.period = as_float(as_node(period))

    def _of_difference(self, difference: Node) -> Node:
        return math.exp(-0.5 * self.squared(math.sin(numbers.pi * difference / self.period)))
