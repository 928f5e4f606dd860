"""Simulation-based calibration: uniform ranks where the sampling is right, and only there."""

from typing import Any

import arviz as az
import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed

QUIET: dict[str, Any] = {"cluster": "threads", "progressbar": False, "random_seed": 5}


def group_means() -> ed.Model:
    with ed.Model(coords={"group": ["a", "b"]}) as model:
        mu = ed.Normal("mu", 1, 2)
        effect = ed.Normal("effect", mu, 1, dims="group")
        sigma = ed.HalfNormal("sigma", 1)
        ed.Normal("y", effect[:, None], sigma, observed=np.zeros((2, 6)))
    return model


@pytest.fixture(scope="module")
def found() -> Any:
    return ed.sbc(group_means(), 150, draws=400, tune=300, **QUIET)


def test_ranks_are_uniform(found):
    for name, ranks in found["prior_sbc"].data_vars.items():
        for column in ranks.values.reshape(150, -1).T:
            assert stats.kstest(column, "uniform").pvalue > 1e-3, name


def test_ranks_have_the_dimensions_of_the_variables(found):
    assert found["prior_sbc"]["effect"].dims == ("chain", "draw", "group")
    assert found["prior"]["effect"].shape == (1, 150, 2)
    assert float(found["fits"]["ess"].min()) > 0


def test_arviz_draws_them(found):
    az.plot_ecdf_pit(found, backend="none")


def test_a_fit_can_be_had_again_by_its_seed(found):
    model = group_means()
    prior: Any = ed.sample_prior_predictive(model, draws=150, random_seed=5)
    model.set_data({"y.observed": prior["prior_predictive"]["y"].values[0, 7]})
    seed = int(found["fits"]["seed"][0, 7])
    quiet = {**QUIET, "random_seed": seed, "compute_convergence_checks": False}
    trace: Any = ed.sample(model, 400, 300, 1, **quiet)
    kept = trace.posterior["mu"].values[0, np.linspace(0, 399, 99).round().astype(int)]
    below = (kept < float(prior["prior"]["mu"][0, 7])).sum()
    assert int(found["prior_sbc"]["mu"][0, 7] * 100) == below


def test_too_few_effective_draws_are_said():
    with ed.Model() as model:
        x = ed.Normal("x", 0, 1)
        ed.Normal("y", x, 10.0, observed=np.zeros(2))
    with pytest.warns(UserWarning, match="raise draws="):
        ed.sbc(model, 20, draws=99, tune=100, **QUIET)


def build(declare: Any) -> ed.Model:
    with ed.Model() as model:
        declare(ed.Normal("x", 0, 1, shape=2))
    return model


def with_shared_data(x: Any) -> None:
    data = ed.Data("data", [0.0, 1.0])
    ed.Normal("y", x * data, 1, observed=data)


@pytest.mark.filterwarnings("ignore::exmc_dask.warned.ImputationWarning")
@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda x: None, "observes nothing"),
        (lambda x: ed.Potential("p", x), "'p': nothing can be drawn"),
        (lambda x: ed.Normal("y", x, 1, observed=[np.nan, 1.0]), "'y' has missing entries"),
        (lambda x: ed.Normal("y", x, 1, observed=[0.0, 1.0], weight=2.0), "'y' has weights"),
        (with_shared_data, "'y' shares its data"),
        (
            lambda x: ed.Normal("z", x, 1, shape=2, transform="ordered"),
            "'z': transform='ordered' leaves out a part",
        ),
    ],
)
def test_models_whose_data_cannot_be_drawn_are_refused(declare, message):
    with pytest.raises(ed.ExmcError, match=message):
        ed.sbc(build(declare), 10, **QUIET)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"simulations": 0}, "simulations=0"),
        ({"draws": 20}, "ranked among 99"),
        ({"chains": 0}, "chains=0"),
        ({"num_simulations": 5}, "it is called simulations"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(ed.ExmcError, match=message):
        ed.sbc(group_means(), **(QUIET | options))
