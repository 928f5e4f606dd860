"""Processes with normal noise: their likelihood and what they predict, against the textbook."""

import pickle
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import exmc_dask as ed
from exmc_dask.errors import FrozenError, ModelError, OptionError, ShapeError, UnknownName
from exmc_dask.lowering.density import lower

RNG = np.random.default_rng(5)
X, XNEW = RNG.uniform(0, 5, size=(9, 2)), RNG.uniform(0, 5, size=(4, 2))
Y = np.sin(X[:, 0]) + 0.1 * RNG.normal(size=9)
POINT = {"ls": 1.3, "eta": 0.8, "sigma": 0.25, "b": 0.4}


def k(x: Any, z: Any, ls: float = POINT["ls"], eta: float = POINT["eta"]) -> Any:
    return eta**2 * np.exp(-((x[:, None] - z[None]) ** 2).sum(-1) / ls**2 / 2)


def model_of(X: Any = X, y: Any = Y, **options: Any) -> tuple[ed.Model, ed.gp.Marginal]:
    with ed.Model() as model:
        ls, eta = ed.Gamma("ls", 2, 1), ed.HalfNormal("eta", 1)
        sigma, b = ed.HalfNormal("sigma", 1), ed.Normal("b", 0, 1)
        process = ed.gp.Marginal(
            mean_func=ed.gp.mean.Constant(b), cov_func=eta**2 * ed.gp.cov.ExpQuad(2, ls=ls)
        )
        process.marginal_likelihood("y", X, y, sigma, **options)
        process.conditional("later", ed.Data("new", XNEW), jitter=0.0)
        process.conditional("noisy", XNEW, pred_noise=True, jitter=0.0)
    return model, process


def textbook(noise: float = 0.0, sigma: float = POINT["sigma"]) -> tuple[Any, Any]:
    """Rasmussen and Williams (2006), eq. 2.23 and 2.24, with inverses as they are written."""
    known = np.linalg.inv(k(X, X) + sigma**2 * np.eye(9))
    mean = POINT["b"] + k(XNEW, X) @ known @ (Y - POINT["b"])
    return mean, k(XNEW, XNEW) - k(XNEW, X) @ known @ k(X, XNEW) + noise * np.eye(4)


def test_the_likelihood_is_that_of_scipy() -> None:
    model, _ = model_of()
    prior = stats.gamma(2).logpdf(1.3) + stats.halfnorm.logpdf(0.8) + stats.halfnorm.logpdf(0.25)
    prior += stats.norm.logpdf(0.4)
    law = stats.multivariate_normal(np.full(9, 0.4), k(X, X) + 0.25**2 * np.eye(9))

    assert model.logp(POINT) == pytest.approx(prior + law.logpdf(Y), rel=1e-11)


@pytest.mark.parametrize(
    ("sigma", "noise"),
    [
        (np.linspace(0.1, 0.5, 9), np.diag(np.linspace(0.1, 0.5, 9) ** 2)),
        (ed.gp.cov.WhiteNoise(0.2) + 0.1, 0.2**2 * np.eye(9) + 0.1),
    ],
)
def test_noise_may_differ_and_covary(sigma: Any, noise: Any) -> None:
    with ed.Model() as model:
        eta = ed.HalfNormal("eta", 1)
        process = ed.gp.Marginal(cov_func=eta**2 * ed.gp.cov.ExpQuad(2, ls=1.3))
        process.marginal_likelihood("y", X, Y, sigma, jitter=1e-3)
    law = stats.multivariate_normal(np.zeros(9), k(X, X) + noise + 1e-3 * np.eye(9))

    expected = law.logpdf(Y) + stats.halfnorm.logpdf(0.8)
    assert model.logp({"eta": 0.8}) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("noisy", [False, True])
