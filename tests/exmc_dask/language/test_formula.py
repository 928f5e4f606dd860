"""ed.logp and its kin are the densities that models have."""

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask import errors

AT = np.array([-1.0, 0.0, 0.3, 2.0, 40.0])
FORMULAS = {
    "logp": (ed.logp, stats.gamma(2.0, scale=0.5).logpdf),
    "logcdf": (ed.logcdf, stats.gamma(2.0, scale=0.5).logcdf),
    "logccdf": (ed.logccdf, stats.gamma(2.0, scale=0.5).logsf),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_it_is_scipys_at_variables_and_data(name):
    ours, theirs = FORMULAS[name]
    inside = AT[AT > 0]
    with ed.Model() as model:
        alpha = ed.HalfNormal("alpha", 1)
        ed.Potential("terms", ours(ed.Gamma.dist(alpha, 2.0), inside))

    prior = stats.halfnorm().logpdf(2.0)
    assert model.logp({"alpha": 2.0}) - prior == pytest.approx(theirs(inside).sum(), rel=1e-9)


def test_outside_of_the_support_there_is_no_density():
    with ed.Model() as model:
        alpha = ed.HalfNormal("alpha", 1)
        ed.Potential("term", ed.logp(ed.Gamma.dist(alpha, 2.0), -1.0))

    assert model.logp({"alpha": 2.0}) == -np.inf


def test_a_change_point_that_is_summed_out_is_found():
    rng = np.random.default_rng(1)
    years = np.arange(40)
    counts = rng.poisson(np.where(years < 15, 4.0, 1.0))
    with ed.Model() as model:
        early, late = ed.Exponential("early", 1), ed.Exponential("late", 1)
        terms = [
            ed.logp(ed.Poisson.dist(ed.math.where(years < year, early, late)), counts).sum()
            for year in years
        ]
        ed.Potential("change", ed.math.logsumexp(ed.math.stack(terms)))
    point = {"early": 4.0, "late": 1.0}
    by_hand = [stats.poisson(np.where(years < y, 4.0, 1.0)).logpmf(counts).sum() for y in years]

    expected = np.logaddexp.reduce(by_hand) + stats.expon().logpdf([4.0, 1.0]).sum()
    assert model.logp(point) == pytest.approx(expected)
    trace = ed.sample(model, draws=300, random_seed=1, progressbar=False)
    assert abs(trace.posterior["early"].mean().item() - 4) < 1
    assert abs(trace.posterior["late"].mean().item() - 1) < 0.5


MISTAKES = {
    "a variable": (lambda x: ed.logp(x, 1.0), errors.OptionError, "ed.Normal.dist"),
    "a negative scale": (
        lambda x: ed.logp(ed.Normal.dist(x, -1), 1.0),
        errors.SupportError,
        "sigma of Normal",
    ),
    "a function of the user": (
        lambda x: ed.logp(ed.Custom.dist(logp=lambda v: -v), x),
        errors.OptionError,
        "no Custom",
    ),
    "a name": (lambda x: ed.logp(ed.Normal.dist("x", 1), 1.0), errors.OptionError, "'x' is text"),
    "text as value": (
        lambda x: ed.logp(ed.Normal.dist(x, 1), ["a"]),
        errors.DataError,
        "ed.logp.*not numeric",
    ),
    "no closed form": (
        lambda x: ed.logcdf(ed.VonMises.dist(x, 1), 1.0),
        errors.OptionError,
        "VonMises",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake):
    act, error, words = MISTAKES[mistake]
    with ed.Model(), pytest.raises(error, match=words):
        act(ed.Normal("x", 0, 1))
