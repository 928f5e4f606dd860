"""What holds for distributions by formulas of the user, beside the table of references."""

import pickle

import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask import errors, math
from exmc_dask.dist import Custom, draw, logp, without_draw
from exmc_dask.dist.drawing import Functions
from exmc_dask.language.slots import Slots
from exmc_dask.language.tracing import with_formulas
from tests.exmc_dask.slopes import leaf, numbers, slopes


def test_a_formula_may_give_one_number_for_a_vector() -> None:
    x = np.array([0.5, 2.0, 1.0])
    dist = Custom.dist(logp=lambda v: math.dot(math.log(v), v), support="positive")
    node = logp(with_formulas(Slots(), "x", dist, (3,)), leaf("x", x))
    outside = {leaf("x", x): np.array([0.0, 2.0, 1.0])}

    assert numbers(node, {leaf("x", x): x}) == pytest.approx(1.5 * np.log(2.0))
    assert numbers(node, outside) == -np.inf
    assert all(np.isfinite(slope).all() for slope in slopes(node, outside))


def test_parameters_of_a_formula_for_all_elements_have_shapes_of_their_own() -> None:
    y, centres = np.array([0.5, 2.0, 1.0, -1.0]), np.array([0.0, 3.0])
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1, shape=2)
        ed.Custom(
            "y",
            mu,
            logp=lambda y, mu: math.sum(math.logsumexp(-math.abs(math.expand_dims(y, 1) - mu), 1)),
            observed=y,
        )
    expected = np.log(np.exp(-abs(y[:, None] - centres)).sum(axis=1)).sum()

    assert model.logp({"mu": centres}) == pytest.approx(expected + stats.norm.logpdf(centres).sum())


def laplace(mu, **more):
    return Custom.dist(mu, logp=lambda x, mu: -math.abs(x - mu) - np.log(2.0), **more)


def laplace_cdf(x, mu):
    return math.where(x < mu, x - mu - np.log(2.0), math.log1p(-0.5 * math.exp(mu - x)))


def by_numpy(rng, shape, mu):
    return rng.laplace(mu, 1, shape)


def declared(**options) -> ed.Model:
    """Two far components, each by formulas."""
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        parts = [laplace(mu, **options), laplace(mu + 100, **options)]
        ed.Mixture("y", [0.25, 0.75], parts, observed=np.zeros(3))
    return model


def drawn(model: ed.Model, by: Functions) -> np.ndarray:
    leaves = {slot.node: model.data[slot.name] for slot in model.spec.slots}
    leaves[leaf("mu", 0.0)] = np.asarray(0.5)
    dist = model.spec["y"].dist
    return draw(dist, np.random.default_rng(3), (4000,), lambda node: numbers(node, leaves), by)


def assert_law(found: np.ndarray) -> None:
    below = found < 50
    assert below.mean() == pytest.approx(0.25, abs=0.03)
    assert stats.kstest(found[below], stats.laplace(0.5).cdf).pvalue > 1e-3
    assert stats.kstest(found[~below], stats.laplace(100.5).cdf).pvalue > 1e-3


def test_functions_draw_at_their_places() -> None:
    model = declared(draw=by_numpy)

    assert without_draw(model.spec["y"].dist, model.draws["y"]) is None
    assert_law(drawn(model, model.draws["y"]))


def test_functions_that_draw_stay_and_distribution_functions_travel() -> None:
    stayed = pickle.loads(pickle.dumps(declared(draw=by_numpy)))
    travelled = pickle.loads(pickle.dumps(declared(logcdf=laplace_cdf)))

    assert not stayed.draws
    with pytest.raises(errors.ModelError, match="Custom"):
        drawn(stayed, {})
    assert without_draw(travelled.spec["y"].dist) is None
    assert_law(drawn(travelled, {}))


def test_formulas_are_part_of_what_names_a_model() -> None:
    keys = {declared(logcdf=f).spec.key for f in (lambda x, mu: -x, lambda x, mu: x - mu)}

    assert len(keys) == 2
