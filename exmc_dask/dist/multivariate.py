"""Distributions of vectors, which lie along the last axis; axes before it are a batch."""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.domain import SIMPLEX
from exmc_dask.dist.forms import HALF_LOG_TWO_PI
from exmc_dask.errors import ShapeError
from exmc_dask.ir import Node, elementwise, make
from exmc_dask.math import gammaln, log
from exmc_dask.ops import Op


def _mvnormal(x: Node, mu: Node, cov: Any, tau: Any, chol: Any) -> Node:
    """Stan Functions Reference, multi_normal_cholesky: no matrix is inverted."""
    factor = chol if chol is not None else math.cholesky(tau if cov is None else cov)
    diagonal = math.diagonal(factor)
    valid = math.sum(math.where(diagonal > 0.0, 0.0, 1.0)).eq(0.0)
    size = factor.shape[0]
    row_of, column_of = (make(Op.RANGE, (), dim) for dim in factor.shape)
    identity = math.where(
        elementwise(Op.EQ, math.expand_dims(row_of, 1), math.expand_dims(column_of, 0)), 1.0, 0.0
    )
    factor = math.guard(valid, factor, identity)
    scale = math.sum(log(math.guard(valid, diagonal, 1.0)))
    away = x - mu
    if away.ndim > 2:
        raise ShapeError("MvNormal takes vectors, or a matrix with a vector in each row")
    columns = away.T
    if tau is None:
        standard = math.solve_triangular(factor, columns)
        log_volume = -scale
    else:
        standard = factor.T @ columns
        log_volume = scale
    quadratic = -0.5 * math.sum(math.square(standard), axis=0)
    constant = log_volume - HALF_LOG_TWO_PI * math.length(size)
    return quadratic + math.where(valid, constant, -np.inf)


def _draw_mvnormal(
    rng: np.random.Generator, shape: tuple[int, ...], mu: Any, cov: Any, tau: Any, chol: Any
) -> np.ndarray:
    if chol is None:
        chol = np.linalg.cholesky(cov if tau is None else np.linalg.inv(tau))
    drawn = np.tril(chol) @ rng.normal(size=shape)[..., None]
    return np.asarray(mu + drawn[..., 0])


MvNormal = row(
    Family(
        name="MvNormal",
        doc="MvNormal(mu=0, cov | tau | chol): mean `mu` (n,), and one (n, n) matrix: covariance, "
        "precision, or lower Cholesky factor of the covariance.",
        params=(
            Param("mu", 0.0, core=1),
            Param("cov", domain="covariance", core=2),
            Param("tau", domain="covariance", core=2),
            Param("chol", domain="cholesky", core=2),
        ),
        one_of=(("cov", "tau", "chol"),),
        logp=_mvnormal,
        draw=_draw_mvnormal,
        support_point=lambda mu, cov, tau, chol: mu,
        event_ndim=1,
    )
)

Dirichlet = row(
    Family(
        name="Dirichlet",
        doc="Dirichlet(a): shares that sum to 1, with concentrations `a` (k,).",
        params=(Param("a", domain="positive", core=1, aliases=("alpha",)),),
        logp=lambda x, a: (
            math.sum((a - 1.0) * log(x), axis=-1)
            + gammaln(math.sum(a, axis=-1))
            - math.sum(gammaln(a), axis=-1)
        ),
        draw=lambda rng, shape, a: _shares(rng.standard_gamma(np.broadcast_to(a, shape))),
        support_point=lambda a: a / math.sum(a, axis=-1, keepdims=True),
        support=SIMPLEX,
        event_ndim=1,
    )
)


def _shares(amounts: np.ndarray) -> np.ndarray:
    return np.asarray(amounts / amounts.sum(axis=-1, keepdims=True))
