"""``init=``: chains begin where a fit says, and sample the same posterior."""

from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import OptionError
from exmc_dask.fitting import begin
from tests.exmc_dask.posteriors import regression

HERE: dict[str, Any] = {
    "cluster": "threads",
    "progressbar": False,
    "compute_convergence_checks": False,
    "discard_tuned_samples": False,
    "random_seed": 5,
    "chains": 4,
}


@pytest.mark.parametrize("init", ["map", "laplace", "pathfinder", "advi", "fullrank"])
def test_chains_begin_in_the_posterior_and_sample_it(init: Any) -> None:
    known = regression(5)  # whose support point is hundreds of standard deviations away
    trace = ed.sample(known.model, draws=500, tune=200, init=init, **HERE)
    first = (trace.warmup_posterior["b"].values[:, 0] - known.mean) / known.sd
    z = (trace.posterior["b"].values - known.mean) / known.sd

    assert np.abs(first).max() < 8
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0, atol=0.4)


def test_chains_begin_apart_unless_all_are_at_the_mode() -> None:
    known, options = regression(2), {"draws": 1, "tune": 0, **HERE}
    apart = ed.sample(known.model, init="laplace", store_unconstrained=True, **options)

    again = ed.sample(known.model, init="laplace", store_unconstrained=True, **options)

    assert len(np.unique(apart.posterior["b"].values[:, 0, 0])) == 4
    np.testing.assert_array_equal(apart.posterior["b"], again.posterior["b"])


@pytest.mark.parametrize("metric", ["diag", "dense"])
@pytest.mark.parametrize("init", ["fullrank", "pathfinder"])
def test_the_first_metric_is_what_was_fitted(
    init: Any, metric: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where warmup does not touch the metric, it is that of the sampling."""
    known = regression(5)
    options: dict[str, Any] = {"adapt": "step_size", "tune": 100, "metric": metric, "draws": 300}

    def steps() -> float:
        trace = ed.sample(known.model, init=init, **options, **HERE)
        return float(trace.sample_stats["n_steps"].values.mean())

    fitted = steps()
    monkeypatch.setattr(begin, "KEEPING", ())

    assert fitted < (0.8 if metric == "diag" else 0.3) * steps()


def test_a_covariance_of_a_few_draws_is_no_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    known = regression(2)
    seen: list[np.ndarray] = []

    def numbers(q: np.ndarray, *_: Any, **spreads: Any) -> np.ndarray:
        seen.append(spreads["factor"])
        return q

    monkeypatch.setattr(begin, "numbers", numbers)
    options = {"draws": 1, "tune": 0, "init": "pathfinder", "adapt": "stan", **HERE}
    ed.sample(known.model, **options)
    assert len(seen) == 4

    monkeypatch.setattr(begin, "MIN_EFFECTIVE", 1e9)
    ed.sample(known.model, **options)
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"init": "jitter+adapt_diag"}, "use 'adapt'"),
        ({"init": "svgd"}, "there are adapt, map, advi"),
        ({"init": "advi", "initvals": {"b": [0.0]}}, "so do initvals="),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        ed.sample(regression(1).model, draws=10, tune=10, **options, **HERE)
