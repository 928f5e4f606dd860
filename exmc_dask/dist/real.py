"""Continuous distributions on the real line, with PyMC's names and parameters.

Every formula is the logarithm of the textbook density, as in scipy.stats.
"""

import math as numbers
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import Family, Instead, Param, row
from exmc_dask.dist.forms import (
    HALF_LOG_TWO_PI,
    LOG_2,
    log1mexp_of_exp,
    log_normal_less,
    log_or_minus_infinity,
    log_scaled_tail,
    standard_normal,
)
from exmc_dask.dist.parameters import LAM, MU, NU, SIGMA, TAU
from exmc_dask.expressions.ir import Node, const
from exmc_dask.math import (
    arctan,
    erf,
    exp,
    gammaln,
    guard,
    log,
    log1mexp,
    log1p,
    log_betainc_odds,
    log_ndtr,
    logaddexp,
    softplus,
    sqrt,
    square,
    where,
)

Normal = row(
    Family(
        name="Normal",
        doc="Normal(mu=0, sigma=1 | tau): mean `mu`, standard deviation `sigma`, or precision "
        "``tau = 1 / sigma**2``.",
        params=(MU, SIGMA),
        instead=(TAU,),
        logp=lambda x, mu, sigma: -0.5 * square((x - mu) / sigma) - log(sigma) - HALF_LOG_TWO_PI,
        draw=lambda rng, shape, mu, sigma: rng.normal(mu, sigma, shape),
        support_point=lambda mu, sigma: mu,
        location_scale=("mu", "sigma"),
        logcdf=lambda x, mu, sigma: log_ndtr((x - mu) / sigma),
        logsf=lambda x, mu, sigma: log_ndtr((mu - x) / sigma),
    )
)

StudentT = row(
    Family(
        name="StudentT",
        doc="StudentT(nu, mu=0, sigma=1 | lam): `nu` degrees of freedom, location `mu`, scale "
        "`sigma`, or ``lam = 1 / sigma**2``.",
        params=(NU, MU, SIGMA),
        instead=(LAM,),
        logp=lambda x, nu, mu, sigma: (
            _student_height(nu)
            - log(sigma)
            - 0.5 * (nu + 1.0) * log1p(square((x - mu) / sigma) / nu)
        ),
        draw=lambda rng, shape, nu, mu, sigma: mu + sigma * rng.standard_t(nu, shape),
        support_point=lambda nu, mu, sigma: mu,
        location_scale=("mu", "sigma"),
        logcdf=lambda x, nu, mu, sigma: _student_tail((x - mu) / sigma, nu),
        logsf=lambda x, nu, mu, sigma: _student_tail((mu - x) / sigma, nu),
    )
)


def _student_tail(z: Node, nu: Node) -> Node:
    """Log-probability below `z`, from that of ``abs(t) > abs(z)`` on either side.

    Near 0, where the incomplete beta function has a corner, by the height of the density.
    """
    near = math.abs(z) < 1e-8
    away = guard(near, 1.0, z)
    beyond = log_betainc_odds(0.5 * nu, 0.5, nu / square(away)) - LOG_2
    height = exp(_student_height(nu))
    return where(
        near,
        log1p(2.0 * height * guard(near, z, 0.0)) - LOG_2,
        where(z < 0.0, beyond, log1p(-exp(beyond))),
    )


def _student_height(nu: Node) -> Node:
    """Log-density of the standard distribution at 0."""
    return gammaln(0.5 * (nu + 1.0)) - gammaln(0.5 * nu) - 0.5 * log(nu * numbers.pi)


def half_student_below(z: Node, nu: Node) -> Node:
    """Log-probability that ``abs(t) <= z``."""
    near = z < 1e-8
    inner = log_betainc_odds(0.5, 0.5 * nu, square(guard(near, 1.0, z)) / nu)
    return where(near, LOG_2 + _student_height(nu) + log(guard(near, z, 1.0)), inner)


def half_student_above(z: Node, nu: Node) -> Node:
    """Log-probability that ``abs(t) > z``."""
    near = z < 1e-8
    outer = log_betainc_odds(0.5 * nu, 0.5, nu / square(guard(near, 1.0, z)))
    return where(near, log1p(-2.0 * exp(_student_height(nu)) * guard(near, z, 0.0)), outer)


