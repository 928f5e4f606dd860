"""Compiled kernels of models of vectors and matrices give what NumPy gives."""

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.kernels import compile
from exmc_dask.lowering.density import lower
from tests.exmc_dask.models import MODELS
from tests.kernels.densities import expected, scratch


def directions() -> ed.Model:
    """Varying effects, heavy tails, effects that sum to zero and a direction, in one model."""
    rng = np.random.default_rng(1)
    group, level, x = rng.integers(0, 6, 40), rng.integers(0, 4, 40), rng.normal(size=40)
    with ed.Model() as model:
        chol, corr, stds = ed.LKJCholeskyCov("chol", eta=2, n=2, sd_dist=ed.HalfNormal.dist(1))
        z = ed.Normal("z", 0, 1, shape=(6, 2))
        effect = ed.Deterministic("effect", z @ chol.T)
        levels = ed.ZeroSumNormal("levels", stds[0], shape=4)
        heading = ed.Flat("heading", shape=3, transform="unit_vector")
        ed.MvStudentT(
            "pull", 5, heading, chol=ed.LKJCorr("shape", 3, 2), observed=rng.normal(size=3)
        )
        mean = effect[group, 0] + effect[group, 1] * x + levels[level] + corr[1, 0]
        ed.Normal("y", mean, 0.5, observed=rng.normal(size=40))
    return model


@pytest.mark.parametrize(
    "build", [directions, MODELS["zero_sums"]], ids=["directions", "zero_sums"]
)
def test_a_compiled_model_gives_what_numpy_gives(build: object) -> None:
    model = build()  # type: ignore[operator]
    of = lower(model.spec)
    data, kernel = of.fold(model.data), compile(of)
    bound = kernel.bind(data)
    grad, out, work = scratch(bound, kernel.dim)
    rest = (bound.data, bound.data32, bound.index, work)
    for scale in (0.1, 1.0, 4.0):
        q = np.random.default_rng(5).normal(size=kernel.dim) * scale
        logp = kernel.logp_grad(q, grad, *rest)
        kernel.expand(q, out, *rest)
        wanted = np.hstack(expected(of, q, data))
        size = max(1.0, float(np.max(np.abs(wanted))))

        np.testing.assert_allclose(
            np.hstack([logp, grad, out]), wanted, rtol=1e-11, atol=1e-12 * size
        )
