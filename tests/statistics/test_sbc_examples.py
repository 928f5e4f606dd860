"""Simulation-based calibration of declared models: the whole way from a prior draw to ranks.

As `test_sbc`, with models of the language in the place of hand-written densities. Data change from
run to run and the compiled kernel stays.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from benchmarks.models.example import Example, Values
from benchmarks.models.hidden_markov import HMM_COVARIATES
from benchmarks.models.timeseries import LOCAL_LEVEL
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.ops import Op
from exmc_dask.lowering.density import lower

REPLICATIONS, RANKS, THIN, BINS = 320, 63, 5, 16


def _local_level(rng: np.random.Generator) -> Values:
    step, noise = np.abs(rng.normal(0, 2, 2))
    return {"step": step, "noise": noise}


def _covariates(rng: np.random.Generator) -> Values:
    """Rising rates are independent ones in their order, for the states are alike otherwise."""
    rate = np.sort(rng.gamma(2, 2, 2))
    return {"a": rng.normal(-2, 1, 2), "b": rng.normal(0, 1, 2), "rate": rate}


CASES: Mapping[str, tuple[Example, Callable[[np.random.Generator], Values]]] = {
    "local_level": (LOCAL_LEVEL, _local_level),
    "hmm_covariates": (HMM_COVARIATES, _covariates),
}


def log_density(model: ed.Model, values: Values) -> float:
    """Log-density of the unconstrained point, as `lp` of the draws."""
    density = lower(model.spec)
    data = density.fold(model.data)
    q = density.support_point(model.data, values)
    leaves: dict[Any, Any] = {(Op.DATA, name): array for name, array in data.items()}
    leaves |= {(Op.PARAM, name): value for name, value in density.layout.unpack(q).items()}
    return float(evaluate([density.logp], leaves)[0])


def ranks(example: Example, prior: Callable[[np.random.Generator], Values]) -> np.ndarray:
    """Return the rank of every true number, and of `lp`, among RANKS thinned draws."""
    found = []
    for i in range(REPLICATIONS):
        rng = np.random.default_rng([20261125, i])
        truth, data = example.with_truth(prior).draw(rng)
        model = example.build(data)
        trace = ed.sample(
            model,
            draws=RANKS * THIN,
            tune=400,
            chains=1,
            random_seed=i,
            cluster="threads",
            progressbar=False,
            compute_convergence_checks=False,
        )
        pairs = [(trace.posterior[name].values, value) for name, value in truth.items()]
        pairs.append((trace.sample_stats["lp"].values, log_density(model, truth)))
        below = [(x[0, ::THIN] < value).sum(axis=0) for x, value in pairs]
        found.append(np.concatenate([np.ravel(count) for count in below]))
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_ranks_of_the_truth_are_uniform(name: str) -> None:
    for column in ranks(*CASES[name]).T:
        counts = np.bincount(column * BINS // (RANKS + 1), minlength=BINS)
        assert stats.chisquare(counts).pvalue > 1e-4, counts
