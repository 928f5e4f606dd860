"""Models of the gallery begin at a finite density with a right gradient."""

import numpy as np
import pytest

import exmc_dask as ed
from benchmarks.models.gallery import MODELS
from exmc_dask.runs.preflight import preflight


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_the_gallery_can_be_sampled(name: str) -> None:
    model = MODELS[name](ed)
    seen = preflight(model.spec, model.data)

    assert seen.troubles == ()
    assert np.isfinite(seen.logp)
