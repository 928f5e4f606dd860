"""keep="moments": what is kept is that of the draws, to the last bit wherever blocks end."""

import time
from typing import Any

import arviz_stats
import numpy as np
import pytest
import xarray as xr

import exmc_dask as ed
from exmc_dask.errors import OptionError
from exmc_dask.results.convergence import bfmi
from exmc_dask.results.moments import Moments, batch_means, ess, mcse
from tests.exmc_dask.runs.test_resume import QUIET

with ed.Model(coords={"school": ["A", "B", "C"]}) as MODEL:
    _mu = ed.Normal("mu", 0.0, 5.0)
    _theta = ed.Normal("theta", _mu, 1.0, dims="school")
    ed.Normal("y", _theta, 1.0, observed=[2.1, 1.8, 2.5])


def sample(**options: Any) -> Any:
    fixed: dict[str, Any] = {"chains": 3, "draws": 300, "tune": 100, "random_seed": 7}
    fixed["keep"] = "moments"
    return ed.sample(MODEL, **fixed | QUIET | options)


@pytest.fixture(scope="module")
def draws() -> xr.DataTree:
    return sample(keep="draws")


@pytest.fixture(scope="module")
def moments() -> xr.DataTree:
    return sample()


def bits(trace: xr.DataTree) -> list[bytes]:
    groups = (trace[f"moments/{name}"] for name in ("mean", "variance", "batch_mean"))
    found = [group[name] for group in groups for name in ("mu", "theta")]
    found += trace["sample_totals"].to_dataset().data_vars.values()
    return [array.to_numpy().tobytes() for array in found]


def test_moments_are_those_of_the_draws(draws, moments):
    for name in ("mu", "theta"):
        found = draws.posterior[name]
        xr.testing.assert_allclose(moments["moments/mean"][name], found.mean("draw"), 1e-13)
        xr.testing.assert_allclose(moments["moments/variance"][name], found.var("draw", ddof=1))
        batches = moments["moments/batch_mean"]
        size = batches.attrs["batch_size"]
        first = found.isel(draw=slice(0, size)).mean("draw")
        np.testing.assert_allclose(batches[name][:, 0], first, 1e-13)
    assert batches.sizes["batch"] * size <= 300


def test_totals_are_those_of_the_sampler(draws, moments):
    found, stats = moments["sample_totals"], draws.sample_stats
    assert found.draws.values.tolist() == [300] * 3
    for name in ("diverging", "n_steps", "reached_max_treedepth"):
        assert found[name].values.tolist() == stats[name].sum("draw").values.tolist()
    np.testing.assert_allclose(found.acceptance_rate, stats.acceptance_rate.mean("draw"))
    np.testing.assert_allclose(found.bfmi, bfmi(draws.sample_stats.energy.values), rtol=1e-10)


def test_rhat_is_exact(draws, moments):
    expected = arviz_stats.rhat(draws, method="identity")
    found = ed.summary(moments)
    assert found.loc["mu", "r_hat"] == pytest.approx(float(expected["mu"]), rel=1e-12)
    np.testing.assert_allclose(found.loc["theta[A]":, "r_hat"], expected["theta"], rtol=1e-12)
    assert list(found.index) == ["mu", "theta[A]", "theta[B]", "theta[C]"]
    np.testing.assert_allclose(found["sd"].iloc[0], draws.posterior["mu"].std(ddof=1))


def test_nested_rhat_of_superchains_is_exact():
    options = {"chains": 6, "superchains": 3, "draws": 40}
    expected = arviz_stats.rhat_nested(
        sample(**options, keep="draws"), method="identity", superchain_ids=[0, 0, 1, 1, 2, 2]
    )
    found = ed.summary(sample(**options))

    assert found.loc["mu", "r_hat"] == pytest.approx(float(expected["mu"]), rel=1e-10)


WAYS: dict[str, dict[str, Any]] = {
    "blocks": {"block_draws": 7},
    "a draw a block": {"block_draws": 1},
    "blocks of 100": {"block_draws": 100},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_where_blocks_end_leaves_no_bit(way, moments):
    assert bits(sample(**way)) == bits(moments)


def test_an_extension_is_a_run_of_all_draws(moments):
    run = sample(draws=111, blocking=False)
    run.wait()
    run.extend(189)

    assert bits(run.wait()) == bits(moments)


def test_no_draw_is_held(moments):
    run = sample(blocking=False)
    run.wait()

    assert not any(block.draws.in_memory for block in run._harvest.blocks)
    assert bits(run.inspect()) == bits(moments)
    one = run.ragged()[1]["moments/mean"]["theta"]
    xr.testing.assert_equal(one[0], moments["moments/mean"]["theta"][1])


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 500, 1023, 1024, 1025, 5000])
def test_cuts_change_nothing_and_little_is_kept(n):
    rng = np.random.default_rng(n)
    rows = rng.normal(3.0, 2.0, (n, 4))
    whole, pieces, at = Moments.none(4, 4).add(rows), Moments.none(4, 4), 0
    while at < n:
        step = int(rng.integers(1, 40))
        pieces, at = pieces.add(rows[at : at + step]), at + step

    one, other = whole.total, pieces.total
    assert (one.n, one.mean.tobytes(), one.m2.tobytes()) == (
        *(n, other.mean.tobytes()),
        other.m2.tobytes(),
    )
    assert len(pieces.batches) + len(pieces.rising) + len(pieces.rest) < 32 + 16 + 16
    if n > 1:
        np.testing.assert_allclose(one.mean, rows.mean(0))
        np.testing.assert_allclose(one.m2 / (n - 1), rows.var(0, ddof=1))


