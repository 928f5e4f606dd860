"""Processes whose values are parameters."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import ModelError, ShapeError
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.ops import Op

RNG = np.random.default_rng(6)
X, XNEW = np.sort(RNG.uniform(0, 5, 6)), np.array([0.5, 5.5])
POINT = {"ls": 1.1, "eta": 0.7}
JITTER = 1e-3


def k(x: Any, z: Any) -> Any:
    return 0.49 * np.exp(-((x[:, None] - z[None]) ** 2) / 1.1**2 / 2)


COV = k(X, X) + JITTER * np.eye(6)


def model_of(**options: Any) -> tuple[ed.Model, ed.gp.Latent]:
    with ed.Model(coords={"place": list("abcdef")}) as model:
        ls, eta = ed.Gamma("ls", 2, 1), ed.HalfNormal("eta", 1)
        process = ed.gp.Latent(
            mean_func=ed.gp.mean.Constant(0.5), cov_func=eta**2 * ed.gp.cov.ExpQuad(1, ls=ls)
        )
        f = process.prior("f", X, jitter=JITTER, **options)
        ed.Poisson("y", log_mu=f, observed=[1, 0, 3, 2, 4, 1])
        process.conditional("later", XNEW, jitter=0.0)
    return model, process


def numbers(model: ed.Model, nodes: list[Any], point: dict[str, Any]) -> list[Any]:
    leaves: dict[Any, Any] = {(Op.DATA, key): array for key, array in model.data.items()}
    leaves |= {(Op.VAR, key): value for key, value in point.items()}
    return evaluate(nodes, leaves)


def test_rotated_values_are_standard_normal_and_give_those_of_the_process() -> None:
    model, _ = model_of(dims="place")
    rotated = RNG.normal(size=6)
    (f,) = numbers(model, [model.spec.deterministics[0].node], POINT | {"f_rotated_": rotated})

    assert [v.name for v in model.spec.free] == ["ls", "eta", "f_rotated_"]
    assert model.spec.deterministics[0].dims == ("place",)
    np.testing.assert_allclose(f, 0.5 + np.linalg.cholesky(COV) @ rotated, rtol=1e-12)


@pytest.mark.parametrize("reparameterize", [True, False])
def test_both_coordinates_have_one_density(reparameterize: bool) -> None:
    model, _ = model_of(reparameterize=reparameterize)
    rotated = RNG.normal(size=6)
    factor = np.linalg.cholesky(COV)
    f = 0.5 + factor @ rotated
    log_det = np.log(np.diag(factor)).sum()
    expected = stats.gamma(2).logpdf(1.1) + stats.halfnorm.logpdf(0.7)
    expected += stats.poisson(np.exp(f)).logpmf([1, 0, 3, 2, 4, 1]).sum()
    expected += stats.multivariate_normal(np.full(6, 0.5), COV).logpdf(f)
    value = {"f_rotated_": rotated} if reparameterize else {"f": f}

    assert model.logp(POINT | value) == pytest.approx(expected + log_det * reparameterize, rel=1e-9)


@pytest.mark.parametrize("reparameterize", [True, False])
def test_new_places_follow_the_known_values(reparameterize: bool) -> None:
    model, _ = model_of(reparameterize=reparameterize)
    rotated = RNG.normal(size=6)
    f = 0.5 + np.linalg.cholesky(COV) @ rotated
    value = {"f_rotated_": rotated} if reparameterize else {"f": f}
    dist = model.spec["later"].dist
    mean, cov = numbers(model, [dist.get("mu"), dist.get("cov")], POINT | value)
    known = np.linalg.inv(COV)

    assert model.spec.predicted == (model.spec["later"],)
    np.testing.assert_allclose(mean, 0.5 + k(XNEW, X) @ known @ (f - 0.5), rtol=1e-8)
    expected = k(XNEW, XNEW) - k(XNEW, X) @ known @ k(X, XNEW)
    np.testing.assert_allclose(cov, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("reparameterize", [True, False])
def test_one_place_is_enough(reparameterize: bool) -> None:
    with ed.Model() as model:
        process = ed.gp.Latent(cov_func=ed.gp.cov.ExpQuad(1, ls=1.1))
        f = process.prior("f", [0.5], reparameterize=reparameterize)
        later = process.conditional("later", [1.0])
        ed.Normal("y", f, 1, observed=[1.0])

    assert f.shape == later.shape == (1,)
    value = {"f_rotated_" if reparameterize else "f": np.zeros(1)}
    assert np.isfinite(model.logp(value))


def test_a_part_is_conditioned_on_the_sum() -> None:
    with ed.Model() as model:
        one = ed.gp.Latent(cov_func=ed.gp.cov.ExpQuad(1, ls=1.1))
        other = ed.gp.Latent(cov_func=ed.gp.cov.Linear(1, 0.0))
        both = one + other
        both.prior("f", X)
        one.conditional("smooth", XNEW, given={"gp": both})
        with pytest.raises(ModelError, match="nothing is known of the process: call its prior"):
            one.conditional("again", XNEW)
    assert model.spec["smooth"].shape == ("smooth.Xnew.0",)


def test_the_number_of_places_is_part_of_the_model() -> None:
    model, _ = model_of()
    with pytest.raises(ShapeError):
        model.set_data({"f.X": X[:4], "y.observed": np.ones(4, int)})


@pytest.mark.slow
def test_a_latent_poisson_process_finds_its_function() -> None:
    rng = np.random.default_rng(8)
    x = np.linspace(0, 10, 40)
    truth = 1.0 + np.sin(x)
    y = rng.poisson(np.exp(truth))
    with ed.Model() as model:
        ls, eta = ed.Gamma("ls", 4, 2), ed.HalfNormal("eta", 1)
        process = ed.gp.Latent(
            mean_func=ed.gp.mean.Constant(ed.Normal("level", 0, 2)),
            cov_func=eta**2 * ed.gp.cov.Matern52(1, ls=ls),
        )
        ed.Poisson("y", log_mu=process.prior("f", x), observed=y)
    options: dict[str, Any] = {"target_accept": 0.95, "cluster": "threads", "progressbar": False}
    trace = ed.sample(model, 300, 300, 4, random_seed=2, **options)
    f = trace.posterior["f"]
    inside = (f.quantile(0.05, ("chain", "draw")) < truth) & (
        truth < f.quantile(0.95, ("chain", "draw"))
    )

    assert float(trace.sample_stats["diverging"].mean()) < 0.01
    assert float(inside.mean()) > 0.75
    assert float(np.corrcoef(f.mean(("chain", "draw")), truth)[0, 1]) > 0.9
