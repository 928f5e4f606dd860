"""Parameters that many distributions share, and other ways to give them."""

from exmc_dask.dist.base import Instead, Param
from exmc_dask.expressions.ir import Node
from exmc_dask.math import sqrt

MU = Param("mu", 0.0, aliases=("loc",))
SIGMA = Param("sigma", 1.0, "positive", aliases=("scale",))
NU = Param("nu", domain="positive", aliases=("df",))


def _root(precision: Node) -> Node:
    return 1.0 / sqrt(precision)


TAU = Instead((Param("tau", domain="positive"),), {"sigma": lambda tau: _root(tau)})
LAM = Instead((Param("lam", domain="positive"),), {"sigma": lambda lam: _root(lam)})
