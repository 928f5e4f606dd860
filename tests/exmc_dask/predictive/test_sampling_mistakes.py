"""What users get wrong in predictive draws, and the error that tells them: one row a mistake."""

from collections.abc import Callable

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import ExmcError, ModelError, OptionError, ShapeError, UnknownName
from tests.exmc_dask.predictive.posteriors import gauss, mixed, posterior

TRACE = posterior(mu=np.zeros((1, 4)))

# name: (call, error, words)
MISTAKES: dict[str, tuple[Callable[[], object], type[ExmcError], str]] = {
    "no model": (lambda: ed.sample_prior_predictive(), ModelError, r"with ed\.Model"),
    "a builder": (
        lambda: ed.sample_prior_predictive(ed.Builder()), OptionError, r"\.build\(\)",  # type: ignore[arg-type]
    ),
    "two models": (
        lambda: ed.sample_prior_predictive(gauss(), model=gauss()), OptionError, "two models",
    ),
    "draws of nothing": (
        lambda: ed.sample_prior_predictive(gauss(), draws=0), OptionError, "draws=0",
    ),
    "an unknown name": (
        lambda: ed.sample_prior_predictive(gauss(), var_names="nu"), UnknownName, "'nu' is neither",
    ),
    "an option of PyMC": (
        lambda: ed.sample_prior_predictive(gauss(), samples=5), OptionError, "it is called draws",
    ),
    "an option that is no name": (
        lambda: ed.sample_posterior_predictive(TRACE, gauss(), var_names=[3]),  # type: ignore[list-item]
        OptionError, "names of variables",
    ),
    "a misspelt option": (
        lambda: ed.sample_posterior_predictive(TRACE, gauss(), var_name="y"),
        OptionError, "did you mean 'var_names'",
    ),
    "a seed that is none": (
        lambda: ed.sample_prior_predictive(gauss(), random_seed=0.5), OptionError, "0.5",  # type: ignore[arg-type]
    ),
    "a negative seed": (
        lambda: ed.sample_prior_predictive(gauss(), random_seed=-1), OptionError, "-1",
    ),
    "a trace that is none": (
        lambda: ed.sample_posterior_predictive({"mu": 1.0}, gauss()), OptionError, "is a dict",
    ),
    "a trace without posterior": (
        lambda: ed.sample_posterior_predictive(ed.sample_prior_predictive(gauss()), gauss()),
        OptionError, "no group 'posterior'; it has prior",
    ),
    "a dimension that the trace lacks": (
        lambda: ed.sample_posterior_predictive(TRACE, gauss(), sample_dims="sample"),
        OptionError, "no dimension 'sample'",
    ),
    "a frozen name without values": (
        lambda: ed.sample_posterior_predictive(TRACE, gauss(), freeze_vars="y"),
        OptionError, "'y' is not in the trace",
    ),
    "both drawn and frozen": (
        lambda: ed.sample_posterior_predictive(
            TRACE, gauss(), sample_vars="mu", freeze_vars="mu"
        ),
        OptionError, "'mu' cannot be both",
    ),
    "another shape": (
        lambda: ed.sample_posterior_predictive(posterior(mu=np.zeros((1, 4, 2))), gauss()),
        ShapeError, r"'mu' has shape \(2,\) in the trace and \(\)",
    ),
    "extending a part": (
        lambda: ed.sample_posterior_predictive(
            TRACE.posterior, gauss(), extend_inferencedata=True
        ),
        OptionError, "whole result",
    ),
    "a variable without draws": (
        lambda: ed.sample_prior_predictive(mixed(lambda p: None, ed.Flat.dist())),
        ModelError, "'p' cannot be drawn: Flat",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str) -> None:
    call, error, words = MISTAKES[mistake]

    with pytest.raises(error, match=words):
        call()
