"""Distributions of paths through time, which runs along the last axis."""

from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import Dist, Family, Param, row
from exmc_dask.dist.law import logp
from exmc_dask.dist.parameters import MU, SIGMA
from exmc_dask.dist.real import Normal
from exmc_dask.ir import Node, const


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
