"""Distributions of paths through time, which runs along the last axis."""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.axes import Dim, broadcast
from exmc_dask.dist.base import Dist, Family, Param, row
from exmc_dask.dist.law import logp
from exmc_dask.dist.multivariate import MvNormal
from exmc_dask.dist.parameters import MU, SIGMA
from exmc_dask.dist.real import Normal
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.ir import Node, broadcast_to, const


def _along_time(parameter: Node) -> Node:
    """Give a parameter of the batch an axis for the steps."""
    return math.expand_dims(parameter, -1) if parameter.ndim else parameter


def _random_walk(x: Node, mu: Node, sigma: Node, init_dist: Dist | None) -> Node:
    start = init_dist or Normal.dist(0.0, sigma)
    steps = Normal.logp(math.diff(x), _along_time(mu), _along_time(sigma))
    return logp(start, x[..., 0]) + math.sum(steps, axis=-1)


def _draw_random_walk(
    rng: np.random.Generator, shape: tuple[int, ...], mu: Any, sigma: Any, init_dist: Any
) -> np.ndarray:
    mu, sigma = np.asarray(mu), np.asarray(sigma)
    steps = rng.normal(mu[..., None], sigma[..., None], shape)
    first = rng.normal(0, sigma, shape[:-1]) if init_dist is None else init_dist(shape[:-1])
    steps[..., 0] = first
    return np.asarray(np.cumsum(steps, axis=-1))


GaussianRandomWalk = row(
    Family(
        name="GaussianRandomWalk",
        doc="GaussianRandomWalk(mu=0, sigma=1, init_dist=None): a path with steps Normal(mu, "
        "sigma); its length is that of shape= or dims=. The first value has distribution "
        "`init_dist`, Normal(0, sigma) by default as in eXMC (PyMC takes Normal(0, 100)).",
        params=(MU, SIGMA, Param("init_dist", domain="dist", optional=True)),
        logp=_random_walk,
        draw=_draw_random_walk,
        support_point=lambda mu, sigma, init_dist: const(0.0),
        event_ndim=1,
    )
)


def _order(rho: Node, constant: Node) -> int:
    """Count the earlier values that a step of AR depends on."""
    length = rho.shape[-1] if rho.ndim else 1
    if not isinstance(length, int):
        raise ShapeError(
            "AR needs rho of a fixed length: a variable with shape=, or ed.math.stack of numbers"
        )
    order = length - int(bool(constant.arg))
    if order < 1:
        raise ShapeError("AR needs a rho for each step back, beside the constant")
    return order


def _autoregression(
    x: Node, rho: Node, sigma: Node, constant: Node, init_dist: Dist | None
) -> Node:
    order = _order(rho, constant)
    rho = rho if rho.ndim else math.expand_dims(rho, 0)
    skipped = rho.shape[-1] - order  # type: ignore[operator]
    mean = _along_time(rho[..., 0]) if skipped else const(0.0)
    for back in range(1, order + 1):
        weight = _along_time(rho[..., skipped + back - 1])
        mean = mean + weight * x[..., order - back : -back]
    steps = Normal.logp(x[..., order:], mean, _along_time(sigma))
    start = logp(init_dist or Normal.dist(0.0, 100.0), x[..., :order])
    return math.sum(start, axis=-1) + math.sum(steps, axis=-1)


def _draw_autoregression(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    rho: Any,
    sigma: Any,
    constant: Any,
    init_dist: Any,
) -> np.ndarray:
    rho = np.atleast_1d(rho)
    skipped = int(bool(constant))
    order = rho.shape[-1] - skipped
    path = rng.normal(0, np.asarray(sigma)[..., None], shape)
    first = (*shape[:-1], order)
    path[..., :order] = rng.normal(0, 100, first) if init_dist is None else init_dist(first)
    for t in range(order, shape[-1]):
        before = path[..., t - order : t][..., ::-1]
        path[..., t] += np.sum(rho[..., skipped:] * before, axis=-1)
        path[..., t] += rho[..., 0] if skipped else 0.0
    return path


AR = row(
    Family(
        name="AR",
        doc="AR(rho, sigma=1, constant=False, init_dist=None): a path whose value is Normal around "
        "``rho[0] * previous + rho[1] * the one before + ...``; with ``constant=True`` the first "
        "of `rho` is a constant. The values before have distribution `init_dist`, Normal(0, 100).",
        params=(
            Param("rho", core=1),
            SIGMA,
            Param("constant", 0.0, domain="flag"),
            Param("init_dist", domain="dist", optional=True),
        ),
        logp=_autoregression,
        draw=_draw_autoregression,
        support_point=lambda rho, sigma, constant, init_dist: const(0.0),
        event_ndim=1,
        shape_of=lambda dist: (*broadcast(dist.get("rho").shape[:-1], dist.get("sigma").shape), 1),
    )
)


