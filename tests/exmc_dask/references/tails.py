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
    """Chhikara and Folks (1989), "The Inverse Gaussian Distribution", eq. 2.9."""

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
