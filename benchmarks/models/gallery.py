"""Models of PyMC's gallery, each declared once for both: `m` is ``exmc_dask`` or ``pymc``.

Data are simulated from seeded generators. What PyMC takes from PyTensor (`scan`, `stack`) goes
through the few functions in front.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np


def _is_pymc(m: ModuleType) -> bool:
    return m.__name__ == "pymc"


def _ordered(m: Any) -> Any:
    return m.distributions.transforms.ordered if _is_pymc(m) else m.transforms.ordered


def _scan(m: Any, step: Callable[..., Any], first: Any, rows: Any, *constants: Any) -> Any:
    """Return ``step(row, state, *constants)`` after every row."""
    if not _is_pymc(m):
        return m.math.scan(lambda state, row: (step(row, state, *constants),) * 2, first, rows)[1]
    import pytensor

    return pytensor.scan(
        step, sequences=[rows], outputs_info=[first], non_sequences=constants, return_updates=False
    )


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def radon(m: Any) -> Any:
    """Intercepts and slopes of 30 counties under an LKJ prior, 600 houses."""
    rng = np.random.default_rng(1)
    county, floor = rng.integers(0, 30, 600), rng.integers(0, 2, 600)
    effects = rng.multivariate_normal([1.4, -0.7], [[0.25, -0.06], [-0.06, 0.09]], 30)
    y = effects[county, 0] + effects[county, 1] * floor + rng.normal(0, 0.7, 600)
    with m.Model(coords={"param": ["alpha", "beta"], "county": range(30)}) as model:
        sd_dist = m.Exponential.dist(0.5, shape=2)
        chol, _, _ = m.LKJCholeskyCov("chol", eta=2, n=2, sd_dist=sd_dist)
        mu = m.Normal("mu", 0, 5, dims="param")
        z = m.Normal("z", 0, 1, dims=("param", "county"))
        own = m.math.dot(chol, z).T
        sigma = m.Exponential("sigma", 1)
        mean = mu[0] + own[county, 0] + (mu[1] + own[county, 1]) * floor
        m.Normal("y", mean, sigma, observed=y)
    return model


def item_response(m: Any) -> Any:
    """Two parameters an item, 200 persons and 15 items."""
    rng = np.random.default_rng(3)
    able, sharp, hard = rng.normal(0, 1, 200), rng.lognormal(0, 0.3, 15), rng.normal(0, 1, 15)
    y = rng.binomial(1, _sigmoid(sharp * (able[:, None] - hard)))
    with m.Model() as model:
        theta = m.Normal("theta", 0, 1, shape=200)
        discrimination = m.LogNormal("discrimination", 0, 0.5, shape=15)
        difficulty = m.Normal("difficulty", 0, 1.5, shape=15)
        m.Bernoulli("y", logit_p=discrimination * (theta[:, None] - difficulty), observed=y)
    return model


def horseshoe(m: Any) -> Any:
    """Regularised horseshoe: 50 predictors of which four count, 100 rows."""
    rng = np.random.default_rng(17)
    X = rng.normal(size=(100, 50))
    y = X[:, :4] @ [3.0, -2.0, 1.5, 2.0] + rng.normal(0, 1, 100)
    with m.Model() as model:
        sigma = m.HalfNormal("sigma", 2.5)
        tau = m.HalfStudentT("tau", 2, 5 / 45 * sigma / np.sqrt(100))
        lam = m.HalfStudentT("lam", 5, shape=50)
        c2 = m.InverseGamma("c2", 1, 1)
        z = m.Normal("z", 0, 1, shape=50)
        beta = z * tau * lam * m.math.sqrt(c2 / (c2 + tau**2 * lam**2))
        beta0 = m.Normal("beta0", 0, 10)
        m.Normal("y", beta0 + m.math.dot(X, beta), sigma, observed=y)
    return model


def ordered_probit(m: Any) -> Any:
    """Five ordered answers of 400 persons, two predictors."""
    rng = np.random.default_rng(5)
    X, cut = rng.normal(size=(400, 2)), [-1.0, 0.0, 0.7, 1.5]
    y = np.searchsorted(cut, X @ [0.8, -0.5] + rng.normal(size=400))
    with m.Model() as model:
        beta = m.Normal("beta", 0, 1, shape=2)
        middle = np.linspace(-1.5, 1.5, 4)
        cutpoints = m.Normal("cutpoints", middle, 1.5, shape=4, transform=_ordered(m))
        m.OrderedProbit("y", eta=m.math.dot(X, beta), cutpoints=cutpoints, observed=y)
    return model


def mixture(m: Any) -> Any:
    """Three normal components with ordered means, 500 values."""
    rng = np.random.default_rng(12)
    part = rng.choice(3, 500, p=[0.3, 0.5, 0.2])
    y = rng.normal(np.array([-3.0, 0.0, 4.0])[part], np.array([0.7, 1.0, 0.5])[part])
    with m.Model() as model:
        first = {"initval": [-4.0, 0.0, 4.0]} if _is_pymc(m) else {}  # which PyMC needs
        mu = m.Normal("mu", 0, 5, shape=3, transform=_ordered(m), **first)
        sigma = m.HalfNormal("sigma", 2, shape=3)
        w = m.Dirichlet("w", np.ones(3))
        m.NormalMixture("y", w=w, mu=mu, sigma=sigma, observed=y)
    return model


def hidden_markov(m: Any) -> Any:
    """Three states over 300 steps, summed out by the forward algorithm."""
    rng = np.random.default_rng(16)
    moves = np.array([[0.95, 0.05, 0.0], [0.1, 0.8, 0.1], [0.05, 0.05, 0.9]])
    state = [0]
    for _ in range(299):
        state.append(rng.choice(3, p=moves[state[-1]]))
    y = rng.normal(np.array([-2.0, 0.0, 3.0])[state], 0.8)

    def forward(fit: Any, alpha: Any, move: Any) -> Any:
        return m.math.logsumexp(alpha[:, None] + move, axis=0) + fit

    with m.Model() as model:
        first = {"initval": [-1.0, 0.0, 1.0]} if _is_pymc(m) else {}
        mu = m.Normal("mu", 0, 3, shape=3, transform=_ordered(m), **first)
        sigma = m.HalfNormal("sigma", 1)
        move = m.Dirichlet("move", np.ones((3, 3)) + 4 * np.eye(3))
        fits = m.logp(m.Normal.dist(mu, sigma), y[:, None])
        alpha = _scan(m, forward, fits[0] - np.log(3), fits[1:], m.math.log(move))
        m.Potential("y", m.math.logsumexp(alpha[-1]))
    return model


def local_level(m: Any) -> Any:
    """A level that walks for 150 steps, and noisy measurements of it."""
    rng = np.random.default_rng(21)
    y = np.cumsum(rng.normal(0, 0.3, 150)) + rng.normal(0, 0.8, 150)
    with m.Model() as model:
        step, noise = m.HalfNormal("step", 1), m.HalfNormal("noise", 1)
        begin = m.Normal.dist(0, 2)
        level = m.GaussianRandomWalk("level", 0, step, init_dist=begin, shape=150)
        m.Normal("y", level, noise, observed=y)
    return model


def media_mix(m: Any) -> Any:
    """Adstock by scan, saturation, trend: two channels over 150 weeks."""
    rng = np.random.default_rng(22)
    spend, kept = rng.gamma(2, 0.5, (150, 2)), np.zeros(2)
    stock = np.array([kept := row + np.array([0.5, 0.3]) * kept for row in spend])
    sold = (1 - np.exp(-stock * [0.8, 0.5])) @ [3.0, 2.0]
    y = 2 + sold + 0.01 * np.arange(150) + rng.normal(0, 0.2, 150)
    with m.Model() as model:
        alpha = m.Beta("alpha", 3, 3, shape=2)
        lam, effect = m.Gamma("lam", 3, 3, shape=2), m.HalfNormal("effect", 3, shape=2)
        base, trend = m.Normal("base", 0, 3), m.Normal("trend", 0, 0.1)
        sigma = m.HalfNormal("sigma", 1)
        carried = _scan(m, lambda x, s, alpha: x + alpha * s, 0.0 * alpha, spend, alpha)
        each = effect * (1 - m.math.exp(-lam * carried))
        m.Normal("y", base + trend * np.arange(150) + each.sum(axis=-1), sigma, observed=y)
    return model


def gp_classification(m: Any) -> Any:
    """A latent Gaussian process behind 60 yes and no."""
    rng = np.random.default_rng(19)
    x = np.linspace(0, 3, 60)[:, None]
    y = rng.binomial(1, _sigmoid(2 * np.sin(3 * x[:, 0])))
    with m.Model() as model:
        ls, eta = m.InverseGamma("ls", mu=1, sigma=0.5), m.Exponential("eta", 0.5)
        gp = m.gp.Latent(cov_func=eta**2 * m.gp.cov.ExpQuad(1, ls))
        m.Bernoulli("y", logit_p=gp.prior("f", X=x), observed=y)
    return model


def map_of_regions(m: Any) -> Any:
    """A conditional autoregression on a grid of 49 regions."""
    rng = np.random.default_rng(11)
    line = np.eye(7, k=1) + np.eye(7, k=-1)
    W = np.kron(line, np.eye(7)) + np.kron(np.eye(7), line)
    factor = np.linalg.cholesky(np.diag(W.sum(axis=0)) - 0.8 * W)
    y = rng.normal(1 + 0.8 * np.linalg.solve(factor.T, rng.normal(size=49)), 0.3)
    with m.Model() as model:
        mu, tau = m.Normal("mu", 0, 2), m.Gamma("tau", 2, 2)
        alpha, sigma = m.Uniform("alpha", 0, 1), m.HalfNormal("sigma", 1)
        phi = m.CAR("phi", mu=np.zeros(49), W=W, alpha=alpha, tau=tau)
        m.Normal("y", mu + phi, sigma, observed=y)
    return model


def rugby(m: Any) -> Any:
    """Attack and defence of six teams in 90 matches, Poisson."""
    rng = np.random.default_rng(2)
    attack, defence = rng.normal(0, 0.4, (2, 6))
    home, away = np.array([(i, j) for i in range(6) for j in range(6) if i != j] * 3).T
    scored = rng.poisson(np.exp(3.25 + attack[home] + defence[away]))
    lost = rng.poisson(np.exp(3 + attack[away] + defence[home]))
    with m.Model() as model:
        at_home, intercept = m.Normal("at_home", 0, 1), m.Normal("intercept", 3, 1)
        sd_attack, sd_defence = m.HalfNormal("sd_attack", 2), m.HalfNormal("sd_defence", 2)
        attacks = m.Normal("attacks", 0, sd_attack, shape=6)
        defences = m.Normal("defences", 0, sd_defence, shape=6)
        attacks, defences = (x - m.math.mean(x) for x in (attacks, defences))
        log_home = intercept + at_home + attacks[home] + defences[away]
        log_away = intercept + attacks[away] + defences[home]
        m.Poisson("home_points", m.math.exp(log_home), observed=scored)
        m.Poisson("away_points", m.math.exp(log_away), observed=lost)
    return model


MODELS: dict[str, Callable[[Any], Any]] = {
    build.__name__: build
    for build in (
        radon,
        item_response,
        horseshoe,
        ordered_probit,
        mixture,
        hidden_markov,
        local_level,
        media_mix,
        gp_classification,
        map_of_regions,
        rugby,
    )
}