def test_predictions_are_those_of_the_textbook(noisy: bool) -> None:
    _, process = model_of()
    expected = textbook(POINT["sigma"] ** 2 * noisy)
    mean, cov = process.predict(XNEW, POINT, pred_noise=noisy)
    _, variance = process.predict(XNEW, POINT, pred_noise=noisy, diag=True)

    np.testing.assert_allclose(mean, expected[0], rtol=1e-10)
    np.testing.assert_allclose(cov, expected[1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(variance, np.diag(expected[1]), rtol=1e-9)


@pytest.mark.parametrize(("name", "noise"), [("later", 0.0), ("noisy", POINT["sigma"] ** 2)])
def test_conditionals_are_drawn_from_the_law_of_the_textbook(name: str, noise: float) -> None:
    model, _ = model_of()
    points = {key: (("chain", "draw"), np.full((1, 4000), value)) for key, value in POINT.items()}
    drawn = ed.sample_posterior_predictive(
        xr.Dataset(points), model, var_names=["y", name], random_seed=3
    ).posterior_predictive[name]
    mean, cov = textbook(noise)

    for i in range(4):
        law = stats.norm(mean[i], np.sqrt(cov[i, i]))
        assert stats.kstest(drawn[0, :, i], law.cdf).pvalue > 1e-3
    np.testing.assert_allclose(np.cov(drawn[0].T), cov, atol=0.1 * np.abs(cov).max())


def test_predictions_take_a_posterior_as_it_is() -> None:
    _, process = model_of()
    many = {key: np.full((2, 3), value) for key, value in POINT.items()}
    many["ls"][1, 2] = 0.6
    mean, cov = process.predict(XNEW, many)
    one = process.predict(XNEW, POINT | {"ls": 0.6})

    assert mean.shape == (2, 3, 4)
    assert cov.shape == (2, 3, 4, 4)
    np.testing.assert_allclose(mean[0, 0], textbook()[0], rtol=1e-10)
    np.testing.assert_allclose(mean[1, 2], one[0], rtol=1e-12)
    np.testing.assert_allclose(cov[1, 2], one[1], rtol=1e-9, atol=1e-14)


def test_new_data_are_conditioned_on_without_a_new_model() -> None:
    model, process = model_of(X, Y)
    density = lower(model.spec)
    half = {"y.X": X[:5], "y.observed": Y[:5]}
    model.set_data(half)
    known = np.linalg.inv(k(X[:5], X[:5]) + 0.25**2 * np.eye(5))
    expected = 0.4 + k(XNEW, X[:5]) @ known @ (Y[:5] - 0.4)

    assert lower(model.spec) is density
    np.testing.assert_allclose(process.predict(XNEW, POINT)[0], expected, rtol=1e-10)
    model.set_data({"new": XNEW[:2]})
    assert "later" in repr(model)
    assert pickle.loads(pickle.dumps(model)).spec == model.spec


def test_the_parts_of_a_sum_add_up() -> None:
    with ed.Model():
        ls = ed.Gamma("ls", 2, 1)
        slow = ed.gp.Marginal(cov_func=ed.gp.cov.ExpQuad(2, ls=3 * ls))
        fast = ed.gp.Marginal(
            mean_func=ed.gp.mean.Constant(0.3), cov_func=0.3**2 * ed.gp.cov.Matern32(2, ls=ls)
        )
        whole = slow + fast
        whole.marginal_likelihood("y", X, Y, 0.2)
    point, given = {"ls": 0.9}, {"gp": whole}
    parts = [part.predict(XNEW, point, given=given)[0] for part in (slow, fast)]

    np.testing.assert_allclose(sum(parts), whole.predict(XNEW, point)[0], rtol=1e-10)
    with pytest.raises(ModelError, match="nothing is known of the process: call its marginal_like"):
        slow.predict(XNEW, point)


def test_distances_between_places_are_calculated_once() -> None:
    model, _ = model_of()
    said = model.explain()

    assert "fold.0 = sum((y.X[:, None, :] - y.X) * (y.X[:, None, :] - y.X), axis=2)" in said
    with ed.Model() as smooth:
        process = ed.gp.Marginal(cov_func=ed.gp.cov.Matern52(1, ls=ed.Gamma("ls", 2, 1)))
        process.marginal_likelihood("y", X[:, 0], Y, 0.1)
    assert "sqrt(" in smooth.explain().split("fold\n")[1].split("sampled")[0]


def test_mistakes_are_named() -> None:
    model, process = model_of()
    with pytest.raises(UnknownName, match="predict: point has no value for 'eta'"):
        process.predict(XNEW, {"ls": 1.0, "b": 0.0, "sigma": 1.0})
    with pytest.raises(ShapeError, match="input_dim=2, but X has 1 column;"):
        process.predict([1.0, 2.0], POINT)
    with pytest.raises(OptionError, match="given has no 'X'"):
        process.predict(XNEW, POINT, given={"X": X})  # type: ignore[dict-item]
    with model, pytest.raises(FrozenError, match="the model is closed"):
        process.conditional("more", XNEW)
    with pytest.raises(ModelError, match="no model is open"):
        process.conditional("more", XNEW)
    with pytest.raises(OptionError, match="cov_func=2 is none of"):
        ed.gp.Marginal(cov_func=2)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="mean_func=0 is none of"):
        ed.gp.Marginal(mean_func=0)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="Marginal and Latent cannot be added"):
        process + ed.gp.Latent()  # type: ignore[operator]
    with pytest.raises(ShapeError, match="'y'"):
        model_of(y=Y[:5])
    with ed.Model(), pytest.raises(ModelError, match=r"'y' uses '(b|ls|eta)', .* another model"):
        process.marginal_likelihood("y", X, Y, 0.1)
