"""Predictive draws on real processes: the draws of one process, whatever happens to workers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from distributed import Client

import exmc_dask as ed
from exmc_dask.cluster.clusters.chaos import Strike, pids
from exmc_dask.cluster.plan.moves import Note, Progress, Trouble
from exmc_dask.predictive import portions, spread
from exmc_dask.warned import ImputationWarning

N, CHAINS, DRAWS = 30, 3, 410


def regression(n: int = N) -> ed.Model:
    x = np.random.default_rng(1).normal(size=(n, 2))
    with ed.Model(coords={"row": range(n)}) as model:
        design = ed.Data("design", x, dims=("row", None))
        slope = ed.Normal("slope", 0.0, 0.3, shape=2)
        rate = ed.Deterministic("rate", ed.math.exp(design @ slope), dims="row")
        ed.NegativeBinomial("y", rate, 2.0, observed=np.arange(n) % 4, dims="row")
    return model


def gaps() -> ed.Model:
    with ed.Model() as model:
        mean = ed.Normal("mean", 0.0, 1.0)
        ed.Bernoulli("head", 0.3, likelihood=False)
        ed.MvNormal("pair", [0.0, 1.0], cov=np.eye(2), observed=np.zeros((4, 2)))
        with pytest.warns(ImputationWarning):
            ed.Normal("y", mean, 1.0, observed=[0.0, np.nan, 1.0, np.nan])
    return model


def trace(chains: int = CHAINS, draws: int = DRAWS, **shapes: tuple[int, ...]) -> xr.DataTree:
    rng = np.random.default_rng(2)
    arrays = {
        name: (("chain", "draw", *map(str, shape)), rng.uniform(0, 0.5, (chains, draws, *shape)))
        for name, shape in shapes.items()
    }
    labels = {"chain": np.arange(chains) + 5, "draw": np.arange(draws)}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(arrays, labels)})


def prior(**where: Any) -> xr.DataTree:
    return ed.sample_prior_predictive(regression(), draws=DRAWS, random_seed=3, **where)


def posterior(**where: Any) -> xr.DataTree:
    return ed.sample_posterior_predictive(trace(slope=(2,)), regression(), random_seed=3, **where)


def frozen(**where: Any) -> xr.DataTree:
    given, wanted = trace(rate=(N,)), ["y", "rate"]
    return ed.sample_posterior_predictive(
        given, regression(), var_names=wanted, freeze_vars="rate", random_seed=3, **where
    )


def one_row(**where: Any) -> xr.DataTree:
    given = trace(chains=1, slope=(2,))["posterior"].to_dataset().isel(chain=0)
    return ed.sample_posterior_predictive(
        given, regression(), sample_dims=["draw"], random_seed=3, **where
    )


def imputed(**where: Any) -> xr.DataTree:
    given = trace(mean=(), y_unobserved=(2,))
    return ed.sample_posterior_predictive(
        given, gaps(), var_names=["y", "pair", "head"], random_seed=3, **where
    )


CALLS: dict[str, Callable[..., xr.DataTree]] = {
    call.__name__: call for call in (prior, posterior, frozen, one_row, imputed)
}


def same(one: xr.DataTree, other: xr.DataTree) -> bool:
    drawn = set(one.children) - {"observed_data", "constant_data"}
    pairs = [(one[name].dataset, other[name].dataset) for name in drawn]
    return bool(pairs) and all(
        list(a.data_vars) == list(b.data_vars)
        and all(
            a[name].dtype == b[name].dtype and a[name].values.tobytes() == b[name].values.tobytes()
            for name in a.data_vars
        )
        for a, b in pairs
    )


@pytest.mark.parametrize("name", CALLS)
def test_predictive_draws_do_not_know_where_they_were_made(
    name: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = CALLS[name]
    here = call()
    for size in (1, 100_000):  # numbers of a portion: many of them, and one a row
        monkeypatch.setattr(portions, "PORTION", size)
        assert same(call(cluster="threads", progressbar=False), here)
        assert same(call(client=client, progressbar=False), here)


def test_a_worker_killed_under_predictive_draws_costs_no_bit(client: Client) -> None:
    given, model = trace(2, 3000, slope=(2,)), regression(2000)
    strike = Strike(pids(client), unit=0, draw=1, after_s=0.0)
    seen: list[Any] = []

    def watch(event: Any) -> None:
        strike(event)
        seen.append(event)

    disturbed = ed.sample_posterior_predictive(
        given, model, var_names="y", random_seed=3, client=client, progressbar=watch
    )

    assert strike.struck is not None
    assert Trouble.WORKER_LOST in [event.kind for event in seen if isinstance(event, Note)]
    whole = ed.sample_posterior_predictive(given, model, var_names="y", random_seed=3)
    assert same(disturbed, whole)


def test_few_draws_are_made_here_and_many_where_chains_would_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    few = prior(progressbar=seen.append)
    assert not seen

    monkeypatch.setattr(spread, "MANY", 1)
    assert same(prior(progressbar=seen.append), few)
    assert [event.draw for event in seen if isinstance(event, Progress)][-1] == 1


def test_what_goes_wrong_on_a_worker_is_said_as_here(client: Client) -> None:
    with ed.Model() as model:
        ed.Normal("y", 0.0, ed.Normal("scale", 0.0, 1.0), observed=1.0)
    with pytest.raises(
        ed.errors.ModelError, match=r"^portion \d: 'y' could not be drawn from Normal"
    ):
        ed.sample_prior_predictive(model, client=client, progressbar=False)


def test_a_function_of_the_users_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(size=shape)

    with ed.Model() as model:
        ed.Custom("y", logp=lambda x: -0.5 * x * x, draw=drawn, observed=0.0)
    with pytest.raises(ed.errors.ModelError, match="'y' is drawn by a function that stays"):
        ed.sample_prior_predictive(model, cluster="threads")

    monkeypatch.setattr(spread, "MANY", 1)
    assert ed.sample_prior_predictive(model, draws=5).prior_predictive["y"].shape == (1, 5)
