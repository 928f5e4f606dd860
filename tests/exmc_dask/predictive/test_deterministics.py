"""Deterministics calculated from draws that were kept without them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import OptionError, ShapeError, UnknownName
from tests.exmc_dask.predictive.posteriors import posterior


@pytest.fixture(scope="module")
def model() -> ed.Model:
    with ed.Model(coords={"place": ["a", "b", "c"]}) as model:
        mu = ed.Normal("mu", 0, 1)
        theta = ed.Normal("theta", mu, 1, dims="place")
        n = ed.Poisson("n", 3, observed=[1, 2, 3])
        x = ed.Normal("x", 0, 1, shape=2)
        model.observe("seen", 2 * x + 1, [3.0, 5.0])
        ed.Deterministic("spread", ed.math.max(theta) - ed.math.min(theta))
        ed.Deterministic("scaled", theta * n + mu, dims="place")
        ed.Deterministic("known", x * mu)
        ed.Deterministic("positive", theta > 0, dims="place")
        ed.Deterministic("constant", ed.math.sqrt(4.0))
        ed.Normal("y", theta, 1, observed=[0.3, 1.2, -0.4])
    return model


def test_they_are_what_sampling_stores(model: ed.Model) -> None:
    trace = ed.sample(
        model, draws=40, tune=60, chains=2, random_seed=1, ncp=True, progressbar=False,
        cluster="threads", compute_convergence_checks=False,
    )  # fmt: skip
    names = [d.name for d in model.spec.deterministics]
    found = ed.compute_deterministics(trace.posterior.to_dataset()[["mu", "theta"]], model)

    assert list(found.data_vars) == names
    for name in names:
        stored = trace.posterior[name]
        assert found[name].dims == stored.dims
        assert found[name].dtype == stored.dtype
        np.testing.assert_allclose(found[name], stored, rtol=1e-13)
    assert found["scaled"].coords.identical(trace.posterior["scaled"].coords)


def test_some_of_a_whole_result_may_be_asked_for_and_merged(model: ed.Model) -> None:
    before = ed.sample_prior_predictive(model, 10, random_seed=1, var_names=["mu", "theta"])
    with model:
        found = ed.compute_deterministics(
            before, var_names="spread", group="prior", merge_dataset=True
        )

    assert set(found.data_vars) == {"mu", "theta", "spread"}
    np.testing.assert_allclose(found["spread"][0], np.ptp(found["theta"].values[0], axis=-1))


def test_they_are_calculated_for_new_predictors_and_for_no_values_left_behind() -> None:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        line = ed.Deterministic("line", mu * ed.Data("x", [1.0, 2.0, 3.0]))
        y = ed.Normal("y", line, 1, observed=[1.0, 2.0, 3.0])
        ed.Deterministic("rest", y - line)
    model.set_data({"x": [10.0, 20.0]})
    trace = posterior(mu=np.ones((1, 3)))
    found = ed.compute_deterministics(trace, model, var_names="line")["line"]

    np.testing.assert_array_equal(found, [[[10.0, 20.0]] * 3])
    with pytest.raises(ShapeError, match="'y' has observed values of shape"):
        ed.compute_deterministics(trace, model)


TRACE = posterior(mu=np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: ed.compute_deterministics(TRACE, m, var_names="mu"), UnknownName, "determinis"),
        (lambda m: ed.compute_deterministics(TRACE, m), UnknownName, "'spread' is made of 'theta'"),
        (lambda m: ed.compute_deterministics(TRACE, m, group="prior"), OptionError, "'prior'"),
        (lambda m: ed.compute_deterministics(TRACE, m, vars="mu"), OptionError, "var_names"),
        (lambda m: ed.compute_deterministics(3, m), OptionError, "is a int"),
    ],
)
def test_a_mistake_is_named(
    model: ed.Model, call: Callable[[Any], object], error: Any, words: str
) -> None:
    with pytest.raises(error, match=words):
        call(model)
