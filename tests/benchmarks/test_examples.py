"""Likelihoods of the examples that calculate step by step, against closed forms and plain loops."""

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import special, stats
from scipy.integrate import solve_ivp

from benchmarks.models.dynamics import LOTKA_VOLTERRA, PHARMACOKINETICS, concentration
from benchmarks.models.example import Arrays, Example, Values
from benchmarks.models.examples import EXAMPLES
from benchmarks.models.hidden_markov import HMM, HMM_COVARIATES
from benchmarks.models.timeseries import ARMA, FIRST_LEVEL_SD, GARCH, LOCAL_LEVEL
from exmc_dask.lowering.joint import joint


def likelihood(example: Example, data: Arrays, values: Values) -> float:
    """Log-density of what is observed."""
    model = example.build(data)
    of = "r" if example is GARCH else "y"
    return joint(model.spec, model.data, values)[of]


def shortened(example: Example, n: int) -> Arrays:
    data = example.known[1]
    return {name: array[: n - (name == "x")] for name, array in data.items()}


@pytest.mark.parametrize("values", [{"step": 0.4, "noise": 1.0}, {"step": 2.0, "noise": 0.1}])
def test_the_kalman_filter_is_the_normal_law_of_the_whole_series(values: Values) -> None:
    data = LOCAL_LEVEL.known[1]
    steps = np.arange(len(data["y"]))
    level = FIRST_LEVEL_SD**2 + values["step"] ** 2 * np.minimum.outer(steps, steps)
    law = stats.multivariate_normal(None, level + values["noise"] ** 2 * np.eye(len(steps)))

    assert likelihood(LOCAL_LEVEL, data, values) == pytest.approx(law.logpdf(data["y"]), rel=1e-8)


@pytest.mark.parametrize(("phi", "theta"), [(0.7, 0.4), (-0.5, -0.9)])
def test_residuals_make_the_normal_law_of_the_series(phi: float, theta: float) -> None:
    values = {"mu": 1.5, "phi": phi, "theta": theta, "sigma": 0.6}
    data = ARMA.known[1]
    lag = np.eye(len(data["y"]), k=-1)
    root = np.linalg.solve(np.eye(len(lag)) - phi * lag, np.eye(len(lag)) + theta * lag)
    law = stats.multivariate_normal(np.full(len(lag), 1.5), 0.6**2 * root @ root.T)

    assert likelihood(ARMA, data, values) == pytest.approx(law.logpdf(data["y"]), rel=1e-8)


def test_variances_are_those_of_a_loop() -> None:
    values = {"mu": 0.05, "omega": 0.2, "alpha": 0.3, "beta": 0.6, "first": 1.3}
    r = GARCH.known[1]["r"]
    expected, variance = 0.0, 1.3**2
    for value in r:
        expected += stats.norm.logpdf(value, 0.05, np.sqrt(variance))
        variance = 0.2 + 0.3 * (value - 0.05) ** 2 + 0.6 * variance

    assert likelihood(GARCH, {"r": r}, values) == pytest.approx(expected, rel=1e-12)


def over_all_paths(start: Any, moves: Any, emitted: Any) -> float:
    """Log-density of a sequence (T, K) by adding up all K**T paths."""
    n, k = emitted.shape
    total = 0.0
    for path in itertools.product(range(k), repeat=n):
        p = start[path[0]] * np.prod([moves[t][path[t], path[t + 1]] for t in range(n - 1)])
        total += p * np.prod(emitted[range(n), path])
    return float(np.log(total))


def test_the_forward_algorithm_adds_up_all_paths() -> None:
    values, data = HMM.known[0], shortened(HMM, 6)
    emitted = stats.norm.pdf(data["y"][:, None], values["mu"], values["sigma"])
    expected = over_all_paths(np.full(3, 1 / 3), [values["move"]] * 5, emitted)

    assert likelihood(HMM, data, values) == pytest.approx(expected, rel=1e-10)


def test_the_forward_algorithm_adds_up_all_paths_with_moves_of_their_own() -> None:
    values, data = HMM_COVARIATES.known[0], shortened(HMM_COVARIATES, 6)
    leave = special.expit(values["a"] + data["x"][:, None] * values["b"])
    moves = [np.array([[1 - p, p], [q, 1 - q]]) for p, q in leave]
    emitted = stats.poisson.pmf(data["y"][:, None], values["rate"])
    expected = over_all_paths(np.full(2, 0.5), moves, emitted)

    assert likelihood(HMM_COVARIATES, data, values) == pytest.approx(expected, rel=1e-10)


def test_a_dose_by_mouth_has_its_closed_form() -> None:
    values, data = PHARMACOKINETICS.known
    rates = [values[name] for name in ("absorption", "clearance", "volume")]
    exact = concentration(data["t"][1:], *rates)
    expected = stats.lognorm.logpdf(data["y"], values["sigma"], scale=exact).sum()

    assert likelihood(PHARMACOKINETICS, data, values) == pytest.approx(expected, rel=1e-3)


def test_predators_and_prey_move_as_an_adaptive_solver_says() -> None:
    values, data = LOTKA_VOLTERRA.known
    growth, eaten, death, gain = values["rates"]
    path = solve_ivp(
        lambda t, y: [y[0] * (growth - eaten * y[1]), y[1] * (gain * y[0] - death)],
        (data["t"][0], data["t"][-1]),
        values["start"],
        t_eval=data["t"],
        rtol=1e-10,
        atol=1e-10,
    ).y.T
    expected = stats.lognorm.logpdf(data["y"], values["sigma"], scale=path).sum()

    assert likelihood(LOTKA_VOLTERRA, data, values) == pytest.approx(expected, rel=1e-3)


@pytest.mark.filterwarnings("ignore::exmc_dask.warned.ImputationWarning")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_gives_the_same_data_twice(name: str) -> None:
    example = EXAMPLES[name]
    again = example.with_truth(example.truth).known[1]
    spec = example.model().spec

    for key, array in example.known[1].items():
        np.testing.assert_array_equal(again[key], array)
    assert example.known[0].keys() <= {
        *(variable.name for variable in spec.free),
        *(deterministic.name for deterministic in spec.deterministics),
    }
