"""Paths of stochastic differential equations: density, draws, mistakes, a model that finds them."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import ModelError, OptionError, TraceError
from exmc_dask.expressions.ir import Node
from exmc_dask.language.model import ModelSpec

DT = 0.1
PATH = np.array([0.3, 0.5, 0.2, -0.4])


def pull(x: Any, rate: Any, spread: Any) -> tuple[Any, Any]:
    """Ornstein and Uhlenbeck's process."""
    return -rate * x, spread


def model(path: np.ndarray, init: Any = None) -> ed.Model:
    with ed.Model() as made:
        rate, spread = ed.HalfNormal("rate", 3), ed.HalfNormal("spread", 1)
        ed.EulerMaruyama("x", DT, pull, (rate, spread), init, observed=path)
    return made


def test_the_density_is_that_of_the_steps() -> None:
    found = model(PATH, ed.Normal.dist(0, 1)).logp({"rate": 2.0, "spread": 0.7})
    priors = stats.halfnorm(0, 3).logpdf(2.0) + stats.halfnorm(0, 1).logpdf(0.7)
    steps = stats.norm(PATH[:-1] * (1 - 2.0 * DT), 0.7 * np.sqrt(DT)).logpdf(PATH[1:]).sum()

    assert found == pytest.approx(priors + stats.norm.logpdf(PATH[0]) + steps, rel=1e-12)


def test_a_model_with_an_equation_travels() -> None:
    spec = model(PATH).spec

    assert ModelSpec.from_bytes(spec.to_bytes()) == spec


def test_draws_forget_where_they_began() -> None:
    with ed.Model() as made:
        ed.EulerMaruyama("x", DT, pull, (2.0, 0.7), ed.Normal.dist(30, 1), shape=60)
    drawn = ed.sample_prior_predictive(made, 4000, random_seed=1).prior["x"].to_numpy()
    spread = 0.7 * np.sqrt(DT / (1 - (1 - 2.0 * DT) ** 2))

    assert drawn[..., 0].mean() == pytest.approx(30.0, abs=0.1)
    assert stats.kstest(drawn[..., -1].ravel(), stats.norm(0, spread).cdf).pvalue > 1e-3


def test_rate_and_spread_are_found_again() -> None:
    rng, x = np.random.default_rng(2), np.zeros(2000)
    for t in range(1, 2000):
        x[t] = x[t - 1] * (1 - 2.0 * DT) + 0.7 * np.sqrt(DT) * rng.normal()
    found = ed.sample(model(x), draws=500, tune=300, random_seed=3, progressbar=False).posterior
    for name, truth in (("rate", 2.0), ("spread", 0.7)):
        assert abs(float(found[name].mean()) - truth) < 4 * float(found[name].std())


def walls(x: Node) -> tuple[Any, Any]:
    return (x if x > 0 else -x), 1.0


MISTAKES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no step": ({"sde_fn": None}, OptionError, "sde_fn is None, not a function"),
    "no equation": ({"sde_fn": ...}, OptionError, "needs sde_fn"),
    "an option": ({"steps": 3}, OptionError, "takes dt, sde_fn, sde_pars, init_dist"),
    "a branch": ({"sde_fn": walls, "sde_pars": ()}, TraceError, "where instead of `if`"),
    "a number": ({"init_dist": 1.0}, OptionError, "init_dist takes distributions"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained(name: str) -> None:
    wrong, error, message = MISTAKES[name]
    options: dict[str, Any] = {"dt": DT, "sde_fn": pull, "sde_pars": (1.0, 1.0), **wrong}
    options = {key: value for key, value in options.items() if value is not ...}
    with ed.Model(), pytest.raises(error, match=message):
        ed.EulerMaruyama("x", **options, observed=PATH)


def test_a_first_value_of_the_model_is_not_drawn() -> None:
    with ed.Model() as made:
        start = ed.Normal("start", 0, 1)
        ed.EulerMaruyama("x", DT, pull, (2.0, 0.7), ed.Normal.dist(start, 1), shape=5)
    with pytest.raises(ModelError, match="init_dist depends on the model"):
        ed.sample_prior_predictive(made, 10, random_seed=1)
