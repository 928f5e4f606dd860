"""The hand-written targets that the sampler's tests stand on."""

import numpy as np
import pytest

from tests.kernels.targets import SMOOTH, Target


@pytest.mark.parametrize("target", SMOOTH, ids=str)
def test_gradient_is_the_slope_of_the_log_density(target: Target) -> None:
    logp_grad = target.python()
    q, step = np.random.default_rng(5).normal(size=target.dim), 1e-5
    slope = [
        (logp_grad(q + h)[0] - logp_grad(q - h)[0]) / (2 * step) for h in step * np.eye(target.dim)
    ]
    np.testing.assert_allclose(logp_grad(q)[1], slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("target", SMOOTH, ids=str)
def test_compiled_and_interpreted_agree(target: Target) -> None:
    q, grad, bound = (
        np.random.default_rng(5).normal(size=target.dim),
        np.zeros(target.dim),
        target.bound,
    )
    logp = target.logp_grad(
        q, grad, bound.data, bound.data32, bound.index, np.zeros(bound.work_size)
    )
    expected, slope = target.python()(q)
    np.testing.assert_allclose(logp, expected, rtol=1e-13)
    np.testing.assert_allclose(grad, slope, rtol=1e-12)