Cauchy = row(
    Family(
        name="Cauchy",
        doc="Cauchy(alpha, beta): location `alpha`, scale `beta`.",
        params=(
            Param("alpha", aliases=("mu", "loc")),
            Param("beta", domain="positive", aliases=("sigma", "scale")),
        ),
        logp=lambda x, alpha, beta: (
            -numbers.log(numbers.pi) - log(beta) - log1p(square((x - alpha) / beta))
        ),
        draw=lambda rng, shape, alpha, beta: alpha + beta * rng.standard_cauchy(shape),
        support_point=lambda alpha, beta: alpha,
        location_scale=("alpha", "beta"),
        logcdf=lambda x, alpha, beta: _cauchy_tail((x - alpha) / beta),
        logsf=lambda x, alpha, beta: _cauchy_tail((alpha - x) / beta),
    )
)


def _cauchy_tail(z: Node) -> Node:
    """Log-probability below `z` of the standard Cauchy distribution."""
    far = z < -1.0
    inner = 0.5 + arctan(guard(far, 0.0, z)) / numbers.pi
    return log(where(far, arctan(-1.0 / guard(far, z, -1.0)) / numbers.pi, inner))


Laplace = row(
    Family(
        name="Laplace",
        doc="Laplace(mu, b): location `mu`, mean distance `b` from it.",
        params=(Param("mu", aliases=("loc",)), Param("b", domain="positive", aliases=("scale",))),
        logp=lambda x, mu, b: -math.abs(x - mu) / b - log(b) - LOG_2,
        draw=lambda rng, shape, mu, b: rng.laplace(mu, b, shape),
        support_point=lambda mu, b: mu,
        location_scale=("mu", "b"),
        logcdf=lambda x, mu, b: _laplace_tail((x - mu) / b),
        logsf=lambda x, mu, b: _laplace_tail((mu - x) / b),
    )
)


def _laplace_tail(z: Node) -> Node:
    """Log-probability below `z` of the standard Laplace distribution."""
    below = exp(-math.abs(z))
    return where(z < 0.0, z - LOG_2, log1p(-0.5 * below))


AsymmetricLaplace = row(
    Family(
        name="AsymmetricLaplace",
        doc="AsymmetricLaplace(kappa | q, mu, b): falls off at rate ``b / kappa`` to the left of "
        "`mu` and ``b * kappa`` to its right; ``q = kappa**2 / (1 + kappa**2)`` is the probability "
        "of the left.",
        params=(
            Param("kappa", domain="positive"),
            Param("mu", aliases=("loc",)),
            Param("b", domain="positive"),
        ),
        instead=(
            Instead((Param("q", domain="inner"),), {"kappa": lambda q: sqrt(q / (1.0 - q))}),
        ),
        logp=lambda x, kappa, mu, b: (
            log(b) - log(kappa + 1.0 / kappa) - _asymmetric_distance((x - mu) * b, kappa)
        ),
        draw=lambda rng, shape, kappa, mu, b: mu + _draw_asymmetric(rng, shape, kappa) / b,
        support_point=lambda kappa, mu, b: mu,
        logcdf=lambda x, kappa, mu, b: _asymmetric_tail((x - mu) * b, kappa),
        logsf=lambda x, kappa, mu, b: _asymmetric_tail((mu - x) * b, 1.0 / kappa),
    )
)


def _asymmetric_distance(z: Node, kappa: Node) -> Node:
    """Distance from the centre in units in which the density falls off alike on either side."""
    return where(z < 0.0, -z / kappa, z * kappa)


def _asymmetric_tail(z: Node, kappa: Node) -> Node:
    """Log-probability below `z`; seen in a mirror, `kappa` becomes its reciprocal."""
    below = z < 0.0
    left = 2.0 * log(kappa) - log1p(square(kappa)) + z / kappa
    above = exp(-kappa * guard(below, 0.0, z)) / (1.0 + square(kappa))
    return where(below, left, log1p(-above))


def _draw_asymmetric(rng: np.random.Generator, shape: tuple[int, ...], kappa: Any) -> Any:
    away = rng.exponential(size=shape)
    return np.where(rng.random(shape) * (1 + kappa**2) < kappa**2, -away * kappa, away / kappa)


Logistic = row(
    Family(
        name="Logistic",
        doc="Logistic(mu=0, s=1): location `mu`, scale `s`.",
        params=(MU, Param("s", 1.0, "positive", aliases=("scale",))),
        logp=lambda x, mu, s: (mu - x) / s - log(s) - 2.0 * softplus((mu - x) / s),
        draw=lambda rng, shape, mu, s: rng.logistic(mu, s, shape),
        support_point=lambda mu, s: mu,
        location_scale=("mu", "s"),
        logcdf=lambda x, mu, s: -softplus((mu - x) / s),
        logsf=lambda x, mu, s: -softplus((x - mu) / s),
    )
)

