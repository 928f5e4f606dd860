"""Variables with ``likelihood=False`` and without data: drawn in prediction, never sampled."""

import pickle
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import ModelError, OptionError, ShapeError
from exmc_dask.lowering.density import lower

X = np.arange(4.0)


def line() -> ed.Model:
    with ed.Model(coords={"arm": ["a", "b"]}) as model:
        x, new = ed.Data("x", X), ed.Data("new", np.arange(6.0))
        slope = ed.Normal("slope", 0, 1)
        ed.Normal("y", slope * x, 1, observed=np.ones(4))
        later = ed.Normal("later", slope * new, 1, likelihood=False)
        ed.Poisson("count", ed.math.exp(later), likelihood=False)
        ed.Deterministic("twice", 2 * later)
        ed.Deterministic("half", slope / 2)
        ed.Normal("arms", slope, 1, dims="arm", likelihood=False)
    return model


def test_they_are_no_part_of_what_is_sampled() -> None:
    model = line()
    density = lower(model.spec)

    assert [v.name for v in model.spec.free] == ["slope"]
    assert [v.name for v in model.spec.predicted] == ["later", "count", "arms"]
    assert [entry.name for entry in density.layout.entries] == ["slope"]
    assert [output.name for output in density.outputs] == ["slope", "half"]
    assert "new" not in {source.name for source in density.binding.sources}
    assert np.isfinite(model.logp({"slope": 0.5}))


def test_their_length_follows_the_data_or_the_dimension() -> None:
    model = line()
    assert model.spec["count"].shape == ("new.0",)
    assert model.spec["arms"].shape == (2,)
    model.set_data({"new": np.ones(3)})
    assert "3" in model.to_graphviz()
    assert "style=dashed" in model.to_graphviz()
    assert "later ~ Normal(slope * new, 1)  [new.0]  drawn in prediction only" in repr(model)


def test_they_are_drawn_from_the_posterior_and_from_the_prior() -> None:
    model = line()
    slope = np.full((1, 4000), 0.5)
    posterior = xr.Dataset({"slope": (("chain", "draw"), slope)})
    drawn = ed.sample_posterior_predictive(posterior, model, random_seed=1).posterior_predictive
    prior = ed.sample_prior_predictive(model, draws=50, random_seed=1)

    assert set(drawn.data_vars) == {"y", "later", "count", "arms", "twice"}
    assert drawn["later"].shape == (1, 4000, 6)
    np.testing.assert_array_equal(drawn["twice"], 2 * drawn["later"])
    law = stats.norm(0.5 * 3, 1)
    assert stats.kstest(drawn["later"][0, :, 3], law.cdf).pvalue > 1e-3
    assert float(drawn["count"].mean()) == pytest.approx(
        np.exp(0.5 * np.arange(6) + 0.5).mean(), rel=0.1
    )
    assert "later" in prior.prior_predictive
    assert "later" not in prior.prior
    model.set_data({"new": np.ones(2)})
    again = ed.sample_posterior_predictive(posterior, model, var_names="later", random_seed=1)
    assert again.posterior_predictive["later"].shape == (1, 4000, 2)


def test_log_densities_leave_them_out() -> None:
    posterior = xr.Dataset({"slope": (("chain", "draw"), np.zeros((1, 3)))})
    options: dict[str, Any] = {"extend_inferencedata": False}

    assert set(ed.compute_log_prior(posterior, line(), **options)) == {"slope"}
    assert set(ed.compute_log_likelihood(posterior, line(), **options)) == {"y"}


def test_they_travel() -> None:
    model = line()

    assert pickle.loads(pickle.dumps(model)).spec == model.spec


def test_both_doors_declare_them() -> None:
    with ed.Model() as model:
        ed.Normal("y", ed.Normal("mu", 0, 1), 1, shape=3, likelihood=False)
    builder = ed.Builder().rv("mu", ed.Normal, 0.0, 1.0)

    assert (
        builder.rv("y", ed.Normal, "mu", 1.0, shape=3, likelihood=False).build().spec == model.spec
    )


USES = {
    "free": lambda model, x, later: ed.Normal("z", later, 1),
    "observed": lambda model, x, later: ed.Normal("z", later, 1, observed=[1.0]),
    "potential": lambda model, x, later: ed.Potential("z", -later),
    "observe": lambda model, x, later: model.observe("z", x + later, 1.0),
}


@pytest.mark.parametrize("use", USES)
def test_what_is_sampled_may_not_depend_on_them(use: str) -> None:
    with ed.Model() as model:
        x = ed.Normal("x", 0, 1)
        later = ed.Normal("later", x, 1, likelihood=False)
        with pytest.raises(
            ModelError, match="'z' depends on 'later', which is drawn in prediction"
        ):
            USES[use](model, x, later)


def test_options_that_do_not_fit_are_refused() -> None:
    with ed.Model():
        with pytest.raises(OptionError, match="'a' is not sampled, so it takes no transform"):
            ed.Normal("a", 0, 1, transform="log", likelihood=False)
        with pytest.raises(OptionError, match="weight, mask and reduce need observed"):
            ed.Normal("a", 0, 1, weight=2, likelihood=False)
        with pytest.raises(ShapeError, match="does not fit"):
            ed.Normal("a", np.zeros(3), 1, shape=2, likelihood=False)
    built = ed.Builder().rv("a", ed.Normal, 0.0, 1.0, likelihood=False).obs("b", "a", [1.0])
    with pytest.raises(OptionError, match="likelihood= belongs to the observation"):
        built.build()
