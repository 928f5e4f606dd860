"""Maps between a constrained variable x and the unconstrained z that NUTS moves, with log |dx/dz|.

``TRANSFORMS`` has one row a kind: forward ``x -> z``, backward ``z -> x`` and the logarithm of the
Jacobian determinant of `backward`, all as expressions. A variable takes one by name or as what
stands here: ``transform="ordered"`` is ``transform=ed.transforms.ordered``. Formulas: Stan
Reference Manual, chapter "Constraint Transforms"; where a row differs it says so.

======================= ========================================================== =============
log, log_exp_m1         positive numbers                                           z as long as x
logit                   numbers between 0 and 1
interval(lower, upper)  numbers between bounds, either side may be open
circular                angles from -pi to pi, wound up
ordered                 rising vectors
positive_ordered        rising vectors of positive numbers
stick_breaking          positive vectors that sum to 1                             one shorter
sum_to_zero             vectors that sum to 0, isometrically                       one shorter
sum_apart               all vectors; the last of z is the sum / sqrt(n)
unit_vector             vectors of length 1, as directions of z
cholesky_cov            lower triangular matrices with a positive diagonal         n (n + 1) / 2
cholesky_cov_packed     their triangles, row by row
cholesky_corr           the same with rows of length 1                             n (n - 1) / 2
======================= ========================================================== =============
"""

from exmc_dask.transforms.base import TRANSFORMS, Row, Transform, transform
from exmc_dask.transforms.matrix import cholesky_corr, cholesky_cov, cholesky_cov_packed
from exmc_dask.transforms.scalar import circular, interval, log, log_exp_m1, logit
from exmc_dask.transforms.vector import (
    ordered,
    positive_ordered,
    stick_breaking,
    sum_apart,
    sum_to_zero,
    sum_to_zero_along,
    unit_vector,
)

__all__ = [
    "TRANSFORMS",
    "Row",
    "Transform",
    "cholesky_corr",
    "cholesky_cov",
    "cholesky_cov_packed",
    "circular",
    "interval",
    "log",
    "log_exp_m1",
    "logit",
    "logodds",
    "ordered",
    "positive_ordered",
    "simplex",
    "stick_breaking",
    "sum_apart",
    "sum_to_zero",
    "sum_to_zero_along",
    "transform",
    "unit_vector",
]

# as PyMC calls them
logodds = logit
simplex = stick_breaking
