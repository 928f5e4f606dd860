"""What `LKJCholeskyCov` declares, and batches of factors."""

from typing import Any

import numpy as np
from scipy import stats

import exmc_dask as ed
from exmc_dask import math
from exmc_dask.lowering.density import lower
from exmc_dask.dist import LKJCorr, draw, logp, shape_of
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.ops import Op
from tests.exmc_dask.slopes import leaf, numbers
from tests.exmc_dask.references.correlation import ETA, FACTORS, PACKED, lkj


def declared(**options: Any) -> tuple[ed.Model, Any]:
    with ed.Model() as model:
        made = ed.LKJCholeskyCov("chol", eta=2, n=3, sd_dist=ed.Exponential.dist(1), **options)
    return model, made


def test_factor_correlations_and_deviations_are_those_of_the_covariance() -> None:
    model, made = declared()
    packed = PACKED[1]
    chol, corr, stds = evaluate(list(made), {(Op.VAR, "chol"): packed})
    covariance = chol @ chol.T
    many = np.random.default_rng(4).normal(size=(100, 6))
    (unrounded,) = evaluate([made[1]], {(Op.VAR, "chol"): many})

    np.testing.assert_array_equal(chol[np.tril_indices(3)], packed)
    np.testing.assert_allclose(stds, np.sqrt(np.diagonal(covariance)), rtol=1e-15)
    np.testing.assert_allclose(corr * np.outer(stds, stds), covariance, rtol=1e-14)
    assert (np.diagonal(unrounded, 0, 1, 2) == 1.0).all()
    assert [d.name for d in model.spec.deterministics] == ["chol_corr", "chol_stds"]


def test_the_trace_holds_the_packed_factor_and_what_was_asked_for() -> None:
    shapes = {o.name: o.shape for o in lower(declared()[0].spec).outputs}

    assert shapes == {"chol": (6,), "chol_corr": (3, 3), "chol_stds": (3,)}


def test_nothing_need_be_stored_or_unpacked() -> None:
    unstored, made = declared(store_in_trace=False)
    packed_only, packed = declared(compute_corr=False)

    assert unstored.spec.deterministics == packed_only.spec.deterministics == ()
    assert [node.shape for node in made] == [(3, 3), (3, 3), (3,)]
    assert packed is packed_only.spec["chol"].node


def test_both_doors_declare_the_same_factor() -> None:
    built = (
        ed.Builder()
        .rv("rate", ed.HalfNormal, sigma=1)
        .rv("chol", ed.LKJCholeskyCov, eta=2, n=2, sd_dist=ed.Exponential.dist("rate"))
        .build()
    )
    with ed.Model() as model:
        rate = ed.HalfNormal("rate", 1)
        deviations = ed.Exponential.dist(rate)
        ed.LKJCholeskyCov("chol", eta=2, n=2, sd_dist=deviations, compute_corr=False)

    assert built.spec == model.spec


def test_the_support_point_has_the_deviations_of_theirs() -> None:
    with ed.Model() as model:
        means = np.array([1.0, 2.0, 5.0])
        ed.LKJCholeskyCov("chol", eta=1, n=3, sd_dist=ed.Exponential.dist(1 / means))
    start = lower(model.spec).support_point(model.data)

    np.testing.assert_allclose(start, np.log([1.0, 1.0, 2.0, 1.0, 1.0, 5.0]), rtol=1e-14)


def test_a_batch_has_a_density_each() -> None:
    eta = np.array([ETA, 0.6])
    leaves = {leaf("eta", eta): eta, leaf("x", FACTORS[:2]): FACTORS[:2]}
    dist = LKJCorr.dist(3, leaf("eta", eta))
    diagonal = np.log(np.diagonal(FACTORS[:2], 0, 1, 2)) @ [2, 1, 0]
    expected = [
        lkj(chol @ chol.T, each) + more
        for chol, each, more in zip(FACTORS, eta, diagonal, strict=False)
    ]

    assert shape_of(dist) == (2, 3, 3)
    np.testing.assert_allclose(
        numbers(logp(dist, leaf("x", FACTORS[:2])), leaves), expected, rtol=1e-13
    )


def test_every_correlation_has_the_same_law() -> None:
    dist = LKJCorr.dist(4, 0.4)
    chol = draw(dist, np.random.default_rng(5), (4000, 4, 4), lambda node: numbers(node, {}))
    correlations = chol @ chol.swapaxes(1, 2)
    law = stats.beta(0.4 + 1, 0.4 + 1, -1, 2)  # eta - 1 + n / 2

    for i, j in zip(*np.tril_indices(4, -1), strict=True):
        assert stats.kstest(correlations[:, i, j], law.cdf).pvalue > 1e-3


def test_draws_of_a_covariance_unpack_to_its_parts() -> None:
    with ed.Model() as model:
        ed.LKJCholeskyCov("chol", eta=3, n=2, sd_dist=ed.HalfNormal.dist([1.0, 4.0]))
    dist = model.spec["chol"].dist
    drawn = draw(
        dist,
        np.random.default_rng(3),
        (4000, 3),
        lambda node: numbers(node, {}) if node.op is Op.CONST else model.data[node.arg],
    )
    deviation = np.hypot(drawn[:, 1], drawn[:, 2])

    assert stats.kstest(drawn[:, 0], stats.halfnorm(0, 1).cdf).pvalue > 1e-3
    assert stats.kstest(deviation, stats.halfnorm(0, 4).cdf).pvalue > 1e-3
    assert stats.kstest(drawn[:, 1] / deviation, stats.beta(3, 3, -1, 2).cdf).pvalue > 1e-3


def test_a_factor_may_be_used_in_expressions() -> None:
    with ed.Model() as model:
        chol, _, _ = ed.LKJCholeskyCov("chol", eta=2, n=2, sd_dist=ed.HalfNormal.dist(1))
        z = ed.Normal("z", 0, 1, shape=(2, 5))
        effects = ed.Deterministic("effects", (chol @ z).T)
        ed.Normal("y", math.sum(effects, axis=1), 1, observed=np.zeros(5))

    assert {o.name: o.shape for o in lower(model.spec).outputs}["effects"] == (5, 2)


def test_axes_of_a_factor_may_be_named() -> None:
    coords = {"asset": ["a", "b", "c"], "factor": [1, 2, 3]}
    with ed.Model(coords=coords) as model:
        ed.LKJCorr("chol", 3, 2, dims=("asset", "factor"))
    (output,) = lower(model.spec).outputs

    assert (output.shape, output.dims) == ((3, 3), ("asset", "factor"))
