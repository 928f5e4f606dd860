"""until=: what it asks for, when it looks, and that its result is the same everywhere."""

from typing import Any

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from exmc_dask.errors import OptionError, UnknownName
from exmc_dask.runs.until import CRITERIA, looks, read
from tests.cluster.toy_runs import begin, draws_of
from tests.exmc_dask.runs.test_handle import whole

OUTPUTS: list[tuple[str, tuple[int, ...]]] = [("mu", ()), ("theta", (2,))]
ENOUGH = {"rhat": 1.2, "ess_bulk": 60, "ess_tail": 30}


@pytest.fixture(scope="module")
def undisturbed() -> np.ndarray:
    return draws_of(begin(draws=2000).wait())


@pytest.fixture(scope="module")
def first_enough(undisturbed: np.ndarray) -> int:
    """Number of draws at the first look where ArviZ says that all criteria hold."""
    for k in looks(2000):
        data = xr.Dataset({"x": (("chain", "draw", "i"), undisturbed[:, :k])})
        rhat = arviz_stats.rhat(data)["x"].max().item()
        bulk = arviz_stats.ess(data, method="bulk")["x"].min().item()
        tail = arviz_stats.ess(data, method="tail")["x"].min().item()
        if rhat <= 1.2 and bulk >= 60 and tail >= 30:
            return k
    raise AssertionError


def test_looks_are_half_as_far_apart_as_the_draws_before_them() -> None:
    assert looks(1000) == (200, 300, 450, 675, 1000)
    assert looks(200) == (200,)
    assert looks(7) == (7,)


@pytest.mark.parametrize(
    ("terms", "pause_s"), [({}, 0.0), ({"block_draws": 7}, 0.0), ({"block_draws": 90}, 5e-4)]
)
def test_a_run_ends_at_the_first_look_that_finds_enough(
    terms: Any, pause_s: float, undisturbed: np.ndarray, first_enough: int
) -> None:
    run = begin(draws=2000, until=ENOUGH, trouble={"pause_s": pause_s}, **terms)
    streamed = whole(run.stream())
    trace = run.wait()

    assert 200 < first_enough < 2000
    assert trace.posterior.attrs["ending"] == "until reached"
    np.testing.assert_array_equal(draws_of(trace), undisturbed[:, :first_enough])
    np.testing.assert_array_equal(streamed, draws_of(trace))


def test_no_chain_runs_further_than_one_look_ahead(first_enough: int) -> None:
    run = begin(draws=2000, until=ENOUGH, block_draws=10)
    run.wait()
    following = next(k for k in looks(2000) if k > first_enough)
    lengths = [t.posterior.sizes["draw"] for t in run.ragged().values()]

    assert first_enough <= min(lengths) <= max(lengths) <= following


def test_a_run_that_had_enough_can_be_extended_by_what_is_asked_for(
    undisturbed: np.ndarray, first_enough: int
) -> None:
    run = begin(draws=2000, until=ENOUGH)
    run.wait()
    run.extend(100)

    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed[:, : first_enough + 100])


def test_a_run_that_never_has_enough_says_so(undisturbed: np.ndarray) -> None:
    run = begin(draws=210, until={"ess_bulk": 600})
    with pytest.warns(UserWarning, match=r"not reached in 210 draws: ess_bulk is .* of 'x\[\d\]'"):
        trace = run.wait()

    np.testing.assert_array_equal(draws_of(trace), undisturbed[:, :210])
    run.extend(20)
    with pytest.warns(UserWarning, match="not reached in 230 draws"):
        assert run.wait().posterior.sizes["draw"] == 230


def test_a_run_under_until_is_not_extended_before_it_is_over() -> None:
    run = begin(draws=2000, until=ENOUGH, trouble={"pause_s": 0.01})
    with run, pytest.raises(OptionError, match="after that"):
        run.extend(10)


def test_a_chain_that_is_dropped_after_a_look_belongs_to_it(
    undisturbed: np.ndarray, first_enough: int
) -> None:
    trouble = {"raise_at": [1, 20 + first_enough + 1]}
    run = begin(draws=2000, until=ENOUGH, trouble=trouble, on_failure="drop")

    np.testing.assert_array_equal(draws_of(run.wait()), undisturbed[:, :first_enough])


def test_mcse_may_be_asked_of_some_variables() -> None:
    rng = np.random.default_rng(0)
    draws = np.concatenate([rng.normal(size=(4, 100, 1)), 9 * rng.normal(size=(4, 100, 2))], 2)

    assert read({"mcse": {"mu": 0.1}}, OUTPUTS, 1000, 4).wanting(draws) == ""
    lacks = read({"mcse": {"mu": 0.1, "theta": 0.1}}, OUTPUTS, 1000, 4).wanting(draws)
    assert lacks.startswith("mcse is 0.")
    assert "of 'theta[" in lacks


def test_a_variable_that_never_changes_does_not_count() -> None:
    draws = np.random.default_rng(0).normal(size=(4, 100, 3))
    draws[:, :, 1] = 3.0

    assert read({"rhat": 1.1, "ess_bulk": 50}, OUTPUTS, 1000, 4).wanting(draws) == ""
    assert read({"rhat": 1.1}, OUTPUTS, 1000, 4).wanting(0 * draws) == "rhat is not defined"


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_can_fail_and_hold(name: str) -> None:
    draws = np.random.default_rng(1).normal(size=(4, 100, 3))
    easy, hard = {"rhat": (1.5, 1.0001), "mcse": (1.0, 1e-3)}.get(name, (10, 900))

    assert read({name: easy}, OUTPUTS, 1000, 4).wanting(draws) == ""
    assert read({name: hard}, OUTPUTS, 1000, 4).wanting(draws).startswith(f"{name} is ")


@pytest.mark.parametrize(
    ("until", "error", "says"),
    [
        ({}, OptionError, "such as"),
        (400, OptionError, "until=400"),
        ({"r_hat": 1.01}, OptionError, "no criterion 'r_hat'; there are rhat, ess_bulk"),
        ({"rhat": 1.0}, OptionError, "rhat=1.0 is not possible; give a number above 1"),
        ({"rhat": {"mu": 1.1}}, OptionError, "rhat={'mu': 1.1} is not possible"),
        ({"ess_bulk": -1}, OptionError, "above 0"),
        ({"ess_bulk": 1e9}, OptionError, "cannot be reached: 4 chains of 1000 kept draws"),
        ({"mcse": "small"}, OptionError, "mcse='small'"),
        ({"mcse": np.nan}, OptionError, "mcse=nan"),
        ({"mcse": {"nu": 0.1}}, UnknownName, "no variable 'nu' is kept"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(until: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        read(until, OUTPUTS, 1000, 4)


def test_one_chain_has_no_rhat() -> None:
    with pytest.raises(OptionError, match="there is one"):
        read({"rhat": 1.01}, OUTPUTS, 1000, 1)