Gumbel = row(
    Family(
        name="Gumbel",
        doc="Gumbel(mu, beta): largest of many values, with mode `mu` and scale `beta`.",
        params=(
            Param("mu", aliases=("loc",)),
            Param("beta", domain="positive", aliases=("scale",)),
        ),
        logp=lambda x, mu, beta: (mu - x) / beta - exp((mu - x) / beta) - log(beta),
        draw=lambda rng, shape, mu, beta: rng.gumbel(mu, beta, shape),
        support_point=lambda mu, beta: mu,
        location_scale=("mu", "beta"),
        logcdf=lambda x, mu, beta: -exp((mu - x) / beta),
        logsf=lambda x, mu, beta: log1mexp_of_exp((mu - x) / beta),
    )
)

SkewNormal = row(
    Family(
        name="SkewNormal",
        doc="SkewNormal(alpha=1, mu=0, sigma=1 | tau): Normal(mu, sigma) leaning to the right where "
        "the skewness `alpha` is positive, to the left where it is negative.",
        params=(Param("alpha", 1.0), MU, SIGMA),
        instead=(TAU,),
        logp=lambda x, alpha, mu, sigma: (
            LOG_2
            + standard_normal((x - mu) / sigma)
            - log(sigma)
            + log_ndtr(alpha * ((x - mu) / sigma))
        ),
        draw=lambda rng, shape, alpha, mu, sigma: mu + sigma * _draw_skewed(rng, shape, alpha),
        support_point=lambda alpha, mu, sigma: mu,
        location_scale=("mu", "sigma"),
    )
)


def _draw_skewed(rng: np.random.Generator, shape: tuple[int, ...], alpha: Any) -> Any:
    """Henze (1986), "A probabilistic representation of the 'skew-normal' distribution"."""
    common, own = rng.normal(size=shape), rng.normal(size=shape)
    return (alpha * abs(common) + own) / np.sqrt(1 + alpha**2)


ExGaussian = row(
    Family(
        name="ExGaussian",
        doc="ExGaussian(mu=0, sigma=1, nu): sum of Normal(mu, sigma) and an exponential variable "
        "of mean `nu`.",
        params=(MU, SIGMA, Param("nu", domain="positive")),
        logp=lambda x, mu, sigma, nu: _exponential_part(x, mu, sigma, nu) - log(nu),
        draw=lambda rng, shape, mu, sigma, nu: (
            rng.normal(mu, sigma, shape) + rng.exponential(nu, shape)
        ),
        support_point=lambda mu, sigma, nu: mu + nu,
        logcdf=lambda x, mu, sigma, nu: log_normal_less(
            (mu - x) / sigma, sigma / nu, _exponential_part(x, mu, sigma, nu)
        ),
        logsf=lambda x, mu, sigma, nu: logaddexp(
            log_ndtr((mu - x) / sigma), _exponential_part(x, mu, sigma, nu)
        ),
    )
)


def _exponential_part(x: Node, mu: Node, sigma: Node, nu: Node) -> Node:
    """What the exponential variable adds to the upper tail, a logarithm."""
    return log_scaled_tail((mu - x) / sigma, sigma / nu)


Moyal = row(
    Family(
        name="Moyal",
        doc="Moyal(mu=0, sigma=1): energy lost by a fast particle, with location `mu` and scale "
        "`sigma`.",
        params=(MU, SIGMA),
        logp=lambda x, mu, sigma: (
            -0.5 * ((x - mu) / sigma + exp((mu - x) / sigma)) - log(sigma) - HALF_LOG_TWO_PI
        ),
        draw=lambda rng, shape, mu, sigma: mu - sigma * np.log(rng.chisquare(1, shape)),
        support_point=lambda mu, sigma: mu,
        location_scale=("mu", "sigma"),
        logcdf=lambda x, mu, sigma: LOG_2 + log_ndtr(-exp((mu - x) / (2.0 * sigma))),
        logsf=lambda x, mu, sigma: _moyal_tail((x - mu) / (2.0 * sigma)),
    )
)


def _moyal_tail(half: Node) -> Node:
    """``log(erf(exp(-half) / sqrt(2)))``, by the slope of erf at 0 where its argument is tiny."""
    far = half > 40.0
    near = erf(exp(-guard(far, 0.0, half)) * numbers.sqrt(0.5))
    return where(far, 0.5 * numbers.log(2 / numbers.pi) - half, log_or_minus_infinity(near))


Flat = row(
    Family(
        name="Flat",
        doc="Flat(): log-density 0 everywhere; an improper prior without draws.",
        params=(),
        logp=lambda x: const(0.0),
        draw=None,
        support_point=lambda: const(0.0),
    )
)
