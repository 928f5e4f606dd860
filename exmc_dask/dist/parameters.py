"""Parameters that many distributions share."""

from exmc_dask.dist.base import Param

MU = Param("mu", 0.0, aliases=("loc",))
SIGMA = Param("sigma", 1.0, "positive", aliases=("scale",))
