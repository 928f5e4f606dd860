"""Simulation-based calibration: over data drawn from the prior, the true value's rank is uniform.

Talts, Betancourt, Simpson, Vehtari & Gelman (2018), with the log posterior density as one more
quantity: it depends on the data, so a sampler that returns the prior is caught too (Modrák et al.
2023). Ranks come from thinned draws; ties cannot happen with continuous quantities.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import stats

from exmc_dask.sampler.settings import Settings
from tests.kernels.targets import F4, F8, I8, Target, log_density, same
from tests.statistics.sampling import sample

REPLICATIONS, RANKS, THIN, BINS = 400, 63, 6, 16


@dataclass(frozen=True)
class Joint:
    """A prior to draw the position from, data given the position, and their log-density."""

    name: str
    dim: int
    logp_grad: Any
    prior: Callable[[np.random.Generator], F8]
    simulate: Callable[[np.random.Generator, F8], F8]


@log_density
def normal_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # mu ~ N(0, 2), log sigma ~ N(0, 1/2), y ~ N(mu, sigma)
    total = -0.125 * q[0] * q[0] - 2.0 * q[1] * q[1]
    grad[0], grad[1] = -0.25 * q[0], -4.0 * q[1]
    inv = np.exp(-q[1])
    for i in range(data.size):
        r = (data[i] - q[0]) * inv
        total -= 0.5 * r * r + q[1]
        grad[0] += r * inv
        grad[1] += r * r - 1.0
    return float(total)


@log_density
def poisson_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # mu, log tau, z ~ N(0, 1), y_i ~ Poisson(exp(mu + tau z_i)): hierarchical, non-centred
    tau = np.exp(q[1])
    total = 0.0
    for i in range(q.size):
        grad[i] = -q[i]
        total -= 0.5 * q[i] * q[i]
    for i in range(data.size):
        z = q[2 + i]
        rate = np.exp(q[0] + tau * z)
        r = data[i] - rate
        total += data[i] * (q[0] + tau * z) - rate
        grad[0] += r
        grad[1] += r * tau * z
        grad[2 + i] += r * tau
    return float(total)


@log_density
def logistic_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # b ~ N(0, 1), P(y = 1) = sigmoid(b0 + b1 x + b2 x^2), x on a grid over (-2, 2)
    total = 0.0
    for i in range(3):
        grad[i] = -q[i]
        total -= 0.5 * q[i] * q[i]
    for i in range(data.size):
        x = 4.0 * (i + 0.5) / data.size - 2.0
        eta = q[0] + q[1] * x + q[2] * x * x
        p = 1.0 / (1.0 + np.exp(-eta))
        total += data[i] * eta - np.logaddexp(0.0, eta)
        grad[0] += data[i] - p
        grad[1] += (data[i] - p) * x
        grad[2] += (data[i] - p) * x * x
    return float(total)


@log_density
def decay_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # a ~ N(1, 1), log b ~ N(0, 1/2), y ~ N(a exp(-b t), 0.3): curved
    b = np.exp(q[1])
    grad[0], grad[1] = 1.0 - q[0], -4.0 * q[1]
    total = -0.5 * (q[0] - 1.0) ** 2 - 2.0 * q[1] * q[1]
    for i in range(data.size):
        t = 0.4 * (i + 1)
        e = np.exp(-b * t)
        r = (data[i] - q[0] * e) / 0.3
        total -= 0.5 * r * r
        grad[0] += r * e / 0.3
        grad[1] -= r * q[0] * e * b * t / 0.3
    return float(total)


@log_density
def walk_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # log s ~ N(-1, 1/2), x a random walk of steps s (x_0 = 0), y ~ StudentT(4, x, 0.5): centred
    inv = np.exp(-2.0 * q[0])
    n = data.size
    grad[0] = -4.0 * (q[0] + 1.0)
    total = -2.0 * (q[0] + 1.0) ** 2
    for i in range(n):
        grad[i + 1] = 0.0
    before = 0.0
    for i in range(n):
        x = q[i + 1]
        step = x - before
        total -= 0.5 * step * step * inv + q[0]
        grad[0] += step * step * inv - 1.0
        grad[i + 1] -= step * inv
        if i > 0:
            grad[i] += step * inv
        r = (data[i] - x) / 0.5
        total -= 2.5 * np.log1p(r * r / 4.0)
        grad[i + 1] += 5.0 * r / (4.0 + r * r) / 0.5
        before = x
    return float(total)


def _logistic_data(rng: np.random.Generator, q: F8) -> F8:
    x = 4.0 * (np.arange(24) + 0.5) / 24 - 2.0
    p = 1 / (1 + np.exp(-(q[0] + q[1] * x + q[2] * x**2)))
    return np.asarray(rng.random(24) < p, np.float64)


def _walk_prior(rng: np.random.Generator) -> F8:
    log_s = rng.normal(-1.0, 0.5)
    return np.concatenate([[log_s], np.cumsum(rng.normal(0.0, math.exp(log_s), 8))])


MODELS = (
    Joint(
        "normal",
        2,
        normal_logp,
        lambda rng: rng.normal(0.0, [2.0, 0.5]),
        lambda rng, q: rng.normal(q[0], math.exp(q[1]), 6),
    ),
    Joint(
        "poisson",
        7,
        poisson_logp,
        lambda rng: rng.normal(size=7),
        lambda rng, q: rng.poisson(np.exp(q[0] + np.exp(q[1]) * q[2:])).astype(float),
    ),
    Joint("logistic", 3, logistic_logp, lambda rng: rng.normal(size=3), _logistic_data),
    Joint(
        "decay",
        2,
        decay_logp,
        lambda rng: rng.normal([1.0, 0.0], [1.0, 0.5]),
        lambda rng, q: q[0] * np.exp(-np.exp(q[1]) * 0.4 * np.arange(1, 9)) + rng.normal(0, 0.3, 8),
    ),
    Joint(
        "walk",
        9,
        walk_logp,
        _walk_prior,
        lambda rng, q: q[1:] + 0.5 * rng.standard_t(4, 8),
    ),
)


def ranks(joint: Joint, replications: int) -> I8:
    """Return the rank of the truth among RANKS thinned draws, (replications, dim + 1)."""
    found = np.empty((replications, joint.dim + 1), np.int64)
    for i in range(replications):
        rng = np.random.default_rng([20260901, i])
        q = joint.prior(rng)
        law = (None,) * joint.dim  # the posterior is not known in closed form
        target = Target("sbc", joint.dim, joint.logp_grad, same, law, joint.simulate(rng, q))
        settings = Settings(seed=i, draws=RANKS * THIN, tune=300)
        values, drawn = sample(target, settings, chains=1)
        bound, work = target.bound, np.zeros(0)
        truth = target.logp_grad(
            q, np.zeros(joint.dim), bound.data, bound.data32, bound.index, work
        )
        kept = np.column_stack([values[0, ::THIN], drawn["lp"][0, ::THIN]])
        found[i] = (kept < np.append(q, truth)).sum(axis=0)
    return found


@pytest.mark.parametrize("joint", MODELS, ids=lambda joint: joint.name)
def test_ranks_of_the_truth_are_uniform(joint: Joint) -> None:
    found = ranks(joint, REPLICATIONS)
    for column in found.T:
        counts = np.bincount(column * BINS // (RANKS + 1), minlength=BINS)
        assert stats.chisquare(counts).pvalue > 1e-4, counts