def _volatility(x: Node, omega: Node, alpha: Node, beta: Node, initial: Node) -> Node:
    """Variance of each step: ``omega + alpha * x[t - 1]**2 + beta * variance[t - 1]``.

    Bollerslev (1986), "Generalized autoregressive conditional heteroskedasticity", eq. 2 and 3.
    """
    last = x.ndim - 1
    squares = math.transpose(math.square(x), (last, *range(last)))

    def step(variance: Node, square: Node) -> tuple[Node, Node]:
        new = omega + alpha * square + beta * variance
        return new, new

    first = broadcast_to(math.square(initial), x.shape[:-1])
    _, path = math.scan(step, first, squares[:-1])
    whole = math.concatenate([math.expand_dims(first, 0), path])
    return math.transpose(whole, (*range(1, last + 1), 0))


def _garch(x: Node, omega: Node, alpha_1: Node, beta_1: Node, initial_vol: Node) -> Node:
    variance = _volatility(x, omega, alpha_1, beta_1, initial_vol)
    return math.sum(Normal.logp(x, const(0.0), math.sqrt(variance)), axis=-1)


def _draw_garch(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    omega: Any,
    alpha_1: Any,
    beta_1: Any,
    initial_vol: Any,
) -> np.ndarray:
    path = rng.normal(size=shape)
    variance = np.square(initial_vol)
    for t in range(shape[-1]):
        path[..., t] *= np.sqrt(variance)
        variance = omega + alpha_1 * np.square(path[..., t]) + beta_1 * variance
    return path


GARCH11 = row(
    Family(
        name="GARCH11",
        doc="GARCH11(omega, alpha_1, beta_1, initial_vol): a path around 0 whose variance is "
        "``omega + alpha_1 * previous**2 + beta_1 * previous variance``, from `initial_vol`**2.",
        params=(
            Param("omega", domain="positive"),
            Param("alpha_1", domain="nonnegative"),
            Param("beta_1", domain="nonnegative"),
            Param("initial_vol", domain="positive"),
        ),
        logp=_garch,
        draw=_draw_garch,
        support_point=lambda omega, alpha_1, beta_1, initial_vol: const(0.0),
        event_ndim=1,
    )
)


def _vector_walk(
    x: Node, mu: Node, cov: Node | None, tau: Node | None, chol: Node | None, init_dist: Dist | None
) -> Node:
    given = {"cov": cov, "tau": tau, "chol": chol}
    start = init_dist or MvNormal.dist(0.0, **{k: v for k, v in given.items() if v is not None})
    steps = MvNormal.logp(math.diff(x, axis=-2), mu, cov, tau, chol)
    return logp(start, x[..., 0, :]) + math.sum(steps, axis=-1)


def _draw_vector_walk(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    mu: Any,
    cov: Any,
    tau: Any,
    chol: Any,
    init_dist: Any,
) -> np.ndarray:
    factor = np.linalg.cholesky(cov if tau is None else np.linalg.inv(tau)) if chol is None else chol
    factor = np.tril(np.asarray(factor))[..., None, :, :]
    steps = np.matmul(factor, rng.normal(size=shape)[..., None])[..., 0]
    start = (*shape[:-2], shape[-1])
    steps[..., 1:, :] += np.asarray(mu)[..., None, :] if np.ndim(mu) else mu
    if init_dist is not None:
        steps[..., 0, :] = init_dist(start)
    return np.asarray(np.cumsum(steps, axis=-2))


MvGaussianRandomWalk = row(
    Family(
        name="MvGaussianRandomWalk",
        doc="MvGaussianRandomWalk(mu=0, cov | tau | chol, init_dist=None): a path of vectors, time "
        "first, with steps MvNormal(mu, cov); the first has distribution `init_dist`, "
        "MvNormal(0, cov) by default.",
        params=(*MvNormal.params, Param("init_dist", domain="dist", optional=True)),
        one_of=MvNormal.one_of,
        logp=_vector_walk,
        draw=_draw_vector_walk,
        support_point=lambda mu, cov, tau, chol, init_dist: const(0.0),
        event_ndim=2,
        shape_of=lambda dist: (1, _width(dist)),
    )
)


def _width(dist: Dist) -> Dim:
    matrix = next(m for m in map(dist.get, ("cov", "tau", "chol")) if m is not None)
    width: Dim = matrix.shape[-1]
    return width
