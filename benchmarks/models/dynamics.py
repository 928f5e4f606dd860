"""Examples of differential equations with unknown rates, solved by `ed.math.odeint`."""

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

import exmc_dask as ed

from .example import Arrays, Example, Values

Rng = np.random.Generator

YEARS = np.arange(21.0)
HOURS = np.array([0.0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24])
DOSE = 300.0  # mg, swallowed at time 0


def _lotka_volterra_data(rng: Rng, truth: Values) -> Arrays:
    growth, eaten, death, gain = truth["rates"]

    def rhs(t: float, y: np.ndarray) -> list[float]:
        return [y[0] * (growth - eaten * y[1]), y[1] * (gain * y[0] - death)]

    ends = (YEARS[0], YEARS[-1])
    path = solve_ivp(rhs, ends, truth["start"], t_eval=YEARS, rtol=1e-9, atol=1e-9).y.T
    return {"t": YEARS, "y": path * np.exp(rng.normal(0, truth["sigma"], path.shape))}


def _lotka_volterra(data: Arrays) -> ed.Model:
    """Carpenter (2018), "Predator-prey population dynamics", with the hares' priors."""

    def rhs(y: Any, t: Any, rates: Any) -> list[Any]:
        growth, eaten, death, gain = (rates[i] for i in range(4))
        return [y[0] * (growth - eaten * y[1]), y[1] * (gain * y[0] - death)]

    with ed.Model() as model:
        typical, width = np.array([1.0, 0.05, 1.0, 0.05]), np.array([0.5, 0.05, 0.5, 0.05])
        rates = ed.TruncatedNormal("rates", typical, width, lower=0, shape=4)
        start = ed.LogNormal("start", np.log(10), 1, shape=2)
        sigma = ed.LogNormal("sigma", -1, 1)
        path = ed.math.odeint(rhs, start, data["t"], rates, substeps=8)
        ed.LogNormal("y", ed.math.log(path), sigma, observed=data["y"])
    return model


LOTKA_VOLTERRA = Example(
    "lotka_volterra",
    lambda rng: {
        "rates": np.array([0.55, 0.028, 0.84, 0.026]),
        "start": np.array([34.0, 6.0]),
        "sigma": 0.2,
    },
    _lotka_volterra_data,
    _lotka_volterra,
)


def concentration(t: np.ndarray, absorption: float, clearance: float, volume: float) -> np.ndarray:
    """Return the concentration after a dose by mouth, mg/l: Bateman's function."""
    elimination = clearance / volume
    factor = DOSE / volume * absorption / (absorption - elimination)
    return np.asarray(factor * (np.exp(-elimination * t) - np.exp(-absorption * t)))


def _pharmacokinetics_data(rng: Rng, truth: Values) -> Arrays:
    clean = concentration(HOURS[1:], truth["absorption"], truth["clearance"], truth["volume"])
    return {"t": HOURS, "y": clean * np.exp(rng.normal(0, truth["sigma"], clean.shape))}


def _pharmacokinetics(data: Arrays) -> ed.Model:
    with ed.Model() as model:
        absorption = ed.LogNormal("absorption", 0, 0.5)  # 1/h
        clearance = ed.LogNormal("clearance", np.log(5), 0.5)  # l/h
        volume = ed.LogNormal("volume", np.log(30), 0.5)  # l
        sigma = ed.HalfNormal("sigma", 0.5)

        def rhs(amount: Any, t: Any) -> list[Any]:
            absorbed = absorption * amount[0]
            return [-absorbed, absorbed - clearance / volume * amount[1]]

        amounts = ed.math.odeint(rhs, [DOSE, 0.0], data["t"], substeps=4)
        ed.LogNormal("y", ed.math.log(amounts[1:, 1] / volume), sigma, observed=data["y"])
    return model


PHARMACOKINETICS = Example(
    "pharmacokinetics",
    lambda rng: {"absorption": 1.2, "clearance": 4.0, "volume": 35.0, "sigma": 0.1},
    _pharmacokinetics_data,
    _pharmacokinetics,
)
