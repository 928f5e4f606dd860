"""Expressions for every draw: the same numbers however many are calculated together, and lazily."""

import dask.array
import numpy as np
import pytest
from scipy import stats

import exmc_dask as ed
from exmc_dask.predictive import replay
from tests.exmc_dask.predictive.posteriors import posterior

RNG = np.random.default_rng(1)
X, Y = RNG.normal(size=(6, 2)), RNG.normal(size=6)
BETA = RNG.normal(size=(3, 70, 2))


@pytest.fixture
def model() -> ed.Model:
    with ed.Model(coords={"row": list("abcdef")}) as model:
        beta = ed.Normal("beta", 0, 1, shape=2)
        ed.Normal("y", X @ beta, 1, observed=Y, dims="row")
    return model


def log_likelihood(model: ed.Model) -> np.ndarray:
    trace = ed.compute_log_likelihood(posterior(beta=BETA), model)
    return trace.log_likelihood["y"].data


@pytest.mark.parametrize("together", [1, 6, 7 * 6, 10**6])
def test_how_many_are_calculated_together_changes_no_bit(
    model: ed.Model, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = log_likelihood(model)
    monkeypatch.setattr(replay, "CHUNK_ELEMENTS", together)

    np.testing.assert_array_equal(log_likelihood(model), expected)
    np.testing.assert_allclose(expected, stats.norm.logpdf(Y, BETA @ X.T), rtol=1e-12)


def test_large_results_are_calculated_when_they_are_read(
    model: ed.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = log_likelihood(model)
    monkeypatch.setattr(replay, "LAZY_BYTES", 8 * expected.size - 1)
    monkeypatch.setattr(replay, "LAZY_ELEMENTS", 30 * 6)
    lazy = log_likelihood(model)

    assert isinstance(lazy, dask.array.Array)
    assert lazy.chunks == ((1, 1, 1), (30, 30, 10), (6,))
    np.testing.assert_array_equal(lazy, expected)
    np.testing.assert_array_equal(lazy[2, 35:40].compute(scheduler="sync"), expected[2, 35:40])


def test_one_byte_less_is_not_lazy(model: ed.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "LAZY_BYTES", 8 * BETA.size // 2 * 6)

    assert isinstance(log_likelihood(model), np.ndarray)
