"""Models that between them use every part of the language, each with its data."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.dist.opened import current
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.layout import Layout
from exmc_dask.expressions.ops import Op
from exmc_dask.transforms import interval
from exmc_dask.warned import ImputationWarning

type Array = NDArray[np.float64]

RNG = np.random.default_rng(2024)
MODELS: dict[str, Callable[[], ed.Model]] = {}


def open_model() -> ed.Model:
    """Return the model that is being declared."""
    model = current()
    assert isinstance(model, ed.Model)
    return model


def _row(declare: Callable[[], None]) -> Callable[[], None]:
    def build() -> ed.Model:
        with ed.Model(coords={"group": ["a", "b", "c"]}) as model:
            declare()
        return model

    MODELS[declare.__name__] = build
    return declare


@_row
def eight_schools() -> None:
    mu = ed.Normal("mu", 0, 5)
    tau = ed.HalfNormal("tau", 5)
    theta = ed.Normal("theta", mu, tau, shape=8)
    ed.Normal("y", theta, RNG.uniform(9, 18, 8), observed=RNG.normal(5, 10, 8))


@_row
def regression() -> None:
    x = RNG.normal(size=(30, 3))
    alpha = ed.Normal("alpha", 0, 10)
    beta = ed.Normal("beta", 0, 2, shape=3)
    sigma = ed.HalfNormal("sigma", 1)
    mu = ed.Deterministic("mu", alpha + x @ beta)
    ed.Normal("y", mu, sigma, observed=x @ [1.0, -2.0, 0.5] + RNG.normal(size=30))


@_row
def logistic() -> None:
    x = RNG.normal(size=(40, 2))
    beta = ed.Normal("beta", 0, 1, shape=2)
    p = math.sigmoid(x @ beta)
    ed.Bernoulli("y", p, observed=RNG.integers(0, 2, 40))


@_row
def groups() -> None:
    where = RNG.integers(0, 3, 25)
    x = RNG.normal(size=25)
    mu = ed.Normal("mu", 0, 1)
    tau = ed.HalfNormal("tau", 1)
    a = ed.Normal("a", mu, tau=1 / tau**2, dims="group")
    b = ed.Normal("b", 0, tau, dims="group")
    s = ed.HalfNormal("s", 1, dims="group")
    ed.Normal("y", a[where] + b[where] * x, s[where], observed=RNG.normal(size=25))


@_row
def counts() -> None:
    a = ed.Normal("a", 1, 1)
    b = ed.StudentT("b", 4, 0, 1, shape=2)
    x = ed.Data("x", RNG.normal(size=(20, 2)))
    rate = math.exp(a + (x * b).sum(1))
    ed.Poisson("y", rate, observed=RNG.poisson(3, 20), weight=RNG.uniform(0.5, 2, 20))


@_row
def reductions() -> None:
    mu = ed.Normal("mu", 0, 1, shape=6)
    sigma = ed.Uniform("sigma", 0.5, 3)
    y, mask = RNG.normal(size=6), np.array([True, True, False, True, False, True])
    ed.Normal("total", mu, sigma, observed=y, mask=mask)
    ed.Normal("mean", mu, sigma, observed=y, mask=mask, reduce="mean", weight=2.0)
    ed.Normal("plain_mean", mu, 2 * sigma, observed=y, reduce="mean")
    ed.Normal("top", mu, sigma, observed=y, mask=mask, reduce="logsumexp")
    ed.Normal("ignored", mu, sigma, observed=y, likelihood=False)


@_row
def simplex() -> None:
    weights = ed.Dirichlet("weights", np.array([2.0, 3.0, 1.5]))
    mu = ed.Normal("mu", 0, 3, shape=3, transform="ordered")
    tau = ed.Gamma("tau", 2, 1)
    ed.NormalMixture("y", weights, mu, 1 / math.sqrt(tau), observed=RNG.normal(size=15))


@_row
def matrices() -> None:
    rho = ed.Uniform("rho", -0.9, 0.9)
    mu = ed.Normal("mu", 0, 1, shape=2)
    lower = math.stack(
        [math.stack([1.0 + 0.0 * rho, 0.0 * rho]), math.stack([rho, math.sqrt(1 - rho**2)])]
    )
    ed.MvNormal("y", mu, chol=lower, observed=RNG.normal(size=(7, 2)))


@_row
def bounds() -> None:
    low = ed.Normal("low", 0, 1)
    x = ed.Flat("x", shape=2, transform=interval(low, low + 4.0))
    scale = ed.Exponential("scale", 1.0, transform="softplus")
    ed.Potential("pull", -0.5 * (x - low) ** 2 / scale)
    ed.Deterministic("width", x[1] - x[0])


@_row
def walk() -> None:
    sigma = ed.HalfNormal("sigma", 1)
    x = ed.GaussianRandomWalk("x", 0.0, sigma, shape=10)
    ed.Normal("y", math.cumsum(x) / 10.0, 1.0, observed=RNG.normal(size=10))


@_row
def scaled() -> None:
    mu = ed.Normal("mu", 0, 1)
    x = ed.Normal("x", mu, 2.0, shape=5)
    ed.Normal("z", x[0], 1.0, shape=2)
    open_model().observe("y", 3.0 - 2.0 * x, RNG.normal(size=5))


@_row
def overdispersed() -> None:
    rng = np.random.default_rng(11)
    x = rng.normal(size=(18, 2))
    a = ed.Normal("a", 1, 1)
    b = ed.Normal("b", 0, 1, shape=2)
    alpha = ed.Exponential("alpha", 1)
    share = ed.Beta("share", 2, 2)
    ed.NegativeBinomial("y", log_mu=a + x @ b, alpha=alpha, observed=rng.poisson(4, 18))
    ed.NegativeBinomial("z", math.exp(a), alpha + b[0] ** 2, observed=rng.poisson(4, 5))
    ed.BetaBinomial("wins", rng.integers(5, 9, 6), alpha, 2 * alpha, observed=[0, 1, 5, 3, 2, 4])
    ed.Geometric("wait", share, observed=[1, 4, 2])
    ed.DiscreteWeibull("life", share, alpha, observed=[0, 3, 1, 8])
    ed.HyperGeometric("drawn", 30, 12, 10, observed=[2, 5])


@_row
def grades() -> None:
    rng = np.random.default_rng(12)
    x = rng.normal(size=20)
    slope = ed.Normal("slope", 0, 1)
    cuts = ed.Normal("cuts", [-1.0, 0.0, 1.0], 2, transform="ordered")
    scores = ed.Normal("scores", 0, 1, shape=4)
    shares = ed.Dirichlet("shares", np.ones(3))
    ed.OrderedLogistic("y", slope * x, cuts, observed=rng.integers(0, 4, 20))
    ed.OrderedProbit("z", slope, cuts, math.exp(slope), observed=rng.integers(0, 4, 5))
    ed.Categorical("kind", logit_p=math.outer(x, scores), observed=rng.integers(0, 4, 20))
    ed.Categorical("sort", shares, observed=[0, 2, 2, 1])


@_row
def processes() -> None:
    x = RNG.uniform(0, 4, size=(6, 2))
    ls, eta = ed.Gamma("ls", 4, 2, shape=2), ed.HalfNormal("eta", 1)
    exact = ed.gp.Marginal(cov_func=eta**2 * ed.gp.cov.Matern52(2, ls=ls))
    exact.marginal_likelihood("y", x, RNG.normal(size=6), sigma=0.5)
    exact.conditional("later", x + 0.1)
    latent = ed.gp.Latent(
        mean_func=ed.gp.mean.Linear(0.5, eta), cov_func=ed.gp.cov.Periodic(1, period=3, ls=ls[0])
    )
    ed.Poisson("counts", log_mu=latent.prior("f", x[:, 0], jitter=0.1), observed=np.arange(6))
    near = ed.gp.HSGP([4], c=1.5, cov_func=eta**2 * ed.gp.cov.ExpQuad(1, ls=ls[1]))
    ed.Normal("z", near.prior("g", x[:, 1]), 1.0, observed=np.ones(6))


@_row
def varying() -> None:
    rng = np.random.default_rng(13)
    where, x = rng.integers(0, 3, 25), rng.normal(size=25)
    chol, corr, _ = ed.LKJCholeskyCov("chol", eta=2, n=2, sd_dist=ed.Exponential.dist([1.0, 2.0]))
    mu = ed.Normal("mu", 0, 2, shape=2)
    effect = ed.MvNormal("effect", mu, chol=chol, shape=(3, 2))
    ed.Normal("y", effect[where, 0] + effect[where, 1] * x, 1, observed=rng.normal(size=25))
    ed.Potential("small", -(corr[0, 1] ** 2))


@_row
def matrix_valued() -> None:
    rng = np.random.default_rng(14)
    chol = ed.LKJCorr("chol", 3, 1.5)
    spread = ed.Flat("spread", shape=(2, 2), transform="cholesky_cov")
    ed.Potential("of_spread", -math.sum(math.square(spread)))
    nu = ed.Gamma("nu", 2, 0.5)
    angle = ed.Flat("angle", transform="circular")
    ed.Potential("north", 2.0 * math.cos(angle))
    mu = math.stack([math.sin(angle), angle, nu])
    ed.MvStudentT("y", nu + 2.0, mu, chol=chol, observed=rng.normal(size=(4, 3)))
    ed.MvNormal("two", chol=math.stack([spread, 2.0 * spread]), observed=rng.normal(size=(3, 2, 2)))


@_row
def zero_sums() -> None:
    rng = np.random.default_rng(15)
    tau = ed.HalfNormal("tau", 1)
    rows = ed.ZeroSumNormal("rows", tau, dims="group")
    table = ed.ZeroSumNormal("table", n_zerosum_axes=2, shape=(3, 4))
    ring = [[0, 1], [1, 2], [2, 3], [3, 0]]
    field = ed.ICAR("field", edges=ring, sigma=tau, zero_sum_stdev=0.1)
    near = ed.Uniform("near", -1, 1)
    leaning = ed.CAR("leaning", 0.2, np.eye(4, k=1) + np.eye(4, k=-1), near, 1 / tau**2)
    mean = math.expand_dims(rows, 1) + table + field + leaning
    ed.Normal("y", mean, 1, observed=rng.normal(size=(3, 4)))


@_row
def shared_counts() -> None:
    rng = np.random.default_rng(16)
    alpha = ed.Gamma("alpha", 2, 1)
    weights = ed.StickBreakingWeights("weights", alpha, 3)
    levels = ed.Normal("levels", 0, 1, shape=4, transform="positive_ordered")
    ed.Multinomial("y", 9, weights, observed=rng.multinomial(9, np.full(4, 0.25), 5))
    ed.DirichletMultinomial("z", [9, 6], levels, observed=[[1, 2, 3, 3], [0, 0, 6, 0]])


@_row
def survival() -> None:
    rng = np.random.default_rng(13)
    x, time = rng.normal(size=12), rng.exponential(2, 12)
    b = ed.Normal("b", 0, 1)
    shape = ed.LogNormal("shape", 0, 0.5)
    seen = ed.Truncated("seen", ed.Normal.dist(b, shape), lower=-1, upper=b + 3)
    law = ed.Weibull.dist(shape, math.exp(b * x))
    ed.Censored("t", law, upper=np.where(time > 2, time, np.inf), observed=time)
    ed.Censored("visit", law, end=time + rng.integers(0, 2, 12), observed=time)
    ed.Truncated(
        "late", ed.Exponential.dist(shape), lower=ed.Data("entry", time - 0.1), observed=time
    )
    ed.Truncated("some", ed.Poisson.dist(math.exp(b)), lower=1, observed=[1, 4])
    ed.Censored("many", ed.NegativeBinomial.dist(3, shape), upper=5, observed=[0, 5, 2])
    ed.Truncated("wait", ed.Geometric.dist(math.sigmoid(b)), 2, 9, observed=[2, 3, 9])
    ed.Normal("y", seen, 1, observed=0.3)


@_row
def zeros() -> None:
    rng = np.random.default_rng(14)
    x, y = rng.normal(size=16), rng.poisson(2, 16) * rng.integers(0, 2, 16)
    a, b = ed.Normal("a", 0, 1), ed.Normal("b", 0, 1)
    psi = math.sigmoid(a + b * x)
    ed.ZeroInflatedPoisson("few", psi, math.exp(b * x), observed=y)
    ed.HurdleNegativeBinomial("many", psi, math.exp(b), math.exp(a), observed=y)
    ed.HurdleGamma("rain", psi, math.exp(a), 1.5, observed=np.where(y > 0, y + 0.5, 0.0))
    ed.ZeroInflated("spread", psi, ed.Normal.dist(b, 2), observed=np.where(y > 0, x, 0.0))


@_row
def kinds() -> None:
    rng = np.random.default_rng(15)
    w = ed.Dirichlet("w", np.ones(2))
    rates = ed.Gamma("rates", 2, 1, shape=2)
    mu = ed.Normal("mu", 0, 1, shape=2)
    vectors = [ed.MvNormal.dist(mu, cov=np.eye(2)), ed.MvNormal.dist(0.0, cov=4 * np.eye(2))]
    ed.Mixture("y", w, vectors, observed=rng.normal(size=(5, 2)))
    ed.Mixture("count", w, ed.Poisson.dist(rates), observed=[0, 3, 1])
    ed.Mixture(
        "shares", w, ed.Dirichlet.dist(math.outer(rates, np.ones(3))), observed=[[0.2, 0.3, 0.5]]
    )
    ed.Custom("own", mu[0], logp=lambda x, m: -math.square(x - m), observed=rng.normal(size=3))


@_row
def imputed() -> None:
    rng = np.random.default_rng(16)
    rows = rng.uniform(0.5, 1.5, size=(4, 3))
    rows[[0, 2], [1, 2]] = np.nan
    path = rng.normal(size=6)
    path[[1, 2]] = np.nan
    mu = ed.Normal("mu", 0, 1, shape=3)
    low = ed.Uniform("low", -1, 0)
    with warnings.catch_warnings(action="ignore", category=ImputationWarning):
        x = ed.TruncatedNormal("x", mu, 1.0, lower=low * np.arange(1.0, 4.0), observed=rows)
        walk = ed.GaussianRandomWalk("walk", 0.0, 1.0, observed=path)
    ed.Normal("y", x.sum(axis=1), math.exp(mu[0]), observed=rng.normal(size=4))
    ed.Deterministic("end", walk[-1] + walk[1])


@_row
def wide_regression() -> None:
    rng = np.random.default_rng(17)
    slope, sigma = ed.Normal("slope", 0, 1, shape=20), ed.HalfNormal("sigma", 1)
    X = rng.normal(size=(40, 20))
    ed.Normal("y", X @ slope, sigma, observed=X @ np.linspace(-1, 1, 20) + rng.normal(size=40))


def at(layout: Layout, q: Array) -> dict[tuple[Op, str], Array]:
    """Values of PARAM leaves at a point."""
    return {(Op.PARAM, name): value for name, value in layout.unpack(q).items()}


def from_data(data: dict[str, np.ndarray]) -> dict[tuple[Op, str], np.ndarray]:
    """Values of DATA leaves."""
    return {(Op.DATA, name): value for name, value in data.items()}


def numbers(roots: list[Node], *leaves: dict[tuple[Op, str], np.ndarray]) -> list[Array]:
    """Values of roots."""
    known = {key: value for some in leaves for key, value in some.items()}
    return [np.asarray(value) for value in evaluate(roots, known)]
