"""Many sets of data on processes: the draws of threads, also when a worker dies."""

import os
import signal
from typing import Any

import numpy as np
import xarray as xr
from distributed import Client

import exmc_dask as ed
from exmc_dask.cluster.clusters.chaos import pids
from exmc_dask.cluster.clusters.local import local

OPTIONS: dict[str, Any] = {"draws": 40, "tune": 60, "chains": 2, "random_seed": 3}


def test_a_killed_worker_costs_no_bit() -> None:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 10)
        ed.Normal("y", mu, 1.0, observed=ed.Data("data", [0.0, 0.0]))
    rng = np.random.default_rng(1)
    sets = [{"data": rng.normal(size=n)} for n in range(2, 22)]
    victims: list[int] = []

    def strike(trace: xr.DataTree) -> Any:
        if victims:
            os.kill(victims.pop(), signal.SIGKILL)
            victims.clear()
        return trace.posterior["mu"].values

    near = ed.map(model, sets, reduce=strike, cluster="threads", progressbar=False, **OPTIONS)
    with local(2) as cluster, Client(cluster) as client:
        victims += pids(client).values()
        far = ed.map(model, sets, reduce=strike, client=client, progressbar=False, **OPTIONS)
    assert not victims
    np.testing.assert_array_equal(near, far)
