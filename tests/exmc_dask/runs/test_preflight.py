"""A fit model passes, an unfit one is told why, and a wrong gradient would be seen."""

from types import SimpleNamespace

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import kernels
from exmc_dask.runs.preflight import MAX_ERROR, preflight


@pytest.fixture(scope="module")
def model() -> ed.Model:
    with ed.Model() as made:
        tau = ed.HalfNormal("tau", 5)
        theta = ed.Normal("theta", 0, tau, shape=3)
        ed.Normal("y", theta, 1, observed=np.arange(3.0))
    return made


def test_a_fit_model_has_no_trouble(model: ed.Model) -> None:
    found = preflight(model.spec, model.data)

    assert found.troubles == ()
    assert found.dim == 4
    assert found.worst_error < 1e-8
    assert 0 < found.gradient_s < 1e-3
    assert "parameters      4" in str(found)


def test_a_model_without_a_start_is_told() -> None:
    with ed.Model() as unfit:
        x = ed.HalfNormal("x", 1)
        ed.Potential("wall", ed.math.log(x - 1e9))

    found = preflight(unfit.spec, unfit.data)

    assert "chain 0 has no starting point" in found.troubles[0]
    assert "trouble: chain 0" in str(found)


def test_a_wrong_gradient_is_seen_and_named(model: ed.Model, monkeypatch) -> None:
    compiled = kernels.compile

    def wrong(density, target):
        kernel = compiled(density, target)

        def logp_grad(q, grad, *rest):
            logp = kernel.logp_grad(q, grad, *rest)
            grad[2] *= 1 + 100 * MAX_ERROR
            grad[2] += 100 * MAX_ERROR
            return logp

        return SimpleNamespace(**{**vars(kernel), "logp_grad": logp_grad, "bind": kernel.bind})

    monkeypatch.setattr(kernels, "compile", wrong)

    found = preflight(model.spec, model.data)

    assert found.worst == "theta[1]"
    assert "the gradient of theta[1] differs" in found.troubles[0]
