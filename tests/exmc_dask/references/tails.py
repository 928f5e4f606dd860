"""Probabilities on both sides of a value, with fifty digits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.exmc_dask.references.exact import exact, mp


def _log(p: Any) -> Any:
    return mp.log(p) if p > 0 else -mp.inf


@dataclass(frozen=True)
class Tails:
    """Probabilities below and above a number of mpmath."""

    below: Callable[[Any], Any]
    above: Callable[[Any], Any]

    def logcdf(self, x: Any) -> np.ndarray:
        return np.asarray(exact(lambda x: _log(self.below(x)))(x))

    def logsf(self, x: Any) -> np.ndarray:
        return np.asarray(exact(lambda x: _log(self.above(x)))(x))


@dataclass(frozen=True)
class Law:
    """What scipy does not have, with its names."""

    logpdf: Callable[[Any], Any]
    cdf: Callable[[Any], Any]


def phi(z: Any) -> Any:
    """Probability that a standard normal variable is below `z`."""
    return mp.erfc(-z / mp.sqrt(2)) / 2


def normal(mu: float, sigma: float, of: Callable[[Any], Any] = lambda x: x) -> Tails:
    """Tails of a variable of which `of` is normal."""
    return Tails(lambda x: phi((of(x) - mu) / sigma), lambda x: phi((mu - of(x)) / sigma))


def wald(mu: float, lam: float, alpha: float = 0.0) -> Tails:
    """Shuster (1968), "On the inverse Gaussian distribution function"."""

    def both(x: Any) -> tuple[Any, Any, Any]:
        t = x - mp.mpf(alpha)
        root = mp.sqrt(lam / t)
        second = mp.exp(2 * mp.mpf(lam) / mu) * phi(-root * (t / mu + 1))
        return root * (t / mu - 1), second, t

    return Tails(lambda x: phi(both(x)[0]) + both(x)[1], lambda x: phi(-both(x)[0]) - both(x)[1])


def exgaussian(mu: float, sigma: float, nu: float) -> Tails:
    """Tails of the sum of a normal and an exponential variable."""

    def term(x: Any) -> Any:
        ratio = mp.mpf(sigma) / nu
        z = (x - mu) / sigma
        return mp.exp(ratio * (ratio / 2 - z)) * phi(z - ratio)

    return Tails(
        lambda x: phi((x - mu) / sigma) - term(x), lambda x: phi((mu - x) / sigma) + term(x)
    )


def triangle(lower: float, upper: float, c: float) -> Tails:
    """Tails of the distribution whose density is a triangle."""

    def below(x: Any) -> Any:
        if x < c or c == upper:
            return (x - lower) ** 2 / ((upper - lower) * mp.mpf(c - lower))
        return 1 - (upper - x) ** 2 / ((upper - lower) * mp.mpf(upper - c))

    return Tails(below, lambda x: 1 - below(x))


def gamma(alpha: float, beta: float) -> Tails:
    """Tails of the gamma distribution with rate `beta`."""
    return Tails(
        lambda x: mp.gammainc(alpha, 0, beta * x, regularized=True),
        lambda x: mp.gammainc(alpha, beta * x, mp.inf, regularized=True),
    )


def mirrored(tails: Tails, of: Callable[[Any], Any]) -> Tails:
    """Tails of a variable of which a falling function `of` has `tails`."""
    return Tails(lambda x: tails.above(of(x)), lambda x: tails.below(of(x)))


def beta(alpha: float, beta: float) -> Tails:
    """Tails of the beta distribution."""
    return Tails(
        lambda x: mp.betainc(alpha, beta, 0, x, regularized=True),
        lambda x: mp.betainc(beta, alpha, 0, 1 - x, regularized=True),
    )


def student(nu: float, mu: float, sigma: float) -> Tails:
    """Tails of Student's t distribution, a beta distribution on either side."""

    def beyond(z: Any) -> Any:
        share = nu / (nu + z * z)
        return mp.betainc(mp.mpf(nu) / 2, 0.5, 0, share, regularized=True) / 2

    def below(z: Any) -> Any:
        return beyond(z) if z < 0 else 1 - beyond(z)

    return Tails(lambda x: below((x - mu) / sigma), lambda x: below((mu - x) / sigma))


def half_student(nu: float, sigma: float) -> Tails:
    """Tails of the absolute value of Student's t."""

    def share(x: Any) -> Any:
        return (x / sigma) ** 2 / (nu + (x / sigma) ** 2)

    return Tails(
        lambda x: mp.betainc(0.5, mp.mpf(nu) / 2, 0, share(x), regularized=True),
        lambda x: mp.betainc(mp.mpf(nu) / 2, 0.5, 0, 1 - share(x), regularized=True),
    )


def truncated(inner: Tails, lower: float, upper: float) -> Tails:
    """Tails between two bounds."""

    def between(a: Any, b: Any) -> Any:
        if inner.below(mp.mpf(a)) < 0.5:
            return inner.below(mp.mpf(b)) - inner.below(mp.mpf(a))
        return inner.above(mp.mpf(a)) - inner.above(mp.mpf(b))

    return Tails(
        lambda x: between(lower, x) / between(lower, upper),
        lambda x: between(x, upper) / between(lower, upper),
    )


def counted(logp: Callable[[Any], Any]) -> Tails:
    """Tails of counts, added up; there are to be few above the ones that are asked for."""

    def total(first: int, last: int) -> Any:
        return mp.fsum(mp.exp(logp(mp.mpf(k))) for k in range(first, last))

    return Tails(lambda x: total(0, int(x) + 1), lambda x: total(int(x) + 1, int(x) + 300))
