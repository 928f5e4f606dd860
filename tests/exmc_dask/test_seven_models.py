"""The models of the races: their data, and their densities against formulas written by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from benchmarks.models import seven as models
from exmc_dask.dist import default_transform
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.ops import Op
from exmc_dask.lowering.density import LogDensity, lower
from exmc_dask.transforms import transform

type Values = dict[str, Any]

SUMS = {
    "simple": (models.simple_data().sum(), 156.84082729),
    "medium a": (models.medium_data()[0].sum(), 117.99771392),
    "medium b": (models.medium_data()[1].sum(), 202.72203169),
    "stress 1": (models.stress_data()[0].sum(), 19.45135688),
    "stress 2": (models.stress_data()[1].sum(), 120.79747697),
    "stress 3": (models.stress_data()[2].sum(), 221.32651333),
    "logistic": (models.logistic_data()[1].sum(), 280),
    "sv": (models.sv_data().sum(), 61.88706110),
}


def normal(x: Any, mu: Any, sigma: Any) -> float:
    return float(np.sum(stats.norm.logpdf(x, mu, sigma)))


def exponential(x: Any, rate: float) -> float:
    return float(np.log(rate) - rate * x)


def simple(v: Values) -> float:
    prior = normal(v["mu"], 0, 10) + exponential(v["sigma"], 1)
    return prior + normal(models.simple_data(), v["mu"], v["sigma"])


def medium(v: Values) -> float:
    y_a, y_b = models.medium_data()
    groups = [v["alpha"], v["beta"]]
    return (
        normal(v["mu_global"], 0, 10)
        + exponential(v["sigma_global"], 1)
        + normal(groups, v["mu_global"], v["sigma_global"])
        + exponential(v["sigma_obs"], 2)
        + normal(y_a, v["alpha"], v["sigma_obs"])
        + normal(y_b, v["beta"], v["sigma_obs"])
    )


def stress(v: Values) -> float:
    total = normal(v["mu_pop"], 0, 10) + exponential(v["sigma_pop"], 0.5)
    for j, y in enumerate(models.stress_data(), start=1):
        total += normal(v[f"group_{j}"], v["mu_pop"], v["sigma_pop"])
        total += exponential(v[f"noise_{j}"], 1) + normal(y, v[f"group_{j}"], v[f"noise_{j}"])
    return total


def eight_schools(v: Values) -> float:
    y, se = models.eight_schools_data()
    prior = normal(v["mu"], 0, 5) + float(stats.halfnorm.logpdf(v["tau"], 0, 5))
    return prior + normal(v["theta"], v["mu"], v["tau"]) + normal(y, v["theta"], se)


def eight_schools_noncentred(v: Values) -> float:
    y, se = models.eight_schools_data()
    prior = normal(v["mu"], 0, 5) + float(stats.halfnorm.logpdf(v["tau"], 0, 5))
    return prior + normal(v["eta"], 0, 1) + normal(y, v["mu"] + v["tau"] * v["eta"], se)


def funnel(v: Values) -> float:
    return normal(v["y"], 0, 3) + normal(v["x"], 0, np.exp(v["y"] / 2))


def logistic(v: Values) -> float:
    X, y = models.logistic_data()
    p = special.expit(v["alpha"] + X @ v["beta"])
    prior = normal(v["alpha"], 0, 10) + normal(v["beta"], 0, 10)
    return prior + float(np.sum(np.where(y == 1, np.log(p), np.log1p(-p))))


def sv(v: Values) -> float:
    steps = np.diff(v["s"], prepend=0.0)
    prior = exponential(v["sigma"], 50) + exponential(v["nu"], 0.1) + normal(steps, 0, v["sigma"])
    return prior + float(np.sum(stats.t.logpdf(models.sv_data(), v["nu"], 0, np.exp(v["s"]))))


CASES: dict[str, tuple[Callable[[], Any], Callable[[Values], float]]] = {
    "simple": (models.simple, simple),
    "medium": (models.medium, medium),
    "stress": (models.stress, stress),
    "eight_schools": (models.eight_schools, eight_schools),
    "eight_schools_noncentred": (models.eight_schools_noncentred, eight_schools_noncentred),
    "funnel": (models.funnel, funnel),
    "logistic": (models.logistic, logistic),
    "sv": (models.sv, sv),
}
DIMENSIONS = {"simple": 2, "medium": 5, "stress": 8, "eight_schools": 10, "funnel": 10}
DIMENSIONS |= {"eight_schools_noncentred": 10, "logistic": 21, "sv": 102}

every_model = pytest.mark.parametrize("name", CASES)


@pytest.mark.parametrize("name", SUMS)
def test_data_are_the_published_ones(name: str) -> None:
    found, expected = SUMS[name]

    assert found == pytest.approx(expected, abs=1e-8)


def points(density: LogDensity, n: int) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.7, (n, density.layout.dim))


def evaluated(density: LogDensity, data: Values, q: np.ndarray) -> list[np.ndarray]:
    """Log-density, gradients and outputs at many unconstrained points."""
    leaves: dict[Any, Any] = {(Op.DATA, name): a for name, a in density.fold(data).items()}
    unpacked = density.layout.unpack(q)
    leaves |= {(Op.PARAM, name): value for name, value in unpacked.items()}
    return evaluate([density.logp, *density.grads, *(o.node for o in density.outputs)], leaves)


@every_model
def test_log_density_is_the_formula(name: str) -> None:
    declare, formula = CASES[name]
    model = declare()
    density = lower(model.spec, ncp=False)
    q = points(density, 200)
    logp, *rest = evaluated(density, model.data, q)
    outputs = dict(zip((o.name for o in density.outputs), rest[len(density.grads) :], strict=True))
    free = [v.name for v in model.spec.free]
    moved = [v.name for v in model.spec.free if default_transform(v.dist) == transform("log")]

    assert density.layout.dim == DIMENSIONS[name]
    for i in range(len(q)):
        values = {key: value[i] for key, value in outputs.items()}
        expected = formula(values)
        log_jacobian = sum(np.log(values[key]) for key in moved)

        assert logp[i] == pytest.approx(expected + log_jacobian, rel=1e-9)
        if i < 3:
            given = {key: values[key] for key in free}
            assert model.logp(given) == pytest.approx(expected, rel=1e-9)


@every_model
def test_gradients_are_those_of_differences(name: str) -> None:
    model = CASES[name][0]()
    density = lower(model.spec, ncp=False)
    step = 1e-4 * np.eye(density.layout.dim)
    for q in points(density, 3):
        _, *rest = evaluated(density, model.data, q)
        found = np.concatenate([np.ravel(g) for g in rest[: len(density.grads)]])
        near, far = (
            (evaluated(density, model.data, q + h)[0] - evaluated(density, model.data, q - h)[0])
            for h in (step, 2 * step)
        )
        expected = (8 * near - far) / 12e-4

        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6)
