"""Covariance functions of products of places: straight lines and their powers."""

from collections.abc import Sequence
from typing import Any

from exmc_dask import math
from exmc_dask.expressions.ir import Node, as_float, as_node
from exmc_dask.gp.covariance import Covariance, number
from exmc_dask.gp.places import chosen, columns


class Linear(Covariance):
    """Linear(input_dim, c): ``sum((x - c) (x' - c))``, that of lines through 0 at `c`.

    Rasmussen and Williams (2006), section 4.2.2, with a centre.
    """

    def __init__(self, input_dim: int, c: Any, active_dims: Sequence[int] | None = None) -> None:
        self.input_dim = input_dim
        self.active_dims = chosen(input_dim, active_dims)
        self.c = as_float(as_node(c))

    def _between(self, X: Node, Xs: Node, same: bool) -> Node:
        return self._centred(X) @ self._centred(Xs).T

    def _variance(self, X: Node) -> Node:
        return math.sum(math.square(self._centred(X)), axis=1)

    def _centred(self, X: Node) -> Node:
        return columns(X, self.input_dim, self.active_dims) - self.c


class Polynomial(Linear):
    """Polynomial(input_dim, c, d, offset): ``(sum((x - c) (x' - c)) + offset)**d``."""

    def __init__(
        self,
        input_dim: int,
        c: Any,
        d: Any,
        offset: Any,
        active_dims: Sequence[int] | None = None,
    ) -> None:
        super().__init__(input_dim, c, active_dims)
        self.d, self.offset = number(d, "the degree"), number(offset, "the offset")

    def _between(self, X: Node, Xs: Node, same: bool) -> Node:
        return (super()._between(X, Xs, same) + self.offset) ** self.d

    def _variance(self, X: Node) -> Node:
        return (super()._variance(X) + self.offset) ** self.d
