"""Distributions of vectors, which lie along the last axis; axes before it are a batch."""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.domain import SIMPLEX
from exmc_dask.dist.forms import HALF_LOG_TWO_PI
from exmc_dask.dist.law import is_given
from exmc_dask.errors import ShapeError
from exmc_dask.ir import Node, as_float
from exmc_dask.math import gammaln, log


def _mvnormal(x: Node, mu: Node, cov: Node | None, tau: Node | None, chol: Node | None) -> Node:
    """Stan Functions Reference, multi_normal_cholesky: no matrix is inverted."""
    away = x - mu
    if away.ndim > 2:
        raise ShapeError("MvNormal takes vectors, or a matrix with a vector in each row")
    factor, valid = _factor(cov, tau, chol)
    log_scale = math.sum(log(math.diagonal(factor)))
    if tau is None:
        standard = math.solve_triangular(factor, away.T)
        log_scale = -log_scale
    else:
        standard = factor.T @ away.T
    constant = log_scale - HALF_LOG_TWO_PI * math.length(factor.shape[0])
    if valid is not None:
        constant = math.where(valid, constant, -np.inf)
    return constant - 0.5 * math.sum(math.square(standard), axis=0)


def _factor(cov: Node | None, tau: Node | None, chol: Node | None) -> tuple[Node, Node | None]:
    """Cholesky factor of the matrix that was given, and whether there is one.

    A matrix without a factor is replaced before it is factored: the derivative of the
    factorisation would be NaN at it. One that came as data was checked when it was given.
    """
    matrix = next(m for m in (chol, cov, tau) if m is not None)
    identity = as_float(math.identity_like(matrix))
    if is_given(matrix):
        return matrix if chol is not None else math.cholesky(matrix), None
    diagonal = math.diagonal(matrix if chol is not None else math.cholesky(matrix))
    valid = math.sum(math.where(diagonal > 0.0, 0.0, 1.0)).eq(0.0)
    safe = math.guard(valid, matrix, identity)
    return safe if chol is not None else math.cholesky(safe), valid


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