@pytest.mark.parametrize(("chains", "n"), [(4, 4000), (200, 100)])
def test_the_error_of_correlated_draws_is_found(chains, n):
    rng, rho, k = np.random.default_rng(1), 0.8, 50
    x = rng.normal(size=(chains, n, k))
    for t in range(1, n):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * x[:, t]
    found = [Moments.none(k, chains).add(chain) for chain in x]
    size, batches = batch_means(found, k)
    means = np.stack([one.total.mean for one in found])
    error = mcse(np.full(chains, n), means, size, batches)
    expected = np.sqrt((1 + rho) / (1 - rho) / (chains * n))

    assert np.sqrt(np.mean(error**2)) == pytest.approx(expected, rel=0.1)
    total = chains * n
    assert np.median(ess(np.ones(k), error, total)) == pytest.approx(total / 9, rel=0.15)


REFUSED: dict[str, Any] = {
    "store": "run.zarr",
    "until": {"rhat": 1.1},
    "discard_tuned_samples": False,
    "store_unconstrained": True,
    "log_likelihood": True,
    "log_prior": True,
}


@pytest.mark.parametrize("option", REFUSED)
def test_what_needs_draws_is_refused_at_the_door(option):
    with pytest.raises(OptionError, match=f"keep='moments' and {option}: .*leave"):
        sample(**{option: REFUSED[option]})
    with pytest.raises(OptionError, match="keep='all' is not possible"):
        sample(keep="all")


def test_what_needs_draws_afterwards_says_so(moments):
    run = sample(blocking=False)
    with pytest.raises(OptionError, match=r"stream.*keep='moments'"):
        next(run.stream())
    run.wait()
    with pytest.raises(OptionError, match=r"quantiles.*keep='draws'"):
        ed.summary(moments, ci_prob=0.9)
    with pytest.raises(OptionError, match="kept moments"):
        ed.sample_posterior_predictive(moments, MODEL)
    with pytest.raises(OptionError, match="kept moments"):
        ed.compute_log_likelihood(moments, MODEL)
    with pytest.raises(OptionError, match="kept moments"):
        ed.diagnose(moments, var_names=["mu"]) and ed.sample(MODEL, warm_start=moments, **QUIET)


def test_diagnosis_finds_what_moments_show(moments):
    assert [f.check for f in ed.diagnose(moments)] == ["rhat"]
    assert ed.diagnose(sample(draws=4000)) == []
    assert [f.check for f in ed.diagnose(sample(draws=4, tune=0))][:1] == ["length"]
    with ed.Model() as torn:
        ed.Mixture("x", [0.5, 0.5], [ed.Normal.dist(-30, 1), ed.Normal.dist(30, 1)])
    apart = ed.sample(
        torn, 200, 100, 4, keep="moments", initvals=[{"x": x} for x in (-30, -30, 30, 30)], **QUIET
    )
    assert "rhat" in [f.check for f in ed.diagnose(apart)]


def test_a_run_that_ends_early_has_what_there_is_and_an_empty_one_nothing():
    with sample(draws=100_000, block_draws=20, blocking=False) as run:
        before = run.inspect()
        while run.inspect()["sample_totals"].draws.min() < 40:
            time.sleep(0.01)
        run.stop()
        found = run.wait()

    assert set(before.children) == {"moments", "sample_totals", "observed_data"}
    assert found["sample_totals"].draws.min() >= 40
    assert np.isfinite(found["moments/mean"]["theta"]).all()
    assert np.isfinite(ed.summary(found)).all(axis=None)


def test_thousands_of_short_chains_are_judged_together():
    found = sample(chains=300, draws=20, tune=60)

    assert ed.summary(found).loc["mu", "ess_mean"] > 400
    assert "ess" not in [finding.check for finding in ed.diagnose(found)]


def test_a_cluster_gives_the_same_bits(moments):
    assert bits(sample(cluster="local")) == bits(moments)
