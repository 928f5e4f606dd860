"""Examples of series in which every step is calculated from the one before, by `ed.math.scan`.

Each scan runs through the past of a value and ends in its mean or its scale, so that what is
observed has a distribution of its own.
"""

from typing import Any

import numpy as np

import exmc_dask as ed

from .example import Arrays, Example, Values

Rng = np.random.Generator

FIRST_LEVEL_SD = 10.0


def _arma_data(rng: Rng, truth: Values) -> Arrays:
    mu, phi, theta = truth["mu"], truth["phi"], truth["theta"]
    e = rng.normal(0, truth["sigma"], 300)
    y = mu + e
    for t in range(1, 300):
        y[t] += phi * (y[t - 1] - mu) + theta * e[t - 1]
    return {"y": y}


def _arma(data: Arrays) -> ed.Model:
    """Before the first value there was neither a deviation nor a residual."""
    y = data["y"]
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 10)
        phi = ed.Uniform("phi", -1, 1)
        theta = ed.Uniform("theta", -1, 1)
        sigma = ed.HalfNormal("sigma", 5)

        def forecast(residual: Any, pair: tuple[Any, Any]) -> tuple[Any, Any]:
            before, value = pair
            mean = mu + phi * (before - mu) + theta * residual
            return value - mean, mean

        _, rest = ed.math.scan(forecast, y[0] - mu, (y[:-1], y[1:]))
        ed.Normal("y", ed.math.concatenate([ed.math.expand_dims(mu, 0), rest]), sigma, observed=y)
    return model


ARMA = Example(
    "arma11",
    lambda rng: {"mu": 2.0, "phi": 0.7, "theta": 0.4, "sigma": 0.5},
    _arma_data,
    _arma,
)


def _garch_data(rng: Rng, truth: Values) -> Arrays:
    r, variance = np.empty(1000), truth["first"] ** 2
    for t, z in enumerate(rng.normal(size=1000)):
        r[t] = truth["mu"] + np.sqrt(variance) * z
        news = (r[t] - truth["mu"]) ** 2
        variance = truth["omega"] + truth["alpha"] * news + truth["beta"] * variance
    return {"r": r}


def _garch(data: Arrays) -> ed.Model:
    """Bollerslev (1986); ``alpha + beta < 1`` by the bound of beta."""
    r = data["r"]
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        omega = ed.HalfNormal("omega", 1)
        alpha = ed.Uniform("alpha", 0, 1)
        beta = ed.Uniform("beta", 0, 1 - alpha)
        first = ed.HalfNormal("first", 2)

        def next_variance(variance: Any, value: Any) -> tuple[Any, Any]:
            news = ed.math.square(value - mu)
            return omega + alpha * news + beta * variance, variance

        _, variance = ed.math.scan(next_variance, ed.math.square(first), r)
        ed.Normal("r", mu, ed.math.sqrt(variance), observed=r)
    return model


GARCH = Example(
    "garch11",
    lambda rng: {"mu": 0.1, "omega": 0.1, "alpha": 0.15, "beta": 0.75, "first": 1.0},
    _garch_data,
    _garch,
)


def _local_level_data(rng: Rng, truth: Values) -> Arrays:
    steps = rng.normal(0, truth["step"], 249)
    level = np.cumsum([rng.normal(0, FIRST_LEVEL_SD), *steps])
    return {"y": rng.normal(level, truth["noise"])}


def _local_level(data: Arrays) -> ed.Model:
    """The Kalman filter: Durbin and Koopman (2012), Time Series Analysis, eq. 2.15."""
    y = data["y"]
    with ed.Model() as model:
        step = ed.HalfNormal("step", 2)
        noise = ed.HalfNormal("noise", 2)

        def update(level: tuple[Any, Any], value: Any) -> tuple[Any, Any]:
            mean, variance = level
            spread = variance + ed.math.square(noise)
            gain = variance / spread
            left = variance * (1.0 - gain) + ed.math.square(step)
            return (mean + gain * (value - mean), left), (mean, spread)

        _, (mean, spread) = ed.math.scan(update, (0.0, FIRST_LEVEL_SD**2), y)
        ed.Normal("y", mean, ed.math.sqrt(spread), observed=y)
    return model


LOCAL_LEVEL = Example(
    "local_level", lambda rng: {"step": 0.4, "noise": 1.0}, _local_level_data, _local_level
)
