"""Every example finds the values that made its data, and learns them from the data."""

import arviz as az
import numpy as np
import pytest

import exmc_dask as ed
from benchmarks.models.examples import EXAMPLES

FAR = 4.0  # posterior standard deviations
LEARNT = 0.6  # of the prior standard deviation, at most


@pytest.mark.filterwarnings("ignore::exmc_dask.warned.ImputationWarning")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_finds_what_made_its_data(name: str) -> None:
    example = EXAMPLES[name]
    model = example.model()
    options = {"draws": 800, "tune": 800, "chains": 2, **example.options}
    trace = ed.sample(
        model,
        random_seed=1,
        cluster="threads",
        progressbar=False,
        compute_convergence_checks=False,
        **options,
    )
    truth = example.known[0]
    prior = ed.sample_prior_predictive(model, 500, var_names=[*truth], random_seed=1).prior

    assert trace.sample_stats["diverging"].values.mean() < 0.01
    for of, true in truth.items():
        found = trace.posterior[of]
        mean, sd = found.mean(("chain", "draw")).values, found.std(("chain", "draw")).values
        before = prior[of].std(("chain", "draw")).values
        assert mean.shape == np.shape(true)
        assert float(np.max(az.rhat(found))) < 1.03
        assert np.all(np.abs(mean - true) < FAR * sd), of
        assert np.all(sd < LEARNT * before), of
