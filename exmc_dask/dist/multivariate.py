"""Distributions of vectors about a mean, with a matrix that says how far and which way they spread.

Vectors lie along the last axis; axes before it are a batch. No matrix is ever inverted.
"""

from math import log as log_of
from math import pi
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.axes import is_static, show, static_size
from exmc_dask.dist.base import Family, Param, row
from exmc_dask.dist.forms import HALF_LOG_TWO_PI
from exmc_dask.dist.law import is_given
from exmc_dask.dist.parameters import NU
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.ir import Node, as_float
from exmc_dask.math import gammaln, log, log1p

MU = Param("mu", 0.0, core=1)
TAU = Param("tau", domain="covariance", core=2)
CHOL = Param("chol", domain="cholesky", core=2)


def _distance(
    x: Node, mu: Node, cov: Node | None, tau: Node | None, chol: Node | None
) -> tuple[Node, Node, Node]:
    """Squared distance of `x` from `mu`, in standard deviations, of every element of the batch.

    Returns
    -------
    distance : Node
    log_scale : Node
        Logarithm of the density's scale: minus that of the determinant of the Cholesky factor;
        -inf for a matrix that is not positive definite.
    length : Node
        Of a vector.
    """
    away = x - mu
    matrix = next(m for m in (chol, cov, tau) if m is not None)
    kind = "chol" if matrix is chol else "tau" if matrix is tau else "cov"
    length = math.length(matrix.shape[-1])
    if matrix.ndim == 2:
        return (*_by_one(away, matrix, kind), length)
    count = matrix.shape[0]
    if matrix.ndim != 3 or not isinstance(count, int):
        raise ShapeError(
            f"{kind} has shape {show(matrix.shape)}; a batch of matrices has one axis of fixed "
            "length in front, as ed.math.stack([first, second]) has"
        )
    lead = away.shape[:-2] if away.ndim > 1 else ()
    many = math.broadcast_to(away, (*lead, count, away.shape[-1]))
    parts = [_by_one(many[..., i, :], matrix[i], kind) for i in range(count)]
    distances, scales = zip(*parts, strict=True)
    return math.stack(distances, axis=-1), math.stack(scales), length


def _by_one(away: Node, matrix: Node, kind: str) -> tuple[Node, Node]:
    """Squared distances and scale by one matrix; Stan Functions Reference, multi_normal_cholesky."""
    lead = away.shape[:-1]
    if len(lead) > 1:
        if not is_static(lead):
            raise ShapeError(
                f"vectors in a batch of shape {show(lead)}: of several axes in front of a vector "
                "all must be of fixed length; put the data in rows of a matrix"
            )
        away = math.reshape(away, (static_size(lead), away.shape[-1]))
    factor, valid = _factor(matrix, kind)
    log_scale = math.sum(log(math.diagonal(factor)))
    if kind == "tau":
        standard = factor.T @ away.T
    else:
        standard = math.solve_triangular(factor, away.T)
        log_scale = -log_scale
    if valid is not None:
        log_scale = math.where(valid, log_scale, -np.inf)
    distance = math.sum(math.square(standard), axis=0)
    return distance if len(lead) < 2 else math.reshape(distance, lead), log_scale


def _factor(matrix: Node, kind: str) -> tuple[Node, Node | None]:
    """Cholesky factor of the matrix that was given, and whether there is one.

    A matrix without a factor is replaced before it is factored: the derivative of the
    factorisation would be NaN at it. One that came as data was checked when it was given.
    """
    if is_given(matrix):
        return matrix if kind == "chol" else math.cholesky(matrix), None
    diagonal = math.diagonal(matrix if kind == "chol" else math.cholesky(matrix))
    valid = math.sum(math.where(diagonal > 0.0, 0.0, 1.0)).eq(0.0)
    safe = math.guard(valid, matrix, as_float(math.identity_like(matrix)))
    return safe if kind == "chol" else math.cholesky(safe), valid


def _spread(rng: np.random.Generator, shape: tuple[int, ...], cov: Any, tau: Any, chol: Any) -> Any:
    """Draw vectors about 0."""
    if chol is None:
        chol = np.linalg.cholesky(cov if tau is None else np.linalg.inv(tau))
    return (np.tril(chol) @ rng.normal(size=shape)[..., None])[..., 0]


def _mvnormal(x: Node, mu: Node, cov: Node | None, tau: Node | None, chol: Node | None) -> Node:
    distance, log_scale, length = _distance(x, mu, cov, tau, chol)
    return log_scale - HALF_LOG_TWO_PI * length - 0.5 * distance


MvNormal = row(
    Family(
        name="MvNormal",
        doc="MvNormal(mu=0, cov | tau | chol): mean `mu` (n,), and one (n, n) matrix: covariance, "
        "precision, or lower Cholesky factor of the covariance. A batch of matrices, (k, n, n), is "
        "written out one by one.",
        params=(MU, Param("cov", domain="covariance", core=2), TAU, CHOL),
        one_of=(("cov", "tau", "chol"),),
        logp=_mvnormal,
        draw=lambda rng, shape, mu, **matrix: mu + _spread(rng, shape, **matrix),
        support_point=lambda mu, cov, tau, chol: mu,
        event_ndim=1,
    )
)


def _mvstudent(
    x: Node, nu: Node, mu: Node, scale: Node | None, tau: Node | None, chol: Node | None
) -> Node:
    """Kotz and Nadarajah (2004), Multivariate t Distributions and Their Applications, eq. 1.1."""
    distance, log_scale, length = _distance(x, mu, scale, tau, chol)
    half = 0.5 * (nu + length)
    norm = gammaln(half) - gammaln(0.5 * nu) - 0.5 * length * (log(nu) + log_of(pi))
    return norm + log_scale - half * log1p(distance / nu)


def _draw_mvstudent(
    rng: np.random.Generator, shape: tuple[int, ...], nu: Any, mu: Any, scale: Any, **matrix: Any
) -> Any:
    wide = np.sqrt(rng.chisquare(nu, shape[:-1]) / nu)
    return mu + _spread(rng, shape, scale, **matrix) / wide[..., None]


MvStudentT = row(
    Family(
        name="MvStudentT",
        doc="MvStudentT(nu, mu=0, scale | tau | chol): Student's t with `nu` degrees of freedom "
        "about `mu` (n,), and one (n, n) matrix: scale, its inverse, or its lower Cholesky factor.",
        params=(
            NU,
            MU,
            Param("scale", domain="covariance", core=2, aliases=("Sigma", "cov")),
            TAU,
            CHOL,
        ),
        one_of=(("scale", "tau", "chol"),),
        logp=_mvstudent,
        draw=_draw_mvstudent,
        support_point=lambda nu, mu, scale, tau, chol: mu,
        event_ndim=1,
    )
)
