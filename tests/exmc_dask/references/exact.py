"""Log-probabilities with fifty digits, for where scipy.stats has no law or loses digits."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from tests.exmc_dask.references.case import Case

mp = mpmath.MPContext()
mp.dps = 50

type Real = Any  # mpmath's numbers


def _wide(number: Any) -> Real:
    return [mp.mpf(float(n)) for n in number] if np.ndim(number) else mp.mpf(float(number))


def exact(formula: Callable[..., Real], **params: Any) -> Callable[[Any], np.ndarray]:
    """Reference ``formula(x, **params)`` for arrays, calculated element by element."""
    given = {name: _wide(value) for name, value in params.items()}

    def reference(x: Any) -> np.ndarray:
        found = [float(formula(_wide(value), **given)) for value in np.ravel(x)]
        return np.reshape(found, np.shape(x))

    return reference


def exact_slope(formula: Callable[..., Real], **params: Any) -> Callable[[str, Any], np.ndarray]:
    """Derivative of the sum over values: a difference that fifty digits make exact."""
    given = {name: _wide(value) for name, value in params.items()}
    tiny = mp.mpf(10) ** -20

    def slope(name: str, values: Any) -> np.ndarray:
        def total(place: int | None, factor: Real) -> Real:
            moved: Any = given[name]
            if place is None:
                moved = moved * factor
            else:
                moved = [n * factor if i == place else n for i, n in enumerate(moved)]
            return mp.fsum(formula(_wide(x), **{**given, name: moved}) for x in np.ravel(values))

        def derivative(place: int | None) -> float:
            at = given[name] if place is None else given[name][place]
            return float((total(place, 1 + tiny) - total(place, 1 - tiny)) / (2 * tiny * at))

        if isinstance(given[name], list):
            return np.array([derivative(place) for place in range(len(given[name]))])
        return np.asarray(derivative(None))

    return slope


def exact_case(
    dist: Any, params: dict[str, Any], values: np.ndarray, formula: Callable[..., Real],
    **more: Any,
) -> Case:  # fmt: skip
    """Row of a family by its formula in exact numbers."""
    slope = exact_slope(formula, **params)
    return Case(dist.dist, params, values, exact(formula, **params), slope=slope, **more)


def log_choose(n: Real, k: Real) -> Real:
    """Logarithm of a binomial coefficient."""
    return mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)
