"""Estimates of predictive accuracy, on the eight schools as published and by ArviZ."""

import warnings
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import exmc_dask as ed
from exmc_dask.predictive import replay

pytestmark = pytest.mark.filterwarnings("ignore:Estimated shape parameter")

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])

# Gelman, Hwang, Vehtari (2014), table 1: -2 lppd, p_waic2
PUBLISHED = {"apart": (60.2, 4.0), "together": (59.8, 0.7), "hierarchical": (59.2, 1.3)}


def model(pooling: str) -> ed.Model:
    with ed.Model() as schools:
        if pooling == "apart":
            theta = ed.Flat("theta", shape=8)
        elif pooling == "together":
            theta = ed.Flat("mu")
        else:
            mu, tau = ed.Flat("mu"), ed.HalfFlat("tau")
            theta = ed.Normal("theta", mu, tau, shape=8)
        ed.Normal("y", theta, ERROR, observed=EFFECT)
    return schools


@pytest.fixture(scope="module")
def traces() -> dict[str, xr.DataTree]:
    return {
        name: ed.sample(
            model(name),
            4000,
            random_seed=1,
            log_likelihood=True,
            cluster="threads",
            progressbar=False,
            compute_convergence_checks=False,
        )
        for name in PUBLISHED
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_waic_is_the_published_one(traces, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the next test is about it
        found = ed.waic(traces[name])
    deviance, p = PUBLISHED[name]
    assert -2 * (found.elpd + found.p) == pytest.approx(deviance, abs=0.15)
    assert found.p == pytest.approx(p, abs=0.15)


def test_waic_of_schools_apart_has_a_closed_form(traces):
    with pytest.warns(UserWarning, match="arviz.loo"):
        found = ed.waic(traces["apart"])
    assert found.p_i is not None
    lppd = -0.5 * np.log(4 * np.pi) - np.log(ERROR)  # y - theta ~ N(0, error) twice over
    np.testing.assert_allclose(found.elpd_i + found.p_i, lppd, atol=0.02)
    np.testing.assert_allclose(found.p_i, 0.5, atol=0.05)
    assert "Computed from 16000 posterior samples and 8 observations" in str(found)


def test_compare_by_loo_is_that_of_arviz(traces):
    two = {name: traces[name] for name in ("together", "hierarchical")}
    found, expected = ed.compare(two, round_to="none"), az.compare(two, round_to="none")
    assert list(found.index) == ["together", "hierarchical"]
    np.testing.assert_array_equal(found["elpd_diff"], expected["elpd_diff"])


def test_compare_by_waic_has_differences_and_their_errors(traces):
    two = {name: traces[name] for name in ("together", "hierarchical")}
    found = ed.compare(two, ic="waic", round_to="none")
    parts = ed.waic(two["hierarchical"]).elpd_i - ed.waic(two["together"]).elpd_i
    assert found.loc["hierarchical", "elpd_diff"] == pytest.approx(float(parts.sum()))
    assert found.loc["hierarchical", "dse"] == pytest.approx(float(parts.std() * np.sqrt(8)))
    assert found["weight"].sum() == pytest.approx(1)


def test_estimates_made_before_can_be_compared(traces):
    given = {name: ed.waic(traces[name]) for name in ("together", "hierarchical")}
    two = {name: traces[name] for name in given}
    assert ed.compare(given).equals(ed.compare(two, ic="waic"))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: {"a": t["apart"]}, {}, "two or more models"),
        (lambda t: t, {"ic": "dic"}, "use 'loo' or 'waic'"),
        (lambda t: t, {"var_name": "z"}, "'apart' has no log-likelihood of 'z'; there is y"),
        (lambda t: t, {"reference": "none"}, "is none of 'apart'"),
        (lambda t: t | {"bare": xr.DataTree()}, {}, "'bare' has no log-likelihood: sample with"),
        (lambda t: t | {"few": _less(t["apart"])}, {}, "same observations; .*'few' 7"),
        (lambda t: t | {"loo": az.loo(t["apart"], pointwise=False)}, {}, "pointwise=True"),
    ],
)
def test_what_cannot_be_compared_is_said(traces, change, options, message):
    with pytest.raises(ed.ExmcError, match=message):
        ed.compare(change(traces), **options)


def test_several_observed_variables_ask_for_a_choice(traces):
    two = traces["apart"].copy()
    two["log_likelihood"] = two["log_likelihood"].to_dataset().assign(z=two["log_likelihood"]["y"])
    with pytest.raises(ed.ExmcError, match="of y, z: choose by var_name="):
        ed.waic(two)


def _less(trace: xr.DataTree) -> xr.DataTree:
    group = trace["log_likelihood"].to_dataset()
    less = {"log_likelihood": group.isel({group["y"].dims[-1]: slice(7)})}
    return xr.DataTree.from_dict({"posterior": trace["posterior"].to_dataset(), **less})


def test_log_likelihoods_that_are_calculated_when_they_are_read_compare_alike(
    traces, tmp_path, monkeypatch
):
    names = ("together", "hierarchical")
    expected = ed.compare({name: traces[name] for name in names})
    monkeypatch.setattr(replay, "LAZY_BYTES", 0)
    stored = {}
    for name in names:
        options: dict[str, Any] = {"cluster": "threads", "progressbar": False, "random_seed": 1}
        path = tmp_path / f"{name}.zarr"
        ed.sample(model(name), 4000, store=path, compute_convergence_checks=False, **options)
        stored[name] = ed.open_store(path)
        ed.compute_log_likelihood(stored[name], model(name))
        assert not isinstance(stored[name].log_likelihood["y"].data, np.ndarray)

    pd.testing.assert_frame_equal(ed.compare(stored), expected)
