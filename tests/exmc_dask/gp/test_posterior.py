"""The posterior gp_pois_regr-gp_regr of posteriordb, declared with a process."""

import json
from pathlib import Path

import pytest

import exmc_dask as ed
from benchmarks.posteriordb import LIMIT, scores

FILE = Path(__file__).parents[4] / "shared" / "posteriordb" / "gp_pois_regr-gp_regr.json"


@pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not there")
def test_it_agrees_with_the_reference_draws_of_stan() -> None:
    posterior = json.loads(FILE.read_text())
    data = posterior["data"]
    with ed.Model() as model:
        rho, alpha = ed.Gamma("rho", 25, 4), ed.HalfNormal("alpha", 2)
        sigma = ed.HalfNormal("sigma", 1)
        process = ed.gp.Marginal(cov_func=alpha**2 * ed.gp.cov.ExpQuad(1, ls=rho))
        # sigma is the variance of the noise there, not its square root
        process.marginal_likelihood("y", data["x"], data["y"], ed.math.sqrt(sigma))
    trace = ed.sample(model, 2000, 500, 4, random_seed=3, cluster="threads", progressbar=False)

    for name, reference in posterior["reference"].items():
        found = scores(trace.posterior[name].values, reference)
        assert max(found.values()) < LIMIT, (name, found)
