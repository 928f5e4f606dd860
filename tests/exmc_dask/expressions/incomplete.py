"""Incomplete gamma and beta functions with fifty digits, and where they are asked for."""

from typing import Any

import numpy as np

from tests.exmc_dask.references.exact import mp

INF, NAN = np.inf, np.nan
SHAPES = (1e-3, 0.5, 1.0, 2.5, 8.0, 300.0, 1000.0)
RATIOS = (1e-300, 1e-5, 0.5, 0.95, 1.0, 1.001, 1.1, 3.0, 1e3)  # of the argument to its mean

GAMMA = np.array([(a, a * ratio) for a in SHAPES for ratio in RATIOS if a * ratio > 0])
BETA = np.array(
    [(a, b, a / b * ratio) for a in SHAPES[1:] for b in SHAPES[1:] for ratio in RATIOS[1:]]
)
# where a fraction takes thousands of terms
LARGE = np.array([(1e7, 1e7), (1e7, 1.0003e7)])

GAMMA_EDGES = {  # (a, x): log P, log (1 - P)
    (2.0, 0.0): (-INF, 0.0),
    (2.0, INF): (0.0, -INF),
    (2.0, 5e-324): (2 * np.log(5e-324) - np.log(2), 0.0),
    (0.0, 1.0): (NAN, NAN),
    (0.0, 0.0): (NAN, NAN),
    (-1.0, 1.0): (NAN, NAN),
    (1.0, -1.0): (NAN, NAN),
    (INF, 1.0): (NAN, NAN),
    (NAN, 1.0): (NAN, NAN),
    (1.0, NAN): (NAN, NAN),
}
BETA_EDGES = {  # (a, b, odds): log I
    (2.0, 3.0, 0.0): -INF,
    (2.0, 3.0, INF): 0.0,
    (1.0, 1.0, 5e-324): np.log(5e-324),
    (0.0, 1.0, 1.0): NAN,
    (0.0, 1.0, INF): NAN,
    (1.0, -1.0, 1.0): NAN,
    (1.0, 1.0, -1.0): NAN,
    (NAN, 1.0, 1.0): NAN,
    (1.0, NAN, 1.0): NAN,
    (1.0, 1.0, NAN): NAN,
}


def _slope(function: Any, a: Any) -> Any:
    step = a * mp.mpf(10) ** -18
    return (function(a + step) - function(a - step)) / (2 * step)


def gamma(a: float, x: float) -> tuple[Any, Any, Any]:
    """``(log P, log (1 - P), slope of P in a over -w)`` with the weight w of the module."""
    a, x = mp.mpf(float(a)), mp.mpf(float(x))

    def below(a: Any) -> Any:
        return mp.gammainc(a, 0, x, regularized=True)

    def above(a: Any) -> Any:
        return mp.gammainc(a, x, mp.inf, regularized=True)

    weight = mp.exp(a * mp.log(x) - x - mp.loggamma(a + 1))
    slope = -_slope(below, a) if below(a) < 0.5 else _slope(above, a)
    return mp.log(below(a)), mp.log(above(a)), slope / weight


def beta(a: float, b: float, odds: float) -> tuple[Any, Any]:
    """``(log I, slope of I in a over -w)`` with the weight w of the module."""
    a, b, odds = (mp.mpf(float(value)) for value in (a, b, odds))
    x, y = odds / (1 + odds), 1 / (1 + odds)

    def below(a: Any) -> Any:
        return mp.betainc(a, b, 0, x, regularized=True)

    def above(a: Any) -> Any:
        return mp.betainc(b, a, 0, y, regularized=True)

    weight = x**a * y**b / mp.beta(a, b)
    slope = -_slope(below, a) if below(a) < 0.5 else _slope(above, a)
    return mp.log(below(a)), slope / weight
