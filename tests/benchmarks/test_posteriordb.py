"""The yardstick of posteriordb: z-scores of right draws, and what becomes of a miss."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import posteriordb
from calibration import exact_laws, figures, of_reference
from posteriordb import ANOTHER_SEED, SECOND_LOOK, Verdict, looks, scores
from posteriordb_models import BUILDERS
from tests.statistics.test_effective_size import autoregression

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "posteriordb"
LAW = stats.norm()
PASS = Verdict("some", 1, 2000, 1500.0, 1.001, 1.0, 1.0, 1.0, 1.0, 0.0, 0.1)
MISS = replace(PASS, z_q95=4.1)


def test_z_scores_of_right_draws_are_standard_normal() -> None:
    runs = [scores(autoregression(0.5, 1000, seed), figures(LAW)) for seed in range(300)]
    z = {key: np.array([run[key] for run in runs]) for key in runs[0]}

    for values in z.values():
        assert np.std(values) == pytest.approx(1.0, abs=0.13)
        assert np.abs(values).max() < posteriordb.LIMIT


def test_a_quantile_that_is_off_is_seen_with_its_sign() -> None:
    z = scores(autoregression(0.5, 1000, 1) + 0.3, figures(LAW))

    assert z["z_q05"] > posteriordb.LIMIT
    assert z["z_q95"] > posteriordb.LIMIT


def test_the_references_error_counts() -> None:
    x = autoregression(0.0, 1000, 1)
    alone, both = (scores(x, {**figures(LAW), "ess": ess}) for ess in (np.inf, float(x.size)))

    for key, z in alone.items():
        assert both[key] == pytest.approx(z / np.sqrt(2), rel=0.1)


def test_figures_of_a_sample_are_as_far_as_its_size_allows() -> None:
    z = []
    for seed in range(300):
        x = np.random.default_rng(seed).normal(size=1000)
        tails = {"q05": np.quantile(x, 0.05), "q95": np.quantile(x, 0.95)}
        z.append(
            [*of_reference({"mean": x.mean(), "sd": x.std(), "ess": 1000, **tails}, LAW).values()]
        )

    assert np.std(z, axis=0) == pytest.approx(np.ones(4), abs=0.13)


def test_marginals_of_a_regression_are_integrals_of_its_density() -> None:
    y = np.array([0.3, 1.9, -0.4, 1.1, 0.2])
    laws = exact_laws(np.ones((5, 1)), y)
    beta, log_sigma = np.linspace(-30, 30, 3001), np.linspace(-4, 7, 2001)
    sigma = np.exp(log_sigma)
    squares = np.sum((y[:, None] - beta) ** 2, axis=0)
    density = sigma**-4.0 * np.exp(-0.5 * np.divide.outer(squares, sigma**2))  # in log(sigma)

    for law, x, at in (
        (laws["beta[1]"], beta, density.sum(axis=1)),
        (laws["sigma"], log_sigma, density.sum(axis=0)),
    ):
        at = at / at.sum()
        below = np.cumsum(at) - 0.5 * at
        place = beta if x is beta else sigma
        np.testing.assert_allclose(law.cdf(place), below, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"there are no posteriors in {FOLDER}")
@pytest.mark.parametrize("name", BUILDERS)
def test_draws_are_those_of_the_reference(name: str) -> None:
    posterior = json.loads((FOLDER / f"{name}.json").read_text())

    assert [*looks(name, posterior, "threads", 1)][-1].passed


def test_a_posterior_that_passes_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _looked(monkeypatch, PASS)

    assert list(looks("some", {}, "threads", 7)) == [PASS]
    assert seen == [(7, 1000)]


@pytest.mark.parametrize("second", [PASS, MISS])
def test_a_miss_is_looked_at_once_more(monkeypatch: pytest.MonkeyPatch, second: Verdict) -> None:
    seen = _looked(monkeypatch, MISS, second)

    assert list(looks("some", {}, "threads", 7)) == [MISS, second]
    assert seen == [(7, 1000), (7 + ANOTHER_SEED, SECOND_LOOK * MISS.draws)]


def _looked(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> list[tuple[int, int]]:
    """Give these verdicts in turn; return the list of seeds and draws that were asked for."""
    seen: list[tuple[int, int]] = []

    def given(name: str, posterior: Any, cluster: str, seed: int, draws: int, most: int) -> Verdict:
        seen.append((seed, draws))
        return verdicts[len(seen) - 1]

    monkeypatch.setattr(posteriordb, "look", given)
    return seen
